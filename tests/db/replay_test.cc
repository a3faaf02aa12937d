// A log makes a second store from nothing: random histories of a database that has a log, applied to an empty store, give the
// same dumps, settings, queues of onDisconnect, kept answers and rows beside; and the same history, where that is kept.
#include <catch2/catch.hpp>
#include <future>
#include <map>
#include <thread>

#include "db/commit/log_applier.h"
#include "tests/db/stores.h"
#include "tests/db/talk.h"
#include "tests/support/dumps.h"
#include "tests/support/memory_log.h"
#include "tests/support/random_tree.h"
#include "tests/support/yjs_update.h"

using namespace hearth::test;

namespace {

constexpr uint32_t kShards = 2;
constexpr const char* kRules = R"({"rules":{".read":true,".indexOn":["a"]}})";

Database::Options options_of(const std::string& folder, MemoryLog* log, HistoryPlan history) {
  Database::Options options;
  options.folder = folder;
  options.shards = kShards;
  options.sync = SyncMode::Os;
  options.disconnect_grace = std::chrono::hours(1);
  options.log = log;
  options.history = history;
  return options;
}

std::string dump_of(Host& database, const std::string& name) {
  DumpRequest request;
  request.space = name;
  return dump(database, request);
}

// What was refused is no part of what happened.
bool restore(Host& database, const std::string& text, const RestoreRequest& request) {
  const std::string id = database.begin_upload().value();
  REQUIRE(database.upload(id, 0, text).ok());
  std::promise<bool> told;
  database.restore(id, request, [&](auto result) { told.set_value(result.ok()); });
  return told.get_future().get();
}

// One database, and what happens to it, by a seed.
class Happenings {
 public:
  Happenings(std::string folder, MemoryLog& log, HistoryPlan history, uint64_t seed)
      : folder_(std::move(folder)), log_(log), history_(history), random_(seed) {
    open();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    close();
  }
  std::map<std::string, int> counts;  // of what was done

 private:
  void open() {
    auto opened = Host::open(options_of(folder_, &log_, history_));
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
    database_ = std::move(opened).value();
  }
  // Sessions that are there keep what they have queued.
  void close() {
    database_->close();
    talks_.clear();
    database_.reset();
  }
  std::string name() { return "space" + std::to_string(random_.below(5)); }
  bool write(const std::string& space, Write write) {
    std::promise<Answer> told;
    database_->write(space, std::move(write), [&](Answer answer) { told.set_value(std::move(answer)); });
    return told.get_future().get().status.ok();
  }
  Write some_write() {
    Write write;
    write.base = random_.path(2);
    write.merge = random_.chance(0.4);
    write.overwrites = random_.overwrites(write.base, write.merge ? 1 + random_.below(4) : 1);
    if (!write.merge) write.base = write.overwrites.front().path;
    write.by = random_.chance(0.5) ? "ada" : "";
    return write;
  }
  Talk& talk(const std::string& space) {
    auto& found = talks_[space];
    if (found == nullptr) found = std::make_unique<Talk>(*database_, "", space);
    return *found;
  }

  void count(const std::string& what, bool is_done) { counts[what] += is_done ? 1 : 0; }

