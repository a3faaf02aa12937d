// Reads by themselves: whose turn it is, what is not read, and what the answer says of itself.
#include "db/read/reads.h"

#include <future>
#include <mutex>

#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "tests/db/talk.h"

using namespace hearth::test;

namespace {

// Notes that a read has begun, and lets it wait for the gate when it has one.
class Noted final : public Precondition {
 public:
  Noted(std::vector<std::string>& notes, std::mutex& mutex, std::string name, std::shared_future<void> gate = {})
      : notes_(notes), mutex_(mutex), name_(std::move(name)), gate_(std::move(gate)) {}
  Result<void> check(const Moment&) const override {
    {
      const std::lock_guard lock(mutex_);
      notes_.push_back(name_);
    }
    if (gate_.valid()) gate_.wait();
    return {};
  }

 private:
  std::vector<std::string>& notes_;
  std::mutex& mutex_;
  const std::string name_;
  const std::shared_future<void> gate_;
};

class Refusing final : public Precondition {
 public:
  Result<void> check(const Moment&) const override { return Error{ErrorCode::PermissionDenied, "no"}; }
};

// A database with one thread for reads, which waits until open().
class House {
 public:
  explicit House(size_t waiting_of_one_max = 10'000) {
    options_.folder = folder_.path();
    options_.readers = 1;
    options_.reads_waiting_of_one_max = waiting_of_one_max;
    database = Host::open(options_).value();
  }
  // As a new process would.
  void reopen() {
    open();
    database.reset();
    database = Host::open(options_).value();
  }
  ~House() { open(); }

  void write(const std::string& space, std::string_view path, Value value) {
    std::promise<void> done;
    database->write(space, set(path, std::move(value)), [&](const Answer&) { done.set_value(); });
    done.get_future().wait();
  }
  void hold() {
    gate_ = std::promise<void>();
    is_open_ = false;
    ask("held", "gate", {}, gate_.get_future().share());
  }
  void open() {
    if (!std::exchange(is_open_, true)) gate_.set_value();
  }
  std::future<Answer> ask(const std::string& space, const std::string& name, Read read = {},
                          std::shared_future<void> gate = {}) {
    read.check = std::make_shared<const Noted>(notes_, mutex_, name, std::move(gate));
    auto done = std::make_shared<std::promise<Answer>>();
    database->read(space, std::move(read), [done](Answer answer) { done->set_value(std::move(answer)); });
    return done->get_future();
  }
  Answer answer(Read read) {
    std::promise<Answer> done;
    database->read("t", std::move(read), [&](Answer answer) { done.set_value(std::move(answer)); });
    return done.get_future().get();
  }
  std::vector<std::string> notes() {
    const std::lock_guard lock(mutex_);
    return notes_;
  }

 private:
  TempFolder folder_;
  Database::Options options_;
  std::promise<void> gate_;
  bool is_open_ = true;
  std::mutex mutex_;  // Guards notes_.
  std::vector<std::string> notes_;

 public:
  std::unique_ptr<Host> database;
};

Value many_children(size_t count) {
  std::vector<std::pair<std::string, Value>> children;
  for (size_t i = 0; i < count; ++i) {
    children.emplace_back("k" + std::to_string(i), Value::object({{"n", Value::integer(static_cast<int64_t>(i))}}));
  }
  return Value::object(std::move(children));
}

Query by_n(int64_t n) {
  Query query;
  query.order = Order::Child;
  query.child = at("n");
  query.start = query.end = Bound{Value::integer(n), {}};
  return query;
}

}  // namespace

TEST_CASE("Reads: a read of one namespace is behind one of those of another, however many these are", "[db]") {
  House house;
  house.hold();
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 40; ++i) answers.push_back(house.ask("busy", "busy"));
  answers.push_back(house.ask("calm", "calm"));
  house.open();
  for (auto& one : answers) CHECK(one.get().status.ok());
  const std::vector<std::string> notes = house.notes();
  CHECK(std::find(notes.begin(), notes.end(), "calm") - notes.begin() <= 2);  // the gate, one of the others, then this
}

