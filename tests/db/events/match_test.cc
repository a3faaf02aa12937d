#include "db/events/match.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/moment.h"

using namespace hearth::db;
using hearth::test::moment_of;

namespace {

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

// A value as a tree that counts how often it is asked.
class CountingView final : public TreeView {
 public:
  explicit CountingView(const Value& value) {
    for (size_t i = 0; i < value.row_count(); ++i) rows_.emplace(value.row(i).key, value.row(i).leaf);
  }
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    ++asked;
    for (auto entry = rows_.lower_bound(from); entry != rows_.end() && entry->first < upto; ++entry) {
      if (!row(entry->first, entry->second)) break;
    }
    return {};
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    ++asked;
    const auto entry = rows_.find(key);
    if (entry == rows_.end()) return std::optional<std::string>();
    return std::optional(entry->second);
  }
  mutable size_t asked = 0;

 private:
  std::map<std::string, std::string, std::less<>> rows_;
};

struct Change {
  std::string path;
  std::string value;  // JSON
  bool of_priority = false;
};

// One write on a tree, and one listener; in the order of the told bodies' words:
//   "d <path> <json>" a put, "m <path> {<entry>:<json>,…}" a merge, "" nothing.
struct Case {
  std::string name;
  std::string before;
  std::string base;  // where a merge was addressed; ignored otherwise
  std::vector<Change> changed;
  std::string after;
  std::string listener;
  std::string told;
};

std::string words(const Body& body) {
  const std::string where = " /" + body.told_path() + " ";
  if (body.kind() == Body::Kind::Put) return "d" + where + text(body.value());
  std::string entries;
  for (const auto& [path, value] : body.entries()) entries += (entries.empty() ? "" : ",") + path + ":" + text(value);
  return "m" + where + "{" + entries + "}";
}

struct Scene {
  explicit Scene(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      auto subscription = std::make_unique<Subscription>();
      subscription->path = at(path);
      registry.add(*subscription);
      listeners.push_back(std::move(subscription));
    }
  }
  std::vector<Notification> match_it(const Case& that) {
    std::vector<Overwrite> changed;
    for (const Change& change : that.changed) {
      changed.push_back({at(change.path), change.of_priority ? Slot::Priority : Slot::Value, json(change.value)});
    }
    const bool merge = that.base != "-";
    const Path base = merge ? at(that.base) : changed.front().path;
    const Value old_value = json(that.before), new_value = json(that.after);
    const bool has_priorities = old_value.has_priorities() || new_value.has_priorities();
    const CountingView before(old_value), after(new_value);
    const auto told = match(registry, {changed, merge, base, has_priorities, Timestamp(1), settings}, before, after);
    REQUIRE(told.ok());
    asked = before.asked + after.asked;
    return told.value();
  }
  NoSettings settings;
  ListenerRegistry registry;
  std::vector<std::unique_ptr<Subscription>> listeners;
  size_t asked = 0;
};

const std::string kNone = "-";  // no merge

// Asks whether /door is there.
class DoorIsOpen final : public Precondition {
 public:
  Result<void> check(const Moment& moment) const override {
    ++asked;
    ASSIGN_OR_RETURN(const bool open, moment.before.exists(at("door")));
    if (open) return {};
    return Error{ErrorCode::PermissionDenied, "Permission denied"};
  }
  mutable int asked = 0;
};

// A right for a time; `after`: what it says from then on.
class UntilTen final : public Precondition {
 public:
  explicit UntilTen(Result<void> after) : after_(std::move(after)) {}
  Result<void> check(const Moment& moment) const override {
    ++asked;
    if (moment.now.wall >= kTen) return after_;
    return {};
  }
  std::optional<Timestamp> lapses() const override { return kTen; }
  static constexpr Timestamp kTen{10'000};
  mutable int asked = 0;

 private:
  const Result<void> after_;
};

}  // namespace

