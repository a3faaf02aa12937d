// The value of a part of an expression while a rule is evaluated, and the memory of its strings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/model/tree_view.h"
#include "rules/language/auth_variable.h"

namespace hearth::rules {

// A node of one of the trees, there or not.
struct Snapshot {
  const db::TreeView* tree = nullptr;
  std::string_view path{};  // encoded
  size_t lost = 0;          // keys below it that no tree can hold: nothing is there
};

struct Datum {
  enum class Kind : uint8_t { Failed, Null, Boolean, Number, String, Claims, Node, Snapshot, Query };
  Kind kind = Kind::Null;
  bool boolean = false;
  double number = 0;
  std::string_view string{};                   // of the expression, the claims or the scratch
  const AuthVariable::Node* claims = nullptr;  // an object or array
  Snapshot snapshot{};

  static Datum of(bool value) { return {.kind = Kind::Boolean, .boolean = value}; }
  static Datum of(double value) { return {.kind = Kind::Number, .number = value}; }
  static Datum of(std::string_view value) { return {.kind = Kind::String, .string = value}; }
  static Datum of(const Snapshot& value) { return {.kind = Kind::Snapshot, .snapshot = value}; }
  bool failed() const { return kind == Kind::Failed; }
  bool is_true() const { return kind == Kind::Boolean && boolean; }
};

// Strings that live as long as one rule's evaluation. Kept by the thread, so that a rule is evaluated without
// allocating.
class Scratch {
 public:
  static Scratch& of_this_thread() {
    static thread_local Scratch scratch;
    return scratch;
  }
  std::string& next() {
    if (used_ == strings_.size()) strings_.push_back(std::make_unique<std::string>());
    std::string& string = *strings_[used_++];
    string.clear();
    return string;
  }
  void clear() {
    constexpr size_t kKept = 64, kKeptBytes = 4096;
    if (strings_.size() > kKept) strings_.resize(kKept);
    for (size_t i = 0; i < std::min(used_, strings_.size()); ++i) {
      if (strings_[i]->capacity() > kKeptBytes) *strings_[i] = std::string();
    }
    used_ = 0;
  }

 private:
  std::vector<std::unique_ptr<std::string>> strings_;
  size_t used_ = 0;
};

// A number as JavaScript writes it, also those that JSON has not.
void append_number(double value, std::string& to);

// The code point that begins at `at`, which moves behind it. Precondition: UTF-8, and something is there.
uint32_t take_point(std::string_view utf8, size_t& at);

}  // namespace hearth::rules
