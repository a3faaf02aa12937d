// What any bytes may be given to. A target is a function that must come back, whatever it is given; what must hold of
// what it saw is an invariant() of its own.
//
//   FUZZ_TARGET(path) { … bytes … }      in a *_fuzz.cc; its seeds, and what it has found, are in corpus/path/
//
// tools/fuzz makes up bytes (libFuzzer, preset `fuzz`); corpus_test.cc plays the corpora in every other build.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "db/base/invariant.h"

namespace hearth::test {

using db::invariant;
using FuzzTarget = void (*)(std::string_view bytes);

// By name; those of this program.
std::map<std::string, FuzzTarget>& fuzz_targets();

}  // namespace hearth::test

#define FUZZ_TARGET(name)                                                                              \
  static void fuzz_##name(std::string_view);                                                           \
  static const bool name##_is_known = hearth::test::fuzz_targets().emplace(#name, fuzz_##name).second; \
  static void fuzz_##name([[maybe_unused]] std::string_view bytes)
