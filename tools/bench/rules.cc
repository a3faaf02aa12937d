// The scenario of security rules: what judging a chat message costs, by itself and within a write.
//
//   alone    Ruleset::may_write on rows in memory: the evaluation and nothing else; looks count the rows it reads
//   write    the same message through a Guard, by a user and by an admin: the difference is rules with their reads
//
// The rules are those of a usual chat: signed in, a member of the room, four fields validated, no others allowed.
#include <fmt/format.h>

#include <map>
#include <stdexcept>

#include "db/host.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "rules/guard.h"
#include "tools/bench/gate.h"
#include "tools/bench/run.h"

namespace hearth::tools {
namespace {

// A user who is signed in and a member of the room may write; each field is validated.
constexpr std::string_view kChatRules = R"rules({"rules": {
  "members": {},
  "rooms": { "$room": { "$message": {
    ".write": "auth != null && root.child('members').child($room).child(auth.uid).val() == true",
    ".validate": "newData.hasChildren(['by', 'text', 'at', 'kind'])",
    "by": { ".validate": "newData.val() == auth.uid" },
    "text": { ".validate": "newData.isString() && newData.val().length > 0 && newData.val().length <= 2000" },
    "at": { ".validate": "newData.val() <= now" },
    "kind": { ".validate": "newData.val() == 'text' || newData.val() == 'image'" },
    "$other": { ".validate": false }
  } } }
}})rules";
constexpr size_t kRooms = 100;
constexpr size_t kAlone = 500'000;  // evaluations

// Rows in memory, so that what is measured is no read.
class Rows final : public db::TreeView {
 public:
  void put(std::string key, std::string leaf) { rows_[std::move(key)] = std::move(leaf); }
  db::Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    ++looks;
    for (auto at = rows_.lower_bound(from); at != rows_.end() && at->first < upto; ++at) {
      if (!row(at->first, at->second)) break;
    }
    return {};
  }
  db::Result<std::optional<std::string>> leaf(std::string_view key) const override {
    ++looks;
    const auto found = rows_.find(key);
    return found == rows_.end() ? std::optional<std::string>() : std::optional<std::string>(found->second);
  }
  mutable uint64_t looks = 0;

 private:
  std::map<std::string, std::string, std::less<>> rows_;
};

db::Value message(uint64_t n) {
  return db::Value::object({{"by", db::Value::string("ada")},
                            {"text", db::Value::string(fmt::format("message number {}", n))},
                            {"at", db::Value::integer(1)},
                            {"kind", db::Value::string("text")}});
}

// The tree without and with the message, as the rows that an evaluation would read, the membership among them.
void add_alone(const rules::Ruleset& ruleset, const rules::AuthVariable& auth, Report& report) {
  const db::Path path = db::Path::parse("rooms/r1/m1").value();
  const db::Value value = message(1);
  Rows before, after;
  const std::string member = db::encode_path(db::Path::parse("members/r1/ada").value());
  const std::string yes(db::Value::boolean(true).row(0).leaf);
  before.put(member, yes);
  after.put(member, yes);
  for (size_t i = 0; i < value.row_count(); ++i) {
    after.put(db::encode_path(path) + std::string(value.row(i).key), std::string(value.row(i).leaf));
  }
  const rules::Target target{&path, db::Slot::Value, &value};
  rules::Question question;
  question.auth = &auth;
  question.now = db::Timestamp(5);
  const auto cpu = own_cpu();
  size_t allowed = 0;
  for (size_t i = 0; i < kAlone; ++i) {
    const auto verdict = ruleset.may_write(before, after, {&target, 1}, question);
    allowed += verdict.ok() && verdict.value();
  }
  if (allowed != kAlone) throw std::runtime_error("bench: the rules denied what they should allow");
  report.add("rules_alone_cpu_us_per_write", (own_cpu() - cpu).count() / kAlone);
  report.add("looks_per_write", static_cast<double>(before.looks + after.looks) / kAlone);
}

// CPU of this process for each write of messages by `auth`.
double cpu_of_writes(rules::Guard& guard, const rules::Auth& auth, const BenchFlags& flags, std::string_view who,
                     StatusLine& progress, uint64_t& n) {
  Gate gate(flags.in_flight);
  std::string failure;
  const uint64_t first = n;
  const auto begin = Steady::now();
  const auto cpu = own_cpu();
  for (auto now = begin; now - begin < flags.time; now = Steady::now()) {
    gate.enter();
    ++n;
    db::Write write;
    // Keys ascend with time, as those that push() makes.
    write.base = db::Path::parse(fmt::format("rooms/r{}/m{:010}", n % kRooms, n)).value();
    write.overwrites.push_back({write.base, db::Slot::Value, message(n)});
    guard.write("bench", auth, std::move(write), [&](const db::Answer& answer) {
      if (!answer.status.ok()) failure = answer.status.error().message;
      gate.leave();
    });
    if (n % 16'384 == 0) progress.say(fmt::format("rules: {} writes {}", n - first, who));
  }
  gate.wait_until_empty();
  if (!failure.empty()) throw std::runtime_error("bench: " + failure);
  return (own_cpu() - cpu).count() / static_cast<double>(n - first);
}

}  // namespace

Report measure_rules(const BenchFlags& flags, StatusLine& progress) {
  const TemporaryFolder folder(flags.folder);
  db::Database::Options options;
  options.folder = folder.path() + "/data";
  options.sync = flags.sync == "os" ? db::SyncMode::Os : db::SyncMode::Group;
  auto opened = db::Host::open(std::move(options));
  if (!opened.ok()) throw std::runtime_error("bench: " + opened.error().message);
  const auto database = std::move(opened).value();
  auto compiled = rules::Ruleset::compile(std::string(kChatRules));
  if (!compiled.ok()) throw std::runtime_error("bench: " + compiled.error().message);

  Report report{"rules", {}, {}};
  report.set("in_flight", std::to_string(flags.in_flight));
  report.set("seconds", std::to_string(flags.time.count()));
  report.set("sync", flags.sync);
  report.set("folder", folder.path());

  rules::Auth ada;
  ada.kind = rules::Auth::Kind::User;
  ada.variable = R"({"uid":"ada","provider":"password","token":{"sub":"ada"}})";
  progress.say("rules: judging alone");
  add_alone(*compiled.value(), *rules::AuthVariable::parse(ada.variable), report);

  rules::Guard::Options guarded;
  guarded.rules = compiled.value();
  rules::Guard guard(*database, std::move(guarded));
  std::vector<std::pair<std::string, db::Value>> members;
  for (size_t i = 0; i < kRooms; ++i) members.emplace_back(fmt::format("r{}/ada", i), db::Value::boolean(true));
  auto space = database->space("bench");
  if (!space.ok() || !space.value().update("members", std::move(members)).ok())
    throw std::runtime_error("bench: no members");
  uint64_t n = 0;
  const double with_rules = cpu_of_writes(guard, ada, flags, "under rules", progress, n);
  const double without = cpu_of_writes(guard, rules::Auth::admin(), flags, "of an admin", progress, n);
  report.add("ruled_write_cpu_us", with_rules);
  report.add("admin_write_cpu_us", without);
  report.add("rules_and_their_reads_cpu_us", with_rules - without);
  return report;
}

}  // namespace hearth::tools
