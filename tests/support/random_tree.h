// Random paths, values and writes over a small set of keys, so that they meet. Every test that uses it prints the seed.
#pragma once

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "db/model/path.h"
#include "db/model/value.h"
#include "db/model/write.h"

namespace hearth::test {

// What TEST_SEED says. Without it each plain run is the same run, so that it says of a change whether that is right; a long
// one (HEARTH_LONG) draws a seed, and looks for what no seed has shown yet.
inline uint64_t seed_of_run() {
  const char* given = std::getenv("TEST_SEED");
  if (given != nullptr) return std::strtoull(given, nullptr, 10);
  return std::getenv("HEARTH_LONG") != nullptr ? std::random_device()() : 1;
}

class RandomTree {
 public:
  explicit RandomTree(uint64_t seed) : random_(seed) {}

  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  bool chance(double probability) { return std::uniform_real_distribution<>(0, 1)(random_) < probability; }

  std::string key() {
    static const std::vector<std::string> keys = {"a", "b", "1", "2", "10", "-3", "03", "é", "😀", "\uF000", "zz"};
    return keys[below(keys.size())];
  }

  db::Path path(size_t depth_max = 4) {
    db::Path path;
    for (size_t depth = below(depth_max + 1); depth > 0; --depth) path = path.child(key()).value();
    return path;
  }

  db::Value leaf() {
    switch (below(6)) {
      case 0:
        return db::Value::boolean(chance(0.5));
      case 1:
        return db::Value::integer(static_cast<int64_t>(below(5)) - 2);
      case 2:
        return db::Value::integer(INT64_MAX - static_cast<int64_t>(below(3)));
      case 3:
        return db::Value::real(0.5 + static_cast<double>(below(3)));
      default:
        return db::Value::string(key());
    }
  }

  db::Value priority() {
    if (chance(0.3)) return {};
    return chance(0.5) ? db::Value::real(static_cast<double>(below(4))) : db::Value::string(key());
  }

  db::Value value(size_t depth_max = 3) {
    db::Value value;
    if (chance(0.15)) return value;
    if (depth_max == 0 || chance(0.4)) {
      value = leaf();
    } else {
      std::vector<std::pair<std::string, db::Value>> children;
      for (size_t count = below(5); count > 0; --count) children.emplace_back(key(), this->value(depth_max - 1));
      value = db::Value::object(children);
    }
    return chance(0.15) ? value.with_priority(priority()) : value;
  }

  std::vector<db::Overwrite> overwrites(const db::Path& base, size_t count) {
    std::vector<db::Overwrite> all;
    for (size_t tries = 0; all.size() < count && tries < 20; ++tries) {
      db::Overwrite overwrite;
      overwrite.path = base;
      for (size_t depth = below(3) + (count > 1 ? 1 : 0); depth > 0; --depth)
        overwrite.path = overwrite.path.child(key()).value();
      if (chance(0.15)) {
        overwrite.slot = db::Slot::Priority;
        overwrite.value = priority();
      } else {
        overwrite.value = value();
      }
      all.push_back(overwrite);
      if (!db::check_overlap(all).ok()) all.pop_back();
    }
    return all;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace hearth::test
