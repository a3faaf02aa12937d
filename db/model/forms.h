// What is told to many is serialised once for each way to write it, by the first who asks, and shared from then on.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace hearth::db {

using SharedBytes = std::shared_ptr<const std::string>;

// A way to serialise something. Each protocol has constants of its own; the address of one tells it from others.
struct Form {
  const char* name = nullptr;
  bool is_one_of_many = false;  // of a protocol that has more than a few, one for each length of path or the like
};

// The texts of one immutable thing. Thread: any.
class Forms {
 public:
  static constexpr size_t kMax = 4;  // kept, and as many of those that are one of many; more are made anew

  // Made by `make` for the first who asks for the form. `form` outlives this.
  template <typename Make>
  SharedBytes bytes(const Form& form, const Make& make) const {
    if (SharedBytes known = find(form)) return known;
    return make_bytes(form, [&make] { return make(); });
  }

 private:
  SharedBytes find(const Form& form) const;
  SharedBytes make_bytes(const Form& form, const std::function<std::string()>& make) const;

  struct Made {
    std::atomic<const Form*> form = nullptr;  // set once, after `bytes`
    SharedBytes bytes;
  };
  mutable std::mutex mutex_;                 // Guards what is made.
  mutable std::array<Made, 2 * kMax> made_;  // the second half is for those that are one of many
};

}  // namespace hearth::db