TEST_CASE("match: what a listener is told of a write", "[events]") {
  const std::string tree = R"({"a":{"b":1,"c":{"d":2}},"x":5})";
  const std::vector<Case> cases = {
      {"at the write", tree, kNone, {{"a/b", "7"}}, R"({"a":{"b":7,"c":{"d":2}},"x":5})", "a/b", "d /a/b 7"},
      {"above it: the change itself",
       tree,
       kNone,
       {{"a/b", "7"}},
       R"({"a":{"b":7,"c":{"d":2}},"x":5})",
       "",
       "d /a/b 7"},
      {"beside it", tree, kNone, {{"a/b", "7"}}, R"({"a":{"b":7,"c":{"d":2}},"x":5})", "a/c", ""},
      {"a key that only begins alike", tree, kNone, {{"a/b", "7"}}, R"({"a":{"b":7,"c":{"d":2}},"x":5})", "a/bb", ""},
      {"below it: its own new value", tree, kNone, {{"a", R"({"b":7})"}}, R"({"a":{"b":7},"x":5})", "a/b", "d /a/b 7"},
      {"below it, gone", tree, kNone, {{"a", R"({"b":7})"}}, R"({"a":{"b":7},"x":5})", "a/c/d", "d /a/c/d null"},
      {"below it, unchanged", tree, kNone, {{"a", R"({"b":1})"}}, R"({"a":{"b":1},"x":5})", "a/b", ""},
      {"below it, nothing before and after", tree, kNone, {{"a", "3"}}, R"({"a":3,"x":5})", "a/q/r", ""},
      {"a removal, below it", tree, kNone, {{"a", "null"}}, R"({"x":5})", "a/c", "d /a/c null"},
      {"a removal, above it", tree, kNone, {{"a", "null"}}, R"({"x":5})", "", "d /a null"},

      {"a merge, at its base",
       tree,
       "a",
       {{"a/b", "7"}, {"a/e", "8"}},
       R"({"a":{"b":7,"c":{"d":2},"e":8},"x":5})",
       "a",
       "m /a {b:7,e:8}"},
      {"a merge, above its base",
       tree,
       "a",
       {{"a/b", "7"}, {"a/e", "8"}},
       R"({"a":{"b":7,"c":{"d":2},"e":8},"x":5})",
       "",
       "m /a {b:7,e:8}"},
      {"a merge, at one of its places",
       tree,
       "a",
       {{"a/b", "7"}, {"a/e", "8"}},
       R"({"a":{"b":7,"c":{"d":2},"e":8},"x":5})",
       "a/e",
       "d /a/e 8"},
      {"a merge, at none of them",
       tree,
       "a",
       {{"a/b", "7"}, {"a/e", "8"}},
       R"({"a":{"b":7,"c":{"d":2},"e":8},"x":5})",
       "a/c",
       ""},
      {"a deep merge: several places below the listener are one step",
       tree,
       "",
       {{"a/b", "7"}, {"a/c/d", "3"}, {"x", "6"}},
       R"({"a":{"b":7,"c":{"d":3}},"x":6})",
       "a",
       "m /a {b:7,c/d:3}"},
      {"a deep merge: one place below it",
       tree,
       "",
       {{"a/b", "7"}, {"a/c/d", "3"}, {"x", "6"}},
       R"({"a":{"b":7,"c":{"d":3}},"x":6})",
       "a/c",
       "d /a/c/d 3"},
      {"a merge that removes, without priorities",
       tree,
       "a",
       {{"a/b", "null"}, {"a/e", "8"}},
       R"({"a":{"c":{"d":2},"e":8},"x":5})",
       "a",
       "m /a {b:null,e:8}"},
      {"below a place of a merge",
       tree,
       "",
       {{"a", R"({"c":{"d":9}})"}, {"x", "6"}},
       R"({"a":{"c":{"d":9}},"x":6})",
       "a/c/d",
       "d /a/c/d 9"},
      {"below a place of a merge, unchanged",
       tree,
       "",
       {{"a", R"({"c":{"d":2}})"}, {"x", "6"}},
       R"({"a":{"c":{"d":2}},"x":6})",
       "a/c/d",
       ""},

      // A client that empties a node on the way to filling it again loses its priority (net/wire/protocol.md §6.3).
      {"a merge that removes where priorities are: the whole",
       R"({"a":{".priority":1,"b":1}})",
       "a",
       {{"a/b", "null"}, {"a/e", "8"}},
       R"({"a":{".priority":1,"e":8}})",
       "a",
       R"(d /a {".priority":1,"e":8})"},
      {"the same, to a listener above its base",
       R"({"a":{".priority":1,"b":1}})",
       "a",
       {{"a/b", "null"}, {"a/e", "8"}},
       R"({"a":{".priority":1,"e":8}})",
       "",
       R"(d /a {".priority":1,"e":8})"},
      {"the same, to a listener below its base",
       R"({"a":{".priority":1,"b":1}})",
       "",
       {{"a/b", "null"}, {"a/e", "8"}, {"x", "6"}},
       R"({"a":{".priority":1,"e":8},"x":6})",
       "a",
       R"(d /a {".priority":1,"e":8})"},

      {"a priority, at its node",
       R"({"a":{"b":1}})",
       kNone,
       {{"a", "4", true}},
       R"({"a":{".priority":4,"b":1}})",
       "a",
       "d /a/.priority 4"},
      {"a priority, above its node",
       R"({"a":{"b":1}})",
       kNone,
       {{"a", "4", true}},
       R"({"a":{".priority":4,"b":1}})",
       "",
       "d /a/.priority 4"},
      {"a priority, below its node",
       R"({"a":{"b":1}})",
       kNone,
       {{"a", "4", true}},
       R"({"a":{".priority":4,"b":1}})",
       "a/b",
       ""},
      {"below, only the priority changed",
       R"({"a":{"b":1}})",
       kNone,
       {{"a", R"({"b":{".value":1,".priority":2}})"}},
       R"({"a":{"b":{".value":1,".priority":2}}})",
       "a/b",
       R"(d /a/b {".value":1,".priority":2})"},
  };
  for (const Case& that : cases) {
    INFO(that.name);
    Scene scene({that.listener});
    const std::vector<Notification> told = scene.match_it(that);
    CHECK(told.size() == (that.told.empty() ? 0u : 1u));
    if (told.size() == 1) CHECK(words(*told.front().body) == that.told);
  }
}