  void step() {
    const std::string space = name();
    const size_t what = random_.below(100);
    if (what < 45) return count("write", write(space, some_write()));
    if (what < 52) {
      Write keyed = some_write();
      keyed.once = std::make_shared<Once>();
      keyed.once->key = "key" + std::to_string(random_.below(40));
      keyed.once->asked = "the same";
      return count("answer", write(space, std::move(keyed)));
    }
    if (what < 60) return configure(space);
    if (what < 64) return count("create", database_->create(space).ok());
    if (what < 68) {
      talks_.erase(space);
      return count("remove", database_->remove(space).ok());
    }
    if (what < 78) return queue(space);
    if (what < 81) {  // what it has queued is written now
      count("end", talks_.erase(space) > 0);
      return;
    }
    if (what < 88) return edit_document(space);
    if (what < 92) return restore_some(space);
    if (what < 95) {
      BesideWrite rows;
      rows.rows["cursor"] = std::to_string(what + random_.below(1000));
      if (random_.chance(0.3)) rows.rows["other"] = std::nullopt;
      return count("beside", database_->keep_beside(space, rows).ok());
    }
    if (what < 97) {
      std::promise<bool> told;
      database_->purge(space, random_.path(2), [&](const Answer& answer) { told.set_value(answer.status.ok()); });
      return count("purge", told.get_future().get());
    }
    if (what < 98) {
      close();
      open();
      return count("restart", true);
    }
    // Large: a sheet instead of rows.
    std::vector<std::pair<std::string, Value>> all;
    for (size_t i = 0; i < 2'000; ++i) all.emplace_back(std::to_string(i), Value::integer(static_cast<int64_t>(i)));
    count("large", write(space, set("large", random_.chance(0.5) ? Value::object(all) : Value())));
  }

  void configure(const std::string& space) {
    Write settings;
    static const std::vector<Setting> all = {
        {std::string(kRulesSetting), kRules},
        {std::string(kRulesSetting), std::nullopt},
        {std::string(kIndexesSetting), R"([{"at":"/","by":"a"}])"},
        {std::string(kHistorySetting), "2h,100MB"},
        {std::string(kHistorySetting), "2h,100MB,versions"},
        {std::string(kHistorySetting), std::nullopt},
        {"realtime", "{}"},
    };
    settings.settings = {all[random_.below(all.size())]};
    count("setting", write(space, std::move(settings)));
  }

  void queue(const std::string& space) {
    Disconnect disconnect;
    const size_t what = random_.below(5);
    disconnect.path = random_.path(2);
    disconnect.kind = what == 0   ? Disconnect::Kind::Cancel
                      : what == 1 ? Disconnect::Kind::Merge
                                  : Disconnect::Kind::Put;
    if (what > 0) disconnect.overwrites = random_.overwrites(disconnect.path, what == 1 ? 2 : 1);
    if (what > 1) disconnect.path = disconnect.overwrites.front().path;
    Talk& whose = talk(space);
    whose.client->on_disconnect(++request_, std::move(disconnect), nullptr);
    whose.items_until(request_);
    count("queue", true);
  }

  void edit_document(const std::string& space) {
    Talk& whose = talk(space);
    const std::string path = random_.chance(0.5) ? "notes/a" : "notes/b";
    const uint64_t listener = ++request_;
    whose.client->open_document(++request_, listener, {at(path), {}});
    const auto opened = whose.items_until(request_);
    const auto* answer = std::get_if<Answer>(&opened.back());
    if (answer == nullptr || !answer->status.ok()) return;
    whose.client->append(++request_, listener, letter(static_cast<uint8_t>(1 + ++writers_ % 100), 0));
    whose.items_until(request_);
    whose.client->unlisten(++request_, listener);
    whose.items_until(request_);
    count("document", true);
  }

  void restore_some(const std::string& space) {
    const std::string from = name();
    if (!database_->exists(from)) return;
    RestoreRequest request;
    request.space = space;
    request.existing = Existing::Replace;
    if (random_.chance(0.5)) request.into = random_.path(2);
    count("restore", restore(*database_, dump_of(*database_, from), request));
  }

  const std::string folder_;
  MemoryLog& log_;
  const HistoryPlan history_;
  RandomTree random_;
  std::unique_ptr<Host> database_;
  std::map<std::string, std::unique_ptr<Talk>> talks_;
  uint64_t request_ = 0;
  uint64_t writers_ = 0;
};

// Applies what the log has to an empty store, whose numbers are others. Every some batches the process ends.
void replay(const std::string& folder, const MemoryLog& log, HistoryPlan history, RandomTree& random) {
  uint32_t next_number = 1'000;
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    const std::vector<std::string> batches = log.batches(shard);
    CHECK(batches.size() > 10);
    for (size_t done = 0; done < batches.size();) {
      auto store = TreeStore::open({folder, kShards, nullptr}).value();
      Committer committer(*store, TreeStore::Durability::Os, {}, {}, nullptr, kLeafCacheBytes, history);
      std::map<std::string, uint32_t> names;
      for (const auto& [name, number] : store->names_at_open()) {
        next_number = std::max(next_number, number + 1);
        if (number % kShards == shard) names[name] = number;
      }
      LogApplier applier(
          *store, committer, shard,
          [&](const std::string& file, const auto& part) { return log.read_file(file, part); },
          [&](const std::string& name) {
            next_number = number_for(name, next_number, kShards);
            return next_number++;
          });
      REQUIRE(applier.start(names).ok());
      CHECK(applier.last().sequence == done);
      for (size_t upto = std::min(batches.size(), done + 1 + random.below(60)); done < upto; ++done) {
        const Result<void> applied = applier.apply(batches[done]);
        INFO((applied.ok() ? "" : applied.error().message));
        REQUIRE(applied.ok());
        if (random.chance(0.1)) REQUIRE(applier.apply(batches[done]).ok());  // told twice
      }
    }
  }
}

void check_replay(HistoryPlan history, uint64_t seed) {
  INFO("TEST_SEED=" << seed);
  const TempFolder one, other;
  MemoryLog log;
  Happenings happenings(one.path(), log, history, seed);
  happenings.run(250);
  for (const char* what : {"write", "answer", "setting", "create", "remove", "queue", "end", "document", "restore",
                           "beside", "purge", "large"}) {
    INFO(what);
    CHECK(happenings.counts[what] > 0);
  }
  RandomTree random(seed + 1);
  replay(other.path(), log, history, random);
  const auto expected = state_of(one.path()), found = state_of(other.path());
  for (const auto& [row, value] : expected) {
    INFO(row);
    REQUIRE(found.contains(row));
    REQUIRE(found.at(row) == value);
  }
  for (const auto& [row, value] : found) {
    INFO(row);
    REQUIRE(expected.contains(row));
  }
  CHECK(digests_of(one.path()) == digests_of(other.path()));
  CHECK(histories_of(one.path()) == histories_of(other.path()));
  // What was made from the log takes over where the first one ended.
  const auto was = open_frozen(one.path()), frozen = open_frozen(other.path());
  REQUIRE(frozen.ok());
  CHECK(removed_in(*was.value().snapshot).value() == removed_in(*frozen.value().snapshot).value());
  CHECK(take_logs(log, *frozen.value().snapshot, kShards).ok());
}

}  // namespace

