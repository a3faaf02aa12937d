// Where the app's callbacks run, in order: on a thread of ours, one at a time, or where the app passes them. Thread:
// any.
#pragma once

#include <functional>
#include <memory>
#include <thread>

namespace hearth::db {

class Callbacks {
 public:
  // Passes a task on to the app's loop; empty: there is none.
  using Run = std::function<void(std::function<void()>)>;
  explicit Callbacks(Run run);
  ~Callbacks();  // after close()

  void add(std::function<void()> task);  // once it is closed: dropped
  bool is_here() const;                  // whether a callback is what asks

  // On our own thread: calls what waits, and what these calls add, but no more. In the app's loop, or when a callback
  // closes: drops what waits, for nobody could call it meanwhile. When close() returns, no callback runs but the one
  // that called it, and none will. To be called once.
  void close();
  void wait_for_others();  // waits until nothing is queued and only the caller's own callbacks run

 private:
  struct Queue;
  const Run run_;
  const std::shared_ptr<Queue>
      queue_;  // outlives this in what the app's loop holds, and in a thread whose callback closed
  std::thread thread_;
};

}  // namespace hearth::db
