// Dumps of a database in use, and restores into one.
#include "db/upkeep/backups.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "db/dump/restore.h"
#include "db/host.h"
#include "db/model/json.h"
#include "tests/support/byte_source.h"
#include "tests/support/dumps.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

Path at(const std::string& path) { return Path::parse(path).value(); }
Value json(const std::string& text) { return parse_value(std::string(text), {}).value(); }
std::string text_of(const Value& value) { return to_json(value, JsonStyle::Export); }

std::unique_ptr<Host> open(const std::string& folder, size_t shards = 4) {
  Database::Options options;
  options.folder = folder;
  options.shards = shards;
  auto opened = Host::open(options);
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

Result<std::vector<RestoredTree>> restore(Host& database, const std::string& text, const RestoreRequest& request = {}) {
  const auto id = database.begin_upload();
  if (!id.ok()) return id.error();
  for (size_t done = 0; done < text.size(); done += 1000) {
    RETURN_IF_ERROR(database.upload(id.value(), done, std::string_view(text).substr(done, 1000)));
  }
  std::promise<Result<std::vector<RestoredTree>>> told;
  database.restore(id.value(), request, [&](auto result) { told.set_value(std::move(result)); });
  return told.get_future().get();
}

std::string refusal(Host& database, const std::string& text, const RestoreRequest& request = {}) {
  const auto done = restore(database, text, request);
  return done.ok() ? "" : done.error().message;
}

// What a listener was told, by text, in order.
class Heard {
 public:
  ListenerCallbacks callbacks() {
    ListenerCallbacks all;
    all.value = [this](const Value& value) { add(text_of(value)); };
    all.cancelled = [this](const Error& error) { add("cancelled: " + error.message); };
    return all;
  }
  bool wait_for(const std::string& text) {
    std::unique_lock lock(mutex_);
    return more_.wait_for(lock, std::chrono::seconds(20), [&] { return !heard_.empty() && heard_.back() == text; });
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    heard_.push_back(std::move(text));
    more_.notify_all();
  }
  mutable std::mutex mutex_;  // Guards heard_.
  std::condition_variable more_;
  std::vector<std::string> heard_;
};

bool has_leftovers(const std::string& folder) {
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const std::string kind = file.path().extension();
    if (kind == ".upload" || kind == ".ingest" || kind == ".checkpoint") return true;
  }
  return false;
}

}  // namespace

