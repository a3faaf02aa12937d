// Fixed operations whose instructions are counted: what one step of the server's usual work costs, with nothing in it
// that differs from run to run.
//
//   instructions                 the names, one a line
//   instructions --built-with    what the counts depend on: compiler and C library
//   instructions NAME COUNT      makes the scene, does the operation COUNT times, then COUNT times counted
//
//   thread    ── scene ── COUNT to warm up ──┤ COUNT, counted ├── end
//   callgrind    off         off              on               off
//
// Callgrind counts what happens between the two requests, on the thread that makes them: RocksDB's own threads are not
// in it. Without Callgrind the requests do nothing. check.mjs reads the counts.
#include <fmt/format.h>
#include <gnu/libc-version.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#define CALLGRIND_TOGGLE_COLLECT
#endif

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "db/commit/committer.h"
#include "db/events/match.h"
#include "db/model/hash.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/select.h"
#include "net/http/request_reader.h"
#include "net/websocket/frame.h"
#include "net/wire/message.h"
#include "net/wire/reply.h"
#include "rules/ruleset.h"
#include "tests/support/temp_folder.h"
#include "tests/support/value_view.h"

namespace {

using namespace hearth;
using db::Path;
using db::Value;

constexpr uint64_t kLeaves = 10'000;  // of the store's tree
constexpr uint64_t kPlayers = 2'000;  // children of the collection that has an index

// Does the operation once more; `n` counts them from 0 on. What it needs is the step's own.
using Step = std::function<void(uint64_t n)>;

void must(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error("instructions: " + std::string(what));
}
template <typename T>
T must(db::Result<T> result) {
  if (!result.ok()) throw std::runtime_error("instructions: " + result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

Path at(std::string_view text) { return must(Path::parse(text)); }
Value json(std::string text) { return must(db::parse_value(std::move(text), Path())); }

std::string key_of(uint64_t n) { return fmt::format("k{:06}", n); }

// An object of twenty leaves of all kinds, two levels deep.
std::string twenty_leaves() {
  std::string text = "{";
  for (int i = 0; i < 5; ++i) {
    text += fmt::format(R"({}"player{}":{{"name":"Ada Lovelace {}","score":{},"ratio":{}.25,"online":{}}})",
                        i == 0 ? "" : ",", i, i, 1'000 + i, i, i % 2 == 0);
  }
  return text + "}";
}

db::Write put(const Path& path, Value value) {
  db::Write write;
  write.base = path;
  write.overwrites.push_back({path, db::Slot::Value, std::move(value)});
  return write;
}

// What a cluster's node has between its committer and its store, but for the engine: batches are made, and are accepted at once.
class AtOnce final : public db::CommitLog {
 public:
  void append(uint32_t, const db::LogPosition&, const std::string&, db::SealedBatch,
              std::function<void(Appended)> done) override {
    done(Appended::Accepted);
  }
  db::Result<db::LogPosition> take(uint32_t) override { return db::LogPosition(); }
  db::Result<std::optional<db::LogPosition>> begin_epoch(uint32_t, uint64_t) override {
    return std::optional<db::LogPosition>();
  }
  db::Result<void> add_file_part(uint32_t, const std::string&, std::string_view) override { return {}; }
};

// A store with one namespace, and the committer of its shard. No write waits for the disk.
enum class Logged : uint8_t { No, Yes };
struct Store {
  explicit Store(Logged logged = Logged::No)
      : store(must(db::TreeStore::open({folder.path(), 1}))),
        logs({{std::make_shared<db::ShardLog>(log, 0, db::LogPosition())}}),
        committer(*store, db::TreeStore::Durability::Os, {}, {}, nullptr, db::kLeafCacheBytes, {}, db::kAnswersBytesMax,
                  logged == Logged::Yes ? &logs : nullptr) {
    tree.name = "instructions";
    tree.number = 1;
    must(committer.load(tree));
  }
  void write(const db::Write& write) { must(committer.write(tree, write, db::Timestamp(++time), nullptr)); }
  void commit() { must(committer.commit()); }
  void effect(db::Effect::Kind kind, const Value& value) {
    must(committer.derive(tree, {kind, {}, value, db::Slot::Value, {}}).ok(), "no index");
    commit();
  }
  void fill() {
    std::vector<std::pair<std::string, Value>> leaves;
    for (uint64_t n = 0; n < kLeaves; ++n) leaves.emplace_back(key_of(n), Value::string("sixteen bytes..."));
    write(put(at("leaves"), Value::object(leaves)));
    commit();
  }

  test::TempFolder folder{};
  std::unique_ptr<db::TreeStore> store;
  AtOnce log{};
  db::ShardLogs logs;
  db::Committer committer;
  db::Tree tree{};
  int64_t time = 0;
};

Step parse_message() {
  const std::string text =
      R"({"t":"d","d":{"r":17,"a":"p","b":{"p":"/messages/-OapkkYcb5w9TtiZtHG7","d":{"by":"ada","text":"good morning","sent":1795342798354}}}})";
  return [text](uint64_t) {
    const net::wire::Incoming incoming = net::wire::parse_message({text});
    const auto* request = std::get_if<net::wire::ClientRequest>(&incoming);
    must(request != nullptr && std::holds_alternative<net::wire::Put>(request->action), "the message is no put");
  };
}

Step read_request() {
  const std::string text =
      "PUT /rooms/r1/topic.json?ns=bench&print=silent HTTP/1.1\r\nHost: localhost:9000\r\nUser-Agent: curl/7.88.1\r\n"
      "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n\"good morning\"";
  return [text, limits = std::make_shared<net::http::Limits>()](uint64_t) {
    using Found = net::http::RequestReader::Found;
    net::http::RequestReader reader(*limits);
    std::string_view bytes = text;
    must(reader.next(bytes) == Found::Head && reader.next(bytes) == Found::Request, "the request is not whole");
    must(reader.take_request().body.size() == 14, "the body is another");
  };
}

Step parse_path() {
  return [](uint64_t) {
    const std::string row = db::encode_path(at("rooms/r1/messages/-OapkkYcb5w9TtiZtHG7/sent"));
    must(!row.empty(), "no row");
  };
}

Step parse_json() {
  return [text = twenty_leaves()](uint64_t) { must(json(text).row_count() == 20, "not twenty leaves"); };
}

Step print_json() {
  const Value value = json(twenty_leaves());
  return [value, bytes = db::to_json(value, db::JsonStyle::Plain).size()](uint64_t) {
    must(db::to_json(value, db::JsonStyle::Plain).size() == bytes, "another text");
  };
}

Step hash_value() {
  const Value value = json(twenty_leaves());
  return [value](uint64_t) { must(db::node_hash(value).size() == 28, "no hash"); };
}

// The write goes round the leaves, and each writes another text.
Step overwrite_leaf() {
  const auto store = std::make_shared<Store>();
  store->fill();
  return [store](uint64_t n) {
    store->write(put(at("leaves/" + key_of(n * 4'827 % kLeaves)), Value::string(fmt::format("{:016}", n))));
    store->commit();
  };
}

// The shard has written them all before (db/commit/leaf_cache.h).
Step overwrite_known() {
  const auto store = std::make_shared<Store>();
  store->fill();
  return [store](uint64_t n) {
    store->write(put(at("leaves/" + key_of(n % 500)), Value::string(fmt::format("{:016}", n))));
    store->commit();
  };
}

// Of a group as a shard makes one under load: 32 writes, and one commit.
Step overwrite_known_of_32(Logged logged) {
  const auto store = std::make_shared<Store>(logged);
  store->fill();
  return [store](uint64_t n) {
    store->write(put(at("leaves/" + key_of(n % 500)), Value::string(fmt::format("{:016}", n))));
    if (n % 32 == 31) store->commit();
  };
}

Step add_child() {
  const auto store = std::make_shared<Store>();
  store->fill();
  return [store](uint64_t n) {
    store->write(put(at("leaves/new" + key_of(n)), Value::string(fmt::format("{:016}", n))));
    store->commit();
  };
}

Step read_leaf() {
  const auto store = std::make_shared<Store>();
  store->fill();
  return [store](uint64_t n) {
    const db::SnapshotView view(store->committer.durable(), store->tree.number);
    const Value value = must(view.read(at("leaves/" + key_of(n * 4'827 % kLeaves)), db::kReadBytesMax));
    must(!value.is_null(), "no leaf");
  };
}

Step limit_to_last_50(bool covers) {
  const auto store = std::make_shared<Store>();
  std::vector<std::pair<std::string, Value>> players;
  for (uint64_t n = 0; n < kPlayers; ++n) {
    players.emplace_back(key_of(n), Value::object({{"score", Value::integer(int64_t(n * 7'919 % kPlayers))},
                                                   {"name", Value::string(fmt::format("player {}", n))}}));
  }
  store->write(put(at("players"), Value::object(players)));
  store->commit();
  store->effect(db::Effect::Kind::Reindex, Value::string(covers ? R"([{"at":"/players","by":"score","covers":true}])"
                                                                : R"([{"at":"/players","by":"score"}])"));
  while (store->tree.plan->is_building()) store->effect(db::Effect::Kind::BuildIndex, Value::integer(kPlayers));
  return [store, query = db::Query::by_child("score").limit_to_last(50)](uint64_t) {
    const db::SnapshotView tree(store->committer.durable(), store->tree.number);
    const db::SnapshotView rows(store->committer.durable(), store->tree.number, db::Table::Index);
    const db::IndexedView view(tree, store->tree.plan, rows);
    const Value window = must(db::read_query(view, at("players"), query, false, db::kReadBytesMax));
    must(window.row_count() == 100, "the window is not full");
  };
}

// From the rows of an object to the JSON text of it.
Step read_1000_leaves() {
  const auto store = std::make_shared<Store>();
  std::vector<std::pair<std::string, Value>> players;
  for (uint64_t n = 0; n < 250; ++n) {
    players.emplace_back(key_of(n), json(fmt::format(R"({{"name":"player {}","score":{},"ratio":{}.25,"online":{}}})",
                                                     n, n * 7, n, n % 2 == 0)));
  }
  store->write(put(at("players"), Value::object(players)));
  store->commit();
  return [store](uint64_t) {
    const db::SnapshotView view(store->committer.durable(), store->tree.number);
    const Value value = must(view.read(at("players"), db::kReadBytesMax));
    must(db::to_json(value, db::JsonStyle::Plain).size() > 16'000, "the text is short");
  };
}

// A message of the chat example, under its rules, on rows in memory.
Step judge_rules() {
  struct Scene {
    std::shared_ptr<const rules::Ruleset> ruleset;
    std::shared_ptr<const rules::AuthVariable> auth = rules::AuthVariable::parse(R"({"uid":"ada","token":{}})");
    Path path = at("messages/m2");
    Value message = json(R"({"by":"ada","text":"good morning","sent":5})");
    test::ValueView before{json(R"({"messages":{"m1":{"by":"bob","text":"hello","sent":4}}})")};
    test::ValueView after{json(
        R"({"messages":{"m1":{"by":"bob","text":"hello","sent":4},"m2":{"by":"ada","text":"good morning","sent":5}}})")};
  };
  const auto scene = std::make_shared<Scene>();
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/examples/chat/rules.json");
  scene->ruleset =
      must(rules::Ruleset::compile({std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}));
  return [scene](uint64_t) {
    rules::Question question;
    question.auth = scene->auth.get();
    question.now = db::Timestamp(5);
    const rules::Target target{&scene->path, db::Slot::Value, &scene->message};
    must(must(scene->ruleset->may_write(scene->before, scene->after, {&target, 1}, question)), "the rules say no");
  };
}

// One change, the listener whom it concerns, and so many who listen beside it, half of them before it in their order.
Step match_change(uint64_t strangers) {
  struct Scene {
    explicit Scene(const std::string& room)
        : path(at(room + "/topic")),
          before(Value::object({{room, json(R"({"topic":"old"})")}})),
          after(Value::object({{room, json(R"({"topic":"new"})")}})) {}
    db::ListenerRegistry registry{};
    std::vector<db::Subscription> subscriptions{};
    db::NoSettings settings{};
    Path path;
    std::vector<db::Overwrite> changed = {{path, db::Slot::Value, Value::string("new")}};
    test::ValueView before, after;
  };
  const auto scene = std::make_shared<Scene>(key_of(strangers / 2));
  scene->subscriptions.resize(strangers + 1);
  for (uint64_t n = 0; n <= strangers; ++n) {
    scene->subscriptions[n].path = at(key_of(n));
    scene->registry.add(scene->subscriptions[n]);
  }
  return [scene](uint64_t n) {
    const db::Timestamp now(static_cast<int64_t>(n) + 1);
    const auto told = must(db::match(scene->registry, {scene->changed, false, scene->path, false, now, scene->settings},
                                     scene->before, scene->after));
    must(told.size() == 1, "not one is told");
  };
}

// The event's text and its frame, as they are made once for all who are told.
Step push_frame() {
  const Value value = json(twenty_leaves());
  return [value](uint64_t) {
    const auto body = db::Body::put(at("rooms/r1/players"), db::Slot::Value, value);
    must(net::wire::push_frame(*body)->size() > 400, "no frame");
  };
}

// A client's frame, masked, becomes its message.
Step read_frame() {
  std::string frame(
      "\x81\xfe\x01\xf4"
      "ABCD",
      8);  // a text of 500 bytes under the key "ABCD"
  for (int i = 0; i < 500; ++i) frame += static_cast<char>('a' ^ "ABCD"[i % 4]);
  const auto reader = std::make_shared<net::http::FrameReader>(1u << 20);
  return [frame, reader](uint64_t) {
    std::string_view bytes = frame;
    must(reader->next(bytes) == net::http::FrameReader::Found::Message, "no message");
    must(reader->take_message().size() == 500, "another message");
  };
}

struct Operation {
  std::string_view name;
  std::function<Step()> make;
};
const std::vector<Operation> kOperations = {
    {"read_frame", read_frame},
    {"parse_message", parse_message},
    {"read_request", read_request},
    {"parse_path", parse_path},
    {"parse_json", parse_json},
    {"print_json", print_json},
    {"hash_value", hash_value},
    {"judge_rules", judge_rules},
    {"overwrite_leaf", overwrite_leaf},
    {"overwrite_known", overwrite_known},
    {"overwrite_known_of_32", [] { return overwrite_known_of_32(Logged::No); }},
    {"overwrite_known_logged", [] { return overwrite_known_of_32(Logged::Yes); }},
    {"add_child", add_child},
    {"read_leaf", read_leaf},
    {"limit_to_last_50", [] { return limit_to_last_50(false); }},
    {"limit_to_last_50_covered", [] { return limit_to_last_50(true); }},
    {"read_1000_leaves", read_1000_leaves},
    {"match_among_10", [] { return match_change(10); }},
    {"match_among_10000", [] { return match_change(10'000); }},
    {"push_frame", push_frame},
};

void run(std::string_view name, uint64_t count) {
  for (const Operation& operation : kOperations) {
    if (operation.name != name) continue;
    const Step step = operation.make();
    for (uint64_t n = 0; n < count; ++n) step(n);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_TOGGLE_COLLECT;
    for (uint64_t n = count; n < 2 * count; ++n) step(n);
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_STOP_INSTRUMENTATION;
    return;
  }
  must(false, "there is no operation " + std::string(name));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.empty()) {
      for (const Operation& operation : kOperations) fmt::print("{}\n", operation.name);
    } else if (words.front() == "--built-with") {
      fmt::print("g++ {}.{}.{}, glibc {}\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__, gnu_get_libc_version());
    } else {
      must(words.size() == 2, "say the name of an operation, and how often");
      run(words[0], std::stoull(words[1]));
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
