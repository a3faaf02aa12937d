// libFuzzer's door to the target that FUZZ_TARGET names (tools/fuzz).
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const hearth::test::FuzzTarget target = [] {
    const char* name = std::getenv("FUZZ_TARGET");
    const auto found = hearth::test::fuzz_targets().find(name == nullptr ? "" : name);
    if (found != hearth::test::fuzz_targets().end()) return found->second;
    std::fputs("FUZZ_TARGET is none of:\n", stderr);
    for (const auto& [known, function] : hearth::test::fuzz_targets()) std::fprintf(stderr, "  %s\n", known.c_str());
    std::exit(1);
  }();
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
