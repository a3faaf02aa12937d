// What is withheld: places, not events. And what listeners hear of it, compared with a tree that is kept beside.
#include "db/shard/throttle.h"

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "db/model/path_plan.h"
#include "db/model/select.h"
#include "tests/db/talk.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"
#include "tests/support/value_view.h"

using namespace hearth::test;

namespace {

constexpr Timestamp kBegin{1'700'000'000'000};
constexpr Timestamp kEvery{1'000};

std::unique_ptr<Host> opened(const TempFolder& folder, const Clock& clock) {
  Database::Options options;
  options.folder = folder.path();
  options.shards = 2;
  options.sync = SyncMode::Os;
  options.clock = &clock;
  return Host::open(options).value();
}

Write throttle(std::string_view path) {
  Write setting;
  setting.settings.push_back(
      {std::string(kPathPlanSetting), std::string(path) + "\tthrottle\t" + std::to_string(kEvery.count()) + "\n"});
  return setting;
}

// A tree as a client has it: what it was told, one after the other.
class Heard {
 public:
  void hear(const Body& body) {
    std::vector<Overwrite> overwrites;
    if (body.kind() == Body::Kind::Put) {
      overwrites.push_back({body.path(), body.slot(), body.value()});
    } else {
      for (const auto& [name, value] : body.entries()) {
        overwrites.push_back(make_overwrite(body.path().text() + "/" + name, value).value());
      }
    }
    tree_.apply(overwrites);
    ++events;
  }
  std::string at(const Path& path) const { return text(tree_.value(path)); }
  int events = 0;

 private:
  ReferenceTree tree_;
};

}  // namespace

TEST_CASE("Withheld: many changes of one place are one, very many places are all", "[shard]") {
  Withheld withheld;
  CHECK(withheld.is_empty());
  for (int i = 0; i < 10'000; ++i) withheld.add(*Body::put(at("a"), Slot::Value, Value::integer(i)), true);
  CHECK(withheld.places().size() == 1);
  CHECK(text(withheld.places().begin()->second) == "9999");
  withheld.add(*Body::merge(at("b"), {{"c/d", Value::integer(1)}, {".priority", Value::integer(2)}}), false);
  CHECK(withheld.places().size() == 3);
  CHECK(withheld.places().contains({at("b"), Slot::Priority}));
  for (size_t i = 0; i < kWithheldPlacesMax; ++i) {
    withheld.add(*Body::put(at("k" + std::to_string(i)), Slot::Value, Value::integer(1)), false);
  }
  CHECK(withheld.is_all());
  CHECK(withheld.places().empty());
  Withheld large;
  large.add(*Body::put(at("a"), Slot::Value, Value::string(std::string(kWithheldBytesMax, 'x'))), true);
  CHECK(large.is_all());
}

TEST_CASE("Withheld: no place lies below another", "[shard]") {
  const auto shown = [](const Withheld& withheld) {
    std::string shown;
    for (const auto& [place, value] : withheld.places()) {
      shown += place.first.text() + (place.second == Slot::Priority ? "!" : "") + "=" + text(value) + " ";
    }
    return shown;
  };
  const auto put = [](std::string_view path, std::string value) {
    return Body::put(at(path), Slot::Value, json(std::move(value)));
  };
  Withheld kept, places;
  for (const auto& body : {put("a/x/y", "1"), put("a/xy", "2"), put("b/x", "3"), put("a/x", "null"),
                           put("c", R"({"d":4,"e":5})"), put("c/e/f", "6"), put("c/d", "null")}) {
    kept.add(*body, true);
    places.add(*body, false);
  }
  CHECK(shown(kept) == R"(a/x=null a/xy=2 b/x=3 c={"e":{"f":6}} )");
  CHECK(shown(places) == "a/x=null a/xy=null b/x=null c=null ");
  kept.add(*Body::put(at("c"), Slot::Priority, Value::integer(7)), true);
  CHECK(shown(kept) == R"(a/x=null a/xy=2 b/x=3 c={".priority":7,"e":{"f":6}} )");
  kept.add(*put("", "null"), true);
  CHECK(shown(kept) == "=null ");
}

TEST_CASE("Throttle: the first change at once, the others as one, the answer behind what it did", "[shard]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  const auto database = opened(folder, clock);
  Talk writer(*database), reader(*database);
  writer.client->write(1, throttle("/c"));
  writer.client->write(2, set("c/w", Value::integer(0)));
  writer.until(2);
  reader.client->listen(1, 7, listen_to("c"));
  reader.client->listen(2, 8, listen_to(""));
  reader.until(2);
  writer.client->write(3, set("c/w", Value::integer(1)));
  writer.client->write(4, set("c/w", Value::integer(2)));
  writer.client->write(5, set("c/v", Value::integer(3)));
  writer.until(5);
  reader.client->reply(3, {});
  CHECK(reader.until(3) == Words{"e8 c/w=1", "e7 c/w=1", "e8 c/w=2", "e8 c/v=3", "a3"});
  // A write of its own: told above at once, and answered once it is told here. What comes behind it does not wait.
  reader.client->write(4, set("c/own", Value::integer(4)));
  reader.client->write(5, set("elsewhere", Value::integer(5)));
  CHECK(reader.until(5) == Words{"e8 c/own=4", "e8 elsewhere=5", "a5"});
  clock.advance(kEvery);
  CHECK(reader.until(4) == Words{"e7 c+ own=4 v=3 w=2", "a4"});
  // A write that changes nothing waits where something is withheld; and nowhere else.
  writer.client->write(6, set("c/v", Value::integer(6)));
  writer.until(6);
  reader.client->write(6, set("c/v", Value::integer(6)));
  reader.client->write(7, set("elsewhere", Value::integer(5)));
  CHECK(reader.until(7) == Words{"e8 c/v=6", "a7"});
  clock.advance(kEvery);
  CHECK(reader.until(6) == Words{"e7 c+ v=6", "a6"});
  CHECK(database->figures().events_withheld == 4);
}

TEST_CASE("Throttle: rows are told as seldom, each as it is by then, and in the order of their last changes",
          "[shard]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  const auto database = opened(folder, clock);
  // Sees rows until something stands at /closed.
  class Open final : public RowCheck {
   public:
    Result<bool> may_read(const Moment& moment, const Path&) const override {
      ASSIGN_OR_RETURN(const bool is_closed, moment.before.exists(at("closed")));
      return !is_closed;
    }
    std::string_view asker() const override { return "open"; }
  };
  const auto rows_of = [](std::string_view table, bool is_every_table, std::shared_ptr<const RowCheck> check = {}) {
    return RowListen{{{at(table), is_every_table, kEveryRowKind, {}}}, std::move(check), 0};
  };
  Talk writer(*database), reader(*database);
  writer.client->write(1, throttle("/c/$"));
  writer.until(1);
  reader.client->listen_rows(1, 7, rows_of("c/t", false));
  reader.client->listen_rows(2, 8, rows_of("c", true));   // every table of it
  reader.client->listen_rows(3, 9, rows_of("c", false));  // above: the tables are its rows
  reader.client->listen_rows(4, 5, rows_of("c/t", false, std::make_shared<Open>()));
  reader.until(4);
  uint64_t wrote = 1, asked = 4;
  const auto put = [&](std::string_view path, Value value) {
    writer.client->write(++wrote, set(path, std::move(value)));
    writer.until(wrote);
  };
  const auto told = [&] {
    reader.client->reply(++asked, {});
    Words words = reader.until(asked);
    std::erase_if(words, [](const std::string& word) { return word[0] == 'a' || word.starts_with("r9 "); });
    std::sort(words.begin(), words.end());
    return words;
  };
  // The clock goes on by what is withheld; then it is told soon.
  const auto told_later = [&] {
    clock.advance(kEvery);
    Words words;
    for (int i = 0; words.empty() && i < 10'000; ++i) {
      words = told();
      if (words.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return words;
  };
  put("c/t/a", Value::integer(1));
  CHECK(told() == Words{"r5 1 c/t/a null -> 1", "r7 1 c/t/a null -> 1", "r8 1 c/t/a null -> 1"});
  for (int i = 2; i <= 5; ++i) put("c/t/a", Value::integer(i));
  put("c/t/b", Value::integer(1));
  put("c/t/gone", Value::integer(1));
  put("c/t/gone", Value());
  CHECK(told().empty());
  put("c/other/x", Value::integer(1));  // another table has a time of its own
  CHECK(told() == Words{"r8 1 c/other/x null -> 1"});
  CHECK(told_later() == Words{"r5 1 c/t/a 1 -> 5", "r5 1 c/t/b null -> 1", "r7 1 c/t/a 1 -> 5", "r7 1 c/t/b null -> 1",
                              "r8 1 c/t/a 1 -> 5", "r8 1 c/t/b null -> 1"});
  // Who listens no more hears nothing of what was withheld, nor does who loses the right to read meanwhile.
  put("c/t/a", Value::integer(6));
  CHECK(told().empty());
  reader.client->unlisten(++asked, 7);
  reader.client->listen_rows(++asked, 7, rows_of("c/t", false));
  put("closed", Value::integer(1));
  CHECK(told_later() == Words{"r8 1 c/t/a 5 -> 6"});
  // A commit of very many rows is told at once, and nothing older behind it.
  put("c/t/a", Value::integer(7));
  CHECK(told().empty());
  std::vector<std::pair<std::string, Value>> many;
  for (size_t i = 0; i <= kRowChangesMax; ++i) many.emplace_back("k" + std::to_string(i), Value::integer(1));
  put("c/t", Value::object(std::move(many)));
  CHECK(told() == Words{"r5 missed", "r7 missed", "r8 missed"});
  clock.advance(kEvery);
  put("c/t/k1", Value::integer(2));
  const Words last = told();
  CHECK((last.empty() ? told_later() : last) == Words{"r7 1 c/t/k1 1 -> 2", "r8 1 c/t/k1 1 -> 2"});
}

TEST_CASE("Throttle: who asks for the next value again and again is told as seldom as who listens", "[shard]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  const auto database = opened(folder, clock);
  Talk writer(*database), first(*database), second(*database), patient(*database);
  writer.client->write(1, throttle("/c"));
  writer.client->write(2, set("c/w", Value::integer(0)));
  writer.until(2);
  Listen awaiting = listen_to("c");
  awaiting.is_awaiting = true;
  first.client->listen(1, 7, awaiting);
  CHECK(first.until(1) == Words{R"(a1 c={"w":0})"});  // nothing was told yet
  writer.client->write(3, set("c/w", Value::integer(1)));
  writer.until(3);
  first.client->reply(2, {});
  CHECK(first.until(2) == Words{"e7 c/w=1", "a2"});
  // Told of 1, it asks anew, while there is 2 already.
  writer.client->write(4, set("c/w", Value::integer(2)));
  writer.until(4);
  second.client->listen(1, 8, awaiting);
  second.client->reply(2, {});
  CHECK(second.until(2) == Words{"a2"});
  // An ordinary listener is told the value there is.
  patient.client->listen(1, 9, listen_to("c"));
  CHECK(patient.until(1) == Words{R"(a1 c={"w":2})"});
  clock.advance(kEvery);
  CHECK(second.until(1) == Words{"e8 c+ w=2", "a1 c=null"});
}

TEST_CASE("Throttle: random writes leave every listener with the tree, and it hears seldom", "[shard]") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  RandomTree random(seed);
  const TempFolder folder;
  ManualClock clock(kBegin);
  const auto database = opened(folder, clock);
  Talk writer(*database), reader(*database);
  uint64_t request = 0;
  writer.client->write(++request, throttle("/a"));
  writer.until(request);

  struct Listener {
    Listen listen;
    Heard heard;
    bool is_throttled = false;
  };
  std::vector<Listener> listeners;
  for (const char* path : {"", "a", "a/b", "a/1/2", "b"}) {
    listeners.push_back({listen_to(path), {}, path[0] == 'a'});
  }
  for (const auto& query : {Query::by_key().limit_to_first(2), Query::by_key().limit_to_last(1)}) {
    Listen listen = listen_to("a");
    listen.query = query;
    listeners.push_back({listen, {}, true});
  }
  uint64_t asked = 0;
  const auto hear = [&](const std::vector<Item>& items) {
    for (const Item& item : items) {
      if (const auto* event = std::get_if<Event>(&item)) listeners[event->listener].heard.hear(*event->body);
      const auto* answer = std::get_if<Answer>(&item);
      if (answer != nullptr && answer->first != nullptr) listeners[answer->request - 1].heard.hear(*answer->first);
    }
  };
  for (size_t i = 0; i < listeners.size(); ++i) reader.client->listen(++asked, i, listeners[i].listen);
  hear(reader.items_until(asked));
  asked = 1'000;

  ReferenceTree tree;
  const auto shows = [&](const Listener& one) {
    const Value all = tree.value(one.listen.path);
    if (!one.listen.query) return text(all);
    return text(read_query(ValueView(all), Path(), *one.listen.query, true, kReadBytesMax).value());
  };
  int writes = 0, periods = 0;
  for (int round = 0; round < 150; ++round) {
    CAPTURE(round);
    for (size_t count = random.below(8); count > 0; --count) {
      const Path base = random.chance(0.7) ? at("a").join(random.path(2)).value() : random.path(3);
      Write one;
      one.base = base;
      one.merge = random.chance(0.4);
      one.overwrites = random.overwrites(base, one.merge ? 3 : 1);
      if (!one.merge && one.overwrites.size() > 1) one.overwrites.resize(1);
      if (one.overwrites.empty() || !check_overlap(one.overwrites).ok()) continue;
      tree.apply(one.overwrites);
      writer.client->write(++request, one);
      ++writes;
    }
    writer.client->reply(++request, {});
    writer.until(request);
    if (random.chance(0.5)) continue;
    clock.advance(kEvery);
    ++periods;
    // It is told soon; until then the listeners differ.
    for (int looks = 0;; ++looks) {
      reader.client->reply(++asked, {});
      hear(reader.items_until(asked));
      const bool is_so = std::all_of(listeners.begin(), listeners.end(),
                                     [&](const Listener& one) { return one.heard.at(one.listen.path) == shows(one); });
      if (is_so) break;
      if (looks > 3'000) {
        for (const Listener& one : listeners) {
          INFO(one.listen.path->slashed() << (one.listen.query ? one.listen.query->text() : ""));
          CHECK(one.heard.at(one.listen.path) == shows(one));
        }
        FAIL("what was withheld is not told");
      }
      if (looks % 100 == 99) {  // a scan that was told late is withheld anew
        clock.advance(kEvery);
        ++periods;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  for (const Listener& one : listeners) {
    if (one.is_throttled) CHECK(one.heard.events <= 2 * periods + 5);
  }
  CHECK(listeners[0].heard.events > 100);
}
