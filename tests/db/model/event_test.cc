#include "db/model/event.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using namespace hearth::db;

namespace {

Path path(std::string_view text) { return Path::parse(text).value(); }
constexpr Body::Form kOwnForm{"own"};

}  // namespace

TEST_CASE("A body tells the path it speaks of, with .priority behind it for that slot") {
  struct {
    const char* at;
    Slot slot;
    const char* told;
  } const cases[] = {
      {"", Slot::Value, ""},
      {"", Slot::Priority, ".priority"},
      {"a/b", Slot::Value, "a/b"},
      {"a/b", Slot::Priority, "a/b/.priority"},
  };
  for (const auto& c : cases) {
    INFO(c.told);
    const auto body = Body::put(path(c.at), c.slot, Value::integer(1));
    CHECK(body->kind() == Body::Kind::Put);
    CHECK(body->told_path() == c.told);
    CHECK(body->path() == path(c.at));
    CHECK(body->value() == Value::integer(1));
  }
  const auto merge = Body::merge(path("a"), {{"b/.priority", Value::integer(1)}, {"c", Value()}});
  CHECK(merge->kind() == Body::Kind::Merge);
  CHECK(merge->told_path() == "a");
  CHECK(merge->entries().size() == 2);
}

TEST_CASE("A body's size follows what it holds") {
  const std::string large(100'000, 'x');
  CHECK(Body::put(Path(), Slot::Value, Value::string(large))->byte_count() > 100'000);
  CHECK(Body::merge(Path(), {{large, Value()}, {"b", Value::string(large)}})->byte_count() > 200'000);
  CHECK(Body::put(Path(), Slot::Value, Value())->byte_count() < 1'000);
}

TEST_CASE("A form is made once, for the first who asks, and shared from then on") {
  const auto body = Body::put(Path(), Slot::Value, Value::integer(1));
  std::atomic<int> made = 0;
  const auto make = [&](const Body& of) {
    CHECK(&of == body.get());
    ++made;
    return std::string("text");
  };
  const SharedBytes first = body->bytes(kPlainForm, make);
  CHECK(*first == "text");
  CHECK(body->bytes(kPlainForm, make) == first);
  CHECK(made == 1);
  const SharedBytes other = body->bytes(kExportForm, [](const Body&) { return std::string("export"); });
  CHECK(*other == "export");
  CHECK(*body->bytes(kPlainForm, make) == "text");
  CHECK(*body->bytes(kOwnForm, make) == "text");
  CHECK(made == 2);
  // There is room for so many forms; one more is made for each who asks.
  constexpr Body::Form kFourth{"fourth"}, kFifth{"fifth"};
  CHECK(body->bytes(kFourth, make) == body->bytes(kFourth, make));
  CHECK(made == 3);
  CHECK(*body->bytes(kFifth, make) == "text");
  CHECK(*body->bytes(kFifth, make) == "text");
  CHECK(made == 5);
}

TEST_CASE("Threads that ask for a form at once get the same bytes") {
  const auto body = Body::put(Path(), Slot::Value, Value::integer(1));
  std::atomic<int> made = 0;
  std::vector<SharedBytes> got(8);
  std::vector<std::thread> threads;
  for (SharedBytes& bytes : got) {
    threads.emplace_back(
        [&] { bytes = body->bytes(kOwnForm, [&](const Body&) { return "made " + std::to_string(++made); }); });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(made == 1);
  for (const SharedBytes& bytes : got) CHECK(bytes == got.front());
}
