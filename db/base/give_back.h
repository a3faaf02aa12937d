// Gives the memory of a string or a container back. `of = {}` and `of.clear()` keep its room for what comes next.
#pragma once

#include <utility>

namespace hearth::db {

template <typename T>
void give_back(T& of) {
  T empty{};
  std::swap(of, empty);
}

}  // namespace hearth::db
