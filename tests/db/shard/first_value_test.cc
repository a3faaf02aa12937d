// First values of listeners: how often they are read and hashed, whoever asks and whenever.
#include <catch2/catch.hpp>

#include "db/model/hash.h"
#include "db/read/reads.h"
#include "db/shard/namespace_state.h"
#include "tests/db/talk.h"
#include "tests/support/no_rows.h"

using namespace hearth::test;

namespace {

constexpr size_t kHerd = 20;

// `bytes` and a little more, in leaves of at most a megabyte.
Value object_of(size_t bytes, char fill = 'x') {
  std::vector<std::pair<std::string, Value>> children;
  for (size_t i = 0; bytes > 0; ++i) {
    const size_t some = std::min<size_t>(bytes, 1 << 20);
    children.emplace_back("k" + std::to_string(i), Value::string(std::string(some, fill)));
    bytes -= some;
  }
  return Value::object(std::move(children));
}

Listen with_hash(Listen listen, std::string hash) {
  listen.hash = std::move(hash);
  return listen;
}

// Clients of one database, who stay.
class Herd {
 public:
  explicit Herd(Host& database) : database_(database) {}

  // One more, answered when this returns.
  Answer ask(Listen listen) {
    clients_.push_back(std::make_unique<Talk>(database_));
    clients_.back()->client->listen(1, 10, std::move(listen));
    Answer answer = std::get<Answer>(clients_.back()->items_until(1).back());
    REQUIRE(answer.status.ok());
    return answer;
  }

 private:
  Host& database_;
  std::vector<std::unique_ptr<Talk>> clients_;
};

struct Costs {
  uint64_t reads, hashes;
  friend bool operator==(const Costs&, const Costs&) = default;
};
std::ostream& operator<<(std::ostream& to, const Costs& costs) {
  return to << costs.reads << " reads, " << costs.hashes << " hashes";
}
Costs costs_of(const Host& database) {
  const Figures figures = database.figures();
  return {figures.first_values_read, figures.first_values_hashed};
}

}  // namespace

TEST_CASE("FirstValue: a herd costs one read and one hash, whenever each comes and whatever it has", "[db]") {
  struct Case {
    std::string name;
    size_t bytes;
    std::optional<std::string> hash;  // nothing: that of the value
    bool told;
    Costs costs;
  };
  const std::string old = node_hash(Value::string("older"));
  const std::vector<Case> cases = {
      {"small, and they have it", 100, {}, false, {1, 1}},
      {"small, and they have another", 100, old, true, {1, 1}},
      {"small, and they have nothing", 100, "", true, {1, 0}},
      {"large, and they have it", kSmallValueBytesMax, {}, false, {1, 1}},
      {"large, and they have another", kSmallValueBytesMax, old, true, {1, 1}},
      {"large, and they have nothing", kSmallValueBytesMax, "", true, {1, 0}},
      {"too large to be kept, and they have it", kLargeValueBytesMax, {}, false, {1, 1}},
      {"too large to be kept, and they have another", kLargeValueBytesMax, old, true, {kHerd, 1}},
  };
  for (const Case& that : cases) {
    INFO(that.name);
    const TempFolder folder;
    const auto database = open(folder);
    const Value value = object_of(that.bytes);
    REQUIRE(database->space("t").value().set("a", value).ok());
    Herd herd(*database);
    for (size_t i = 0; i < kHerd; ++i) {
      const Answer answer = herd.ask(with_hash(listen_to("a"), that.hash.value_or(node_hash(value))));
      REQUIRE((answer.first != nullptr) == that.told);
      if (that.told) REQUIRE(answer.first->value().byte_count() == value.byte_count());
    }
    CHECK(costs_of(*database) == that.costs);
  }
}

TEST_CASE("FirstValue: who comes with a hash behind those without makes one read and one hash more, for all", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  const Value value = object_of(kSmallValueBytesMax);
  REQUIRE(database->space("t").value().set("a", value).ok());
  Herd herd(*database);
  for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(listen_to("a")).first != nullptr);
  CHECK(costs_of(*database) == Costs{1, 0});
  for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(with_hash(listen_to("a"), node_hash(value))).first == nullptr);
  for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(listen_to("a")).first != nullptr);
  CHECK(costs_of(*database) == Costs{2, 1});
}