TEST_CASE("Replay: a log of all that happened makes the same namespaces in an empty store", "[db][replay]") {
  const char* given = std::getenv("TEST_SEED");
  if (given != nullptr) return check_replay({}, seed_of_run());
  for (const uint64_t seed : {1, 2, 3, 4}) check_replay({}, seed);
}

TEST_CASE("Replay: with history the same entries are kept", "[db][replay]") {
  HistoryPlan history;
  history.age = std::chrono::hours(24);
  history.bytes = 1u << 30;
  for (const uint64_t seed : {11, 12}) check_replay(history, seed);
}

TEST_CASE("Replay: a database does not open behind a log that has more than it has", "[db][replay]") {
  const TempFolder one, other;
  MemoryLog log;
  Happenings happenings(one.path(), log, {}, 5);
  happenings.run(20);
  const auto behind = Host::open(options_of(other.path(), &log, {}));
  REQUIRE_FALSE(behind.ok());
  CHECK(behind.error().code == ErrorCode::Unavailable);
}

TEST_CASE("Replay: a store whose namespaces were made without a log does not take one", "[db][replay]") {
  const TempFolder folder;
  {
    auto database = Host::open(options_of(folder.path(), nullptr, {})).value();
    for (const char* name : {"one", "two", "three", "four", "five", "six"}) REQUIRE(database->create(name).ok());
  }
  MemoryLog log;
  const auto refused = Host::open(options_of(folder.path(), &log, {}));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("Replay: a write that the log does not take is refused, and changes nothing", "[db][replay]") {
  const TempFolder folder;
  MemoryLog log;
  auto database = Host::open(options_of(folder.path(), &log, {})).value();
  Namespace space = database->space("t").value();
  REQUIRE(space.set("a", Value::integer(1)).ok());
  std::atomic<bool> is_taken{false};
  log.behave = [&] { return is_taken ? MemoryLog::Behaviour::Conflicts : MemoryLog::Behaviour::Honest; };
  is_taken = true;
  const auto refused = space.set("a", Value::integer(2));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::NotOwner);
  CHECK(space.get("a").value() == Value::integer(1));
  is_taken = false;
  CHECK_FALSE(space.set("a", Value::integer(3)).ok());  // the shard is another's
  CHECK(space.get("a").value() == Value::integer(1));
  CHECK(database->health().ok());  // of the store nothing is known to be wrong
}

TEST_CASE("Replay: an index is each store's own: building one uses no sequence, and no batch tells of it",
          "[db][replay]") {
  const TempFolder folder;
  MemoryLog log;
  auto database = Host::open(options_of(folder.path(), &log, {})).value();
  Namespace space = database->space("t").value();
  std::vector<std::pair<std::string, Value>> players;
  for (int i = 0; i < 1'000; ++i) {
    players.emplace_back("p" + std::to_string(i), Value::object({{"score", Value::integer(i)}}));
  }
  REQUIRE(space.set("players", Value::object(players)).value().sequence == 1);
  Write indexes;
  indexes.settings = {{std::string(kIndexesSetting), R"([{"at":"/players","by":"score"}])"}};
  std::promise<Answer> set;
  database->write("t", std::move(indexes), [&](Answer answer) { set.set_value(std::move(answer)); });
  REQUIRE(set.get_future().get().sequence == 2);
  const auto is_built = [&] {
    std::promise<Result<IndexPlan>> told;
    database->indexes("t", [&](Result<IndexPlan> plan) { told.set_value(std::move(plan)); });
    const auto plan = told.get_future().get();
    REQUIRE(plan.ok());
    return !plan.value().indexes.empty() && !plan.value().is_building();
  };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!is_built()) {
    REQUIRE(std::chrono::steady_clock::now() < until);
    std::this_thread::yield();
  }
  CHECK(space.set("players/p1/score", Value::integer(7)).value().sequence == 3);
  CHECK(log.batches(0).size() + log.batches(1).size() == 3);
}
