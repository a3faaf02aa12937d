// Yjs documents through a database: open, append, what is told and what is on disk, compaction, and data that stand there.
#include <catch2/catch.hpp>
#include <set>

#include "db/documents/update.h"
#include "db/model/document_updates.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/db/talk.h"
#include "tests/support/dumps.h"
#include "tests/support/yjs_update.h"

using namespace hearth::test;

namespace {

DocumentOpen document(std::string_view path) { return {at(path), {}}; }

const Answer& answer_in(const std::vector<Item>& items) { return std::get<Answer>(items.back()); }

std::shared_ptr<const DocumentUpdates> open_it(Talk& talk, uint64_t request, uint64_t listener, std::string_view path) {
  talk.client->open_document(request, listener, document(path));
  const auto items = talk.items_until(request);
  REQUIRE(answer_in(items).status.ok());
  return answer_in(items).document;
}

// What is wrong with it; "": nothing.
std::string restore(Host& database, const std::string& text, const RestoreRequest& request) {
  const std::string id = database.begin_upload().value();
  REQUIRE(database.upload(id, 0, text).ok());
  std::promise<Result<std::vector<RestoredTree>>> told;
  database.restore(id, request, [&](auto result) { told.set_value(std::move(result)); });
  const auto done = told.get_future().get();
  return done.ok() ? "" : done.error().message;
}

ErrorCode refusal(Talk& talk, uint64_t request) {
  const auto items = talk.items_until(request);
  REQUIRE_FALSE(answer_in(items).status.ok());
  return answer_in(items).status.error().code;
}

}  // namespace

TEST_CASE("Documents: an update is told to all who have it open, the sender too, and is there afterwards", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  {
    Talk ada(*database), ben(*database);
    CHECK(open_it(ada, 1, 5, "notes/a")->updates.empty());
    CHECK(open_it(ben, 1, 6, "notes/a")->updates.empty());
    ada.client->append(2, 5, letter(1, 0));
    const auto words = ada.items_until(2);
    REQUIRE(words.size() == 2);
    CHECK(std::get<TopicEvent>(words[0]).message->bytes == letter(1, 0));
    ben.client->append(2, 6, letter(2, 0, 'y'));
    CHECK(ben.items_until(2).size() == 3);
    Talk late(*database);
    CHECK(open_it(late, 1, 7, "notes/a")->updates == std::vector<std::string>{letter(1, 0), letter(2, 0, 'y')});
    CHECK(open_it(late, 2, 8, "notes/b")->updates.empty());
  }
  database.reset();
  database = open(folder);
  Talk talk(*database);
  CHECK(open_it(talk, 1, 1, "notes/a")->updates.size() == 2);
}

TEST_CASE("Documents: what a document has is answered, and neither stored nor told", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database), ben(*database);
  open_it(ada, 1, 5, "d");
  open_it(ben, 1, 6, "d");
  ada.client->append(2, 5, letter(1, 0));
  ada.items_until(2);
  ben.client->append(2, 6, letter(1, 0));            // an echo
  ben.client->append(3, 6, std::string("\0\0", 2));  // nothing
  CHECK(ben.items_until(3).size() == 3);
  CHECK(database->figures().document_updates == 1);
  Talk late(*database);
  CHECK(open_it(late, 1, 7, "d")->updates.size() == 1);
}

TEST_CASE("Documents: data and documents do not stand at one place", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk talk(*database);
  talk.client->write(1, set("data/x", Value::integer(1)));
  talk.until(1);
  uint64_t request = 10;
  for (const char* path : {"data/x", "data", "data/x/y", ""}) {
    INFO(path);
    ++request;
    talk.client->open_document(request, request, document(path));
    CHECK(refusal(talk, request) == ErrorCode::InvalidArgument);
  }
  {
    Talk scalar(*database, "", "scalar");
    scalar.client->write(1, set("", Value::integer(1)));
    scalar.until(1);
    scalar.client->open_document(2, 5, document("x"));
    CHECK(refusal(scalar, 2) == ErrorCode::InvalidArgument);
  }
  open_it(talk, 2, 5, "docs/a/b");
  open_it(talk, 3, 6, "docs/later");
  talk.client->append(4, 5, letter(1, 0));
  talk.items_until(4);
  // A write at it, or below it, is refused with a reason; one beside it is not.
  talk.client->write(5, set("docs/a/b", Value::integer(1)));
  CHECK(refusal(talk, 5) == ErrorCode::InvalidArgument);
  talk.client->write(6, set("docs/a/b/c", Value::integer(1)));
  CHECK(refusal(talk, 6) == ErrorCode::InvalidArgument);
  talk.client->write(7, set("docs/a/c", Value::integer(1)));
  CHECK(talk.until(7) == Words{"a7"});
  // Nothing was written to the other document yet: data may take its place, and then it is refused.
  talk.client->write(8, set("docs/later", Value::integer(1)));
  CHECK(talk.until(8) == Words{"a8"});
  talk.client->append(9, 6, letter(1, 0));
  CHECK(refusal(talk, 9) == ErrorCode::InvalidArgument);
}

