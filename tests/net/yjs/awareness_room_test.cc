#include "net/yjs/awareness_room.h"

#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <utility>

#include "db/documents/awareness.h"

namespace db = hearth::db;
using hearth::net::http::IoPool;
using hearth::net::yjs::AwarenessRoom;
using hearth::net::yjs::kKnownClientsMax;

namespace {

// A client of the room, and what it was told: "7:2=state" each.
struct Client final : AwarenessRoom::Member {
  void be_ear() override { ++ears; }
  void tell_awareness(const std::string& awareness) override {
    const auto entries = db::documents::parse_awareness(awareness, {.entries_max = 2 * kKnownClientsMax});
    for (const auto& entry : entries.value()) {
      told += std::to_string(entry.client) + ":" + std::to_string(entry.clock) + "=" + std::string(entry.state) + " ";
    }
  }
  std::string heard() { return std::exchange(told, {}); }
  int ears = 0;
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
