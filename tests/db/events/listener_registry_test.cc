#include "db/events/listener_registry.h"
#include "tests/support/moment.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

using namespace hearth::db;
using hearth::test::moment_of;

namespace {

Path at(std::string_view text) { return Path::parse(text).value(); }

class EmptyView final : public TreeView {
 public:
  Result<void> scan(std::string_view, std::string_view, const RowFunction&) const override { return {}; }
  Result<std::optional<std::string>> leaf(std::string_view) const override { return std::optional<std::string>(); }
};

// Reads where it is told to, and then says what it is told to.
class ReadsThere final : public Precondition {
 public:
  Result<void> check(const Moment& moment) const override {
    const TreeView& view = moment.before;
    for (const std::string& path : reads) RETURN_IF_ERROR(view.read(at(path), kReadBytesMax));
    for (const std::string& path : asks) RETURN_IF_ERROR(view.exists(at(path)));
    return verdict;
  }
  std::vector<std::string> reads;
  std::vector<std::string> asks;
  Result<void> verdict;
};

bool is_bare(ListenerRegistry& registry) {
  return registry.root().children.empty() && registry.root().subscriptions.empty() && registry.root().watchers.empty();
}

bool watches(ListenerRegistry& registry, std::string_view path, Subscription& subscription) {
  std::unordered_set<Subscription*> found;
  registry.collect_watchers(at(path), found);
  return found.contains(&subscription);
}

}  // namespace

