// The scenario of neighbours: what one namespace does, at its worst, to another one of the same shard.
//
//   calm namespace    one client: write ─▶ answer and event ─▶ read ─▶ pause ─▶ again       its p50, p99 are measured
//   wild namespace    threads that all ask for one dear thing: counts, large reads, imports, deletes, index builds …
//
// The calm one is measured in quiet first and then under each attack; the report has the ratio, and whether it is
// within bounds. Both namespaces are of one shard on purpose: they share its thread, which is where neighbours hurt
// most. The attackers are threads with the lowest priority, so that what is measured is the server and not a fight
// for cores.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <stdexcept>
#include <thread>

#include "tools/bench/http.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr std::string_view kCalm = "neighbours0";
constexpr std::string_view kWild = "neighbours4";  // numbers go round the four shards: the same as that of the calm one
constexpr size_t kFillPart = 50'000;               // children in one request
constexpr int kNice = 19;
constexpr double kRatioMax = 4, kQuietEnoughMs = 20;  // within bounds: a p99 of at most the larger
constexpr std::chrono::milliseconds kPause{4};        // between two rounds of the calm one
constexpr std::string_view kForm =
    R"-({{"rules":{{"items":{{".read":true,".write":true,".indexOn":["n"{}]}},)-"
    R"-("secret":{{".read":false,".write":false,".indexOn":["n"]}},"one":{{".read":true,".write":true}},)-"
    R"-("slow":{{".write":true,"$k":{{".validate":)-"
    R"-("root.child('items/'+$k+'/n').isNumber() && newData.child('m').val().matches(/^value [0-9]+$/)"}}}}}}}})-";

std::string target(std::string_view space, std::string_view path, std::string_view more = "") {
  return fmt::format("/{}.json?ns={}{}", path, space, more);
}

std::string children(size_t from, size_t count) {
  std::string text = "{";
  for (size_t i = from; i < from + count; ++i) {
    text +=
        fmt::format(R"({}"k{:07}":{{"n":{},"m":"value {}"}})", text.size() > 1 ? "," : "", i, i * 7919 % 1'000'003, i);
  }
  return text + "}";
}

// One kind of request that the wild namespace's clients send again and again, each thread by itself.
struct Attack {
  std::string name;
  size_t threads;
  std::function<void(const Address&)> ask;  // once
};