TEST_CASE("Reads: one that is short, and in memory, is answered by the thread that asks", "[db]") {
  House house;
  Read here;
  here.is_here_if_short = true;
  // Whether the answer was there when the call returned. With the only thread of the pool held, it could not be else.
  const auto is_here = [&](const std::string& path, std::optional<Query> query = {}) {
    Read read = here;
    read.path = at(path);
    read.query = std::move(query);
    read.wants_hash = true;
    Step::here().begin(kNoLimit);  // as an io thread does for each event
    auto answer = house.ask("t", path, read);
    if (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return false;
    const Answer found = answer.get();
    CHECK(found.status.ok());
    CHECK(found.hash == exact_hash(found.value));
    return true;
  };
  house.write("t", "few", many_children(50));
  house.write("t", "many", many_children(101));
  house.write("t", "long", Value::string(std::string(70'000, 'x')));
  house.hold();
  CHECK(is_here("few"));
  CHECK(is_here("few/k3/n"));
  CHECK(is_here("nothing"));
  CHECK_FALSE(is_here("many"));
  CHECK_FALSE(is_here("long"));
  CHECK_FALSE(is_here("few", by_n(3)));
  // A thread that has answered much in one step leaves the rest to the pool.
  size_t answered = 0;
  Step::here().begin(kNoLimit);
  for (int i = 0; i < 1'000; ++i) {
    Read read = here;
    read.path = at("few/k3/n");
    auto answer = house.ask("t", "again", read);
    answered += answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready ? 1 : 0;
  }
  CHECK(answered > 10);
  CHECK(answered < kReadsHereMax.rows);
  Step::here().begin(kNoLimit);
  Read denied = here;
  denied.check = std::make_shared<const Refusing>();
  Answer refused;
  house.database->read("t", denied, [&](Answer answer) { refused = std::move(answer); });
  CHECK(refused.status.error().code == ErrorCode::PermissionDenied);
  house.open();

  // From files that nobody has read since, the pool reads; then they are in memory.
  std::promise<void> done;
  house.database->compact([&](const Result<Compacted>&) { done.set_value(); });
  done.get_future().wait();
  house.reopen();
  house.hold();
  CHECK_FALSE(is_here("many/k3/n"));  // behind the long value, in a block that no start has looked at
  house.open();
  Read read;
  read.path = at("many/k3/n");
  CHECK(house.answer(read).value == Value::integer(3));
  house.hold();
  CHECK(is_here("many/k3/n"));
}

TEST_CASE("Reads: clients of one namespace take turns", "[db]") {
  House house;
  house.hold();
  std::vector<std::future<Answer>> answers;
  Read of_one, of_other;
  of_one.client = 1;
  of_other.client = 2;
  for (int i = 0; i < 40; ++i) answers.push_back(house.ask("t", "one", of_one));
  for (int i = 0; i < 3; ++i) answers.push_back(house.ask("t", "other", of_other));
  house.open();
  for (auto& one : answers) CHECK(one.get().status.ok());
  const std::vector<std::string> notes = house.notes();
  CHECK(std::count(notes.begin(), notes.begin() + 8, "other") == 3);
}

TEST_CASE("Reads: what nobody waits for any more is not read, nor what is late", "[db]") {
  House house;
  house.hold();
  Read unwanted, late;
  unwanted.is_unwanted = [] { return true; };
  late.timeout = std::chrono::milliseconds(0);
  auto first = house.ask("t", "unwanted", unwanted), second = house.ask("t", "late", late);
  house.open();
  CHECK(first.get().status.error().code == ErrorCode::Unavailable);
  CHECK(second.get().status.error().code == ErrorCode::Timeout);
  CHECK(house.notes() == std::vector<std::string>{"gate"});
  CHECK(house.database->figures().reads.unwanted == 1);
  CHECK(house.database->figures().reads.late == 1);
}

TEST_CASE("Reads: those of a client that has ended are not read", "[db]") {
  House house;
  house.hold();
  {
    auto client = house.database->client("t", "", [] {}).value();
    Read read;
    client->read(1, read);
    client->end();
  }
  // What comes later has come behind it: first through the shard, then to the reader.
  house.write("t", "a", Value::integer(1));
  auto later = house.ask("t", "later");
  house.open();
  CHECK(later.get().status.ok());
  const Figures figures = house.database->figures();
  CHECK(figures.reads.unwanted + figures.scans.unwanted <= 1);  // or the shard had not even passed it on
  CHECK(house.notes() == std::vector<std::string>{"gate", "later"});
}

TEST_CASE("Reads: past the number that may wait they are refused, and others are not", "[db]") {
  House house(3);
  house.hold();
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(house.ask("t", "fits"));
  const Answer refused = house.ask("t", "one too many").get();
  CHECK(refused.status.error().code == ErrorCode::Unavailable);
  CHECK(refused.status.error().message == "Too many reads wait: 3 of this namespace; try again.");
  answers.push_back(house.ask("other", "other"));
  CHECK(house.database->figures().reads.refused == 1);
  house.open();
  for (auto& one : answers) CHECK(one.get().status.ok());
}

TEST_CASE("Reads: what is larger than a slice begins on the readers and ends among the scans", "[db]") {
  House house;
  house.write("t", "large", many_children(3 * kReadSliceRows));
  house.write("t", "small", Value::integer(1));
  const auto moved = [&] { return house.database->figures().reads.moved; };
  CHECK(house.answer(get("small")).value == Value::integer(1));
  CHECK(moved() == 0);
  CHECK(house.answer(get("large")).value.child("k7").child("n") == Value::integer(7));
  CHECK(moved() == 1);
  Read keys = get("large");
  keys.shallow = true;
  CHECK(house.answer(keys).value.child("k7") == Value::boolean(true));
  CHECK(moved() == 2);
  Read part = get("large");
  part.query = by_n(5);
  CHECK(text(house.answer(part).value) == R"({"k5":{"n":5}})");
  CHECK(moved() == 3);
  Read count = get("large");
  count.query = Query::by_key();
  count.query->counts = true;
  CHECK(house.answer(count).value == Value::integer(3 * kReadSliceRows));
  CHECK(moved() == 4);
  Read limited = get("large");
  limited.query = Query::by_key();
  limited.query->limit = Limit::First;
  limited.query->count = 2 * kReadSliceRows;
  CHECK(house.answer(limited).value.child("k1").child("n") == Value::integer(1));
  CHECK(moved() == 5);
  limited.query->count = 10;
  CHECK(house.answer(limited).status.ok());
  CHECK(moved() == 5);
}

TEST_CASE("Reads: the hash is that of what is answered", "[db]") {
  House house;
  house.write("t", "a", json(R"({"x":{"n":1,"m":1},"y":{"n":2,"m":2}})"));
  Read whole = get("a"), part = get("a"), selected = get("a");
  part.query = by_n(2);
  selected.projection = {at("m")};
  for (Read* read : {&whole, &part, &selected}) {
    read->wants_hash = true;
    const Answer answer = house.answer(*read);
    INFO(text(answer.value));
    CHECK(answer.hash == node_hash(answer.value));
  }
  const std::string before = house.answer(part).hash;
  house.write("t", "a/x/m", Value::integer(7));
  CHECK(house.answer(part).hash == before);
  house.write("t", "a/y/m", Value::integer(7));
  CHECK(house.answer(part).hash != before);
}

namespace {

// Counts the rows that are read of it.
struct Counted final : TreeView {
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    for (auto at = all.lower_bound(std::string(from)); at != all.end() && at->first < upto; ++at) {
      ++rows;
      if (!row(at->first, at->second)) break;
    }
    return {};
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    ++rows;
    const auto found = all.find(std::string(key));
    if (found == all.end()) return std::optional<std::string>();
    return std::optional(found->second);
  }
  void put(std::string_view path, const Value& leaf) { all[encode_path(at(path))] = encode_leaf(leaf); }

  std::map<std::string, std::string> all;
  mutable size_t rows = 0;
};

}  // namespace

TEST_CASE("Reads: of what was written that alone is read which the writer does not know", "[db]") {
  Counted tree;
  for (int i = 0; i < 1'000; ++i) tree.put("a/k" + std::to_string(1'000 + i), Value::integer(i));
  const Value plus_one = json(R"({".sv":{"increment":1}})");
  Write write;
  write.base = at("a");
  write.overwrites.push_back({at("a/k1002"), Slot::Value, Value::integer(2)});
  write.overwrites.push_back({at("a/k1005"), Slot::Value, plus_one});
  write.overwrites.push_back({at("a/k1001"), Slot::Value, plus_one});
  CHECK(text(read_written(tree, write).value()) == R"({"k1001":1,"k1005":5})");
  CHECK(tree.rows == 2);

  tree.rows = 0;
  write.base = at("a/k1003");
  write.overwrites = {{write.base, Slot::Value, Value::integer(3)}};
  CHECK(read_written(tree, write).value() == Value::integer(3));
  CHECK(tree.rows == 1);

  tree.rows = 0;
  tree.all[encode_path(at("a")) + kPriorityMark] = encode_leaf(Value::integer(9));
  write.base = at("a");
  write.overwrites = {{write.base, Slot::Priority, plus_one}};
  CHECK(read_written(tree, write).value().priority() == Value::integer(9));
  CHECK(tree.rows == 1);
}
