// The scenario of one counter that everyone wants to increment: compare-and-set, as the SDK's transaction does it.
//
//   each client:  value (from the last event) ─▶ put value + 1, if the hash is that of value ─┬─ ok: a win, the next one
//                   ▲                                                                         └─ datastale: again
//                   └── an event of the server, before either answer
//
// A client never waits and has one put under way. Clients that are answered in one turn of the loop try again in an
// order that is drawn: all are equally fast, and neither the kernel's order nor the loop's makes one of them the winner.
// The event that tells of another client's win comes before the refusal that it caused (net/wire/protocol.md §7.1), so
// each try is made with the newest value that this client could know. The SDK gives a transaction up after 25 tries;
// this client goes on, and counts.
//
// One client's puts, one at a time on a leaf of its own, are measured in the same run: half before and half after.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "db/model/hash.h"
#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr std::string_view kCounter = "/contended/counter";
constexpr uint64_t kTriesOfTheSdk = 25;

class Contest {
 public:
  Contest(const Address& address, size_t count) : clients_(count) {
    size_t listening = 0;
    for (size_t i = 0; i < count; ++i) {
      Wire& wire = loop_.wire(loop_.connect(address, "bench"));
      wire.allow("datastale");
      wire.listen(kCounter);
    }
    loop_.run(
        [&](size_t i, uint64_t number, std::string_view text) {
          if (number > 0) ++listening;
          if (number == 0) hear(i, text);
        },
        [&] { return listening == count; });
  }

  // Until so many have been won. Then tries that are under way are let come to their end, which may be one more win.
  void run(uint64_t wins, StatusLine& status) {
    const auto begin = Steady::now();
    auto said = begin;
    size_t under_way = 0;
    std::vector<size_t> due(clients_.size());  // who tries next
    std::iota(due.begin(), due.end(), size_t{0});
    for (Client& client : clients_) client.began = begin;
    const auto on_message = [&](size_t i, uint64_t number, std::string_view text) {
      if (number == 0) return hear(i, text);
      --under_way;
      const bool is_won = is_ok(text);
      if (won < wins) {
        due.push_back(i);
        count(i, is_won);
        if (won + 1 == wins && is_won) time = Steady::now() - begin;
      }
      won += is_won ? 1 : 0;
    };
    while (won < wins || under_way > 0) {
      std::shuffle(due.begin(), due.end(), random_);
      for (const size_t i : std::exchange(due, {})) {
        if (won >= wins) break;
        attempt(i);
        ++under_way;
      }
      if (!loop_.turn(on_message, kSilenceMax)) fail("the server has been silent for too long");
      if (Steady::now() - said < std::chrono::milliseconds(250)) continue;
      said = Steady::now();
      status.say(fmt::format("contended: {} of {} wins", won, wins));
    }
  }

  // By clients, sorted.
  std::vector<uint64_t> wins_of_clients() const {
    std::vector<uint64_t> wins;
    for (const Client& client : clients_) wins.push_back(client.wins);
    std::sort(wins.begin(), wins.end());
    return wins;
  }

  uint64_t won = 0;             // all, also those behind the last one that counts
  uint64_t refused = 0;         // tries
  uint64_t tries_max = 0;       // of one transaction
  uint64_t past_sdk_tries = 0;  // transactions that an SDK would have given up
  Steady::duration time{};
  Latencies transactions;  // from the first try to the win

 private:
  struct Client {
    uint64_t value = 0;  // of the counter, as far as this client was told
    uint64_t tries = 0;  // of the transaction that is under way
    uint64_t wins = 0;
    Steady::time_point began;
  };

  void hear(size_t i, std::string_view text) {
    constexpr std::string_view data = R"("d":)";
    const auto value = number_in<uint64_t>(text.substr(text.rfind(data) + data.size()));
    if (value < clients_[i].value) fail(fmt::format("the counter went back to {}", value));
    clients_[i].value = value;
  }
  void attempt(size_t i) {
    Client& client = clients_[i];
    ++client.tries;
    const std::string hash = db::node_hash(db::Value::integer(static_cast<int64_t>(client.value)));
    loop_.wire(i).put_if(kCounter, std::to_string(client.value + 1), hash);
  }
  void count(size_t i, bool is_won) {
    Client& client = clients_[i];
    refused += is_won ? 0 : 1;
    if (!is_won) return;
    ++client.wins;
    tries_max = std::max(tries_max, client.tries);
    past_sdk_tries += client.tries > kTriesOfTheSdk ? 1 : 0;
    const auto now = Steady::now();
    transactions.add(now - client.began);
    client.began = now;
    client.tries = 0;
  }

  WireLoop loop_;
  std::mt19937 random_{1};
  std::vector<Client> clients_;  // by their place in the loop
};

// Puts of one client, one at a time; how long they took.
Steady::duration put_alone(const Address& address, uint64_t count, StatusLine& status) {
  const auto make = [](uint64_t n, std::string& path, std::string& json) {
    path = "/contended/alone";
    json = std::to_string(n);
  };
  return run_load(address, "bench", {.count = count, .make = make, .what = "contended: alone"}, status).time;
}

}  // namespace

Report measure_contended(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  const uint64_t half = (flags.wins + 1) / 2;
  Report report{"contended", {}, {}};
  report.set("contenders", std::to_string(flags.contenders));
  report.set("wins", std::to_string(flags.wins));
  subject.describe(report);

  const std::string target = fmt::format("{}.json?ns=bench", kCounter);
  http_ok(subject.address(), "PUT", target, "0");
  auto alone = put_alone(subject.address(), half, status);
  Contest contest(subject.address(), flags.contenders);
  Meter meter(subject);
  contest.run(flags.wins, status);
  meter.stop();
  alone += put_alone(subject.address(), half, status);
  const std::string counter = http_ok(subject.address(), "GET", target);
  if (counter != std::to_string(contest.won)) fail(fmt::format("{} wins made the counter {}", contest.won, counter));

  const double rate = static_cast<double>(flags.wins) / seconds_of(contest.time);
  const double alone_rate = static_cast<double>(2 * half) / seconds_of(alone);
  const std::vector<uint64_t> wins = contest.wins_of_clients();
  report.add("wins_per_s", rate);
  report.add("lone_puts_per_s", alone_rate);
  report.add("wins_per_lone_put", rate / alone_rate);
  report.add("retries_per_win", static_cast<double>(contest.refused) / static_cast<double>(flags.wins));
  report.add("tries_max", static_cast<double>(contest.tries_max));
  report.add("wins_past_25_tries", static_cast<double>(contest.past_sdk_tries));
  report.add("luckiest_client_wins", static_cast<double>(wins.back()));
  report.add("unluckiest_client_wins", static_cast<double>(wins.front()));
  report.add("transaction", contest.transactions);
  meter.add_cpu(report, "server_cpu_us_per_win", contest.won);
  meter.add_syncs(report, contest.won);
  return report;
}

}  // namespace hearth::tools
