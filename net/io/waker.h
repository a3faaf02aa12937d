// Lets any thread send word to an object that lives on an io thread, without owning that object. Thread: wake() any,
// the rest the home.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "db/base/small_mutex.h"
#include "db/base/wake.h"
#include "net/io/io_pool.h"

namespace hearth::net::http {

class Waker : public db::Wake::Target {
 public:
  // Each wake() runs `task` on the home thread. `task` should hold its object weakly and lock it only there, so that
  // the object is destroyed on no other thread.
  template <typename Call>
  static std::shared_ptr<Waker> make(IoPool& io, size_t thread, Call task) {
    return std::make_shared<Calling<Call>>(io, thread, std::move(task));
  }

  // By db::Wake.
  void wake(const std::shared_ptr<Target>& self) override {
    const std::lock_guard lock(mutex_);
    if (io_ != nullptr) io_->post(thread_, std::static_pointer_cast<const Waker>(self));
  }

  // The object lives on `thread` from here on. A task that was posted before still runs on the old thread.
  void move_to(size_t thread) {
    const std::lock_guard lock(mutex_);
    thread_ = static_cast<uint32_t>(thread);
  }

  // No task is posted from here on, so the pool may be destroyed.
  void detach() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

  virtual void run() const = 0;  // the task; by the io thread

 protected:
  Waker(IoPool& io, size_t thread) : io_(&io), thread_(static_cast<uint32_t>(thread)) {}

 private:
  template <typename Call>
  struct Calling;

  IoPool* io_;
  uint32_t thread_;
  db::SmallMutex mutex_;  // Guards io_ and thread_.
};

template <typename Call>
struct Waker::Calling final : Waker {
  Calling(IoPool& io, size_t thread, Call a_task) : Waker(io, thread), task(std::move(a_task)) {}
  void run() const override { task(); }
  const Call task;
};

}  // namespace hearth::net::http
