// Alarms ring once, in the order of their times.
#include "db/shard/alarms.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace hearth::db;

namespace {

class Rung {
 public:
  Alarms::Ring ring() {
    return [this](const std::string& space, Alarms::For what) {
      const std::lock_guard lock(mutex_);
      rung_.push_back(space + (what == Alarms::For::Expiry     ? " expiry"
                               : what == Alarms::For::Throttle ? " throttle"
                                                               : " mirrors"));
      more_.notify_one();
    };
  }
  std::vector<std::string> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    REQUIRE(more_.wait_for(lock, std::chrono::seconds(20), [&] { return rung_.size() >= count; }));
    return rung_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::string> rung_;
};

}  // namespace

TEST_CASE("Alarms: ring in order, the sooner of two alone", "[shard]") {
  Rung rung;
  ManualClock clock{Timestamp(1'000)};
  Alarms alarms(clock, true, rung.ring());
  alarms.set("b", Alarms::For::Expiry, Timestamp(300));
  alarms.set("a", Alarms::For::Expiry, Timestamp(500));
  alarms.set("a", Alarms::For::Throttle, Timestamp(100));
  alarms.set("a", Alarms::For::Expiry, Timestamp(200));
  alarms.set("a", Alarms::For::Expiry, Timestamp(900));
  clock.advance(Timestamp(150));
  CHECK(rung.wait_for(1) == std::vector<std::string>{"a throttle"});
  clock.advance(Timestamp(1'000));
  CHECK(rung.wait_for(3) == std::vector<std::string>{"a throttle", "a expiry", "b expiry"});
  alarms.set("c", Alarms::For::Expiry, Timestamp(0));
  CHECK(rung.wait_for(4).back() == "c expiry");
  alarms.close();
  alarms.set("d", Alarms::For::Expiry, Timestamp(0));
}

TEST_CASE("Alarms: a sooner one wakes the thread", "[shard]") {
  Rung rung;
  const SteadyClock clock;
  Alarms alarms(clock, false, rung.ring());
  alarms.set("late", Alarms::For::Expiry, std::chrono::hours(2));
  alarms.set("soon", Alarms::For::Expiry, Timestamp(5));
  CHECK(rung.wait_for(1) == std::vector<std::string>{"soon expiry"});
}
