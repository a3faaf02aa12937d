// Wakes somebody for a namespace at a time: when a child of it becomes too old, when listeners may hear again, when an
// ephemeral value has been there for its time, when what failed for a moment is tried again. One thread for all, which is
// there from the first alarm on.
//
// Thread: any. What rings runs on the thread of the alarms, and only passes the word on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "db/base/clock.h"

namespace hearth::db {

class Alarms {
 public:
  enum class For : uint8_t { Expiry, Throttle, Ephemeral, Mirrors };
  // `clock`: a steady one, or one that a test moves: then it is looked at every few milliseconds.
  using Ring = std::function<void(const std::string& space, For what)>;
  Alarms(const Clock& clock, bool is_moved_by_hand, Ring ring)
      : clock_(clock), is_moved_by_hand_(is_moved_by_hand), ring_(std::move(ring)) {}
  ~Alarms() { close(); }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

  // Rings once, after so long. One that was set for the same before, and is sooner, stays alone.
  void set(const std::string& space, For what, std::chrono::milliseconds in);
  Timestamp now() const { return clock_.now(); }
  void close();  // none rings any more, and none can be set

 private:
  using Whose = std::pair<std::string, For>;
  void work();

  const Clock& clock_;
  const bool is_moved_by_hand_;
  const Ring ring_;
  std::mutex mutex_;  // Guards all below; not held while somebody is called.
  std::condition_variable more_;
  std::set<std::pair<Timestamp, Whose>> by_time_;
  std::map<Whose, Timestamp> by_whose_;
  bool is_closed_ = false;
  std::thread thread_;
};

}  // namespace hearth::db
