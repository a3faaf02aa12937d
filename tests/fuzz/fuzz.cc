#include "tests/fuzz/fuzz.h"

namespace hearth::test {

std::map<std::string, FuzzTarget>& fuzz_targets() {
  static std::map<std::string, FuzzTarget> targets;
  return targets;
}

}  // namespace hearth::test