TEST_CASE("FirstValue: a hash as the JavaScript SDK rounds it is known as well as the other", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  const Value value = json(R"({"x":0.1,"y":4503599627370495.5,"z":1.7976931348623157e308})");
  REQUIRE(node_hash(value) != node_hash(value, NumberHex::JavaScript));
  REQUIRE(database->space("t").value().set("a", value).ok());
  Herd herd(*database);
  for (size_t i = 0; i < kHerd; ++i) {
    const NumberHex way = i % 2 == 0 ? NumberHex::JavaScript : NumberHex::Ieee754;
    CHECK(herd.ask(with_hash(listen_to("a"), node_hash(value, way))).first == nullptr);
  }
  CHECK(costs_of(*database) == Costs{1, 1});
}

TEST_CASE("FirstValue: a write at, above or below makes it another, and no other write does", "[db]") {
  struct Case {
    std::string path, value;
    std::string told;  // to who has the old one; "": nothing
    Slot slot = Slot::Value;
  };
  const std::vector<Case> cases = {
      {"a/b", R"({"x":2})", R"({"x":2})"},
      {"a/b/x", "2", R"({"x":2})"},
      {"a/b/y/z", "2", R"({"x":1,"y":{"z":2}})"},
      {"a", R"({"b":{"x":2},"c":0})", R"({"x":2})"},
      {"", R"({"a":{"b":5}})", "5"},
      {"a/b", "3", R"({".priority":3,"x":1})", Slot::Priority},
      {"a/c", "2", ""},
      {"a/bb", "2", ""},
      {"a/b/x", "1", ""},
  };
  for (const Case& that : cases) {
    INFO("/" << that.path << " = " << that.value);
    const TempFolder folder;
    const auto database = open(folder);
    Namespace space = database->space("t").value();
    REQUIRE(space.set("a/b", json(R"({"x":1})")).ok());
    const std::string before = node_hash(json(R"({"x":1})"));
    Herd herd(*database);
    for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(with_hash(listen_to("a/b"), before)).first == nullptr);
    REQUIRE(costs_of(*database) == Costs{1, 1});

    Talk writer(*database);
    Write write = set(that.path, json(that.value));
    write.overwrites[0].slot = that.slot;
    writer.client->write(1, std::move(write));
    writer.until(1);
    for (size_t i = 0; i < kHerd; ++i) {
      const Answer answer = herd.ask(with_hash(listen_to("a/b"), before));
      CHECK((answer.first == nullptr ? "" : text(answer.first->value())) == that.told);
    }
    const Costs costs = that.told.empty() ? Costs{1, 1} : Costs{2, 2};
    CHECK(costs_of(*database) == costs);
    if (that.told.empty()) continue;
    const std::string after = node_hash(json(that.told));
    for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(with_hash(listen_to("a/b"), after)).first == nullptr);
    CHECK(costs_of(*database) == costs);
  }
}

TEST_CASE("FirstValue: what a query shows is read and hashed once for its herd, too", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Namespace space = database->space("t").value();
  REQUIRE(space.set("a", json(R"({"k1":1,"k2":2,"k3":3})")).ok());
  Listen last = listen_to("a");
  last.query = Query::by_key().limit_to_last(2);
  const std::string shown = node_hash(json(R"({"k2":2,"k3":3})"));
  Herd herd(*database);
  for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(with_hash(last, shown)).first == nullptr);
  for (size_t i = 0; i < kHerd; ++i) {
    const Answer answer = herd.ask(with_hash(last, node_hash(Value::integer(1))));
    REQUIRE(answer.first != nullptr);
    CHECK(text(answer.first->value()) == R"({"k2":2,"k3":3})");
  }
  CHECK(costs_of(*database) == Costs{1, 1});
  REQUIRE(space.set("a/k4", Value::integer(4)).ok());
  for (size_t i = 0; i < kHerd; ++i) CHECK(herd.ask(with_hash(last, shown)).first != nullptr);
  CHECK(costs_of(*database) == Costs{2, 2});
}

TEST_CASE("FirstValue: hashes outlive values that make room for others", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Namespace space = database->space("t").value();
  std::string all = "{";
  for (size_t i = 0; i <= kFirstValuesMax; ++i) all += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  REQUIRE(space.set("a", json(all + "}")).ok());
  Herd herd(*database);
  const std::string hash = node_hash(Value::integer(1));
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i <= kFirstValuesMax; ++i) {
      CHECK(herd.ask(with_hash(listen_to("a/k" + std::to_string(i)), hash)).first == nullptr);
    }
    CHECK(costs_of(*database) == Costs{kFirstValuesMax + 1, kFirstValuesMax + 1});
  }
}

