// Documents that stand in the tree as JSON, through a database: removals, restores, a process that dies, and what it counts.
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "db/model/document_plan.h"
#include "db/model/document_updates.h"
#include "tests/db/talk.h"
#include "tests/support/lossy_env.h"
#include "tests/support/yjs_update.h"

using namespace hearth::test;

namespace {

struct House {
  explicit House(const TempFolder& folder, LossyEnv* disk = nullptr)
      : database(opened(folder, disk)), talk(std::make_unique<Talk>(*database)) {}

  static std::unique_ptr<Host> opened(const TempFolder& folder, LossyEnv* disk) {
    Database::Options options;
    options.folder = folder.path();
    options.environment = disk == nullptr ? nullptr : static_cast<rocksdb::Env*>(disk);
    return Host::open(options).value();
  }

  void plan(std::string_view text) {
    Write write;
    write.settings.push_back({std::string(kMirrorsSetting), std::string(text)});
    talk->client->write(++request, std::move(write));
    REQUIRE(std::get<Answer>(talk->items_until(request).back()).status.ok());
  }
  bool write(std::string_view path, Value value) {
    talk->client->write(++request, set(path, std::move(value)));
    return std::get<Answer>(talk->items_until(request).back()).status.ok();
  }
  void edit(std::string_view path, uint8_t client, uint8_t clock, char letter_typed = 'x') {
    edit(path, letter(client, clock, letter_typed));
  }
  void edit(std::string_view path, std::string update) {
    const uint64_t listener = ++request;
    talk->client->open_document(++request, listener, DocumentOpen{at(path), {}});
    talk->items_until(request);
    talk->client->append(++request, listener, std::move(update));
    REQUIRE(std::get<Answer>(talk->items_until(request).back()).status.ok());
  }
  Value read(std::string_view path) {
    talk->client->read(++request, get(path));
    return std::get<Answer>(talk->items_until(request).back()).value;
  }
  void becomes(std::string_view path, const Value& value) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!(read(path) == value) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    INFO(path);
    CHECK(text(read(path)) == text(value));
  }

  std::unique_ptr<Host> database;
  std::unique_ptr<Talk> talk;
  uint64_t request = 100;
};

}  // namespace

TEST_CASE("Mirrors: one commit brings many edits, and says what changed alone", "[db]") {
  const TempFolder folder;
  House house(folder);
  house.plan(R"({"/notes":{"t":"text"}})");
  house.edit("notes/a", 1, 0, 'h');
  house.becomes("notes/a/t", Value::string("h"));
  Talk other(*house.database);
  other.client->listen(1, 7, listen_to("notes"));
  CHECK(other.until(1) == Words{R"(a1 notes={"a":{"t":"h"}})"});
  house.edit("notes/a", 1, 1, 'i');
  house.becomes("notes/a/t", Value::string("hi"));
  CHECK(house.database->figures().document_json_writes == 2);
  other.client->read(2, get("none"));
  CHECK(other.until(2) == Words{R"(e7 notes/a+ t="hi")", "a2"});
}

TEST_CASE("Mirrors: a document that is removed takes its JSON along, however late a job comes", "[db]") {
  const TempFolder folder;
  House house(folder);
  house.plan(R"({"/notes":{"t":"text"}})");
  for (uint8_t i = 0; i < 30; ++i) {
    house.edit("notes/a", static_cast<uint8_t>(i + 1), 0);  // a job is under way, or not yet
    REQUIRE(house.write("notes/a", {}));
    REQUIRE(house.write("notes/a", json(R"({"t":"data"})")));
    house.edit("notes/b", static_cast<uint8_t>(i + 1), 0);
    house.becomes("notes/b/t", Value::string(std::string(i + 1u, 'x')));  // jobs of before are over
    CHECK(house.read("notes/a") == json(R"({"t":"data"})"));
    REQUIRE(house.write("notes/a", {}));
  }
}

TEST_CASE("Mirrors: what a process left behind is brought up to date by the next one, and by itself", "[db]") {
  const TempFolder folder;
  {
    House house(folder);
    house.plan(R"({"/notes":{"t":"text"}})");
    house.edit("notes/a", 1, 0);
    house.becomes("notes/a/t", Value::string("x"));
    house.edit("notes/a", 1, 1, 'y');  // closes with its job under way, or not begun
  }
  House next(folder);
  next.becomes("notes/a/t", Value::string("xy"));
}

