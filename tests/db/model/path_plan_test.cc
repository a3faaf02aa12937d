// Plans of paths: as text and back, and what holds where.
#include "db/model/path_plan.h"

#include <catch2/catch.hpp>

#include "db/model/key_order.h"

using namespace hearth::db;

namespace {

std::vector<std::string_view> keys(const Path& path) { return path.keys(); }
Path at(std::string_view text) { return Path::parse(text).value(); }

}  // namespace

TEST_CASE("PathPlan: a text that is read and written again is the same", "[model]") {
  for (const char* text : {"", "/\tttl\t5\n", "/a b/$/c\tttl\t60000\tby\tsent/at\n", "/x\tthrottle\t50\n",
                           "/a\tttl\t1\tthrottle\t10000\n/b\n"}) {
    INFO(text);
    CHECK(PathPlan::parse(text).value().text() == text);
  }
  for (const char* text : {"x\n", "/a\tttl\n", "/a\tttl\t-1\n", "/a\tttl\t5x\n", "/a\tthrottle\t10001\n",
                           "/a\tlater\t5\n", "/a.b\tttl\t5\n", "/a\tby\tx.y\n"}) {
    INFO(text);
    CHECK(PathPlan::parse(text).error().code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("PathPlan: a name of its own is not meant by $", "[model]") {
  const PathPlan plan = PathPlan::parse("/rooms/$\tttl\t1000\n/rooms/lobby\n/rooms/hall/seats\tttl\t2000\n").value();
  const auto aged = [&](std::string_view path) {
    const Path place = at(path);
    const auto found = plan.aged_above(keys(place));
    return found ? std::to_string(found->settings->ttl->count()) + "@" + std::to_string(found->depth) : "";
  };
  CHECK(aged("rooms/a/m1") == "1000@2");
  CHECK(aged("rooms/a/m1/text") == "1000@2");
  CHECK(aged("rooms/a").empty());  // it is not a child of its own
  CHECK(aged("rooms/lobby/m1").empty());
  CHECK(aged("rooms/hall/m1").empty());
  CHECK(aged("rooms/hall/seats/s1") == "2000@3");
  CHECK(aged("").empty());
  CHECK(plan.find(keys(at("rooms/a"))) != nullptr);
  CHECK(plan.find(keys(at("rooms"))) == nullptr);
}

TEST_CASE("PathPlan: who listens at a path with a throttle, or below, is throttled", "[model]") {
  const PathPlan plan = PathPlan::parse("/rooms/$/cursors\tthrottle\t50\n").value();
  CHECK(plan.has_throttle());
  CHECK(plan.throttle_of(keys(at("rooms/a/cursors"))) == Timestamp(50));
  CHECK(plan.throttle_of(keys(at("rooms/a/cursors/ada/x"))) == Timestamp(50));
  CHECK_FALSE(plan.throttle_of(keys(at("rooms/a"))));
  CHECK_FALSE(plan.throttle_of(keys(at("rooms/a/names"))));
  CHECK_FALSE(PathPlan::parse("/a\tttl\t5\n").value().has_throttle());
}

TEST_CASE("PathPlan: what lies at an ephemeral place or below is ephemeral, and nothing else", "[model]") {
  const PathPlan plan =
      PathPlan::parse("/rooms/$/cursors\tephemeral\t1\n/rooms/lobby\n/typing\tthrottle\t50\tephemeral\t1\n").value();
  CHECK(PathPlan::parse(plan.text()).value().text() == plan.text());
  CHECK(plan.has_ephemeral());
  const auto place = [&](std::string_view path) {
    const auto found = plan.ephemeral_place(encode_path(at(path)));
    return found ? decode_path(*found).value().text() : "-";
  };
  CHECK(place("rooms/a/cursors") == "rooms/a/cursors");
  CHECK(place("rooms/a/cursors/ada/x") == "rooms/a/cursors");
  CHECK(place("typing/7") == "typing");
  for (const char* path : {"", "rooms", "rooms/a", "rooms/a/names", "rooms/lobby/cursors", "other"}) {
    INFO(path);
    CHECK(place(path) == "-");
  }
  CHECK(plan.is_ephemeral(encode_path(at("typing/7")) + kPriorityMark));
  for (const char* path : {"", "rooms", "rooms/a", "rooms/a/cursors/x", "typing", "typing/a/b"}) {
    INFO(path);
    CHECK(plan.touches_ephemeral(at(path)));
  }
  for (const char* path : {"other", "rooms/lobby", "rooms/lobby/cursors", "rooms/a/names"}) {
    INFO(path);
    CHECK_FALSE(plan.touches_ephemeral(at(path)));
  }
  CHECK_FALSE(PathPlan::parse("/a\tttl\t5\n").value().has_ephemeral());
  CHECK_FALSE(PathPlan::parse("/\tephemeral\t1\n").ok());
}
