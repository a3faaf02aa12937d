// A list of pointers of which there are many lists, most with one entry or none: sixteen bytes, and no memory beside
// them while there is one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace hearth::db {

template <typename T>
class PointerList {
 public:
  PointerList() = default;
  ~PointerList() { free(); }
  PointerList(PointerList&& other) noexcept
      : at_(std::exchange(other.at_, {})),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, kOne)) {}
  PointerList& operator=(PointerList&& other) noexcept {
    PointerList gone(std::move(*this));
    std::swap(at_, other.at_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
    return *this;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  T** begin() { return room_ == kOne ? &at_.one : at_.many; }
  T** end() { return begin() + size_; }
  T* const* begin() const { return room_ == kOne ? &at_.one : at_.many; }
  T* const* end() const { return begin() + size_; }
  T*& operator[](size_t at) { return begin()[at]; }
  T*& back() { return begin()[size_ - 1]; }
  // For who may take some out while going through them.
  std::vector<T*> copy() const { return {begin(), end()}; }

  void push_back(T* one) {
    if (size_ == room_) grow();
    begin()[size_++] = one;
  }
  void pop_back() {
    if (--size_ == 0) free();
  }
  void clear() {
    size_ = 0;
    free();
  }

 private:
  static constexpr uint32_t kOne = 1;  // there is room for one, in the list itself

  void grow() {
    auto** many = new T*[size_t{2} * room_];
    std::copy(begin(), end(), many);
    const uint32_t room = 2 * room_;
    free();
    at_.many = many;
    room_ = room;
  }
  void free() {
    if (room_ != kOne) delete[] at_.many;
    room_ = kOne;
    at_.one = nullptr;
  }

  union {
    T* one = nullptr;
    T** many;
  } at_;
  uint32_t size_ = 0;
  uint32_t room_ = kOne;
};

}  // namespace hearth::db
