// Incremental dumps of a database in use, and what they make of a full one.
#include "db/upkeep/fold.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <future>
#include <map>

#include "db/dump/chain.h"
#include "db/dump/folder.h"
#include "tests/db/talk.h"
#include "tests/support/byte_source.h"
#include "tests/support/dumps.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"
#include "tests/support/yjs_update.h"

using namespace hearth::test;

namespace {

constexpr Timestamp kNow{5};

std::string read_to_end(Dumper& dumper) {
  std::string bytes;
  while (dumper.next(bytes).value()) {
  }
  return bytes;
}

Value tree_in(const std::string& folder, const std::string& space) {
  const auto store = TreeStore::open({folder, 1, nullptr});
  REQUIRE(store.ok());
  const uint32_t number = store.value()->names_at_open().at(space);
  return SnapshotView(store.value()->snapshot(), number).read(Path(), SIZE_MAX).value();
}

std::unique_ptr<Host> open_in(const std::string& folder, const HistoryPlan& history) {
  Database::Options options;
  options.folder = folder;
  options.shards = 2;
  options.sync = SyncMode::Os;
  options.history = history;
  auto opened = Host::open(options);
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}
const HistoryPlan kHistory{std::chrono::hours(24), 1'000'000'000, false};

Answer put(Host& database, Write write, const std::string& space = "t") {
  std::promise<Answer> done;
  database.write(space, std::move(write), [&](Answer answer) { done.set_value(std::move(answer)); });
  Answer answer = done.get_future().get();
  INFO((answer.status.ok() ? "" : answer.status.error().message));
  REQUIRE(answer.status.ok());
  return answer;
}

struct File {
  std::string name;
  std::string text;
  DumpInfo info{};
};

File take(Host& database, const std::string& name, const File* since = nullptr) {
  DumpRequest request;
  if (since != nullptr) {
    auto base = std::make_shared<DumpBase>();
    base->id = since->info.id;
    base->made = since->info.made;
    for (size_t i = 0; i < since->info.spaces.size(); ++i) {
      base->positions[since->info.spaces[i]] = since->info.positions[i];
    }
    request.since = base;
  }
  File file{name, dump(database, request)};
  file.info = read_dump_info(source_of(file.text)).value();
  return file;
}

Result<Folded> fold_into(const std::string& folder, const std::vector<File>& files, std::optional<PastMoment> to = {},
                         std::optional<std::string> space = {}) {
  FoldRequest request;
  for (const File& file : files)
    request.files.push_back({file.name, [&file] { return source_of(file.text, 100'000); }});
  request.to = std::move(to);
  request.space = std::move(space);
  return fold(request, folder, kNow);
}

std::string refusal(const std::vector<File>& files, std::optional<PastMoment> to = {},
                    std::optional<std::string> space = {}) {
  const TempFolder folder;
  const auto done = fold_into(folder.path(), files, std::move(to), std::move(space));
  return done.ok() ? "" : done.error().message;
}

// Name → digest of tree and documents, sequence and settings.
std::map<std::string, std::string> contents(const std::string& dump) {
  const auto read = verify_dump(source_of(dump, 100'000), ".");
  INFO((read.ok() ? "" : read.error().message));
  REQUIRE(read.ok());
  std::map<std::string, std::string> all;
  for (const auto& [space, rows] : read.value().spaces) {
    std::string& text = all[space.name];
    text = rows.digest + " " + std::to_string(space.sequence);
    for (const Setting& setting : space.settings) text += " " + setting.name + "=" + setting.text.value_or("");
  }
  return all;
}

std::map<std::string, std::string> folded(const std::vector<File>& files, std::optional<PastMoment> to = {}) {
  const TempFolder folder;
  const auto done = fold_into(folder.path(), files, std::move(to));
  INFO((done.ok() ? "" : done.error().message));
  REQUIRE(done.ok());
  return contents(read_to_end(*dump_folder(folder.path(), {}, kNow).value()));
}

PastMoment moment(const std::string& text) { return parse_moment(text).value(); }

// Of the last commit.
std::string id_now(Host& database, const std::string& space = "t") {
  const File file = take(database, "");
  for (size_t i = 0; i < file.info.spaces.size(); ++i) {
    if (file.info.spaces[i] == space) return file.info.positions[i];
  }
  return "";
}

size_t entry_spaces(const File& file) {
  struct Counting final : DumpVisitor {
    size_t count = 0;
    Result<void> space(const DumpedSpace& space) override {
      count += space.has_entries ? 1 : 0;
      return {};
    }
    Result<void> row(std::string_view, std::string_view) override { return {}; }
    Result<void> document(std::string_view, std::string_view) override { return {}; }
    Result<void> end(const DumpedRows&) override { return {}; }
  } counting;
  REQUIRE(read_dump(source_of(file.text), counting).ok());
  return counting.count;
}

}  // namespace

TEST_CASE(
    "Random writes over restarts: a full dump and what continues it is the database, at its end and at any commit") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const size_t rounds = std::getenv("HEARTH_LONG") != nullptr ? 12 : 4;
  for (size_t round = 0; round < 2; ++round) {
    const TempFolder folder;
    auto database = open_in(folder.path(), kHistory);
    ReferenceTree model;
    std::map<uint64_t, Value> states;  // by sequence
    put(*database, set("a", Value::integer(1)));
    model.set(at("a"), Value::integer(1));
    states[1] = model.value();
    std::vector<File> files{take(*database, "full")};
    Result<ChangesPage> page = Error{ErrorCode::NotFound, ""};
    for (size_t i = 0; i < rounds; ++i) {
      for (size_t write = 0; write < 30; ++write) {
        const Path base = random.path(2);
        auto overwrites = random.overwrites(base, 1 + random.below(3));
        Write made;
        made.base = base;
        made.overwrites = overwrites;
        made.merge = true;
        std::promise<Answer> done;
        database->write("t", made, [&](Answer answer) { done.set_value(std::move(answer)); });
        if (!done.get_future().get().status.ok()) continue;
        model.apply(overwrites);
        const std::string id = write % 10 == 0 ? id_now(*database) : "";
        if (!id.empty()) states[parse_event_id(id)->sequence] = model.value();
        if (random.chance(0.05)) {
          database.reset();
          database = open_in(folder.path(), kHistory);
        }
      }
      files.push_back(take(*database, "inc" + std::to_string(i), &files.back()));
      states[parse_event_id(files.back().info.positions[0])->sequence] = model.value();
      CHECK(entry_spaces(files.back()) == 1);
    }
    REQUIRE(folded(files) == contents(take(*database, "now").text));
    // Every moment that was noted, by its id: found in the feed, which names it.
    std::string since = "0";
    std::map<uint64_t, std::string> ids;
    for (bool is_end = false; !is_end;) {
      ChangesRead read;
      read.since = since;
      std::promise<Result<ChangesPage>> done;
      database->changes("t", std::move(read), [&](Result<ChangesPage> got) { done.set_value(std::move(got)); });
      const auto got = done.get_future().get();
      REQUIRE(got.ok());
      for (const Change& change : got.value().changes) ids[parse_event_id(change.id)->sequence] = change.id;
      since = got.value().next;
      is_end = got.value().is_end;
    }
    for (const auto& [sequence, state] : states) {
      if (!ids.contains(sequence)) continue;
      INFO("at " << ids[sequence]);
      std::vector<ChainFile> chain;
      for (const File& file : files) chain.push_back({file.name, file.info});
      const auto chosen = chain_of(chain, moment(ids[sequence]));
      INFO((chosen.ok() ? "" : chosen.error().message));
      REQUIRE(chosen.ok());
      std::vector<File> taken;
      for (const size_t index : chosen.value()) taken.push_back(files[index]);
      const TempFolder to;
      const auto done = fold_into(to.path(), taken, moment(ids[sequence]));
      INFO((done.ok() ? "" : done.error().message));
      REQUIRE(done.ok());
      REQUIRE(text(tree_in(to.path(), "t")) == text(state));
    }
    // A link that is missing.
    std::vector<File> broken = files;
    broken.erase(broken.begin() + 2);
    CHECK(refusal(broken).find("inc2 continues the dump " + files[2].info.id) != std::string::npos);
  }
}

TEST_CASE("Yjs documents, settings, new and removed namespaces are in incremental dumps") {
  const TempFolder folder;
  auto database = open_in(folder.path(), kHistory);
  put(*database, set("a", Value::integer(1)));
  put(*database, set("x", Value::integer(1)), "old");
  {
    Talk talk(*database);
    talk.client->open_document(1, 5, {at("docs/a"), {}});
    talk.items_until(1);
    talk.client->append(2, 5, letter(1, 0));
    talk.items_until(2);
  }
  const File full = take(*database, "full");
  {
    Talk talk(*database);
    talk.client->open_document(1, 5, {at("docs/a"), {}});
    talk.items_until(1);
    talk.client->append(2, 5, letter(1, 1));
    talk.client->open_document(3, 6, {at("docs/b"), {}});
    talk.client->append(4, 6, letter(2, 0));
    talk.items_until(4);
  }
  Write rules = set("b", Value::string("two"));
  rules.settings.push_back({std::string(kRulesSetting), R"({"rules":{}})"});
  put(*database, rules);
  REQUIRE(database->create("empty").ok());
  put(*database, set("n", Value::integer(7)), "new");
  const File first = take(*database, "first", &full);
  CHECK(entry_spaces(first) == 4);
  CHECK(folded({full, first}) == contents(take(*database, "now").text));

  REQUIRE(database->remove("old").ok());
  put(*database, set("n", Value::integer(8)), "new");
  const File second = take(*database, "second", &first);
  CHECK(folded({full, first, second}) == contents(take(*database, "now").text));

  // Removed and made again: another namespace of that name.
  REQUIRE(database->remove("new").ok());
  put(*database, set("other", Value::integer(9)), "new");
  const File third = take(*database, "third", &second);
  CHECK(entry_spaces(third) == 2);
  CHECK(folded({full, first, second, third}) == contents(take(*database, "now").text));
  CHECK(refusal({full, first, third}).find("third continues the dump " + second.info.id) != std::string::npos);
  CHECK(refusal({first, second}).starts_with("first is an incremental dump, which continues the dump " + full.info.id));
}

TEST_CASE("What a log does not tell comes as a whole: a restore, a purge, no history; moments in it have no answer") {
  const TempFolder folder;
  auto database = open_in(folder.path(), kHistory);
  put(*database, set("a", Value::integer(1)));
  put(*database, set("q", Value::integer(1)), "quiet");
  const File full = take(*database, "full");
  put(*database, set("a", Value::integer(2)));
  const std::string before = id_now(*database);
  const std::string id = database->begin_upload().value();
  REQUIRE(database->upload(id, 0, R"({"restored":1})").ok());
  std::promise<Result<std::vector<RestoredTree>>> told;
  database->restore(id, {"t", {}, Existing::Replace}, [&](auto result) { told.set_value(std::move(result)); });
  REQUIRE(told.get_future().get().ok());
  put(*database, set("c", Value::integer(3)));
  const File restored = take(*database, "restored", &full);
  CHECK(entry_spaces(restored) == 1);  // the other one has not changed
  CHECK(folded({full, restored}) == contents(take(*database, "now").text));
  const std::string refused = refusal({full, restored}, moment(before), "t");
  CHECK(refused.find("t is in it as a whole, for its log did not tell all that came since") != std::string::npos);
  CHECK(refusal({full, restored}, PastMoment{{}, restored.info.made}) == "");

  std::promise<Answer> purged;
  database->purge("t", at("c"), [&](Answer answer) { purged.set_value(std::move(answer)); });
  REQUIRE(purged.get_future().get().status.ok());
  put(*database, set("d", Value::integer(4)));
  const File later = take(*database, "later", &restored);
  CHECK(folded({full, restored, later}) == contents(take(*database, "now").text));

  database.reset();
  database = open_in(folder.path(), {});
  put(*database, set("e", Value::integer(5)));
  const File off = take(*database, "off", &later);
  CHECK(entry_spaces(off) == 1);  // whose log is still there: it goes with the next write
  const File same = take(*database, "same", &off);
  CHECK(entry_spaces(same) == 2);  // nothing happened
  put(*database, set("e", Value::integer(6)));
  const File end = take(*database, "end", &same);
  CHECK(entry_spaces(end) == 1);
  CHECK(folded({full, restored, later, off, same, end}) == contents(take(*database, "now").text));
}

TEST_CASE("A folder that was put back to an older copy is not continued by dumps of the other history") {
  const TempFolder folder, copy;
  auto database = open_in(folder.path(), kHistory);
  put(*database, set("a", Value::integer(1)));
  database.reset();
  std::filesystem::copy(folder.path(), copy.path(), std::filesystem::copy_options::recursive);
  database = open_in(folder.path(), kHistory);
  put(*database, set("a", Value::integer(2)));
  const File full = take(*database, "full");
  database.reset();
  auto other = open_in(copy.path(), kHistory);
  put(*other, set("b", Value::integer(2)));
  put(*other, set("b", Value::integer(3)));
  const File since = take(*other, "since", &full);
  CHECK(entry_spaces(since) == 0);
  CHECK(folded({full, since}) == contents(take(*other, "now").text));
}

TEST_CASE("An incremental dump of 100 changes reads and writes in proportion to them, in a store of any size") {
  const TempFolder folder;
  auto database = open_in(folder.path(), kHistory);
  const size_t leaves = std::getenv("HEARTH_LONG") != nullptr ? 1'000'000 : 200'000;
  for (size_t part = 0; part < 10; ++part) {
    std::vector<std::pair<std::string, Value>> children;
    for (size_t i = 0; i < leaves / 10; ++i) {
      children.emplace_back("k" + std::to_string(i), Value::integer(static_cast<int64_t>(i)));
    }
    put(*database, set("p" + std::to_string(part), Value::object(children)));
  }
  const File full = take(*database, "full");
  for (int i = 0; i < 100; ++i) {
    put(*database, set("p" + std::to_string(i % 10) + "/k" + std::to_string(i), Value::string("changed")));
  }
  const File since = take(*database, "since", &full);
  CHECK(since.text.size() < 100 * 200);
  CHECK(full.text.size() > leaves);
  database.reset();
  DumpRequest request;
  auto base = std::make_shared<DumpBase>();
  base->positions["t"] = full.info.positions[0];
  request.since = base;
  const auto dumper = dump_folder(folder.path(), request, kNow);
  REQUIRE(dumper.ok());
  (void)read_to_end(*dumper.value());
  CHECK(dumper.value()->read_count() == 200);  // each entry is looked at once before, and then written
  CHECK(dumper.value()->spaces()[0].second.entries == 100);
}

TEST_CASE("Every byte of an incremental dump counts: one that is another, or missing, is refused") {
  const TempFolder folder;
  auto database = open_in(folder.path(), kHistory);
  put(*database, set("a", Value::integer(1)));
  const File full = take(*database, "full");
  for (int i = 0; i < 3; ++i) put(*database, set("a", Value::integer(i + 2)));
  const File since = take(*database, "since", &full);
  REQUIRE(refusal({full, since}) == "");
  for (size_t i = 0; i < since.text.size(); ++i) {
    File damaged = since;
    damaged.text[i] = static_cast<char>(damaged.text[i] ^ (1 << (i % 8)));
    struct Nothing final : DumpVisitor {
      Result<void> space(const DumpedSpace&) override { return {}; }
      Result<void> row(std::string_view, std::string_view) override { return {}; }
      Result<void> document(std::string_view, std::string_view) override { return {}; }
      Result<void> end(const DumpedRows&) override { return {}; }
    } nothing;
    INFO("byte " << i);
    CHECK_FALSE(read_dump(source_of(damaged.text), nothing).ok());
    CHECK_FALSE(read_dump(source_of(since.text.substr(0, i)), nothing).ok());
  }
}
