#include "net/yjs/awareness_room.h"

#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "db/documents/awareness.h"

namespace db = hearth::db;
using hearth::net::http::IoPool;
using hearth::net::yjs::AwarenessRoom;
using hearth::net::yjs::AwarenessTold;
using hearth::net::yjs::kKnownClientsMax;

namespace {

// A client of the room, and what it was told: "7:2=state" each.
struct Client final : AwarenessRoom::Member {
  void be_ear() override { ++ears; }
  void announce() override { ++announced; }
  void hear_through(hearth::net::http::Gate* now) override { gate = now; }
  void tell_awareness(const AwarenessTold& now) override {
    ++messages;
    last = now.bytes();
    frame = now.frame(head);
    const auto entries = db::documents::parse_awareness(now.bytes(), {.entries_max = 2 * kKnownClientsMax});
    for (const auto& entry : entries.value()) {
      told += std::to_string(entry.client) + ":" + std::to_string(entry.clock) + "=" + std::string(entry.state) + " ";
    }
  }
  std::string heard() { return std::exchange(told, {}); }
  int ears = 0, messages = 0, announced = 0;
  hearth::net::http::Gate* gate = nullptr;
  std::string head{}, last{};
  hearth::net::http::SharedBytes frame{};
  std::string told{};
};

db::TopicEntry entry(uint64_t client, uint64_t clock, std::string state = "1") {
  return {std::to_string(client), clock, 0, std::move(state)};
}

std::shared_ptr<db::TopicMessage> message(db::TopicMessage::Kind kind, std::vector<db::TopicEntry> joined,
                                          std::vector<db::TopicEntry> left = {}) {
  const auto one = std::make_shared<db::TopicMessage>();
  one->kind = kind;
  one->joined = std::move(joined);
  one->left = std::move(left);
  return one;
}
constexpr auto kPresent = db::TopicMessage::Kind::Present, kChanged = db::TopicMessage::Kind::Changed;

// Runs `test` on an io thread, where rooms live.
template <typename Test>
void on_io_thread(Test test) {
  IoPool io(1);
  io.start();
  std::promise<void> done;
  io.post(0, [&] {
    test();
    done.set_value();
  });
  done.get_future().get();
  io.stop();
  io.join();
}

}  // namespace

TEST_CASE("AwarenessRoom: one hears for all, and each client hears once who is there", "[net][yjs]") {
  const auto room = std::make_shared<AwarenessRoom>();
  Client a, b, late;
  on_io_thread([&] {
    room->join(a);
    room->join(b);
    room->note(*message(kPresent, {entry(7, 1)}));
    room->join(late);
  });
  CHECK(a.ears == 1);
  CHECK(b.ears == 0);
  for (Client* one : {&a, &b, &late}) CHECK(one->heard() == "7:1=1 ");
}

TEST_CASE("AwarenessRoom: who comes while another begins to hear for all is told who is there", "[net][yjs]") {
  const auto room = std::make_shared<AwarenessRoom>();
  Client a, b, late;
  std::string early;
  on_io_thread([&] {
    room->join(a);
    room->join(b);
    room->note(*message(kPresent, {entry(7, 1), entry(8, 1)}));
    room->leave(a);
    room->join(late);
    early = b.heard() + "and " + late.heard();
    room->note(*message(kPresent, {entry(7, 1), entry(9, 3)}));  // 8 has gone meanwhile
  });
  CHECK(early == "7:1=1 8:1=1 and ");
  CHECK(b.ears == 1);
  CHECK(late.ears == 0);
  CHECK(b.heard() == "8:1=null 9:3=1 ");
  CHECK(late.heard() == "7:1=1 9:3=1 ");
}

TEST_CASE("AwarenessRoom: who has gone is told also when too many are remembered", "[net][yjs]") {
  const auto room = std::make_shared<AwarenessRoom>();
  Client a;
  on_io_thread([&] {
    room->join(a);
    std::vector<db::TopicEntry> many;
    for (uint64_t i = 1; i <= kKnownClientsMax; ++i) many.push_back(entry(i, 1));
    room->note(*message(kPresent, many));
    a.told.clear();
    room->note(*message(kChanged, {}, {entry(7, 1)}));
    room->note(*message(kChanged, {entry(1'000'000, 1)}));
    room->note(*message(kPresent, many));  // tells what waits
  });
  CHECK(a.heard().starts_with("7:1=null 1000000:1="));
}

TEST_CASE("AwarenessRoom: moves within the window are one message for each client, framed once for all", "[net][yjs]") {
  const auto room = std::make_shared<AwarenessRoom>();
  std::vector<Client> clients(20);
  for (size_t i = 15; i < clients.size(); ++i) clients[i].head = "\x04room";  // Hocuspocus
  std::promise<void> told;
  IoPool io(1);
  io.start();
  hearth::net::http::Timer later;
  io.post(0, [&] {
    for (Client& one : clients) room->join(one);
    room->note(*message(kPresent, {}));
    for (uint64_t i = 1; i <= 20; ++i) room->note(*message(kChanged, {entry(i, 1, "{\"x\":1}")}));
    for (uint64_t i = 1; i <= 20; ++i) room->note(*message(kChanged, {entry(i, 2, "{\"x\":2}")}));
    later = IoPool::schedule(2 * hearth::net::yjs::kAwarenessDelay, [&] { told.set_value(); });
  });
  told.get_future().get();
  io.stop();
  io.join();
  std::string all;
  for (uint64_t i = 1; i <= 20; ++i) all += std::to_string(i) + ":2={\"x\":2} ";
  for (Client& one : clients) {
    CHECK(one.messages == 1);
    CHECK(one.heard() == all);
  }
  CHECK(clients[0].frame == clients[14].frame);
  CHECK(clients[15].frame == clients[19].frame);
  CHECK(clients[0].frame->size() + 5 == clients[15].frame->size());
}

