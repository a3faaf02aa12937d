#include "db/shard/story.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

using namespace hearth::db;

namespace {

Answer answer(uint64_t request) {
  Answer made;
  made.request = request;
  return made;
}

Event event(uint64_t sequence, std::shared_ptr<const Body> body = nullptr) {
  Event made;
  made.sequence = sequence;
  made.body = std::move(body);
  return made;
}

std::shared_ptr<const Body> body_of(size_t bytes) {
  return Body::put({}, Slot::Value, Value::string(std::string(bytes, 'x')));
}

// Requests answered, events told and ends, as one line.
std::string line_of(const std::vector<Item>& items) {
  std::string line;
  for (const Item& item : items) {
    if (const auto* answered = std::get_if<Answer>(&item)) line += "a" + std::to_string(answered->request) + " ";
    if (const auto* told = std::get_if<Event>(&item)) line += "e" + std::to_string(told->sequence) + " ";
    if (std::holds_alternative<Ended>(item)) line += "end ";
  }
  return line;
}

struct Notification {
  int wakes = 0;
  Story story{[this] { ++wakes; }};
};

}  // namespace

TEST_CASE("Story: what stands behind a kept place waits for it", "[db]") {
  Notification told;
  Story& story = told.story;
  REQUIRE(story.append(answer(1)));
  const uint64_t second = story.keep_place();
  REQUIRE(story.append(event(3)));
  const uint64_t fourth = story.keep_place();
  CHECK(line_of(story.take()) == "a1 ");
  CHECK(line_of(story.take()).empty());
  story.fill(fourth, answer(4));  // the later place is ready first
  CHECK(line_of(story.take()).empty());
  story.fill(second, answer(2));
  CHECK(line_of(story.take()) == "a2 e3 a4 ");
}

TEST_CASE("Story: a nudge wakes, whatever is there, until it is closed", "[db]") {
  Notification told;
  told.story.nudge();
  told.story.nudge();
  CHECK(told.wakes == 2);
  told.story.close();
  told.story.nudge();
  CHECK(told.wakes == 2);
}

TEST_CASE("Story: wakes once each time that nothing becomes something", "[db]") {
  Notification told;
  Story& story = told.story;
  const uint64_t place = story.keep_place();
  REQUIRE(story.append(event(1)));
  CHECK(told.wakes == 0);  // nothing can be taken yet
  story.fill(place, answer(1));
  CHECK(told.wakes == 1);
  REQUIRE(story.append(event(2)));
  CHECK(told.wakes == 1);
  CHECK(story.take().size() == 3);
  CHECK(told.wakes == 1);
  REQUIRE(story.append(event(3)));
  CHECK(told.wakes == 2);
}

TEST_CASE("Story: what is taken at a time has a bound, and a wake tells of the rest", "[db]") {
  Notification told;
  for (uint64_t i = 0; i < 2 * kTakeItemsMax + 500; ++i) REQUIRE(told.story.append(event(i)));
  CHECK(told.wakes == 1);
  uint64_t next = 0;
  for (const size_t expected : {kTakeItemsMax, kTakeItemsMax, size_t{500}, size_t{0}}) {
    const std::vector<Item> items = told.story.take();
    CHECK(items.size() == expected);
    for (const Item& item : items) CHECK(std::get<Event>(item).sequence == next++);
  }
  CHECK(told.wakes == 3);
  for (uint64_t i = 0; i < 6; ++i) REQUIRE(told.story.append(event(i, body_of(kTakeBytesMax / 3))));
  REQUIRE(told.story.append(event(6, body_of(2 * kTakeBytesMax))));
  std::vector<size_t> counts;
  for (auto items = told.story.take(); !items.empty(); items = told.story.take()) counts.push_back(items.size());
  CHECK(counts == std::vector<size_t>{2, 2, 2, 1});
  CHECK(told.wakes == 7);
}

TEST_CASE("Story: too many events end it, once, with the reason alone", "[db]") {
  Notification told;
  Story& story = told.story;
  const auto body = body_of(1 << 20);
  size_t count = 0;
  while (story.append(event(count, body))) REQUIRE(++count < 100);
  CHECK(count == 63);                   // of a little more than 1 MiB each
  CHECK(story.append(event(0, body)));  // said once
  const std::vector<Item> items = story.take();
  REQUIRE(line_of(items) == "end ");
  CHECK(std::get<Ended>(items.front()).reason.code == ErrorCode::TooLarge);
  CHECK(story.take().empty());
}