TEST_CASE("Mirrors: a restore brings documents, and their JSON is what the plan there says", "[db]") {
  const TempFolder folder, other_folder;
  House house(folder);
  house.plan(R"({"/notes":{"t":"text"}})");
  house.edit("notes/a", 1, 0, 'a');
  house.becomes("notes/a/t", Value::string("a"));
  std::promise<Result<DumpPieces>> begun;
  house.database->dump({"t", at("notes"), DumpFormat::Native},
                       [&](Result<DumpPieces> pieces) { begun.set_value(std::move(pieces)); });
  const auto pieces = begun.get_future().get();
  REQUIRE(pieces.ok());
  std::string kept;
  while (pieces.value()(kept).value()) {
  }
  House other(other_folder);
  const auto restore = [&](const char* to) {
    const std::string id = other.database->begin_upload().value();
    REQUIRE(other.database->upload(id, 0, kept).ok());
    std::promise<Result<std::vector<RestoredTree>>> told;
    other.database->restore(id, {"t", at(to), Existing::Replace},
                            [&](auto result) { told.set_value(std::move(result)); });
    const auto restored = told.get_future().get();
    INFO((restored.ok() ? "" : restored.error().message));
    REQUIRE(restored.ok());
  };
  REQUIRE(other.write("x", Value::integer(1)));
  restore("notes");
  other.becomes("", json(R"({"x":1})"));  // nobody asks for JSON there
  other.plan(R"({"/notes":{"t":"delta"}})");
  other.becomes("notes", json(R"({"a":{"t":[{"insert":"a"}]}})"));
  other.edit("notes/a", 1, 1, 'b');
  other.becomes("notes", json(R"({"a":{"t":[{"insert":"ab"}]}})"));
  restore("notes");
  other.becomes("notes", json(R"({"a":{"t":[{"insert":"a"}]}})"));
  other.edit("notes/a", 2, 0, 'c');
  other.becomes("notes/a/t/0/insert", Value::string("ac"));
}

TEST_CASE("Mirrors: a document below another one's path keeps its place, and so does its JSON", "[db]") {
  const TempFolder folder;
  House house(folder);
  house.plan(R"({"/notes":{"t":"text","u":"text"}})");
  house.edit("notes/a/u", 1, 0, 'u');
  house.becomes("notes/a/u/t", Value::string("u"));
  house.edit("notes/a", 1, 0, 'a');
  house.becomes("notes/a/t", Value::string("a"));
  CHECK(house.read("notes/a/u/t") == Value::string("u"));
  house.plan(R"({"/notes":{"t":"delta","u":"text"}})");
  house.becomes("notes/a/u/t/0/insert", Value::string("u"));
  house.becomes("notes/a/t/0/insert", Value::string("a"));
  // None comes to stand where one has something.
  house.talk->client->open_document(++house.request, 77, DocumentOpen{at("notes/a/t"), {}});
  CHECK_FALSE(std::get<Answer>(house.talk->items_until(house.request).back()).status.ok());
}

TEST_CASE("Mirrors: another plan goes over all documents, and nothing is left without one", "[db]") {
  const TempFolder folder;
  House house(folder);
  for (uint8_t i = 0; i < 70; ++i) house.edit("notes/" + std::to_string(i), 1, 0);
  CHECK(house.read("").is_null());
  house.plan(R"({"/notes":{"t":"text"},"/notes/3":{}})");
  house.becomes("notes/69/t", Value::string("x"));
  house.becomes("notes/0/t", Value::string("x"));
  CHECK(house.read("notes").child_count() == 69);
  house.plan(R"({"/notes/3":{"t":"text","else":"map"}})");
  house.becomes("", json(R"({"notes":{"3":{"t":"x"}}})"));
  house.plan("");
  house.becomes("", {});
  CHECK_FALSE(house.write("notes/3/t", Value::string("z")));  // it is a document still
}

TEST_CASE("Mirrors: what can't be read for a moment is tried again, though nobody edits anything", "[db]") {
  const TempFolder folder;
  const std::string long_text(200'000, 'x');  // no block of the store's has it beside anything else
  const auto wait_for = [](const auto& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return condition();
  };
  {
    House house(folder);
    house.edit("notes/a", insertion(1, 0, long_text));
    house.edit("notes/b", insertion(1, 0, long_text));
  }
  LossyEnv disk;
  House next(folder, &disk);
  REQUIRE(next.write("x", Value::integer(1)));  // the namespace is loaded
  disk.fail_reads(true);
  next.plan(R"({"/notes":{"t":"text"}})");
  REQUIRE(wait_for([&] { return disk.failed_reads() > 0; }));
  CHECK(next.database->figures().document_json_writes == 0);
  disk.fail_reads(false);
  REQUIRE(wait_for([&] { return next.database->figures().document_json_writes == 2; }));
  CHECK(next.read("notes/a/t") == Value::string(long_text));
  CHECK(next.read("notes/b/t") == Value::string(long_text));
}