TEST_CASE("Documents: removed with what stands above them, in that commit, and told", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  {
    Talk ada(*database), admin(*database);
    open_it(ada, 1, 5, "docs/a/b");
    open_it(ada, 2, 6, "docs/c");
    ada.client->append(3, 5, letter(1, 0));
    ada.client->append(4, 6, letter(1, 0));
    ada.items_until(4);
    admin.client->write(1, set("docs/a", Value()));  // there is nothing of the tree
    CHECK(admin.until(1) == Words{"a1"});
    ada.client->append(5, 5, letter(1, 1));
    const auto items = ada.items_until(5);
    REQUIRE(items.size() == 2);
    CHECK(std::get<Event>(items[0]).error->code == ErrorCode::NotFound);
    CHECK(answer_in(items).status.error().code == ErrorCode::NotFound);
    admin.client->write(2, set("docs", json(R"({"a":{"b":1}})")));
    CHECK(admin.until(2) == Words{"a2"});
    ada.client->reply(6, {});
    CHECK(ada.until(6) == Words{"e6 revoked", "a6"});
    Talk late(*database);
    late.client->open_document(1, 1, document("docs/a/b"));
    CHECK(refusal(late, 1) == ErrorCode::InvalidArgument);
  }
  database.reset();
  database = open(folder);
  Talk talk(*database);
  talk.client->write(1, set("docs", Value()));
  talk.until(1);
  CHECK(open_it(talk, 2, 1, "docs/c")->updates.empty());
  CHECK(open_it(talk, 3, 2, "docs/a/b")->updates.empty());
}

