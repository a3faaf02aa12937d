// The text format of Prometheus, read strictly: what a scraper might forgive is a fault here. Pure.
//
//   text   := family*                                                                    each line ends with LF
//   family := "# HELP " name " " help   "# TYPE " name " " type   sample+                each name once
//   sample := name [ "_bucket" | "_sum" | "_count" ] [ "{" label="value" ("," …)* "}" ] " " number
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace hearth::test {

class Exposition {
 public:
  explicit Exposition(const std::string& text) {
    if (text.empty() || text.back() != '\n') fault("the text does not end with a newline");
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) read(line);
    end_family();
  }

  const std::vector<std::string>& faults() const { return faults_; }
  std::string all_faults() const {
    std::string all;
    for (const std::string& one : faults_) all += one + "\n";
    return all;
  }
  // By what stands before the value: `name{label="value"}`.
  const std::map<std::string, double>& series() const { return series_; }
  bool has(const std::string& name) const { return series_.contains(name); }
  double at(const std::string& name) const {
    const auto found = series_.find(name);
    return found == series_.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
  }
  const std::set<std::string>& families() const { return families_; }

 private:
  void fault(const std::string& what) { faults_.push_back(what); }

  void read(const std::string& line) {
    static const std::regex kHelp(R"(# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*))");
    static const std::regex kType(R"(# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram))");
    static const std::regex kSample(
        R"(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*")*\})? (\S+))");
    std::smatch found;
    if (std::regex_match(line, found, kHelp)) return begin_family(found[1]);
    if (std::regex_match(line, found, kType)) return set_type(found[1], found[2]);
    if (std::regex_match(line, found, kSample)) return add(found[1], found[2], found[4]);
    fault("not a line of the format: " + line);
  }

  void begin_family(const std::string& name) {
    end_family();
    family_ = name;
    if (!families_.insert(name).second) fault("a second family " + name);
  }

  void set_type(const std::string& name, const std::string& type) {
    if (name != family_ || !type_.empty() || samples_ > 0) fault("TYPE of " + name + " is not right behind its HELP");
    type_ = type;
    if ((type == "counter") != name.ends_with("_total")) fault(name + " is a " + type);
  }

  void add(const std::string& name, const std::string& labels, const std::string& number) {
    const std::string suffix = name.starts_with(family_) ? name.substr(family_.size()) : "?";
    const bool fits =
        type_ == "histogram" ? suffix == "_bucket" || suffix == "_sum" || suffix == "_count" : suffix.empty();
    if (type_.empty() || !fits) fault(name + " is not of the family " + family_ + " of type " + type_);
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (*end != '\0' || std::isnan(value)) fault(name + " is not a number: " + number);
    if (type_ != "gauge" && value < 0) fault(name + " is negative: " + number);
    if (!series_.emplace(name + labels, value).second) fault("a second series " + name + labels);
    ++samples_;
    if (suffix == "_bucket") add_bucket(labels, value);
  }

  // Histograms have no other labels.
  void add_bucket(const std::string& labels, double value) {
    static const std::regex kBound(R"re(\{le="([^"]+)"\})re");
    std::smatch found;
    if (!std::regex_match(labels, found, kBound)) return fault(family_ + " has a bucket without a bound: " + labels);
    const double bound = std::strtod(found[1].str().c_str(), nullptr);  // "+Inf" too
    if (!buckets_.empty() && bound <= buckets_.back().first) fault(family_ + ": bounds do not ascend at " + labels);
    if (!buckets_.empty() && value < buckets_.back().second)
      fault(family_ + ": buckets are not cumulative at " + labels);
    buckets_.emplace_back(bound, value);
  }

  void end_family() {
    if (family_.empty()) return;
    if (samples_ == 0) fault(family_ + " has no sample");
    if (type_ == "histogram") {
      if (buckets_.empty() || !std::isinf(buckets_.back().first)) {
        fault(family_ + " has no bucket +Inf");
      } else if (buckets_.back().second != at(family_ + "_count")) {
        fault(family_ + ": its bucket +Inf is not its count");
      }
      if (!has(family_ + "_sum")) fault(family_ + " has no sum");
    }
    family_.clear();
    type_.clear();
    samples_ = 0;
    buckets_.clear();
  }

  std::vector<std::string> faults_;
  std::map<std::string, double> series_;
  std::set<std::string> families_;
  std::string family_, type_;  // that is being read
  size_t samples_ = 0;
  std::vector<std::pair<double, double>> buckets_;
};

}  // namespace hearth::test
