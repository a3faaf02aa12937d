// Bytes made of other bytes, as a fuzzer makes them, but always the same for a seed: for builds without libFuzzer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::test {

inline constexpr size_t kMutatedBytesMax = 2'000;

class Mutator {
 public:
  // `seeds` is not empty.
  Mutator(std::vector<std::string> seeds, uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

  // One of the seeds, after a few changes.
  std::string next() {
    std::string bytes = seeds_[below(seeds_.size())];
    for (size_t left = 1 + below(6); left > 0; --left) change(bytes);
    bytes.resize(std::min(bytes.size(), kMutatedBytesMax));
    return bytes;
  }

 private:
  // A generator's numbers are the same everywhere; a distribution's are not.
  size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }

  char a_byte() {
    static constexpr std::string_view kEdges("\0\x01\x7f\x80\xff\n\r\"\\/%.,:{}[]()#$ 0-9", 26);
    return below(2) == 0 ? kEdges[below(kEdges.size())] : static_cast<char>(below(256));
  }

  void change(std::string& bytes) {
    const size_t at = below(bytes.size() + 1);
    const size_t length = below(std::min<size_t>(bytes.size() - at, 16) + 1);
    switch (below(7)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = a_byte();
        break;
      case 2:
        bytes.insert(at, 1 + below(4), a_byte());
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(below(bytes.size() + 1), bytes.substr(at, length));
        break;
      case 5:
        bytes.resize(at);
        break;
      default: {
        const std::string& other = seeds_[below(seeds_.size())];
        bytes = bytes.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }

  const std::vector<std::string> seeds_;
  std::mt19937_64 random_;
};

}  // namespace hearth::test
