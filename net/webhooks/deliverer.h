// Delivers what happens in namespaces to their webhooks. deliverer.cc draws the way of a change.
//
// Thread: any. The work is done on a thread of its own, which is there once some namespace has a webhook, or somebody asks for
// one; a namespace without webhooks costs nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/result.h"
#include "net/webhooks/options.h"

namespace hearth::rules {
class Guard;
}

namespace hearth::net::webhooks {

// What an administrator asks of the webhooks of a namespace. The answer is JSON.
struct Ask {
  enum class What : uint8_t { List, Add, Test, Pause, Resume, Remove, Rotate, Dead, Retry, Clear };
  What what = What::List;
  std::string space;  // as the guard resolved it
  std::string hook{};
  std::string letter{};          // Retry, Clear: the id of its message; "": the oldest, or all
  std::string url{}, path{"/"};  // Add
  std::string since{"now"};      // Add: as the change feed has it
  bool before = false;           // Add
};

class Deliverer {
 public:
  struct Counts {
    db::Counter delivered;  // messages that were answered 2xx
    db::Counter failed;     // attempts that were not
    db::Counter dead;       // messages given up
    db::Counter missed;     // times that changes were cut from the log before they were delivered
    db::Counter dropped;    // dead letters that went, for there were too many
    std::atomic<uint64_t> hooks{0};
    std::atomic<uint64_t> under_way{0};  // attempts
    std::atomic<int64_t> waiting_since{
        0};  // the time of the oldest change that waits for a hook which is not paused; 0: none
  };

  // Errors: InvalidArgument: a host that is none.
  static db::Result<std::unique_ptr<Deliverer>> open(rules::Guard& guard, WebhookOptions options);
  ~Deliverer();  // stop()s
  Deliverer(const Deliverer&) = delete;
  Deliverer& operator=(const Deliverer&) = delete;

  // Goes on where the last run ended. Blocks on the disk. Errors: Io, Corruption.
  db::Result<void> start();
  // In a cluster: the namespaces for which `is_one` have come to this node, or left it. What was known of their webhooks is
  // forgotten, and those that are served here now go on from what is in the store. Any thread, until stop().
  void moved(std::function<bool(const std::string& space)> is_one);
  // When it returns nothing is sent, nobody asks the guard, and no `done` is called any more; attempts under way are given up,
  // and made again by the next run.
  void stop();

  // `done`: once, on the deliverer's thread, unless it stops before.
  using Done = std::function<void(db::Result<std::string>)>;
  void ask(Ask ask, Done done);

  const Counts& counts() const { return counts_; }

 private:
  class Core;
  Deliverer();

  Counts counts_;
  std::unique_ptr<Core> core_;
};

}  // namespace hearth::net::webhooks