TEST_CASE("backups: a dump with a name says how far it is, until it is over") {
  const TempFolder folder;
  auto database = open(folder.path());
  Namespace space = database->space("chat").value();
  for (int i = 0; i < 40; ++i) {
    std::vector<std::pair<std::string, Value>> entries;
    for (int k = 0; k < 1'000; ++k)
      entries.emplace_back("k" + std::to_string(i * 1'000 + k),
                           Value::string(std::string(100, 'x') + std::to_string(k * i)));
    REQUIRE(space.update("list", std::move(entries)).ok());
  }
  DumpRequest request;
  request.name = "monday";
  CHECK_FALSE(database->dump_part("monday"));
  auto pieces = begin_dump(*database, request);
  REQUIRE(pieces.ok());
  REQUIRE(database->dump_part("monday"));
  CHECK(*database->dump_part("monday") == 0);
  CHECK_FALSE(database->dump_part("tuesday"));
  CHECK_FALSE(database->dump_part(""));
  std::string text;
  double last = 0;
  int between = 0;
  while (pieces.value()(text).value()) {
    const double part = database->dump_part("monday").value();
    CHECK(part >= last);
    if (part > 0 && part < 1) ++between;
    last = part;
  }
  CHECK(between > 0);
  CHECK(last == 1);
  pieces = Error{ErrorCode::NotFound, ""};
  CHECK_FALSE(database->dump_part("monday"));
}

TEST_CASE(
    "backups: a dump under write load has each namespace as it was between two commits, with all that was told "
    "before") {
  const TempFolder folder;
  const TempFolder other;
  auto database = open(folder.path());
  std::atomic<int64_t> told[2] = {0, 0};
  std::vector<std::jthread> writers;
  for (size_t which = 0; which < 2; ++which) {
    writers.emplace_back([&, which](const std::stop_token& stop) {
      Namespace space = database->space("space" + std::to_string(which)).value();
      for (int64_t i = 1; !stop.stop_requested(); ++i) {
        const Value number = Value::integer(i);
        const std::string key = std::to_string(i % 50);
        const auto done = space.update("", {{"first/" + key, number}, {"second/" + key, number}, {"last", number}});
        if (!done.ok()) return;
        told[which] = i;
      }
    });
  }
  while (told[0] < 100 || told[1] < 100) std::this_thread::yield();
  for (int round = 0; round < 5; ++round) {
    const int64_t before[2] = {told[0], told[1]};
    const auto pieces = begin_dump(*database);
    const int64_t after[2] = {told[0], told[1]};
    REQUIRE(pieces.ok());
    while (told[0] < after[0] + 20) std::this_thread::yield();  // more is written before the first piece is taken
    const std::string text = take_all(pieces.value());

    const auto copy = open(other.path());
    REQUIRE(refusal(*copy, text, {{}, {}, Existing::Replace}) == "");
    for (size_t which = 0; which < 2; ++which) {
      Namespace space = copy->space("space" + std::to_string(which)).value();
      const int64_t last = space.get("last").value().as_integer();
      INFO("round " << round << ", space " << which << ": " << before[which] << " <= " << last
                    << " <= " << after[which] + 1);
      CHECK(last >= before[which]);
      CHECK(last <= after[which] + 1);
      Value expected;
      for (int64_t i = std::max<int64_t>(1, last - 49); i <= last; ++i)
        expected = expected.with(at(std::to_string(i % 50)), Value::integer(i));
      CHECK(space.get("first").value() == expected);
      CHECK(space.get("second").value() == expected);
    }
    const auto contents = verify_dump(source_of(text), other.path());
    const auto again = verify_dump(source_of(dump(*copy)), other.path());
    REQUIRE((contents.ok() && again.ok()));
    for (size_t i = 0; i < 2; ++i)
      CHECK(contents.value().spaces[i].second.digest == again.value().spaces[i].second.digest);
  }
  writers.clear();
  CHECK_FALSE(has_leftovers(folder.path()));
}

TEST_CASE("backups: a dump that is not taken holds no write up, and outlives its database") {
  const TempFolder folder;
  auto database = open(folder.path());
  REQUIRE(database->space("chat").value().set("a", Value::integer(1)).ok());
  const auto pieces = begin_dump(*database, {"chat", {}, DumpFormat::Json});
  REQUIRE(pieces.ok());
  REQUIRE(database->space("chat").value().set("a", Value::integer(2)).ok());
  CHECK(has_leftovers(folder.path()));
  database.reset();
  CHECK(take_all(pieces.value()) == "{\"a\":1}\n");
}

TEST_CASE("backups: whoever listens hears of a restore as of a set of the whole place") {
  const TempFolder folder;
  const auto database = open(folder.path());
  Namespace chat = database->space("chat").value();
  REQUIRE(chat.set("", json(R"({"rooms":{"tea":{"a":1},"cake":2},"same":{"x":1},"gone":true})")).ok());
  Heard root, room, same, gone, below_nothing, query, count;
  const Query first = Query::by_key().limit_to_first(1);
  std::vector<Listener> listeners;
  const auto listen = [&](const std::string& path, Heard& heard) {
    auto started = chat.listen(path, heard.callbacks());
    REQUIRE(started.ok());
    listeners.push_back(std::move(started).value());
  };
  listen("", root);
  listen("rooms/tea", room);
  listen("same", same);
  listen("gone", gone);
  listen("new/deep", below_nothing);
  {
    auto started = chat.listen("rooms", first, query.callbacks());
    REQUIRE(started.ok());
    listeners.push_back(std::move(started).value());
  }
  REQUIRE(root.wait_for(R"({"gone":true,"rooms":{"cake":2,"tea":{"a":1}},"same":{"x":1}})"));
  REQUIRE(room.wait_for(R"({"a":1})"));
  REQUIRE(same.wait_for(R"({"x":1})"));
  REQUIRE(gone.wait_for("true"));
  REQUIRE(below_nothing.wait_for("null"));
  REQUIRE(query.wait_for(R"({"cake":2})"));

  const std::string text = R"({"rooms":{"tea":{"b":2},"apple":3},"same":{"x":1},"new":{"deep":4}})";
  CHECK(
      refusal(*database, text, {"chat", {}, Existing::Refuse}).starts_with("there is data at / of the namespace chat"));
  REQUIRE(refusal(*database, text, {"chat", {}, Existing::Replace}) == "");
  CHECK(text_of(chat.get("").value()) == R"({"new":{"deep":4},"rooms":{"apple":3,"tea":{"b":2}},"same":{"x":1}})");
  CHECK(root.wait_for(R"({"new":{"deep":4},"rooms":{"apple":3,"tea":{"b":2}},"same":{"x":1}})"));
  CHECK(room.wait_for(R"({"b":2})"));
  CHECK(gone.wait_for("null"));
  CHECK(below_nothing.wait_for("4"));
  CHECK(query.wait_for(R"({"apple":3})"));
  CHECK(same.all() == std::vector<std::string>{R"({"x":1})"});

  // Below a path: those above it, at it and below it hear, and writes go on from there.
  REQUIRE(refusal(*database, R"({"z":9})", {"chat", at("rooms/tea"), Existing::Replace}) == "");
  CHECK(root.wait_for(R"({"new":{"deep":4},"rooms":{"apple":3,"tea":{"z":9}},"same":{"x":1}})"));
  CHECK(room.wait_for(R"({"z":9})"));
  REQUIRE(chat.set("rooms/tea/y", Value::integer(8)).ok());
  CHECK(room.wait_for(R"({"y":8,"z":9})"));
  CHECK(same.all().size() == 1);
  CHECK_FALSE(has_leftovers(folder.path()));
}

TEST_CASE("backups: sequences go on behind a restore, and a restart finds what was told") {
  const TempFolder folder;
  {
    const auto database = open(folder.path());
    Namespace chat = database->space("chat").value();
    for (int i = 0; i < 9; ++i) REQUIRE(chat.set("a", Value::integer(i)).ok());
    REQUIRE(refusal(*database, "{\"b\":1}", {"chat", {}, Existing::Replace}) == "");
    CHECK(chat.set("c", Value::integer(1)).value().sequence == 11);
  }
  const auto database = open(folder.path());
  CHECK(text_of(database->space("chat").value().get("").value()) == R"({"b":1,"c":1})");
  CHECK(database->space("chat").value().set("c", Value::integer(2)).value().sequence == 12);
}

TEST_CASE(
    "backups: namespaces of several shards are restored together, or none of them, and new ones spring into being") {
  const TempFolder from;
  const TempFolder to;
  std::string text;
  {
    const auto database = open(from.path());
    for (int i = 0; i < 9; ++i)
      REQUIRE(database->space("n" + std::to_string(i)).value().set("v", Value::integer(i)).ok());
    text = dump(*database);
  }
  const auto database = open(to.path(), 3);
  for (int i = 0; i < 5; ++i)
    REQUIRE(database->space("n" + std::to_string(i)).value().set("old", Value::integer(i)).ok());
  CHECK(refusal(*database, text).starts_with("there is data at / of the namespace n0"));
  CHECK_FALSE(database->exists("n8"));
  const auto done = restore(*database, text, {{}, {}, Existing::Replace});
  REQUIRE(done.ok());
  CHECK(done.value().size() == 9);
  for (int i = 0; i < 9; ++i) {
    const std::string name = "n" + std::to_string(i);
    CHECK(database->exists(name));
    CHECK(text_of(database->space(name).value().get("").value()) == "{\"v\":" + std::to_string(i) + "}");
  }
}

TEST_CASE("backups: indexes are built again behind a restore") {
  const TempFolder folder;
  const auto database = open(folder.path());
  Namespace chat = database->space("chat").value();
  REQUIRE(chat.set_indexes(R"([{"at":"/items","by":"n"}])").ok());
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 3000; ++i)
    children.emplace_back("k" + std::to_string(i), Value::object({{"n", Value::integer(i)}}));
  const Value tree = Value::object({{"items", Value::object(children)}});
  REQUIRE(refusal(*database, text_of(tree), {"chat", {}, Existing::Replace}) == "");
  for (int tries = 0;; ++tries) {
    std::promise<Result<IndexPlan>> told;
    database->indexes("chat", [&](Result<IndexPlan> plan) { told.set_value(std::move(plan)); });
    const auto plan = told.get_future().get();
    REQUIRE(plan.ok());
    if (plan.value().indexes.size() == 1 && plan.value().indexes[0].is_complete) break;
    REQUIRE(tries < 2000);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST_CASE("backups: a damaged upload is refused, changes nothing and leaves nothing") {
  const TempFolder folder;
  const auto database = open(folder.path());
  REQUIRE(database->space("chat").value().set("a", Value::integer(1)).ok());
  std::string text = dump(*database);
  text[text.size() / 2] ^= 1;
  CHECK(refusal(*database, text, {{}, {}, Existing::Replace}).starts_with("the dump is damaged"));
  CHECK(refusal(*database, "{\"b\":", {"new", {}, Existing::Replace}) != "");
  CHECK(text_of(database->space("chat").value().get("").value()) == R"({"a":1})");
  CHECK_FALSE(database->exists("new"));
  CHECK_FALSE(has_leftovers(folder.path()));
}

TEST_CASE("backups: as many dumps and uploads as there may be, and not one more") {
  const TempFolder folder;
  const auto database = open(folder.path());
  std::vector<Result<DumpPieces>> dumps;
  for (size_t i = 0; i < kDumpsMax; ++i) {
    dumps.push_back(begin_dump(*database));
    CHECK(dumps.back().ok());
  }
  CHECK(begin_dump(*database).error().code == ErrorCode::Unavailable);
  dumps.pop_back();
  CHECK(begin_dump(*database).ok());

  std::vector<std::string> ids;
  for (size_t i = 0; i < kUploadsMax; ++i) ids.push_back(database->begin_upload().value());
  CHECK(database->begin_upload().error().code == ErrorCode::Unavailable);
  CHECK(database->upload(ids[0], 0, "abc").ok());
  CHECK(database->upload(ids[0], 0, "abc").error().message == "the upload goes on at byte 3");
  CHECK(database->upload(ids[0], 3, "d").ok());
  CHECK(database->upload("nobody", 0, "abc").error().code == ErrorCode::NotFound);
  CHECK(database->upload("../x", 0, "abc").error().code == ErrorCode::NotFound);
}

namespace {

std::string uploaded(Host& database, const std::string& text) {
  const std::string id = database.begin_upload().value();
  for (size_t done = 0; done < text.size(); done += 8'000'000) {
    REQUIRE(database.upload(id, done, std::string_view(text).substr(done, 8'000'000)).ok());
  }
  return id;
}

// So much of it that somebody can look while it is restored, and nothing that compresses well.
std::string large_json() {
  std::string text = "{";
  uint64_t number = 1;
  for (int i = 0; i < 300'000; ++i) {
    text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i * 7919LL % 300'000) + "\":\"";
    for (int k = 0; k < 3; ++k)
      text += std::to_string(number = number * 6364136223846793005ULL + 1442695040888963407ULL);
    text += '"';
  }
  return text + "}";
}

}  // namespace

TEST_CASE("backups: a restore says how far it is until it is over, of a native dump and of JSON") {
  const TempFolder folder;
  const auto database = open(folder.path());
  REQUIRE(refusal(*database, large_json(), {"from", {}, Existing::Refuse}) == "");
  DumpRequest whole;
  whole.space = "from";
  const std::string native = take_all(begin_dump(*database, whole).value());
  for (const std::string& text : {large_json(), native}) {
    const std::string id = uploaded(*database, text);
    REQUIRE(database->upload_state(id));
    CHECK(database->upload_state(id)->bytes == text.size());
    CHECK_FALSE(database->upload_state(id)->part);
    std::promise<Result<std::vector<RestoredTree>>> told;
    auto restored = told.get_future();
    database->restore(id, {"to", {}, Existing::Replace}, [&](auto result) { told.set_value(std::move(result)); });
    std::vector<double> parts;
    while (const auto state = database->upload_state(id)) {
      if (state->part && (parts.empty() || *state->part != parts.back())) parts.push_back(*state->part);
      std::this_thread::yield();
    }
    REQUIRE(restored.get().ok());
    INFO(parts.size() << " different parts were seen");
    CHECK(parts.size() > 5);
    CHECK(std::is_sorted(parts.begin(), parts.end()));
    CHECK(std::any_of(parts.begin(), parts.end(), [](double part) { return part > 0.6 && part < 1; }));
    CHECK(parts.back() <= 1);
  }
  CHECK_FALSE(database->upload_state("nobody"));
}

TEST_CASE("backups: a restore that is given up changes nothing and leaves nothing, and the next one may begin") {
  const TempFolder folder;
  const auto database = open(folder.path());
  Namespace chat = database->space("chat").value();
  REQUIRE(chat.set("", json(R"({"a":1})")).ok());
  const std::string text = large_json();
  // Given up while the file is read, and while its rows come out of the sorter.
  for (const double when : {0.1, 0.6}) {
    INFO("at " << when);
    const std::string id = uploaded(*database, text);
    std::promise<Result<std::vector<RestoredTree>>> told;
    auto restored = told.get_future();
    database->restore(id, {"chat", {}, Existing::Replace}, [&](auto result) { told.set_value(std::move(result)); });
    for (auto state = database->upload_state(id); state && state->part.value_or(0) < when;) {
      std::this_thread::yield();
      state = database->upload_state(id);
    }
    CHECK(database->give_up_upload(id).ok());
    const auto result = restored.get();
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().message == "the restore was given up while it was under way; nothing is changed");
    CHECK_FALSE(database->upload_state(id));
    CHECK(text_of(chat.get("").value()) == R"({"a":1})");
    CHECK_FALSE(has_leftovers(folder.path()));
  }
  // Before it is restored, the file goes at once.
  const std::string id = uploaded(*database, text);
  CHECK(has_leftovers(folder.path()));
  CHECK(database->give_up_upload(id).ok());
  CHECK_FALSE(has_leftovers(folder.path()));
  CHECK(database->give_up_upload(id).error().code == ErrorCode::NotFound);
  CHECK(database->upload(id, text.size(), "x").error().code == ErrorCode::NotFound);
  REQUIRE(refusal(*database, R"({"b":2})", {"chat", {}, Existing::Replace}) == "");
}

TEST_CASE("backups: an upload that was left alone makes room for another") {
  const TempFolder folder;
  ManualClock clock(Timestamp(1'000'000));
  Database::Options options;
  options.folder = folder.path();
  options.clock = &clock;
  const auto database = std::move(Host::open(options)).value();
  std::vector<std::string> ids;
  for (size_t i = 0; i < kUploadsMax; ++i) ids.push_back(database->begin_upload().value());
  clock.advance(kUploadIdleMax);
  CHECK_FALSE(database->begin_upload().ok());
  REQUIRE(database->upload(ids[0], 0, "abc").ok());
  clock.advance(std::chrono::milliseconds(1));
  CHECK(database->begin_upload().ok());
  CHECK(database->upload(ids[0], 3, "d").ok());
  CHECK(database->upload(ids[1], 0, "abc").error().code == ErrorCode::NotFound);
}
