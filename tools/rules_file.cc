#include "tools/rules_file.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "rules/language/text.h"

namespace hearth::tools {
namespace {

// The lines "LINE:COLUMN: text" of an error, each behind the file's name.
[[noreturn]] void fail_in(const std::string& path, const std::string& lines) {
  std::istringstream in(lines);
  std::string all;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) all += fmt::format("{}{}:{}", all.empty() ? "" : "\n", path, line);
  }
  throw std::runtime_error(all);
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<const rules::Ruleset> load_rules(const std::string& path) {
  std::string text = read_file(path);
  if (text.size() > rules::kRulesBytesMax) {
    throw std::runtime_error(fmt::format("{}: the rules are larger than {} bytes", path, rules::kRulesBytesMax));
  }
  auto ruleset = rules::Ruleset::compile(std::move(text));
  if (!ruleset.ok()) fail_in(path, ruleset.error().message);
  return std::move(ruleset).value();
}

std::string load_json(const std::string& path) {
  auto json = rules::strict_json(read_file(path));
  if (!json.ok()) fail_in(path, json.error().message);
  return std::move(json).value();
}

}  // namespace hearth::tools
