#include "db/topics/topics.h"

#include <catch2/catch.hpp>
#include <string>

using namespace hearth::db;

namespace {

constexpr Timestamp kNow{1'000'000};

std::string word(const Topics::Message& message) {
  if (message == nullptr) return "nothing";
  std::string line;
  for (const TopicEntry& entry : message->joined) {
    line += "+" + entry.key + "=" + entry.value + (entry.replaces != 0 ? "*" : "") + " ";
  }
  for (const TopicEntry& entry : message->left) line += "-" + entry.key + "=" + entry.value + " ";
  return line;
}

TopicAnnouncement say(std::string key, std::string value, std::optional<uint64_t> clock = {}) {
  return {std::move(key), std::move(value), false, clock};
}
TopicAnnouncement gone(std::string key, std::optional<uint64_t> clock = {}) {
  return {std::move(key), "", true, clock};
}

struct Room {
  Topics::Count count;
  Topics topics{count};
  std::string announce(TopicMember& member, TopicAnnouncement one, Timestamp now = kNow) {
    return word(topics.announce(member, {std::move(one)}, now).value());
  }
};

}  // namespace

TEST_CASE("Topics: without clocks each member has an entry of its own under a key", "[topics]") {
  Room room;
  TopicMember a, b;
  room.topics.join(a, "t");
  room.topics.join(b, "t");
  CHECK(room.announce(a, say("ada", "1")) == "+ada=1 ");
  CHECK(room.announce(a, say("ada", "1")) == "nothing");
  CHECK(room.announce(b, say("ada", "1")) == "+ada=1 ");
  CHECK(room.announce(a, say("ada", "2")) == "+ada=2* -ada=1 ");
  CHECK(word(room.topics.present(*a.topic)) == "+ada=2 +ada=1 ");
  CHECK(room.announce(b, gone("ada")) == "-ada=1 ");
  CHECK(room.announce(b, gone("ada")) == "nothing");
  CHECK(word(room.topics.leave(a, kNow)) == "-ada=2 ");
  CHECK(word(room.topics.present(*b.topic)).empty());
  CHECK(word(room.topics.leave(b, kNow)) == "nothing");
  CHECK(room.topics.empty());
  CHECK(room.count.bytes.value() == 0);
  CHECK(room.count.members.value() == 0);
  CHECK(room.count.topics.value() == 0);
}

TEST_CASE("Topics: of entries with clocks only newer ones pass, and only their owner's", "[topics]") {
  Room room;
  TopicMember a, b;
  room.topics.join(a, "t");
  room.topics.join(b, "t");
  CHECK(room.announce(a, say("7", "{}", 0)) == "nothing");  // who never says anything is not there
  CHECK(room.announce(a, say("7", "x", 1)) == "+7=x ");
  CHECK(room.announce(b, say("7", "x", 1)) == "nothing");     // an echo
  CHECK(room.announce(b, say("7", "mine", 9)) == "nothing");  // somebody else's
  CHECK(room.announce(b, gone("7", 1)) == "nothing");
  CHECK(room.announce(a, say("7", "y", 3)) == "+7=y ");
  CHECK(room.announce(a, say("7", "old", 2)) == "nothing");
  CHECK(room.announce(a, gone("7", 3)) == "-7=y ");  // with the clock it had
  CHECK(room.announce(a, gone("7", 3)) == "nothing");
  CHECK(room.announce(a, say("7", "z", 4)) == "+7=z ");
  CHECK(word(room.topics.leave(a, kNow)) == "-7=z ");
  // It has gone; its old words do not bring it back, and the next who knows newer ones owns it.
  CHECK(room.announce(b, say("7", "z", 4)) == "nothing");
  CHECK(room.announce(b, say("7", "b's", 5)) == "+7=b's ");
}

