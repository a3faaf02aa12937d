// The scenario of a herd: clients that listen to one large value, whose server is killed and starts again. They come
// back as SDKs do, each when its back-off says, with the hash of what they have.
//
//   N clients listen ─ kill -9 ─ [one leaf changes] ─ start ─ they come back ─ all served ─ one write: all must hear it
//
// This is where a server dies after it has lived: every client asks for the same megabyte at once. Read once and
// hashed once, it costs next to nothing when unchanged; read for each client it would cost a thousand times as much.
// The figures say how often it was read and hashed, what was sent, and how long the last client waited.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <random>
#include <stdexcept>

#include "db/model/hash.h"
#include "db/model/json.h"
#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"
#include "tools/descriptors.h"

namespace hearth::tools {
namespace {

using std::chrono::milliseconds;

// SDK: core/PersistentConnection.ts: the first try within a second, each next within 1.3 times as long as the one before.
constexpr std::chrono::duration<double> kFirstDelay{1};
constexpr double kDelayFactor = 1.3;
constexpr milliseconds kPatience{30'000};

constexpr std::string_view kBoard = "/herd/board";
constexpr std::string_view kEvent = R"({"t":"d","d":{"a":)";
constexpr size_t kBoardBytes = 1 << 20;

// An object of messages, kBoardBytes of JSON or a little more.
std::string make_board() {
  std::string json = "{";
  for (size_t i = 0; json.size() < kBoardBytes; ++i) {
    json += fmt::format(R"({}"m{:06}":{{"by":"user{}","sent":{},"text":"{:*<64}"}})", i > 0 ? "," : "", i, i % 97,
                        1'700'000'000'000 + i, "a message of a usual length");
  }
  return json + "}";
}

// The hash of a value as SDKs compute it.
std::string hash_of(std::string json) {
  const auto value = db::parse_value(std::move(json), db::Path());
  if (!value.ok()) fail(value.error().message);
  return db::node_hash(value.value());
}

void write_leaf(Subject& subject, std::string_view text) {
  http_ok(subject.address(), "PUT", fmt::format("{}/m000000/text.json?ns=bench", kBoard), fmt::format("\"{}\"", text));
}

double figure_of(const Address& address, std::string_view name) {
  const auto figure = ServerFigures(address).find(name);
  if (!figure) fail(fmt::format("the server has no figure {}", name));
  return *figure;
}

class Herd {
 public:
  // Lets `count` clients, which have just been cut off, come back and listen again. Returns when each has its answer.
  Herd(const Address& address, size_t count, const std::string& hash) : count_(count) {
    const auto cut = Steady::now();
    std::vector<Client> waiting(count);  // a heap, the next one first
    for (Client& client : waiting) client.due = cut + within(client.delay);
    std::make_heap(waiting.begin(), waiting.end(), later);
    while (waits.count() < count) {
      while (!waiting.empty() && waiting.front().due <= Steady::now()) try_next(waiting, address);
      milliseconds patience = kPatience;
      if (!waiting.empty()) {
        patience = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(waiting.front().due - Steady::now()));
      }
      const bool came = loop_.turn(
          [&](size_t index, uint64_t number, std::string_view text) {
            if (number > 0) waits.add(Steady::now() - connected_[index]);
            if (text.starts_with(R"({"t":"c")")) loop_.wire(index).listen(kBoard, hash);
            values += text.starts_with(kEvent) ? 1 : 0;
          },
          patience);
      if (!came && waiting.empty()) fail("the server has been silent for too long");
    }
    time = Steady::now() - cut;
    for (size_t i = 0; i < loop_.size(); ++i) bytes += loop_.wire(i).bytes_in();
  }

  // Checks that all of them listen: returns when each was told of `word`, and throws when one is told anything else.
  void hear(std::string_view word) {
    size_t heard = 0;
    loop_.run(
        [&](size_t, uint64_t, std::string_view text) {
          if (text.find(word) == std::string_view::npos) fail(fmt::format("a client was told {}", text.substr(0, 200)));
          ++heard;
        },
        [&] { return heard == count_; });
  }

  uint64_t bytes = 0;       // that came, of all kinds
  uint64_t values = 0;      // pushed before the answers
  uint64_t refused = 0;     // tries, while there was no server
  Steady::duration time{};  // from the cut until the last was served
  Latencies waits;          // from a client's connection to its answer

 private:
  struct Client {
    Steady::time_point due;
    std::chrono::duration<double> delay = kFirstDelay;
  };
  static bool later(const Client& a, const Client& b) { return a.due > b.due; }
  Steady::duration within(std::chrono::duration<double> delay) {
    return std::chrono::duration_cast<Steady::duration>(delay * std::uniform_real_distribution<>(0, 1)(random_));
  }
  void try_next(std::vector<Client>& waiting, const Address& address) {
    std::pop_heap(waiting.begin(), waiting.end(), later);
    Client& client = waiting.back();
    try {
      loop_.begin(address, "bench");
      connected_.push_back(Steady::now());
      waiting.pop_back();
    } catch (const Refused&) {
      ++refused;
      client.delay *= kDelayFactor;
      client.due = Steady::now() + within(client.delay);
      std::push_heap(waiting.begin(), waiting.end(), later);
    }
  }

  const size_t count_;
  std::mt19937 random_{1};
  WireLoop loop_;
  std::vector<Steady::time_point> connected_;  // by the loop's index
};

enum class Change : uint8_t { None, OneLeaf };

// Kills the server while its clients listen, and starts it again. Figures and CPU are counted from the new start. The
// herd runs on a thread of its own, so that clients try, and are refused, while there is no server.
void measure_herd(Report& report, const std::string& name, Change change, Subject& subject, size_t count,
                  StatusLine& status) {
  status.say(fmt::format("reconnect: {} clients, {}", count, name));
  const std::string board = http_ok(subject.address(), "GET", fmt::format("{}.json?ns=bench", kBoard));
  const std::string hash = hash_of(board);
  const double naive_bytes = static_cast<double>(count) * static_cast<double>(board.size());
  auto before = std::make_unique<WireLoop>();
  size_t listening = 0;
  for (size_t i = 0; i < count; ++i) before->wire(before->connect(subject.address(), "bench")).listen(kBoard, hash);
  before->run([&](size_t, uint64_t number, std::string_view) { listening += number > 0 ? 1 : 0; },
              [&] { return listening == count; });
  const Address address = subject.address();
  subject.child().stop(SIGKILL);
  before.reset();
  if (change == Change::OneLeaf) {
    subject.start();
    write_leaf(subject, "written before they are back");
  }
  auto back = std::async(std::launch::async, [&] { return std::make_unique<Herd>(address, count, hash); });
  if (change == Change::None) subject.start();
  const std::unique_ptr<Herd> herd = back.get();

  report.add(name + "_sent_bytes", static_cast<double>(herd->bytes));
  report.add(name + "_sent_percent_of_naive", 100 * static_cast<double>(herd->bytes) / naive_bytes);
  report.add(name + "_values_told", static_cast<double>(herd->values));
  report.add(name + "_values_read", figure_of(address, "hearth_first_values_read_total"));
  report.add(name + "_hashes_computed", figure_of(address, "hearth_first_values_hashed_total"));
  report.add(name + "_server_cpu_ms", subject.cpu_micros() / 1000);
  report.add(name + "_refused_tries", static_cast<double>(herd->refused));
  report.add(name + "_all_served_s", seconds_of(herd->time));
  report.add(name + "_answer", herd->waits);
  const std::string word = "written after " + name;
  write_leaf(subject, word);
  herd->hear(word);
}

}  // namespace

Report measure_reconnect(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  Report report{"reconnect", {}, {}};
  if (!subject.is_child()) {
    report.set("skipped", "it kills its server, so there is none with --url");
    return report;
  }
  need_descriptors(flags.clients);
  report.set("clients", std::to_string(flags.clients));
  report.set("first_delay_max_s", fmt::format("{}", kFirstDelay.count()));
  subject.describe(report);

  const std::string board = make_board();
  report.set("value_bytes", std::to_string(board.size()));
  http_ok(subject.address(), "PUT", fmt::format("{}.json?ns=bench&print=silent", kBoard), board);
  measure_herd(report, "unchanged", Change::None, subject, flags.clients, status);
  measure_herd(report, "changed", Change::OneLeaf, subject, flags.clients, status);
  return report;
}

}  // namespace hearth::tools
