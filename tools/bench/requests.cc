// Scenarios of REST over kept-alive connections: get, mixed.
//
//   get     C connections × P unanswered GETs of a leaf          mixed   of five requests the third is a PUT
//
// Each connection has leaves of its own. A connection's requests take effect in order, so the client knows what each
// GET has to answer: the value of the latest PUT that was sent before it. A PUT is answered with its value. Whatever
// else comes ends the run.
#include <fmt/format.h>

#include <algorithm>

#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr size_t kRestLeaves = 10'000;      // of all connections
constexpr uint64_t kEvery = 5, kPutAt = 2;  // of five requests of a connection that one is a PUT, in `mixed`

enum class Mix : uint8_t { Reads, WithWrites };

std::string text_of_leaf(size_t leaf, uint64_t version) {
  return fmt::format("\"sixteen bytes... {} {}\"", leaf, version);
}

class RestLoad {
 public:
  RestLoad(Subject& subject, const BenchFlags& flags, Mix mix) : mix_(mix), versions_(kRestLeaves) {
    fill(subject.address());
    for (size_t i = 0; i < flags.connections; ++i) {
      loop_.add(std::make_unique<RestConnection>(subject.address()));
      clients_.push_back({std::vector<Asked>(flags.pipeline + 1)});
    }
  }

  void run(const std::string& name, const BenchFlags& flags, StatusLine& status) {
    const auto begin = Steady::now();
    auto said = begin;
    now_ = begin;
    for (size_t p = 0; p < flags.pipeline; ++p) {
      for (size_t i = 0; i < clients_.size(); ++i) ask(i);
    }
    loop_.run(
        [&](size_t connection, uint64_t number, std::string_view body) {
          now_ = Steady::now();
          check(connection, number, body);
          if (now_ - begin < flags.time) ask(connection);
          if (now_ - said < std::chrono::milliseconds(250)) return;
          said = now_;
          status.say(
              fmt::format("{}: {} requests in {:.1f} s", name, gets.count() + puts.count(), seconds_of(now_ - begin)));
        },
        [&] { return gets.count() + puts.count() == asked_; });
    time = Steady::now() - begin;
  }

  Latencies gets, puts;
  Steady::duration time{};

 private:
  struct Asked {
    Steady::time_point at;
    size_t leaf = 0;
    uint64_t version = 0;  // that the answer has to have
    bool is_put = false;
  };
  struct Client {
    std::vector<Asked> asked;  // a ring by the request's number; one more place than are unanswered
    uint64_t count = 0;
  };

  static void fill(const Address& address) {
    std::string json = "{";
    for (size_t leaf = 0; leaf < kRestLeaves; ++leaf) {
      json += fmt::format(R"({}"k{}":{})", leaf > 0 ? "," : "", leaf, text_of_leaf(leaf, 0));
    }
    http_ok(address, "PUT", "/rest.json?ns=bench&print=silent", json + "}");
  }

  // The leaves of a connection are those whose number leaves its number when divided.
  void ask(size_t connection) {
    Client& client = clients_[connection];
    const uint64_t n = client.count++;
    const size_t own = (kRestLeaves - 1 - connection % kRestLeaves) / clients_.size() + 1;
    const size_t leaf = n * 48'271 % own * clients_.size() + connection;
    const bool is_put = mix_ == Mix::WithWrites && n % kEvery == kPutAt;
    if (is_put) ++versions_[leaf];
    const std::string target = fmt::format("/rest/k{}.json?ns=bench", leaf);
    auto& rest = loop_.at<RestConnection>(connection);
    const uint64_t number =
        is_put ? rest.request("PUT", target, text_of_leaf(leaf, versions_[leaf])) : rest.request("GET", target);
    client.asked[number % client.asked.size()] = {now_, leaf, versions_[leaf], is_put};
    ++asked_;
  }

  void check(size_t connection, uint64_t number, std::string_view body) {
    const std::vector<Asked>& ring = clients_[connection].asked;
    const Asked& asked = ring[number % ring.size()];
    if (body != text_of_leaf(asked.leaf, asked.version)) {
      fail(fmt::format("{} of {} was answered {}", asked.is_put ? "PUT" : "GET",
                       text_of_leaf(asked.leaf, asked.version), body.substr(0, 200)));
    }
    (asked.is_put ? puts : gets).add(now_ - asked.at);
  }

  const Mix mix_;
  WireLoop loop_;
  std::vector<Client> clients_;
  std::vector<uint64_t> versions_;  // by leaf
  Steady::time_point now_;
  uint64_t asked_ = 0;
};

Report measure_requests(const std::string& name, Mix mix, const BenchFlags& flags, Subject& subject,
                        StatusLine& status) {
  if (flags.connections > kRestLeaves) fail(fmt::format("{}: at most {} connections", name, kRestLeaves));
  Report report{name, {}, {}};
  report.set("connections", std::to_string(flags.connections));
  report.set("pipeline", std::to_string(flags.pipeline));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("leaves", std::to_string(kRestLeaves));
  subject.describe(report);

  RestLoad load(subject, flags, mix);
  Meter meter(subject);
  load.run(name, flags, status);
  meter.stop();
  const uint64_t requests = load.gets.count() + load.puts.count();
  report.add("requests_per_s", static_cast<double>(requests) / seconds_of(load.time));
  report.add("get", load.gets);
  if (mix == Mix::WithWrites) report.add("put", load.puts);
  meter.add_cpu(report, "server_cpu_us_per_request", requests);
  if (mix == Mix::WithWrites) meter.add_syncs(report, load.puts.count());
  return report;
}

}  // namespace

Report measure_get(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_requests("get", Mix::Reads, flags, subject, status);
}

Report measure_mixed(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_requests("mixed", Mix::WithWrites, flags, subject, status);
}

}  // namespace hearth::tools