// Runs an attack from its construction to its end.
class Attackers {
 public:
  Attackers(const Address& address, const Attack& attack) {
    for (size_t i = 0; i < attack.threads; ++i) {
      threads_.emplace_back([this, address, &attack] {
        (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice);
        while (!is_over_) {
          try {
            attack.ask(address);
            ++asked_;
          } catch (const std::exception&) {
            ++failed_;  // refused, or cut off: it tries again
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
        }
      });
    }
  }
  ~Attackers() { stop(); }
  void stop() {
    is_over_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  double asked() const { return static_cast<double>(asked_.load()); }

 private:
  std::atomic<bool> is_over_ = false;
  std::atomic<uint64_t> asked_ = 0, failed_ = 0;
  std::vector<std::thread> threads_;
};

// The client of the calm namespace, whose times are measured.
class Calm {
 public:
  explicit Calm(const Address& address) : address_(address) {
    const std::string space(kCalm);
    writer_ = loop_.connect(address, space);
    listener_ = loop_.connect(address, space);
    bool is_listening = false;
    loop_.wire(listener_).listen("/v");
    loop_.run([&](size_t, uint64_t number, std::string_view) { is_listening |= number > 0; },
              [&] { return is_listening; });
  }

  // Writes, waits for the answer and for the listener's event, and reads.
  void live(Steady::duration time) {
    write_ = {}, event_ = {}, read_ = {};
    for (const auto end = Steady::now() + time; Steady::now() < end; std::this_thread::sleep_for(kPause)) {
      bool is_written = false, is_heard = false;
      const auto begin = Steady::now();
      loop_.wire(writer_).put("/v", std::to_string(++count_));
      loop_.run(
          [&](size_t connection, uint64_t number, std::string_view) {
            if (connection == writer_ && number > 0) {
              is_written = true;
              write_.add(Steady::now() - begin);
            } else if (connection == listener_ && number == 0) {
              is_heard = true;
              event_.add(Steady::now() - begin);
            }
          },
          [&] { return is_written && is_heard; });
      const auto asks = Steady::now();
      http_ok(address_, "GET", target(kCalm, "v"));
      read_.add(Steady::now() - asks);
    }
  }

  // Adds figures named NAME_write_p50_ms and so on.
  void tell(const std::string& name, Report& report) {
    report.add(name + "_write", write_);
    report.add(name + "_event", event_);
    report.add(name + "_read", read_);
  }
  std::vector<double> p99() { return {write_.milliseconds(0.99), event_.milliseconds(0.99), read_.milliseconds(0.99)}; }

 private:
  const Address address_;
  WireLoop loop_;
  size_t writer_ = 0, listener_ = 0;
  uint64_t count_ = 0;
  Latencies write_, event_, read_;
};

// In parts, so that filling stays below the server's limit for a body and a step.
void fill(const Address& address, std::string_view path, size_t count) {
  for (size_t from = 0; from < count; from += kFillPart) {
    const HttpReply reply = http(address, "PATCH", target(kWild, path, "&print=silent"),
                                 children(from, std::min(kFillPart, count - from)), kOwner);
    if (reply.status / 100 != 2) throw std::runtime_error("bench: filling: " + reply.body);
  }
}

void set_rules(const Address& address, std::string_view more_indexes) {
  const HttpReply reply = http(address, "PUT", fmt::format("/.settings/rules.json?ns={}", kWild),
                               fmt::format(fmt::runtime(kForm), more_indexes), kOwner);
  if (reply.status != 200) throw std::runtime_error("bench: setting rules: " + reply.body);
}

// The dearest things that a client can ask for, each by some clients at once. Requests that fail count too: a refused
// client tries again.
std::vector<Attack> attacks_of(size_t count) {
  const auto ask = [](std::string_view method, std::string of, std::string body = {}, std::string fields = {}) {
    return [=](const Address& address) { http(address, method, of, body, fields); };
  };
  const std::string half = std::to_string(500'000);
  const std::string import = children(0, std::max<size_t>(count / 4, 1));
  std::vector<Attack> attacks;
  attacks.push_back(
      {"counts", 16,
       ask("GET",
           target(kWild, "items", fmt::format(R"(&orderBy="$key"&startAt="k"&count=true&limitToFirst={})", count)))});
  attacks.push_back({"large_reads", 4, ask("GET", target(kWild, "items"))});
  attacks.push_back({"shallow_reads", 8, ask("GET", target(kWild, "items", "&shallow=true"))});
  attacks.push_back(
      {"large_queries", 4, ask("GET", target(kWild, "items", fmt::format(R"(&orderBy="n"&limitToFirst={})", count)))});
  attacks.push_back({"small_reads", 32, ask("GET", target(kWild, "one"))});
  attacks.push_back({"small_writes", 32, ask("PUT", target(kWild, "one"), "1")});
  attacks.push_back({"denied_conditional_writes", 8, ask("PUT", target(kWild, "secret"), "1", "If-Match: x\r\n")});
  attacks.push_back(
      {"denied_deletes", 8, ask("DELETE", target(kWild, "secret", fmt::format(R"(&orderBy="n"&endAt={})", half)))});
  attacks.push_back({"imports", 2, ask("PUT", target(kWild, "import", "&print=silent"), import, std::string(kOwner))});
  attacks.push_back({"unindexed_queries", 2, [](const Address& to) {
                       WireLoop loop;
                       const size_t connection = loop.connect(to, std::string(kWild));
                       bool is_answered = false;
                       loop.wire(connection).listen_query("/items", R"({"i":"m","l":1,"vf":"l"})");
                       loop.run([&](size_t, uint64_t number, std::string_view) { is_answered |= number > 0; },
                                [&] { return is_answered; });
                     }});
  // Each of its children is judged by a rule that looks at another one, and by a pattern.
  attacks.push_back({"slow_rules", 2, ask("PUT", target(kWild, "slow", "&print=silent"), import)});
  attacks.push_back({"deletes", 2, [import](const Address& address) {
                       http(address, "PUT", target(kWild, "gone", "&print=silent"), import, kOwner);
                       http(address, "DELETE", target(kWild, "gone"), {}, kOwner);
                     }});
  attacks.push_back({"index_builds", 1, [is_other = false](const Address& address) mutable {
                       is_other = !is_other;
                       set_rules(address, is_other ? R"(,"m")" : "");
                       // Each index is built for half a second before the next rules drop it.
                       std::this_thread::sleep_for(std::chrono::milliseconds(500));
                     }});
  return attacks;
}

}  // namespace

Report measure_neighbours(const BenchFlags& flags, Subject& subject, StatusLine& progress) {
  const Address& address = subject.address();
  Report report{"neighbours", {}, {}};
  subject.describe(report);
  report.set("children", std::to_string(flags.children));
  report.set("time_s", std::to_string(flags.time.count()));

  progress.say("neighbours: filling");
  for (int i = 0; i <= 4; ++i) http_ok(address, "PUT", fmt::format("/v.json?ns=neighbours{}", i), "0");
  set_rules(address, "");
  fill(address, "items", flags.children);
  fill(address, "secret", flags.children);

  Calm calm(address);
  progress.say("neighbours: quiet");
  calm.live(flags.time);
  calm.tell("quiet", report);
  const std::vector<double> quiet = calm.p99();
  double within = 0, all = 0;
  for (const Attack& attack : attacks_of(flags.children)) {
    const auto& asked = flags.attacks;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), attack.name) == asked.end()) continue;
    progress.say("neighbours: " + attack.name);
    Attackers attackers(address, attack);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // until there is something to wait behind
    calm.live(flags.time);
    report.add(attack.name + "_asked", attackers.asked());
    attackers.stop();
    calm.tell(attack.name, report);
    const std::vector<double> now = calm.p99();
    double worst = 0;
    bool is_within = true;
    for (size_t i = 0; i < now.size(); ++i) {
      worst = std::max(worst, now[i] / std::max(quiet[i], 0.001));
      is_within &= now[i] <= std::max(kRatioMax * quiet[i], kQuietEnoughMs);
    }
    report.add(attack.name + "_p99_ratio", worst);
    within += is_within ? 1 : 0;
    all += 1;
  }
  report.add("attacks", all);
  report.add("attacks_within_bounds", within);
  return report;
}

}  // namespace hearth::tools
