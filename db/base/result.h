// A value or an Error. Ours because std::expected needs C++23 and the Boost ones are silently dropped.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "db/base/error.h"
#include "db/base/invariant.h"

namespace hearth::db {

template <typename T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  const T& value() const& {
    invariant(ok(), "value() is asked only of a Result that is ok");
    return *std::get_if<0>(&state_);
  }
  T& value() & {
    invariant(ok(), "value() is asked only of a Result that is ok");
    return *std::get_if<0>(&state_);
  }
  // By value, so that `for (… : f().value())` walks something that lives as long as the loop.
  T value() && {
    invariant(ok(), "value() is asked only of a Result that is ok");
    return std::move(*std::get_if<0>(&state_));
  }
  const Error& error() const {
    invariant(!ok(), "error() is asked only of a Result that failed");
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  bool ok() const { return !failed_; }
  const Error& error() const {
    invariant(failed_, "error() is asked only of a Result that failed");
    return error_;
  }

 private:
  Error error_{};
  bool failed_ = false;
};

}  // namespace hearth::db

#define HEARTH_CONCAT_INNER(a, b) a##b
#define HEARTH_CONCAT(a, b) HEARTH_CONCAT_INNER(a, b)

#define HEARTH_ASSIGN_OR_RETURN(result, target, expr) \
  auto result = (expr);                               \
  if (!result.ok()) return result.error();            \
  target = std::move(result).value()

// `ASSIGN_OR_RETURN(auto value, expr);` leaves the function with the error, or goes on with the value.
#define ASSIGN_OR_RETURN(target, ...) HEARTH_ASSIGN_OR_RETURN(HEARTH_CONCAT(result_, __LINE__), target, (__VA_ARGS__))

#define RETURN_IF_ERROR(...)                                                             \
  do {                                                                                   \
    if (auto result_here = (__VA_ARGS__); !result_here.ok()) return result_here.error(); \
  } while (false)
