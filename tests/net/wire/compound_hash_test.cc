// Compound hashes and range merges, with a client that does what the Android SDK does (CompoundHash.java, RangeMerge.java).
#include "net/wire/compound_hash.h"

#include <catch2/catch.hpp>
#include <map>

#include "db/model/hash.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/net/wire/client.h"
#include "tests/support/random_tree.h"
#include "tests/support/vectors.h"

using namespace hearth;
using namespace hearth::net::wire;
using db::Value;
using hearth::net::wire::test::Client;
using hearth::net::wire::test::Server;
using Strings = std::vector<std::string>;

namespace {

Value json(const std::string& text) {
  return db::JsonDocument::parse(text).value().root().to_value(db::Path()).value();
}
std::string text_of(const Value& value) { return db::to_json(value, db::JsonStyle::Export); }

// A leaf of a tree, the priorities of inner nodes among them, by where it stands in path order.
struct Leaf {
  Strings keys;
  Value value;
};
using Leaves = std::map<std::string, Leaf>;

std::string place_of(const Strings& keys) {
  std::string place;
  for (const std::string& key : keys) db::append_segment(key, place);
  return place;
}

void gather(const Value& value, Strings& keys, Leaves& to) {
  const auto add = [&](const Value& leaf) { to[place_of(keys)] = {keys, leaf}; };
  if (value.is_null()) return;
  if (!value.is_object()) return add(value);
  if (!value.priority().is_null()) {
    keys.push_back(".priority");
    add(value.priority());
    keys.pop_back();
  }
  for (auto child = value.children(); !child.done(); child.next()) {
    keys.push_back(child.key());
    gather(child.value(), keys, to);
    keys.pop_back();
  }
}

Leaves leaves_of(const Value& value) {
  Leaves to;
  Strings keys;
  gather(value, keys, to);
  return to;
}

Value tree_of(const Leaves& leaves) {
  Value value;
  for (const auto& [place, leaf] : leaves) {
    if (leaf.keys.empty() || leaf.keys.back() != ".priority") {
      db::Path path;
      for (const std::string& key : leaf.keys) path = path.child(key).value();
      value = value.with(path, leaf.value);
    }
  }
  for (const auto& [place, leaf] : leaves) {
    if (leaf.keys.empty() || leaf.keys.back() != ".priority") continue;
    db::Path path;
    for (size_t i = 0; i + 1 < leaf.keys.size(); ++i) path = path.child(leaf.keys[i]).value();
    const Value node = value.at(path);
    if (!node.is_null()) value = value.with(path, node.with_priority(leaf.value));
  }
  return value;
}

std::string joined(const Strings& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : "/") + key;
  return text;
}

// Whether no hash tells of a priority in it: none of its node's keys sorts behind `.priority`.
bool has_hidden_priority(const Value& value) {
  if (!value.is_object()) return false;
  bool is_hidden = !value.priority().is_null();
  bool found = false;
  for (auto child = value.children(); !child.done(); child.next()) {
    is_hidden = is_hidden && db::compare_keys(child.key(), ".priority") < 0;
    found = found || has_hidden_priority(child.value());
  }
  return is_hidden || found;
}

// What a client that holds `value` says of it, cut behind some of its leaves: `cut` says behind which; behind the last in any case.
template <typename Cut>
CompoundHash known_of(const Value& value, Cut cut) {
  CompoundHash to;
  const Leaves leaves = leaves_of(value);
  for (auto at = leaves.begin(); at != leaves.end(); ++at) {
    if (std::next(at) != leaves.end() && !cut(at->second.keys)) continue;
    to.posts.push_back(joined(at->second.keys));
    to.places.push_back(at->first);
  }
  to.hashes = range_hashes(value, to.places);
  return to;
}

// RangeMerge.applyTo.
Value applied(const Value& held, const std::string& merges) {
  Leaves leaves = leaves_of(held);
  const db::JsonDocument document = db::JsonDocument::parse(merges).value();
  for (const db::JsonNode& merge : document.root().elements()) {
    const auto bound = [&](const char* name) -> std::optional<std::string> {
      const auto path = merge.field(name);
      if (!path) return std::nullopt;
      Strings keys;
      std::string rest(*path->string());
      for (size_t end = 0; !rest.empty(); rest.erase(0, end == std::string::npos ? end : end + 1)) {
        end = rest.find('/');
        keys.push_back(rest.substr(0, end));
      }
      return place_of(keys);
    };
    const auto start = bound("s"), end = bound("e");
    std::erase_if(leaves,
                  [&](const auto& leaf) { return (!start || leaf.first > *start) && (!end || leaf.first <= *end); });
    for (auto& leaf : leaves_of(merge.field("m")->to_value(db::Path()).value())) leaves.insert(leaf);
  }
  return tree_of(leaves);
}