TEST_CASE("Documents: many updates become one, whoever writes meanwhile", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  {
    Talk ada(*database), ben(*database);
    open_it(ada, 1, 5, "d");
    open_it(ben, 1, 6, "d");
    for (int clock = 0; clock < 120; ++clock) {
      ada.client->append(static_cast<uint64_t>(clock) + 2, 5, letter(1, static_cast<uint8_t>(clock)));
      ben.client->append(static_cast<uint64_t>(clock) + 2, 6, letter(2, static_cast<uint8_t>(clock)));
    }
    ada.items_until(121);
    ben.items_until(121);
    for (int tries = 0; database->figures().document_compactions == 0; ++tries) {
      REQUIRE(tries < 1'000);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    Talk late(*database);
    const auto updates = open_it(late, 1, 7, "d");
    CHECK(updates->updates.size() < 100);
    ada.client->append(500, 5, letter(1, 120));
    ada.items_until(500);
  }
  database.reset();
  database = open(folder);
  Talk talk(*database);
  const auto updates = open_it(talk, 1, 1, "d");
  std::vector<documents::Update> parsed;
  for (const std::string& update : updates->updates) parsed.push_back(documents::Update::parse(update).value());
  const documents::StateVector vector = documents::state_vector(parsed);
  CHECK(vector.clock(1) == 121);
  CHECK(vector.clock(2) == 120);
}

TEST_CASE("Documents: a document has a size, and a refusal that names its flag", "[db]") {
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.memory.document_bytes_max = 100;
  const auto database = Host::open(options).value();
  Talk talk(*database);
  open_it(talk, 1, 5, "d");
  uint64_t request = 2;
  for (;; ++request) {
    REQUIRE(request < 100);
    talk.client->append(request, 5, letter(1, static_cast<uint8_t>(request - 2)));
    const auto items = talk.items_until(request);
    if (answer_in(items).status.ok()) continue;
    CHECK(answer_in(items).status.error().code == ErrorCode::TooLarge);
    CHECK(answer_in(items).status.error().message.find("--max-document-size") != std::string::npos);
    break;
  }
  CHECK(request > 5);
}

TEST_CASE("Documents: who leaves hears no more, and removing a namespace removes its documents", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database);
  open_it(ada, 1, 5, "d");
  ada.client->append(2, 5, letter(1, 0));
  ada.client->unlisten(3, 5);
  ada.client->append(4, 5, letter(1, 1));
  CHECK(refusal(ada, 4) == ErrorCode::NotFound);
  CHECK(database->figures().topics == 0);
  REQUIRE(database->remove("t").ok());
  Talk late(*database);
  CHECK(open_it(late, 1, 1, "d")->updates.empty());
}

TEST_CASE("Documents: a restore ends those that it replaces, as a removal does, and what it brings is opened", "[db]") {
  const TempFolder folder, other;
  std::string kept;
  {
    const auto database = open(folder);
    Talk ada(*database);
    open_it(ada, 1, 5, "docs/a");
    ada.client->append(2, 5, letter(1, 0));
    ada.client->append(3, 5, letter(1, 1));
    ada.items_until(3);
    kept = dump(*database, {"t", at("docs"), DumpFormat::Native});
    ada.client->append(4, 5, letter(1, 2));
    open_it(ada, 5, 6, "docs/empty");
    open_it(ada, 6, 7, "beside");
    ada.client->append(7, 7, letter(1, 0));
    ada.items_until(7);

    CHECK(restore(*database, kept, {}) != "");
    ada.client->append(8, 5, letter(1, 3));
    CHECK(answer_in(ada.items_until(8)).status.ok());
    REQUIRE(restore(*database, kept, {{}, {}, Existing::Replace}) == "");

    ada.client->reply(9, {});
    std::set<uint64_t> ended;
    for (const Item& item : ada.items_until(9)) {
      const auto* event = std::get_if<Event>(&item);
      if (event == nullptr) continue;
      CHECK(event->kind == Event::Kind::Revoked);
      CHECK(event->error->code == ErrorCode::NotFound);
      ended.insert(event->listener);
    }
    CHECK(ended == std::set<uint64_t>{5, 6});
    // The same bytes as before it are news again, for they are not in what was restored.
    CHECK(open_it(ada, 10, 8, "docs/a")->updates == std::vector<std::string>{letter(1, 0), letter(1, 1)});
    ada.client->append(11, 8, letter(1, 1));
    ada.client->append(12, 8, letter(1, 2));
    ada.items_until(12);
    ada.client->append(13, 7, letter(1, 1));
    ada.items_until(13);
    Talk late(*database);
    CHECK(open_it(late, 1, 1, "docs/a")->updates.size() == 3);
    CHECK(open_it(late, 2, 2, "beside")->updates.size() == 2);
    // Data do not come to stand where a document is.
    late.client->write(3, set("docs/a", Value::integer(1)));
    CHECK(refusal(late, 3) == ErrorCode::InvalidArgument);
    REQUIRE(restore(*database, "{\"x\":1}", {"t", at("docs"), Existing::Replace}) == "");
    late.client->write(4, set("docs/a", Value::integer(1)));
    CHECK(answer_in(late.items_until(4)).status.ok());
  }
  // Into a namespace that never was, under another sequence: what is edited there is behind what was restored.
  {
    const auto database = open(other);
    REQUIRE(restore(*database, kept, {"new", at("copy"), Existing::Refuse}) == "");
    Talk talk(*database, "", "new");
    CHECK(open_it(talk, 1, 1, "copy/a")->updates.size() == 2);
    talk.client->append(2, 1, letter(2, 0));
    talk.items_until(2);
    talk.client->write(3, set("copy/a/b", Value::integer(1)));
    CHECK(refusal(talk, 3) == ErrorCode::InvalidArgument);
  }
  const auto database = open(other);
  Talk talk(*database, "", "new");
  CHECK(open_it(talk, 1, 1, "copy/a")->updates == std::vector<std::string>{letter(1, 0), letter(1, 1), letter(2, 0)});
}

TEST_CASE("Documents: those of a namespace are counted, by path, with their bytes", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Talk ada(*database);
  const auto stats = [&](const char* path) {
    std::promise<Result<Stats>> found;
    database->stats("t", at(path), [&](const Result<Stats>& stats) { found.set_value(stats); });
    return found.get_future().get().value();
  };
  ada.client->write(1, set("data/x", Value::integer(1)));
  ada.until(1);
  CHECK(stats("").documents.empty());
  open_it(ada, 2, 5, "docs/a");
  open_it(ada, 3, 6, "docs/b");
  for (uint8_t clock = 0; clock < 10; ++clock) ada.client->append(10u + clock, 5, letter(1, clock));
  ada.client->append(30, 6, letter(1, 0));
  ada.items_until(30);
  const size_t row = document_row(encode_path(at("docs/a")), 1).size();
  const Stats all = stats("");
  REQUIRE(all.documents.size() == 4);
  CHECK(all.documents[0].leaves == 2);
  CHECK(all.documents[1].path.text() == "docs");
  CHECK(all.documents[1].children == 2);
  CHECK(all.documents[2].path.text() == "docs/a");
  CHECK(all.documents[2].leaves == 1);
  CHECK(all.documents[2].bytes == 10 * row + letter(1, 0).size() + 9 * letter(1, 1).size());
  CHECK(all.documents[3].bytes == row + letter(1, 0).size());
  CHECK(all.documents[0].bytes == all.documents[2].bytes + all.documents[3].bytes);
  CHECK(all.documents[0].is_exact);
  CHECK(all.sizes[0].leaves == 1);
  CHECK(stats("docs/b").documents.size() == 1);
  CHECK(stats("data").documents.empty());
  CHECK(to_json(all).find(R"("documents":[{"path":"/","documents":2,)") != std::string::npos);
}
