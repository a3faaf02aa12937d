// Rows of ages, and the plan of them.
#include "db/model/expiry.h"

#include <catch2/catch.hpp>

#include "db/model/key_order.h"

using namespace hearth::db;

namespace {

std::shared_ptr<const PathPlan> paths(std::string_view text) {
  return std::make_shared<const PathPlan>(PathPlan::parse(text).value());
}

}  // namespace

TEST_CASE("expiry: rows by time sort by time, and say what they are of", "[model]") {
  const std::string child = encode_path(Path::parse("rooms/a").value());
  CHECK(due_row(1, Timestamp(5), child) < due_row(1, Timestamp(256), child));
  CHECK(due_row(1, Timestamp(INT64_MAX), child) < due_from(2));
  CHECK(since_row(9, child) < due_from(0));
  const std::string row = due_row(7, Timestamp(1'700'000'000'123), child);
  const auto due = read_due_row(row);
  REQUIRE(due.has_value());
  CHECK((due->id == 7 && due->since == Timestamp(1'700'000'000'123) && due->child == child));
  const std::string by_path = since_row(7, child);
  CHECK(read_since_row(by_path)->child == child);
  CHECK_FALSE(read_since_row(row));
  CHECK_FALSE(read_due_row(by_path));
  CHECK(decode_since(encode_since(Timestamp(99))).value() == Timestamp(99));
  CHECK(decode_since("short").error().code == ErrorCode::Corruption);
}

TEST_CASE("expiry: a plan comes back from its bytes, and knows whether it is the one that is asked for", "[model]") {
  ExpiryPlan plan = ExpiryPlan().for_paths(paths("/a/$/b\tttl\t5\n/c\tttl\t6\tby\tx/y\n/d\tthrottle\t5\n"));
  REQUIRE(plan.rules.size() == 2);
  CHECK(plan.has_untaken());
  plan.rules[0].untaken.clear();
  plan.rules[1].untaken = {{"from", "upto"}, {std::string("\0", 1), "x"}};
  ExpiryPlan again = ExpiryPlan::decode(plan.encode()).value();
  CHECK(again.encode() == plan.encode());
  CHECK(again.attach(paths("/a/$/b\tttl\t9\n/c\tttl\t6\tby\tx/y\n")));  // another ttl is no other rule
  CHECK_FALSE(ExpiryPlan(again).attach(paths("/c\tttl\t6\tby\tx/y\n")));
  CHECK_FALSE(ExpiryPlan(again).attach(paths("/a/$/b\tttl\t9\n/c\tttl\t6\n")));
  // What stays keeps its id; a new one has one that was never used.
  const ExpiryPlan next = again.for_paths(paths("/c\tttl\t6\n/a/$/b\tttl\t9\n"));
  CHECK(next.rules[0].id == again.rules[0].id);
  CHECK(next.rules[1].id == again.next_id);
  for (size_t cut = 0; cut < plan.encode().size(); ++cut) (void)ExpiryPlan::decode(plan.encode().substr(0, cut));
  CHECK(ExpiryPlan::decode("\7").error().code == ErrorCode::Corruption);
}

TEST_CASE("expiry: many ranges that are to be taken up become one", "[model]") {
  ExpiryRule rule;
  rule.take_up_later({"b", "c"});
  rule.take_up_later({"b1", "b2"});
  CHECK(rule.untaken.size() == 1);
  rule.take_up_later({"a", "d"});
  CHECK(rule.untaken == std::vector<ExpiryRule::Range>{{"a", "d"}});
  for (int i = 0; i < 100; ++i) rule.take_up_later({"x" + std::to_string(i), "x" + std::to_string(i) + "y"});
  CHECK(rule.untaken.size() <= kUntakenRangesMax);
  CHECK(rule.untaken.front().first == "a");
}
