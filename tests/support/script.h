// Requests and their replies as text, so that the specification can be read and played (tests/scripts/*.script).
//
//   script := ( "#" comment | exchange )*
//   exchange := "> " method " " target   ( "> " header )*   ( ">> " body )*
//               "< " status              ( "< " header | "< !" name )*   ( "<< " body )*
//
// Body lines are joined by one line end each; a last, empty one stands for a line end. Without body lines a reply's
// body is not looked at; "<< " alone is an empty one. "< !" says that a header is not there. In requests ${x*3} is xxx
// and
// ${x:ff00} are bytes. In replies … is anything, on one line, and {1} to {9} are remembered where they first stand and
// mean the same later, in requests too.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/ask.h"
#include "tests/support/tcp_client.h"

namespace hearth::test {

struct ScriptStep {
  std::string file;
  size_t line = 0;
  std::string about;  // the comment above
  Ask ask;
  int status = 0;
  std::vector<std::string> headers;  // expected
  std::optional<std::string> body;   // expected
  std::string name() const {
    return file + ":" + std::to_string(line) + " " + ask.method + " " + ask.target.substr(0, 200);
  }
};

inline std::vector<ScriptStep> read_script(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<ScriptStep> steps;
  std::string about;
  size_t number = 0;
  bool has_body = false;
  bool is_open = false;  // a request is being read
  for (std::string line; std::getline(file, line);) {
    ++number;
    const std::string where = path + ":" + std::to_string(number);
    const auto rest = [&](size_t mark) { return line.size() > mark ? line.substr(mark + 1) : std::string(); };
    if (line.empty()) continue;
    if (line.front() == '#') {
      about = line.substr(1);
    } else if (line.starts_with(">>")) {
      if (has_body) steps.back().ask.body += '\n';
      steps.back().ask.body += rest(2);
      has_body = true;
    } else if (line.front() == '>' && is_open) {
      steps.back().ask.headers += rest(1) + "\r\n";
    } else if (line.front() == '>') {
      const std::string text = rest(1);
      const size_t blank = text.find(' ');
      if (blank == std::string::npos) throw std::runtime_error(where + ": no target");
      steps.push_back({path.substr(path.rfind('/') + 1),
                       number,
                       about,
                       {text.substr(0, blank), text.substr(blank + 1), "", ""},
                       0,
                       {},
                       {}});
      is_open = true;
      has_body = false;
    } else if (steps.empty()) {
      throw std::runtime_error(where + ": a reply without a request");
    } else if (line.starts_with("<<")) {
      if (steps.back().body) {
        *steps.back().body += '\n' + rest(2);
      } else {
        steps.back().body = rest(2);
      }
    } else if (line.front() == '<' && is_open) {
      steps.back().status = std::stoi(rest(1));
      is_open = false;
    } else if (line.front() == '<') {
      steps.back().headers.push_back(rest(1));
    } else {
      throw std::runtime_error(where + ": neither request nor reply: " + line);
    }
  }
  return steps;
}

// The scripts of a folder, by name.
inline std::vector<std::string> scripts_in(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".script") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Plays steps against anything that answers, remembering what they ask to be remembered.
class ScriptPlayer {
 public:
  // "" when the reply is the one expected, else what is wrong.
  template <typename Answerer>
  std::string play(const ScriptStep& step, const Answerer& answer) {
    Ask ask = step.ask;
    for (std::string* part : {&ask.target, &ask.headers, &ask.body}) *part = request_text(*part);
    const HttpReply reply = answer(ask);
    std::string wrong;
    if (reply.status != step.status) wrong += "status " + std::to_string(reply.status) + "\n";
    for (const std::string& header : step.headers) {
      if (header.starts_with('!')) {
        if (!reply.header(header.substr(1)).empty()) wrong += header.substr(1) + " is there\n";
        continue;
      }
      const size_t colon = header.find(": ");
      const std::string value = reply.header(header.substr(0, colon));
      if (!matches(header.substr(colon + 2), value)) wrong += header.substr(0, colon) + ": " + value + "\n";
    }
    if (step.body && !matches(*step.body, reply.body)) wrong += "expected body:\n" + *step.body + "\n";
    if (!wrong.empty()) wrong += "the reply:\n" + reply.head + reply.body.substr(0, 2000);
    return wrong;
  }

 private:
  std::string request_text(std::string text) const {
    for (size_t at = 0; (at = text.find("${", at)) != std::string::npos;) {
      const size_t end = text.find('}', at);
      const std::string what = text.substr(at + 2, end - at - 2);
      std::string bytes;
      if (what.starts_with("x:")) {
        for (size_t i = 2; i + 1 < what.size(); i += 2) {
          bytes += static_cast<char>(std::stoi(what.substr(i, 2), nullptr, 16));
        }
      } else {
        const size_t star = what.rfind('*');
        for (int i = std::stoi(what.substr(star + 1)); i > 0; --i) bytes += what.substr(0, star);
      }
      text.replace(at, end + 1 - at, bytes);
      at += bytes.size();
    }
    for (const auto& [name, value] : remembered_) {
      for (size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) {
        text.replace(at, name.size(), value);
      }
    }
    return text;
  }

  bool matches(const std::string& expected, const std::string& found) {
    static const std::regex special(R"([.*+?^${}()|[\]\\])");
    std::string pattern = std::regex_replace(expected, special, R"(\$&)");
    for (size_t at = 0; (at = pattern.find("…", at)) != std::string::npos;)
      pattern.replace(at, std::string("…").size(), "[^\\n]*");
    std::vector<std::string> named;
    for (size_t at = 0; (at = pattern.find("\\{", at)) != std::string::npos;) {
      if (at + 5 > pattern.size() || pattern[at + 2] < '1' || pattern[at + 2] > '9' ||
          pattern.compare(at + 3, 2, "\\}") != 0) {
        ++at;
        continue;
      }
      const std::string name = std::string("{") + pattern[at + 2] + "}";
      if (const auto known = remembered_.find(name); known != remembered_.end()) {
        pattern.replace(at, 5, std::regex_replace(known->second, special, R"(\$&)"));
      } else {
        pattern.replace(at, 5, "([^\\n\"]+)");
        named.push_back(name);
      }
    }
    // Plain text needs no expression: those give up on long ones.
    if (named.empty() && expected.find("…") == std::string::npos && expected.find('{') == std::string::npos) {
      return expected == found;
    }
    std::smatch match;
    if (!std::regex_match(found, match, std::regex(pattern))) return false;
    for (size_t i = 0; i < named.size(); ++i) remembered_[named[i]] = match[i + 1];
    return true;
  }

  std::map<std::string, std::string> remembered_;
};

}  // namespace hearth::test