std::string message_of(const CompoundHash& known) {
  std::string text = R"({"hs":[)";
  for (const std::string& hash : known.hashes)
    db::append_json_string(hash, text += &hash == &known.hashes.front() ? "" : ",");
  text += R"(],"ps":[)";
  for (const std::string& post : known.posts)
    db::append_json_string(post, text += &post == &known.posts.front() ? "" : ",");
  return text + "]}";
}

std::shared_ptr<const CompoundHash> parsed(const std::string& text) {
  return parse_compound_hash(db::JsonDocument::parse(text).value().root());
}

}  // namespace

TEST_CASE("CompoundHash: the hashes of the SDK's own tests", "[wire]") {
  const db::JsonDocument document = hearth::test::vectors();
  for (const db::JsonNode& one : document.root().field("compound_hash")->elements()) {
    INFO(one.to_text());
    Strings posts, hashes;
    for (const db::JsonNode& post : one.field("ps")->elements()) posts.emplace_back(*post.string());
    for (const db::JsonNode& hash : one.field("hs")->elements()) hashes.emplace_back(*hash.string());
    Strings places;
    for (const std::string& post : posts) {
      const auto single =
          parsed(R"({"ps":[)" + (post.empty() ? R"("x")" : db::to_json(Value::string(post), db::JsonStyle::Export)) +
                 R"(],"hs":["",""]})");
      places.push_back(post.empty() ? "" : single->places.front());
    }
    CHECK(range_hashes(one.field("json")->to_value(db::Path()).value(), places) == hashes);
  }
}

TEST_CASE("CompoundHash: what makes no sense is none", "[wire]") {
  CHECK(parsed(R"({"hs":["a",""],"ps":["x/y"]})") != nullptr);
  CHECK(parsed(R"({"hs":["a","b",""],"ps":["/2/","10"]})") != nullptr);  // in key order
  for (const char* bad :
       {"null", "[]", "{}", R"({"hs":[""],"ps":[]})", R"({"hs":["a"],"ps":["x"]})", R"({"hs":["a",""],"ps":[1]})",
        R"({"hs":["a",1],"ps":["x"]})", R"({"hs":["a",""],"ps":["/"]})", R"({"hs":["a",""],"ps":[""]})",
        R"({"hs":["a","b",""],"ps":["y","x"]})", R"({"hs":["a","b",""],"ps":["x","x"]})", R"({"hs":"a","ps":"x"})"}) {
    INFO(bad);
    CHECK(parsed(bad) == nullptr);
  }
}

TEST_CASE("CompoundHash: only the ranges that differ are sent", "[wire]") {
  const auto always = [](const Strings&) { return true; };
  struct Case {
    const char *held, *stored, *merges;
  };
  const std::vector<Case> cases = {
      {R"({"a":1,"b":2,"c":3})", R"({"a":1,"b":9,"c":3})", R"([{"s":"a","e":"b","m":{"b":9}}])"},
      {R"({"a":1,"b":2,"c":3})", R"({"a":1,"c":3})", R"([{"s":"a","e":"b","m":null}])"},
      {R"({"a":1,"b":2})", R"({"a":1,"b":2,"d":{"x":1,"y":{"z":2}}})", R"([{"s":"b","m":{"d":{"x":1,"y":{"z":2}}}}])"},
      {R"({"a":1,"b":2})", R"({"!":0,"a":1,"b":2})", R"([{"e":"a","m":{"!":0,"a":1}}])"},
      {R"({"a":{"x":1,"y":2},"b":2})", R"({"a":{"x":1,"y":{".value":3,".priority":"p"}},"b":2})",
       R"([{"s":"a/x","e":"a/y","m":{"a":{"y":{".value":3,".priority":"p"}}}}])"},
      {R"({"a":1,"b":2,"c":3})", R"({"a":{"x":1},"b":2,"c":3})",
       R"([{"e":"a","m":null},{"s":"a","e":"b","m":{"a":{"x":1},"b":2}}])"},
  };
  for (const Case& c : cases) {
    INFO(c.held << " to " << c.stored);
    const auto merges = range_merges(json(c.stored), known_of(json(c.held), always));
    REQUIRE(merges);
    CHECK(*merges == c.merges);
  }
}