TEST_CASE("FirstValue: who has a large one to read holds it together with the others, once", "[db]") {
  const TempFolder folder;
  const auto database = open(folder);
  Namespace space = database->space("t").value();
  REQUIRE(space.set("a", object_of(kLargeAnswerBytes)).ok());
  REQUIRE(space.set("small", object_of(kLargeAnswerBytes / 2)).ok());
  const auto held = [&] { return database->figures().answer_bytes; };
  Herd herd(*database);
  {
    const Answer small = herd.ask(listen_to("small"));
    CHECK(held() == 0);
    const Answer first = herd.ask(listen_to("a"));
    const uint64_t one = held();
    CHECK(one >= kLargeAnswerBytes);
    const Answer second = herd.ask(listen_to("a"));
    const Answer knows = herd.ask(with_hash(listen_to("a"), node_hash(first.first->value())));
    CHECK(knows.lease == nullptr);
    CHECK(held() == one);
  }
  CHECK(held() == 0);  // all have read it; that it is kept for others is bounded elsewhere
  const Answer third = herd.ask(listen_to("a"));
  CHECK(held() >= kLargeAnswerBytes);
}

TEST_CASE("FirstValue: with too much to be read by others a large one is refused, until they have read", "[db]") {
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.answer_bytes_max = 3 * kLargeAnswerBytes;
  const auto database = Host::open(std::move(options)).value();
  Namespace space = database->space("t").value();
  for (const char* path : {"a", "b"}) REQUIRE(space.set(path, object_of(2 * kLargeAnswerBytes)).ok());
  const auto ask = [&](const char* path) {
    Talk talk(*database);
    talk.client->listen(1, 10, listen_to(path));
    return std::get<Answer>(talk.items_until(1).back());
  };
  std::optional<Answer> unread = ask("a");
  CHECK(ask("b").status.error().code == ErrorCode::Unavailable);
  CHECK(ask("a").status.ok());  // the same one
  unread.reset();
  CHECK(ask("b").status.ok());
}

namespace {

struct Values {
  // One that has been read, as it is when nobody waited.
  std::shared_ptr<FirstValue> read(size_t bytes) {
    const auto show = [bytes](const TreeView&) { return Value::string(std::string(bytes, 'x')); };
    auto value = std::make_shared<FirstValue>(Path(), show, false, 1, std::nullopt, counts, answers, kept);
    large.add(value);
    value->read(hearth::test::NoRows());
    return value;
  }

  FirstValueCounts counts;
  Budget answers{0};
  std::shared_ptr<Gauge> kept = std::make_shared<Gauge>();
  LargeValues large;
};

}  // namespace

TEST_CASE("LargeValues: the latest are kept, up to a number of bytes and a number of values", "[db]") {
  struct Case {
    std::string name;
    size_t bytes, count;  // of large values, before a small one
    size_t kept;
  };
  const size_t overhead = 1'000;  // of each, at most
  const size_t quarter = kLargeValuesBytesMax / 4;
  const std::vector<Case> cases = {
      {"as many bytes as there may be", quarter - overhead, 4, 4},
      {"one more", quarter - overhead, 5, 4},
      {"each is a little too large for that", quarter + 1, 4, 3},
      {"as many as there may be, one of them the small one", kSmallValueBytesMax + 1, kLargeValuesMax - 1,
       kLargeValuesMax - 1},
      {"one more of them", kSmallValueBytesMax + 1, kLargeValuesMax, kLargeValuesMax - 1},
  };
  for (const Case& that : cases) {
    INFO(that.name);
    Values values;
    std::vector<std::shared_ptr<FirstValue>> read;
    for (size_t i = 0; i < that.count; ++i) read.push_back(values.read(that.bytes));
    const auto small = values.read(10);
    size_t kept = 0;
    for (size_t i = 0; i < that.count; ++i) {
      const bool is_kept = read[i]->large_bytes() > 0;
      CHECK(is_kept == (i >= that.count - that.kept));  // the latest
      kept += is_kept ? 1 : 0;
    }
    CHECK(kept == that.kept);
  }
}

TEST_CASE("LargeValues: what is no longer true takes no room", "[db]") {
  Values values;
  const auto kept = values.read(kLargeValuesBytesMax / 4);
  for (int i = 0; i < 10; ++i) values.read(kLargeValuesBytesMax / 4);  // each is gone at once
  CHECK(kept->large_bytes() > 0);
}