TEST_CASE("Topics: who says that somebody has gone takes no room for it, and does not own them", "[topics]") {
  Room room;
  TopicMember a, b, c;
  for (TopicMember* one : {&a, &b, &c}) room.topics.join(*one, "t");
  CHECK(room.announce(a, say("7", "x", 1)) == "+7=x ");
  CHECK(word(room.topics.leave(a, kNow)) == "-7=x ");
  CHECK(room.announce(b, gone("7", 2)) == "nothing");
  CHECK(b.keys.empty());
  CHECK(room.announce(c, say("7", "old", 2)) == "nothing");  // its clock counts
  CHECK(room.announce(c, say("7", "y", 3)) == "+7=y ");
}

TEST_CASE("Topics: the clock of who has gone is forgotten after a while", "[topics]") {
  Room room;
  TopicMember a, b, c;
  room.topics.join(a, "t");
  room.topics.join(b, "t");
  room.topics.join(c, "t");
  room.announce(a, say("7", "x", 5));
  room.topics.leave(a, kNow);
  const auto bytes = room.topics.byte_count();
  CHECK(room.announce(b, say("7", "x", 5)) == "nothing");
  room.topics.leave(c, kNow + 2 * kGoneClockTime);
  CHECK(room.topics.byte_count() < bytes);
  CHECK(room.announce(b, say("7", "x", 5), kNow + 2 * kGoneClockTime) == "+7=x ");
}

TEST_CASE("Topics: a member announces a bounded number of entries", "[topics]") {
  Room room;
  TopicMember a;
  room.topics.join(a, "t");
  for (size_t i = 0; i < kTopicEntriesMax; ++i) CHECK(room.announce(a, say(std::to_string(i), "x", 1)) != "nothing");
  CHECK(room.topics.announce(a, {say("more", "x", 1)}, kNow).error().code == ErrorCode::TooLarge);
  CHECK(room.topics.announce(a, {say("0", "y", 2)}, kNow).ok());
  // What finds room is told, also beside what is left out.
  const auto some = room.topics.announce(a, {say("0", "z", 3), say("more", "x", 1), say("1", "z", 2)}, kNow);
  REQUIRE((some.ok() && some.value() != nullptr));
  CHECK(some.value()->joined.size() == 2);
  CHECK(room.topics.leave(a, kNow)->left.size() == kTopicEntriesMax);
  CHECK(room.count.bytes.value() == 0);
}

TEST_CASE("Topics: what was said is kept within limits, the newest of it, also when nobody is there", "[topics]") {
  Room room;
  TopicMember a;
  room.topics.join(a, "t");
  const auto keep = [&](const std::string& name, int i, size_t bytes) {
    auto message = std::make_shared<TopicMessage>();
    message->event = std::to_string(i);
    message->bytes.assign(bytes, 'x');
    message->time = Timestamp(i);
    room.topics.keep(name, std::move(message));
  };
  for (int i = 1; i <= 300; ++i) keep("t", i, 10);
  Topic* topic = room.topics.find("t");
  REQUIRE(topic != nullptr);
  CHECK(topic->kept.size() == kTopicKeptMessages);
  auto since = room.topics.kept_since(*topic, Timestamp(290), 5);
  REQUIRE(since.size() == 5);
  CHECK(since.front()->event == "296");
  CHECK(since.back()->event == "300");
  CHECK(room.topics.kept_since(*topic, Timestamp(298), 25).size() == 2);
  room.topics.leave(a, kNow);
  REQUIRE(room.topics.find("t") != nullptr);
  // Of topics that nobody is in, the oldest go.
  for (int i = 0; i < 40; ++i) keep("idle" + std::to_string(i), 1, 200'000);
  CHECK(room.topics.find("t") == nullptr);
  CHECK(room.topics.find("idle0") == nullptr);
  CHECK(room.topics.find("idle39") != nullptr);
  CHECK(room.topics.byte_count() < kTopicsKeptBytes + (512u << 10));
  // Who comes back finds it, and it is no longer among the idle.
  TopicMember b;
  room.topics.join(b, "idle39");
  for (int i = 40; i < 100; ++i) keep("idle" + std::to_string(i), 1, 200'000);
  CHECK(room.topics.find("idle39") != nullptr);
  CHECK(room.topics.kept_since(*b.topic, Timestamp(0), 25).size() == 1);
}