TEST_CASE("match: all at or above a change share the bytes of one body", "[events]") {
  Scene scene({"", "a", "a", "a/b", "a/b"});
  const auto told = scene.match_it({"", R"({"a":{"b":1}})", kNone, {{"a/b", "2"}}, R"({"a":{"b":2}})", "", ""});
  REQUIRE(told.size() == 5);
  for (const Notification& one : told) CHECK(one.body == told.front().body);
}

TEST_CASE("match: listeners elsewhere cost a commit nothing, and those above it no read", "[events]") {
  std::vector<std::string> paths = {""};
  for (int i = 0; i < 1000; ++i) paths.push_back("elsewhere/" + std::to_string(i));
  Scene scene(paths);
  const auto told = scene.match_it({"", R"({"a":{"b":1}})", kNone, {{"a/b", "2"}}, R"({"a":{"b":2}})", "", ""});
  CHECK(told.size() == 1);
  CHECK(scene.asked == 0);
}

TEST_CASE("match: a listener whose check no longer holds is revoked, told nothing else, and out", "[events]") {
  const auto check = std::make_shared<DoorIsOpen>();
  ListenerRegistry registry;
  Subscription subscription;
  subscription.path = at("room");
  subscription.check = check;
  registry.add(subscription);
  const Value open = json(R"({"door":true,"room":1})");
  REQUIRE(registry.check(subscription, moment_of(CountingView(open), Timestamp(1))).ok());
  const int asked = check->asked;
  const NoSettings settings;

  SECTION("a commit elsewhere does not ask it") {
    const std::vector<Overwrite> changed = {{at("room"), Slot::Value, json("2")}};
    const CountingView before(open), after(json(R"({"door":true,"room":2})"));
    const auto told =
        match(registry, {changed, false, changed.front().path, false, Timestamp(1), settings}, before, after).value();
    REQUIRE(told.size() == 1);
    CHECK_FALSE(told.front().revoked);
    CHECK(check->asked == asked);
  }
  SECTION("one that only changes the settings asks it, wherever it looked") {
    const CountingView before(open), after(open);
    const std::vector<Overwrite> changed;
    CHECK(
        match(registry, {changed, false, at(""), false, Timestamp(1), settings, true}, before, after).value().empty());
    CHECK(check->asked == asked + 1);
  }
  SECTION("one that leaves the door open asks it again, and it stays") {
    const std::vector<Overwrite> changed = {{at("door"), Slot::Value, json("5")}};
    const CountingView before(open), after(json(R"({"door":5,"room":1})"));
    CHECK(match(registry, {changed, false, changed.front().path, false, Timestamp(1), settings}, before, after)
              .value()
              .empty());
    CHECK(check->asked == asked + 1);
    CHECK(registry.size() == 1);
  }
  SECTION("one that closes the door and changes the room says only that it is over") {
    const std::vector<Overwrite> changed = {{at(""), Slot::Value, json(R"({"room":3})")}};
    const CountingView before(open), after(json(R"({"room":3})"));
    const auto told =
        match(registry, {changed, false, changed.front().path, false, Timestamp(1), settings}, before, after).value();
    REQUIRE(told.size() == 1);
    REQUIRE(told.front().revoked);
    CHECK(told.front().revoked->code == ErrorCode::PermissionDenied);
    CHECK(told.front().body == nullptr);
    CHECK(registry.empty());
    CHECK(registry.root().children.empty());
  }
}

