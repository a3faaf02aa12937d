// The way into something that will be closed: close() waits for everyone who was let in, and later ones are refused.
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace hearth::db {

class Gate {
 public:
  // Whether one may come in; close() waits until it is destroyed.
  class Pass {
   public:
    explicit Pass(Gate& of) : of_(of) {
      if (of.is_closed_) return;  // so that those who try again and again keep nobody waiting
      ++of.inside_;
      is_inside_ = !of.is_closed_;
      if (!is_inside_) leave();
    }
    ~Pass() {
      if (is_inside_) leave();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    explicit operator bool() const { return is_inside_; }

   private:
    void leave() {
      if (--of_.inside_ == 0 && of_.is_closed_) of_.inside_.notify_all();
    }
    Gate& of_;
    bool is_inside_ = false;
  };

  // False when it was closed before. Waits for those inside.
  bool close() {
    const bool is_first = !is_closed_.exchange(true);
    for (uint32_t inside = inside_; inside > 0; inside = inside_) inside_.wait(inside);
    return is_first;
  }

 private:
  std::atomic<uint32_t> inside_ = 0;
  std::atomic<bool> is_closed_ = false;
};

}  // namespace hearth::db
