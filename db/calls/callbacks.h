// Where the app's callbacks run, in order: on a thread of ours, one at a time, or where the app passes them. Thread: any.
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

  // What waits is called first, and what that adds, but no more; in the app's loop, or when a callback closes, all of it is
  // dropped: nobody could call it meanwhile. When it returns no callback runs, but for the one that called it, and none will.
  // To be called once.
  void close();
  void wait_for_others();  // for that: until only callbacks that ask run, and none waits

 private:
  struct Queue;
  const Run run_;
  const std::shared_ptr<Queue> queue_;  // outlives this in what the app's loop holds, and in a thread whose callback closed
  std::thread thread_;
};

}  // namespace hearth::db