TEST_CASE("AwarenessRoom: what clients send back is no news: the same bytes, a part of them, or older clocks",
          "[net][yjs]") {
  const auto room = std::make_shared<AwarenessRoom>();
  Client a;
  on_io_thread([&] {
    room->join(a);
    room->note(*message(kPresent, {entry(7, 1), entry(8, 4)}));
  });
  const auto encoded = [](std::vector<db::documents::AwarenessEntry> entries) {
    return db::documents::encode_awareness(entries);
  };
  CHECK_FALSE(room->has_news(a.last));
  CHECK_FALSE(room->has_news(encoded({{7, 1, "1"}})));
  CHECK_FALSE(room->has_news(encoded({{8, 3, "1"}, {7, 1, "1"}})));
  CHECK(room->has_news(encoded({{7, 2, "1"}})));
  CHECK(room->has_news(encoded({{7, 1, "null"}})));
  CHECK(room->has_news(encoded({{9, 1, "1"}})));
  CHECK(room->has_news(a.last + "x"));
  CHECK(room->has_news(""));  // no update at all
  const std::string echo = a.last;
  on_io_thread([&] { room->note(*message(kPresent, {entry(8, 5)})); });  // 7 has gone
  CHECK_FALSE(room->has_news(echo));
}

TEST_CASE("AwarenessRoom: the first word after a silence waits for nothing, later ones leave together", "[net][yjs]") {
  IoPool io(1);
  io.start();
  // How many have been let speak: at once, and when the window is over; nothing where this thread had to wait meanwhile,
  // for then it was silent.
  const auto run = [&]() -> std::optional<std::string> {
    const auto room = std::make_shared<AwarenessRoom>();
    std::vector<Client> clients(20);
    std::string story;
    std::promise<void> told;
    bool was_quick = false;
    std::vector<hearth::net::http::Timer> timers;
    const auto count = [&] {
      int all = 0;
      for (const Client& one : clients) all += one.announced;
      story += std::to_string(all) + " ";
    };
    io.post(0, [&] {
      const auto begun = std::chrono::steady_clock::now();
      for (Client& one : clients) room->join(one);
      room->note(*message(kPresent, {}));
      room->speak(clients[0]);
      count();
      for (Client& one : clients) room->speak(one);
      room->leave(clients[7]);
      count();
      was_quick = std::chrono::steady_clock::now() - begun < hearth::net::yjs::kAwarenessQuiet;
      timers.push_back(IoPool::schedule(2 * hearth::net::yjs::kAwarenessDelay, [&] {
        count();
        told.set_value();
      }));
    });
    told.get_future().get();
    std::promise<void> over;
    io.post(0, [&] {
      timers.clear();
      over.set_value();
    });
    over.get_future().get();
    return was_quick ? std::optional(story) : std::nullopt;
  };
  std::optional<std::string> story;
  for (int i = 0; i < 100 && !story; ++i) story = run();
  io.stop();
  io.join();
  REQUIRE(story);
  CHECK(*story == "1 1 20 ");
}

TEST_CASE("AwarenessRoom: where much moves all clients are heard through one gate, newcomers too, until they leave",
          "[net][yjs]") {
  std::vector<Client> clients(5);
  std::vector<hearth::net::http::Gate*> at_first, lively, left;
  bool is_shut = false;
  const auto gates = [&] {
    std::vector<hearth::net::http::Gate*> all;
    for (const Client& one : clients) all.push_back(one.gate);
    return all;
  };
  on_io_thread([&] {
    const auto room = std::make_shared<AwarenessRoom>();
    for (size_t i = 0; i < 4; ++i) room->join(clients[i]);
    room->note(*message(kPresent, {entry(7, 1)}));
    at_first = gates();
    room->note(*message(kPresent, {entry(7, 2)}));
    room->join(clients[4]);
    lively = gates();
    is_shut = lively[0] != nullptr && lively[0]->is_shut();  // for the time of echoes
    for (Client& one : clients) room->leave(one);
    left = gates();
  });
  CHECK(at_first == std::vector<hearth::net::http::Gate*>(5, nullptr));
  CHECK(lively[0] != nullptr);
  CHECK(lively == std::vector(5, lively[0]));
  CHECK(is_shut);
  CHECK(left == at_first);
}

TEST_CASE("AwarenessRoom: few clients have no gate", "[net][yjs]") {
  std::vector<Client> clients(hearth::net::yjs::kGateMembersMin - 1);
  on_io_thread([&] {
    const auto room = std::make_shared<AwarenessRoom>();
    for (Client& one : clients) room->join(one);
    for (uint64_t clock = 1; clock < 5; ++clock) room->note(*message(kPresent, {entry(7, clock)}));
    for (Client& one : clients) room->leave(one);
  });
  for (const Client& one : clients) CHECK(one.gate == nullptr);
}
