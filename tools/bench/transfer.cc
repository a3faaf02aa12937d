// The scenario of money: transfers between two of many accounts, under rules that refuse an overdraft.
//
//   users ── merge { from: increment -n, to: increment n } ─▶ rules judge both accounts in the commit ─┬─ ok
//                                                                                                      └─ refused, whole
//
// A transfer is one multi-path update by a user without admin rights, and needs no reading first: the server adds, and
// the rules see the sums. Increments commute, so what was acknowledged says what each account has at the end, in
// whatever order it took place. All accounts are read at the end and compared: no transfer is lost, done by half, done
// twice, or done though refused.
//
// Accounts are drawn evenly, then by Zipf's law: with exponent 1.5 every third draw is the same account.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "db/base/text.h"
#include "db/model/json.h"
#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

constexpr std::string_view kTransferSpace = "transfer";  // of its own: the rules are the whole namespace's
constexpr std::string_view kTransferRules = R"({"rules":{"accounts":{"$account":{
  ".write":"auth != null",
  ".validate":"newData.isNumber() && newData.val() >= 0"}}}})";
constexpr int64_t kBalance = 100;  // of each account at the start
constexpr int64_t kAmountMax = 100;
constexpr double kZipf = 1.5;

// Numbers from 0 below `count`: number k in proportion to 1 / (k + 1)^exponent. 0: all alike.
class Draw {
 public:
  Draw(size_t count, double exponent) {
    double sum = 0;
    for (size_t k = 0; k < count; ++k) sums_.push_back(sum += std::pow(static_cast<double>(k + 1), -exponent));
  }
  size_t operator()(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution<>(0, sums_.back())(random);
    const auto found = std::upper_bound(sums_.begin(), sums_.end(), at);
    return std::min(static_cast<size_t>(found - sums_.begin()), sums_.size() - 1);
  }

 private:
  std::vector<double> sums_;  // of the weights up to each number
};

// An unsigned token of a user, as the emulator takes it (net/wire/protocol.md §9.2).
std::string user_token() {
  return db::encode_base64url(R"({"alg":"none","type":"JWT"})") + "." +
         db::encode_base64url(R"({"sub":"teller","user_id":"teller","iat":0,"exp":3600,)"
                              R"("firebase":{"sign_in_provider":"custom"}})") +
         ".";
}

std::string space_target(std::string_view path) {
  return fmt::format("{}.json?ns={}&print=silent", path, kTransferSpace);
}

class Bank {
 public:
  Bank(const Address& address, size_t accounts) : address_(address), balances_(accounts, kBalance) {
    http_ok(address, "PUT", fmt::format("/.settings/rules.json?ns={}", kTransferSpace), kTransferRules, kOwner);
    std::string json = "{";
    for (size_t i = 0; i < accounts; ++i) json += fmt::format(R"({}"a{}":{})", i > 0 ? "," : "", i, kBalance);
    http_ok(address, "PUT", space_target("/accounts"), json + "}", kOwner);
  }

  LoadResult run(const BenchFlags& flags, const std::string& name, double exponent, StatusLine& status) {
    const Draw draw(balances_.size(), exponent);
    std::mt19937_64 random(1);
    transfers_.clear();
    refused = 0;
    Load load;
    load.connections = flags.tellers;
    load.window = flags.teller_window;
    load.time = flags.time;
    load.action = Load::Action::Merge;
    load.token = user_token();
    load.what = "transfer: " + name;
    load.make = [&](uint64_t, std::string& path, std::string& json) {
      Transfer transfer{draw(random), draw(random), std::uniform_int_distribution<int64_t>(1, kAmountMax)(random)};
      while (transfer.to == transfer.from) transfer.to = draw(random);
      path = "/accounts";
      json = fmt::format(R"({{"a{}":{{".sv":{{"increment":-{}}}}},"a{}":{{".sv":{{"increment":{}}}}}}})", transfer.from,
                         transfer.amount, transfer.to, transfer.amount);
      transfers_.push_back(transfer);
    };
    load.on_answer = [&](uint64_t n, bool is_done) {
      const Transfer& transfer = transfers_[n];
      refused += is_done ? 0 : 1;
      if (!is_done) return;
      balances_[transfer.from] -= transfer.amount;
      balances_[transfer.to] += transfer.amount;
    };
    return run_load(address_, std::string(kTransferSpace), load, status);
  }

  // Throws unless the server has of each account what the answers say.
  void audit() const {
    std::string text = http_ok(address_, "GET", fmt::format("/accounts.json?ns={}", kTransferSpace), {}, kOwner);
    const auto accounts = db::parse_value(std::move(text), db::Path());
    if (!accounts.ok()) fail(accounts.error().message);
    int64_t total = 0;
    size_t count = 0;
    for (auto child = accounts.value().children(); !child.done(); child.next(), ++count) {
      const auto index = number_in<size_t>(std::string_view(child.key()).substr(1));
      const int64_t balance = child.value().as_integer();
      total += balance;
      if (index >= balances_.size() || balance != balances_[index] || balance < 0) {
        fail(fmt::format("account {} has {}, and not {}", child.key(), balance,
                         index < balances_.size() ? balances_[index] : 0));
      }
    }
    if (count != balances_.size() || total != kBalance * static_cast<int64_t>(count)) {
      fail(fmt::format("{} accounts have {} in all", count, total));
    }
  }

  uint64_t refused = 0;  // in the last run

 private:
  struct Transfer {
    size_t from, to;
    int64_t amount;
  };

  const Address address_;
  std::vector<int64_t> balances_;    // as the answers say
  std::vector<Transfer> transfers_;  // of this run, by number
};

}  // namespace

Report measure_transfer(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  Report report{"transfer", {}, {}};
  report.set("accounts", std::to_string(flags.accounts));
  report.set("tellers", std::to_string(flags.tellers));
  report.set("window", std::to_string(flags.teller_window));
  report.set("seconds", std::to_string(flags.time.count()));
  subject.describe(report);

  for (const auto& [name, exponent] : {std::pair<std::string, double>{"uniform", 0}, {"zipf", kZipf}}) {
    Bank bank(subject.address(), flags.accounts);
    Meter meter(subject);
    LoadResult result = bank.run(flags, name, exponent, status);
    meter.stop();
    bank.audit();
    report.add(name + "_transfers_per_s", static_cast<double>(result.writes - bank.refused) / seconds_of(result.time));
    report.add(name + "_refused_percent", 100 * static_cast<double>(bank.refused) / static_cast<double>(result.writes));
    report.add(name + "_ack", result.acks);
    meter.add_cpu(report, name + "_server_cpu_us_per_transfer", result.writes);
    meter.add_syncs(report, result.writes, name + "_");
  }
  return report;
}

}  // namespace hearth::tools