TEST_CASE("match: who has a right for a time hears nothing that is committed from then on, by the clock", "[events]") {
  const Error denied{ErrorCode::PermissionDenied, "Permission denied"};
  const Error broken{ErrorCode::Io, "cannot read"};
  struct Row {
    Result<void> after;
    std::optional<ErrorCode> told;  // at the last; nothing: the change
  };
  for (const Row& row : {Row{denied, ErrorCode::ExpiredToken}, Row{broken, ErrorCode::Io}, Row{{}, {}}}) {
    for (const bool filtered : {false, true}) {
      INFO(filtered);
      const auto check = std::make_shared<UntilTen>(row.after);
      ListenerRegistry registry;
      const NoSettings settings;
      Subscription lasting, brief;
      for (Subscription* one : {&lasting, &brief}) {
        one->path = at("room");
        if (filtered) one->query = Query::by_key().limit_to_first(5);
      }
      brief.check = check;
      const Value empty;
      REQUIRE(registry.check(brief, moment_of(CountingView(empty), Timestamp(1))).ok());
      registry.add(lasting);
      registry.add(brief);
      if (filtered) REQUIRE(brief.view()->open(CountingView(empty), false).ok());
      // Server times stand still here and there: they decide nothing.
      const auto write = [&](const std::string& before, const std::string& after, Times now) {
        const std::vector<Overwrite> changed = {{at("room/a"), Slot::Value, json(after)}};
        const Value old_value = json(R"({"room":{"a":)" + before + "}}"),
                    new_value = json(R"({"room":{"a":)" + after + "}}");
        return match(registry, {changed, false, changed.front().path, false, now, settings}, CountingView(old_value),
                     CountingView(new_value))
            .value();
      };
      CHECK(write("null", "1", {Timestamp(12'000), Timestamp(9'999)}).size() == 2);
      CHECK(check->asked == 1);
      const std::vector<Notification> told = write("1", "2", {Timestamp(10'000), Timestamp(10'000)});
      REQUIRE(told.size() == 2);
      CHECK(check->asked == 2);
      for (const Notification& one : told) {
        const bool is_over = one.subscription == &brief && row.told;
        CHECK(one.revoked.has_value() == is_over);
        CHECK((one.body == nullptr) == is_over);
        if (is_over) CHECK(one.revoked->code == *row.told);
      }
      CHECK(registry.size() == (row.told ? 1 : 2));
      // Whoever stays is not asked each time from then on.
      CHECK(write("2", "3", Timestamp(20'000)).size() == registry.size());
      CHECK(check->asked == 2);
      registry.remove(lasting);
      registry.remove(brief);
    }
  }
}