TEST_CASE("ListenerRegistry: what was added and removed leaves nothing behind", "[events]") {
  ListenerRegistry registry;
  std::vector<Subscription> subscriptions(200);
  std::mt19937 random(1);
  for (size_t i = 0; i < subscriptions.size(); ++i) {
    std::string path;
    for (size_t depth = i % 5; depth > 0; --depth) path += "/" + std::to_string(random() % 3);
    subscriptions[i].path = at(path);
    registry.add(subscriptions[i]);
  }
  CHECK(registry.size() == subscriptions.size());
  std::vector<size_t> order(subscriptions.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  for (const size_t i : order) {
    registry.remove(subscriptions[i]);
    registry.remove(subscriptions[i]);  // once more does nothing
  }
  CHECK(registry.empty());
  CHECK(is_bare(registry));
}

TEST_CASE("ListenerRegistry: registries that count together know the listeners and views of all", "[events]") {
  ListenerRegistry::Count count;
  ListenerRegistry one(count), other(count);
  std::vector<Subscription> subscriptions(5);
  for (Subscription& subscription : subscriptions) subscription.path = at("a");
  const auto first = [](uint32_t count) { return Query::by_key().limit_to_first(count); };
  subscriptions[1].query = first(1);
  subscriptions[2].query = first(1);  // one view
  subscriptions[3].query = first(2);
  const std::vector<std::pair<int64_t, int64_t>> expected = {{1, 0}, {2, 1}, {3, 1}, {4, 2}, {5, 2}};
  for (size_t i = 0; i < subscriptions.size(); ++i) {
    (i == 4 ? other : one).add(subscriptions[i]);
    CHECK(std::pair(count.listeners.value(), count.views.value()) == expected[i]);
  }
  for (size_t i = subscriptions.size(); i-- > 0;) {
    CHECK(std::pair(count.listeners.value(), count.views.value()) == expected[i]);
    ListenerRegistry& registry = i == 4 ? other : one;
    registry.remove(subscriptions[i]);
    registry.remove(subscriptions[i]);  // once more counts nothing
  }
  CHECK(count.listeners.value() == 0);
  CHECK(count.views.value() == 0);
}

TEST_CASE("ListenerRegistry: what listeners hold is counted for their audience, here and for all, and given back",
          "[events]") {
  ListenerRegistry::Count all, count;
  count.in_all = &all;
  ListenerRegistry registry(count);
  const auto ada = std::make_shared<Audience>(), bob = std::make_shared<Audience>();
  std::vector<Subscription> subscriptions(4);
  auto check = std::make_shared<ReadsThere>();
  check->asks = {"rights/ada", "rights/bob"};
  for (size_t i = 0; i < subscriptions.size(); ++i) {
    subscriptions[i].audience = i < 3 ? ada : bob;
    subscriptions[i].path = at("a/b");
    subscriptions[i].bytes_beside = 100;
  }
  const Query query = Query::by_value().start_at(Value::string(std::string(10'000, 'x')));
  subscriptions[1].query = query;
  subscriptions[2].check = check;
  subscriptions[3].query = query;  // the same view
  size_t before = 0;
  std::vector<size_t> cost;
  for (Subscription& subscription : subscriptions) {
    const EmptyView empty;
    REQUIRE(registry.check(subscription, moment_of(empty)).ok());
    registry.add(subscription);
    cost.push_back(registry.byte_count() - before);
    before = registry.byte_count();
    CHECK(count.bytes.value() == static_cast<int64_t>(before));
    CHECK(all.bytes.value() == count.bytes.value());
  }
  CHECK(cost[0] > 1'000);
  CHECK(cost[1] > 20'000);            // the listener's and the view's
  CHECK(cost[1] > cost[3] + 10'000);  // the view is there
  CHECK(registry.view_byte_count() > 20'000);
  CHECK(ada->listener_bytes > bob->listener_bytes);
  CHECK(bob->listener_bytes > 10'000);
  for (Subscription& subscription : subscriptions) registry.remove(subscription);
  CHECK(registry.byte_count() == 0);
  CHECK(registry.view_byte_count() == 0);
  CHECK(all.bytes.value() == 0);
  CHECK(ada->listener_bytes == 0);
  CHECK(bob->listener_bytes == 0);
}

TEST_CASE("ListenerRegistry: a node stays while anyone listens at or below it", "[events]") {
  ListenerRegistry registry;
  Subscription above, below;
  above.path = at("a");
  below.path = at("a/b/c");
  registry.add(above);
  registry.add(below);
  registry.remove(above);
  REQUIRE(registry.root().children->size() == 1);
  CHECK(registry.size() == 1);
  registry.add(above);
  registry.remove(below);
  REQUIRE(registry.root().children->size() == 1);
  CHECK((*registry.root().children->begin())->children.empty());
  registry.remove(above);
  CHECK(is_bare(registry));
}

TEST_CASE("ListenerRegistry: a check is asked again when what it read is touched, at, above or below", "[events]") {
  ListenerRegistry registry;
  const auto check = std::make_shared<ReadsThere>();
  Subscription subscription;
  subscription.path = at("room");
  subscription.check = check;
  registry.add(subscription);
  struct Case {
    std::string path;
    bool touched;
  };
  const std::vector<Case> cases = {{"users/ada", true},  {"users/ada/name/first", true},
                                   {"users", true},      {"", true},
                                   {"users/bob", false}, {"users/ad", false},
                                   {"room", false},      {"else", false}};
  SECTION("by reading it") { check->reads = {"users/ada"}; }
  SECTION("by asking whether it is there") { check->asks = {"users/ada"}; }
  REQUIRE(registry.check(subscription, moment_of(EmptyView(), Timestamp(1))).ok());
  for (const Case& that : cases) {
    INFO("/" << that.path);
    CHECK(watches(registry, that.path, subscription) == that.touched);
  }
  registry.remove(subscription);
  CHECK(is_bare(registry));
}

TEST_CASE("ListenerRegistry: only what the last check read counts", "[events]") {
  ListenerRegistry registry;
  const auto check = std::make_shared<ReadsThere>();
  Subscription subscription;
  subscription.path = at("room");
  subscription.check = check;
  registry.add(subscription);
  check->reads = {"one", "two"};
  REQUIRE(registry.check(subscription, moment_of(EmptyView(), Timestamp(1))).ok());
  check->reads = {"two", "three"};
  REQUIRE(registry.check(subscription, moment_of(EmptyView(), Timestamp(1))).ok());
  CHECK_FALSE(watches(registry, "one", subscription));
  CHECK(watches(registry, "two", subscription));
  CHECK(watches(registry, "three", subscription));

  SECTION("one that is refused watches nothing any more") {
    check->verdict = Error{ErrorCode::PermissionDenied, "Permission denied"};
    CHECK(registry.check(subscription, moment_of(EmptyView(), Timestamp(1))).error().code ==
          ErrorCode::PermissionDenied);
  }
  SECTION("neither does one without a check") {
    subscription.check = nullptr;
    CHECK(registry.check(subscription, moment_of(EmptyView(), Timestamp(1))).ok());
  }
  CHECK_FALSE(watches(registry, "two", subscription));
  CHECK(registry.size() == 1);  // it still listens
  registry.remove(subscription);
  CHECK(is_bare(registry));
}

TEST_CASE("ListenerRegistry: a check may be asked before its subscription is in", "[events]") {
  ListenerRegistry registry;
  const auto check = std::make_shared<ReadsThere>();
  check->reads = {"users"};
  Subscription subscription;
  subscription.check = check;
  REQUIRE(registry.check(subscription, moment_of(EmptyView(), Timestamp(1))).ok());
  CHECK(watches(registry, "users", subscription));
  registry.remove(subscription);
  CHECK(is_bare(registry));
}
