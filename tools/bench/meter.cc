// The figures are read before the CPU at the start and after it at the end, so that reading them is in no figure.
#include "tools/bench/meter.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "tools/bench/http.h"

namespace hearth::tools {

ServerFigures::ServerFigures(const Address& address) {
  HttpReply reply = http(address, "GET", "/.metrics", {}, kOwner);
  if (reply.status == 200) page_ = "\n" + std::move(reply.body);
}

std::optional<double> ServerFigures::find(std::string_view name) const {
  const std::string line = fmt::format("\n{} ", name);
  const size_t at = page_.find(line);
  if (at == std::string::npos) return std::nullopt;
  return std::strtod(page_.c_str() + at + line.size(), nullptr);
}

Meter::Meter(Subject& subject) : subject_(subject), before_(subject.address()), cpu_before_(subject.cpu_micros()) {}

void Meter::stop() {
  cpu_ = subject_.cpu_micros() - cpu_before_;
  after_.emplace(subject_.address());
}

std::optional<double> Meter::growth(std::string_view name) const {
  const auto before = before_.find(name), after = after_->find(name);
  if (!before || !after) return std::nullopt;
  return *after - *before;
}

void Meter::add_cpu(Report& report, const std::string& name, uint64_t count) const {
  if (subject_.is_child() && count > 0) report.add(name, cpu_ / static_cast<double>(count));
}

void Meter::add_syncs(Report& report, uint64_t writes, const std::string& prefix) const {
  const auto syncs = growth("hearth_fsync_seconds_count");
  if (syncs && writes > 0) report.add(prefix + "fsyncs_per_write", *syncs / static_cast<double>(writes));
}

void Meter::add_sends(Report& report, uint64_t events) const {
  const auto sends = growth("hearth_sends_total");
  if (sends && *sends > 0) report.add("events_per_send", static_cast<double>(events) / *sends);
}

// proc(5), /proc/stat: cpu user nice system idle iowait irq softirq steal, in ticks; what guests had is in user and nice.
ProcessorTime::ProcessorTime() {
  constexpr int kFields = 8, kSteal = 7;
  std::ifstream stat("/proc/stat");
  std::string name;
  stat >> name;
  double ticks = 0;
  for (int i = 0; i < kFields && stat >> ticks; ++i) {
    all_ += ticks;
    if (i == kSteal) stolen_ = ticks;
  }
}

double ProcessorTime::stolen_percent_since(const ProcessorTime& before) const {
  return all_ > before.all_ ? 100 * (stolen_ - before.stolen_) / (all_ - before.all_) : 0;
}

}  // namespace hearth::tools
