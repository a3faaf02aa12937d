// Progress goes to standard error, so that a dump on standard output stays clean. A terminal has a bar that is
// overwritten; a log has a line every ten seconds.
#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hearth::tools {
namespace {

constexpr size_t kBarWidth = 30;
constexpr double kMega = 1e6;

std::string time_text(double seconds) {
  const auto whole = static_cast<uint64_t>(std::ceil(seconds));
  return whole < 60 ? fmt::format("{} s", whole) : fmt::format("{}:{:02} min", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string doing) : doing_(std::move(doing)), is_terminal_(isatty(STDERR_FILENO) == 1) {}

// What is printed after the work must not stand behind a half-erased bar.
Progress::~Progress() {
  if (has_bar_) fmt::print(stderr, "\r\x1b[K");
}

bool Progress::is_due() const {
  const std::chrono::milliseconds interval = is_terminal_ ? kBarInterval : std::chrono::milliseconds(kLineInterval);
  return std::chrono::steady_clock::now() - shown_ >= interval;
}

// The time left assumes the average rate so far: the rate of the last moment would jump.
void Progress::show(uint64_t bytes, std::optional<double> part) {
  if (!is_due()) return;
  shown_ = std::chrono::steady_clock::now();
  const double seconds = std::max(time().count(), 1e-3);
  std::string text = fmt::format("{:.1f} MB, {:.1f} MB/s", static_cast<double>(bytes) / kMega,
                                 static_cast<double>(bytes) / kMega / seconds);
  if (part && *part > 0.001) {
    text = fmt::format("{:.0f} %, {}, {} left", 100 * *part, text, time_text(seconds * (1 - *part) / *part));
  }
  if (!is_terminal_) return fmt::print(stderr, "{}: {}\n", doing_, text);
  std::string bar;
  if (part) {
    const auto full = static_cast<size_t>(*part * kBarWidth);
    bar = "[" + std::string(full, '#') + std::string(kBarWidth - full, '.') + "] ";
  }
  fmt::print(stderr, "\r\x1b[K{} {}{}", doing_, bar, text);
  std::fflush(stderr);
  has_bar_ = true;
}

std::string figures(uint64_t bytes, uint64_t leaves, std::chrono::duration<double> time) {
  const double seconds = std::max(time.count(), 1e-3);
  return fmt::format("{:.1f} MB in {:.1f} s, {:.1f} MB/s, {:.0f} leaves/s", static_cast<double>(bytes) / kMega, seconds,
                     static_cast<double>(bytes) / kMega / seconds, static_cast<double>(leaves) / seconds);
}

}  // namespace hearth::tools
