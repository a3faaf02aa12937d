// How far a long work is, on standard error: on a terminal a bar with rate and time left, elsewhere a line now and then.
// Thread: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace hearth::tools {

inline constexpr std::chrono::milliseconds kBarInterval{200};
inline constexpr std::chrono::seconds kLineInterval{10};

class Progress {
 public:
  explicit Progress(std::string doing);
  ~Progress();  // takes the bar away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `part`: of the whole, 0 to 1; nothing when that is not known.
  void show(uint64_t bytes, std::optional<double> part);
  bool is_due() const;  // whether show() would show something
  std::chrono::duration<double> time() const { return std::chrono::steady_clock::now() - begun_; }

 private:
  const std::string doing_;
  const bool is_terminal_;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_ = begun_;
  bool has_bar_ = false;
};

// `12.3 MB in 4.5 s, 2.7 MB/s, 250000 leaves/s`
std::string figures(uint64_t bytes, uint64_t leaves, std::chrono::duration<double> time);

}  // namespace hearth::tools
