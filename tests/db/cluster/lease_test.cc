#include "db/cluster/lease.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

namespace {

// One node that watches another by a clock of the test's.
struct Watcher {
  BootTime now{1'000'000};
  NodeLease lease;
  BeatWatch watch;
  uint64_t beat = 1;  // the other's

  void renew() { lease.renewed(now, now); }
  void look() {
    watch.begin_look(now, lease);
    watch.saw("n2", "run", beat);
    watch.end_look();
  }
  // Renews and looks as a member does, for that long; `is_other_alive`: the other renews as well.
  void live(BootTime time, bool is_other_alive) {
    for (const BootTime end = now + time; now < end; now += kLookEvery) {
      if ((now.count() / kLookEvery.count()) % 2 == 0) {
        renew();
        beat += is_other_alive ? 1 : 0;
      }
      look();
    }
  }
};

}  // namespace

TEST_CASE("Lease: good from the moment before the renewal was sent, not from its answer", "[cluster][lease]") {
  NodeLease lease;
  CHECK_FALSE(lease.is_good(BootTime(5)));
  lease.renewed(BootTime(10'000), BootTime(10'900));
  CHECK(lease.is_good(BootTime(11'499)));
  CHECK_FALSE(lease.is_good(BootTime(11'500)));
  lease.renewed(BootTime(20'000), BootTime(22'000));  // its answer came when it was over already
  CHECK_FALSE(lease.is_good(BootTime(22'000)));
  lease.renewed(BootTime(30'000), BootTime(30'001));
  CHECK(lease.is_good(BootTime(30'001)));
  lease.end();
  CHECK_FALSE(lease.is_good(BootTime(30'002)));
}

TEST_CASE("Lease: it is known since when a node has been good without a break", "[cluster][lease]") {
  NodeLease lease;
  lease.renewed(BootTime(1'000), BootTime(1'010));
  CHECK(lease.good_since() == BootTime(1'010));
  lease.renewed(BootTime(1'500), BootTime(1'510));
  CHECK(lease.good_since() == BootTime(1'010));
  lease.renewed(BootTime(4'000), BootTime(4'010));  // it was not, from 3,000 on
  CHECK(lease.good_since() == BootTime(4'010));
}

TEST_CASE("Beats: a node whose beat stands still for two seconds of looks has expired", "[cluster][lease]") {
  Watcher n1;
  n1.renew();
  n1.live(BootTime(3'000), true);
  CHECK(n1.watch.is_alive("n2"));
  CHECK(n1.watch.alive_for("n2") >= BootTime(2'500));
  n1.live(BootTime(1'500), false);
  CHECK(n1.watch.is_alive("n2"));
  n1.live(BootTime(750), false);
  CHECK_FALSE(n1.watch.is_alive("n2"));
  // And it is alive with its first beat, though not of old.
  n1.live(BootTime(500), true);
  CHECK(n1.watch.is_alive("n2"));
  CHECK(n1.watch.alive_for("n2") < BootTime(1'000));
}

TEST_CASE("Beats: time in which this node itself was not good does not count", "[cluster][lease]") {
  Watcher n1;
  n1.renew();
  n1.live(BootTime(2'000), true);
  // The engine pauses for 6 s: nobody renews, and every look waits. Or it answers looks, and no renewals.
  SECTION("looks hang as well") { n1.now += BootTime(6'000); }
  SECTION("looks are answered") {
    for (int i = 0; i < 24; ++i) {
      n1.now += kLookEvery;
      n1.look();
    }
  }
  n1.look();
  CHECK(n1.watch.is_alive("n2"));
  n1.renew();
  n1.look();
  CHECK(n1.watch.is_alive("n2"));
  // What was counted before the pause and after it are 2 s together, with none of the pause.
  n1.live(BootTime(500), false);
  CHECK(n1.watch.is_alive("n2"));
  n1.live(BootTime(2'500), false);
  CHECK_FALSE(n1.watch.is_alive("n2"));
}

TEST_CASE("Beats: a process that was stopped, or a machine that slept, finds nobody expired", "[cluster][lease]") {
  Watcher n1;
  n1.renew();
  n1.live(BootTime(2'000), true);
  n1.now += BootTime(3'600'000);
  n1.renew();  // the first thing it does
  n1.look();
  CHECK(n1.watch.is_alive("n2"));
  CHECK(*n1.watch.unmoved("n2") <= kLookCountsMax);
}

TEST_CASE("Beats: a pause shorter than the lease counts for one look at most", "[cluster][lease]") {
  Watcher n1;
  n1.renew();
  n1.live(BootTime(2'000), true);
  n1.now += BootTime(1'400);
  n1.look();
  CHECK(*n1.watch.unmoved("n2") <= BootTime(750));
}

TEST_CASE("Beats: another run of the same name is another life", "[cluster][lease]") {
  Watcher n1;
  n1.renew();
  n1.live(BootTime(3'000), true);
  CHECK(n1.watch.alive_for("n2") > BootTime(2'000));
  n1.watch.begin_look(n1.now, n1.lease);
  n1.watch.saw("n2", "another run", n1.beat);
  n1.watch.end_look();
  CHECK(n1.watch.alive_for("n2") < BootTime(500));
  n1.watch.begin_look(n1.now, n1.lease);
  n1.watch.end_look();
  CHECK_FALSE(n1.watch.unmoved("n2"));  // it was forgotten
  CHECK_FALSE(n1.watch.is_alive("n2"));
}

TEST_CASE("NodeStanding: a node is good while its lease runs and the engine is sound", "[cluster][lease]") {
  BootTime now{5'000};
  NodeStanding standing([&now] { return now; });
  CHECK_FALSE(standing.is_good());
  NodeLease lease;
  lease.renewed(now, now);
  standing.set(lease);
  CHECK(standing.is_good());
  CHECK_FALSE(standing.stale());
  standing.set_sound(false);
  CHECK_FALSE(standing.is_good());
  standing.set_sound(true);
  now += BootTime(2'500);
  REQUIRE(standing.stale());
  CHECK(*standing.stale() == BootTime(1'000));
}