TEST_CASE("Story: what was taken does not count", "[db]") {
  Notification told;
  const auto body = body_of(1 << 20);
  for (uint64_t i = 0; i < 200; ++i) {
    REQUIRE(told.story.append(event(i, body)));
    REQUIRE(told.story.take().size() == 1);
  }
}

TEST_CASE("Story: one value of any size is no overflow, and leaves room for events", "[db]") {
  Notification told;
  Story& story = told.story;
  SECTION("a first value") {
    const auto large = body_of(kStoryBytesMax + 1);
    Answer first = answer(1);
    first.first = large;
    story.fill(story.keep_place(), first);
    CHECK(story.append(event(2, body_of(1 << 20))));
    CHECK(line_of(story.take()) == "a1 ");
    CHECK(line_of(story.take()) == "e2 ");
  }
  SECTION("an event") {
    CHECK(story.append(event(1, body_of(kStoryBytesMax + 1))));
    CHECK(line_of(story.take()) == "e1 ");
  }
}

TEST_CASE("Story: values that were asked for and are not taken are bounded too", "[db]") {
  Notification told;
  Story& story = told.story;
  const Value value = Value::string(std::string(10 << 20, 'x'));
  const auto first = body_of(10 << 20);
  const bool of_listens = GENERATE(false, true);
  size_t count = 0;
  for (bool ended = false; !ended; ++count) {
    REQUIRE(count < 60);
    Answer answered = answer(count);
    if (of_listens) {
      answered.first = first;
    } else {
      answered.value = value;
    }
    story.fill(story.keep_place(), answered);
    ended = !story.append(event(0));
  }
  CHECK(count == 52);  // 51 of 10 MiB are below 512 MiB
  CHECK(line_of(story.take()) == "end ");
}

TEST_CASE("Story: after close nothing comes and nobody is woken", "[db]") {
  Notification told;
  Story& story = told.story;
  const uint64_t place = story.keep_place();
  REQUIRE(story.append(event(1)));
  story.close();
  story.fill(place, answer(1));
  CHECK(story.append(event(2)));
  story.fill(story.keep_place(), answer(3));
  CHECK(story.take().empty());
  CHECK(told.wakes == 0);
}

TEST_CASE("Story: all stories together have a budget of events, and who has little waiting is not ended for it",
          "[db][limits]") {
  constexpr size_t kBody = 100'000;
  const auto budget = std::make_shared<EventBudget>(10 * kBody);
  int wakes = 0;
  std::vector<std::unique_ptr<Story>> slow;
  for (int i = 0; i < 4; ++i) slow.push_back(std::make_unique<Story>([&] { ++wakes; }, budget.get()));
  size_t told = 0, ended = 0;
  for (uint64_t round = 0; round < 4; ++round) {
    for (const auto& story : slow) {
      if (story->append(event(round, body_of(kBody))))
        ++told;
      else
        ++ended;
    }
  }
  CHECK(ended > 0);
  CHECK(budget->reached.value() == ended);
  CHECK(budget->bytes.value() <= static_cast<int64_t>(10 * kBody));
  Story modest([&] { ++wakes; }, budget.get());
  CHECK(modest.append(event(1, body_of(kBody))));  // its first
  // A body that many are told is there once.
  const int64_t before = budget->bytes.value();
  std::vector<std::unique_ptr<Story>> many;
  const auto shared = body_of(kBody);
  for (int i = 0; i < 500; ++i) {
    many.push_back(std::make_unique<Story>([&] { ++wakes; }, budget.get()));
    CHECK(many.back()->append(event(1, shared)));
  }
  CHECK(budget->bytes.value() - before < static_cast<int64_t>(10 * kBody));
  many.clear();
  CHECK(budget->bytes.value() == before);
  while (!modest.take().empty()) {
  }
  for (const auto& story : slow) {
    while (!story->take().empty()) {
    }
  }
  CHECK(budget->bytes.value() == 0);
  CHECK(told + ended == 16);
}