TEST_CASE("CompoundHash: where ranges cannot say it, or are no less, all is sent", "[wire]") {
  const auto always = [](const Strings&) { return true; };
  const std::vector<std::pair<const char*, const char*>> cases = {
      {R"({"a":1,"b":2})", R"({"a":3,"b":4})"},  // all differs
      {R"({"a":1,"b":2})", R"({"a":1,"b":2})"},  // nothing does, and yet it was asked for
      {R"({"a":1,"b":2})", "7"},
      {R"({"a":1,"b":2})", "null"},
      {R"({"a":1,"b":{"1":2}})", R"({"a":1,"b":{"1":2,".priority":4}})"},  // no hash tells of it
      {R"({"a":1,"b":{"x":1,".priority":3},"c":1})",
       R"({"a":1,"b":{"x":1,".priority":4},"c":1})"},  // alone in its range
  };
  for (const auto& [held, stored] : cases) {
    INFO(held << " to " << stored);
    CHECK_FALSE(range_merges(json(stored), known_of(json(held), always)));
  }
  const auto behind_x = [](const Strings& keys) { return keys.back() == "x" || keys.back() == "a"; };
  const auto with_sibling = range_merges(json(cases.back().second), known_of(json(cases.back().first), behind_x));
  CHECK(with_sibling == R"([{"s":"a","e":"b/x","m":{"b":{".priority":4,"x":1}}}])");
}

TEST_CASE("CompoundHash: a range with an integer that no double is is sent, for its neighbours have its hash",
          "[wire]") {
  const Value held = json(R"({"a":1,"b":9223372036854775807,"c":3,"d":4})");
  const Value stored = json(R"({"a":1,"b":9223372036854775805,"c":3,"d":5})");
  const auto merges = range_merges(stored, known_of(held, [](const Strings&) { return true; }));
  REQUIRE(merges);
  CHECK(text_of(applied(held, *merges)) == text_of(stored));
}

TEST_CASE("CompoundHash: random trees are made the same, by a client that speaks as Android does", "[wire]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  hearth::test::RandomTree random(seed);
  size_t merged = 0;
  for (int i = 0; i < 3'000; ++i) {
    const Value held = random.value(4);
    if (!held.is_object() || has_hidden_priority(held)) continue;
    Value stored = held;
    for (size_t count = 1 + random.below(3); count > 0; --count) {
      const db::Path path = random.path(3);
      stored = random.chance(0.2) && !stored.at(path).is_null()
                   ? stored.with(path, stored.at(path).with_priority(random.priority()))
                   : stored.with(path, random.value(2));
    }
    const CompoundHash known = known_of(held, [&](const Strings&) { return random.chance(0.5); });
    const auto told = parsed(message_of(known));
    REQUIRE(told != nullptr);
    CHECK(told->places == known.places);
    const auto merges = range_merges(stored, *told);
    if (!merges) continue;
    ++merged;
    INFO(text_of(held) << "\nto " << text_of(stored) << "\nby " << message_of(known) << "\n" << *merges);
    REQUIRE(text_of(applied(held, *merges)) == text_of(stored));
  }
  CHECK(merged > 100);
}

TEST_CASE("Session: a listen with a compound hash is answered with what differs, and then as any other", "[wire]") {
  Server server;
  Client client(server), writer(server);
  const Value held = json(R"({"a":{"x":1,"y":2},"b":{"x":3},"c":4})");
  const std::string known = message_of(known_of(held, [](const Strings&) { return true; }));
  const auto ask = [&](const std::string& rest) { client.ask("q", R"({"p":"/t",)" + rest + R"("ch":)" + known + "}"); };
  writer.answer("p", R"({"p":"/t","d":{"a":{"x":1,"y":2},"b":{"x":9},"c":4}})");

  ask(R"("h":")" + db::node_hash(held) + R"(",)");
  CHECK(client.hear() == R"({"a":"rm","b":{"p":"t","d":[{"s":"a/y","e":"b/x","m":{"b":{"x":9}}}]}})");
  CHECK(client.hear() == client.ok("{}"));
  writer.answer("p", R"({"p":"/t/c","d":5})");
  CHECK(client.hear() == Client::pushed("t/c", "5"));

  ask(R"("q":{"l":10,"vf":"l","i":".key"},"t":7,"h":"x",)");
  CHECK(
      client.hear() ==
      R"({"a":"rm","b":{"p":"t","d":[{"s":"a/y","e":"b/x","m":{"b":{"x":9}}},{"s":"b/x","e":"c","m":{"c":5}}],"t":7}})");
  CHECK(client.hear() == client.ok("{}"));

  writer.answer("p", R"({"p":"/t","d":{"a":{"x":1,"y":2},"b":{"x":3},"c":4}})");
  client.hear_all();
  client.answer("n", R"({"p":"/t"})");
  ask(R"("h":")" + db::node_hash(held) + R"(",)");
  CHECK(client.hear() == client.ok("{}"));  // all of it is as it was

  client.ask("q", R"({"p":"/t","h":"x","ch":{"hs":[],"ps":"?"}})");
  CHECK(client.hear() == Client::pushed("t", R"({"a":{"x":1,"y":2},"b":{"x":3},"c":4})"));
}
