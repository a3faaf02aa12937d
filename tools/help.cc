// `hearth help`: prints a chapter of the manual, on a terminal through a pager, or lists the chapters and the commands.
//
// The chapters are a part of the program (chapters.h), so the manual is always that of the version at hand, and needs
// no installation. A pager may be missing, or may end before it has read all: the first is answered by printing the
// text after all (kNotFound is the shell's word for it), the second by ignoring SIGPIPE.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tools/chapters.h"
#include "tools/commands.h"
#include "tools/rest_client.h"

namespace hearth::tools {
namespace {

constexpr size_t kLineColumns = 80;
constexpr size_t kNameColumns = 18;
constexpr int kNotFound = 127;  // the exit status of a shell that does not find the program
// less passes what makes headings bold, and ends by itself when all fits the screen.
constexpr const char* kUsualPager = "if command -v less >/dev/null; then exec less -FRX; fi; exec cat";

// The paragraph below the title says what a chapter is for: "This chapter says how …" is listed as "Says how …".
std::string purpose_of(const Chapter& chapter) {
  static constexpr std::string_view kBegin = "This chapter ";
  const size_t from = chapter.text.find("\n\n") + 2;
  std::string text(chapter.text.substr(from, chapter.text.find("\n\n", from) - from));
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (!text.starts_with(kBegin)) return text;
  text.erase(0, kBegin.size());
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

// The name of a chapter or of a command, and behind the name its text, in lines that fit a terminal.
std::string entry_of(const std::string& name, std::string_view text) {
  std::string lines = fmt::format("  {:<{}}", name, kNameColumns - 2);
  for (size_t column = kNameColumns; !text.empty();) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > kNameColumns && column + 1 + word.size() > kLineColumns) {
      lines += '\n' + std::string(kNameColumns, ' ');
      column = kNameColumns;
    }
    lines += ' ';
    lines += word;
    column += 1 + word.size();
  }
  return lines + '\n';
}

std::string contents_of(const CLI::App& program) {
  std::string text = "# Chapters of the manual: hearth help CHAPTER\n\n";
  for (const Chapter& chapter : chapters()) text += entry_of(std::string(chapter.name), purpose_of(chapter));
  text += "\n# Commands: hearth COMMAND --help\n\n";
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    text += entry_of(command->get_name(), command->get_description());
  }
  return text;
}

std::string with_bold_headings(std::string_view text) {
  std::string bold;
  bool is_code = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with("```")) is_code = !is_code;
    bold += line.starts_with('#') && !is_code ? fmt::format("\033[1m{}\033[0m\n", line) : fmt::format("{}\n", line);
  }
  return bold;
}

void show(const std::string& text) {
  if (::isatty(STDOUT_FILENO) != 1) {
    fmt::print("{}", text);
    return;
  }
  const std::string bold = env("TERM") == "dumb" ? text : with_bold_headings(text);
  ::setenv("LESS", "FRX", 0);  // for a PAGER of less
  const std::string pager = env("PAGER");
  std::FILE* pipe = ::popen(pager.empty() ? kUsualPager : pager.c_str(), "w");
  if (pipe != nullptr) {
    std::signal(SIGPIPE, SIG_IGN);  // whoever has read enough ends the pager
    std::fwrite(bold.data(), 1, bold.size(), pipe);
    const int status = ::pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != kNotFound) return;
  }
  fmt::print("{}", bold);
}

int help(const std::string& topic, const CLI::App& program) {
  if (topic.empty()) {
    show(contents_of(program));
    return 0;
  }
  std::string names;
  for (const Chapter& chapter : chapters()) {
    if (chapter.name == topic) {
      show(std::string(chapter.text));
      return 0;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", chapter.name);
  }
  throw std::runtime_error(fmt::format("the manual has no chapter '{}'. Its chapters are: {}", topic, names));
}

}  // namespace

void add_help(CLI::App& program, Chosen& chosen) {
  const auto topic = std::make_shared<std::string>();
  CLI::App* command = program.add_subcommand("help", "Prints a chapter of the manual, or lists the chapters");
  command->add_option("chapter", *topic, "The chapter; without it, all are listed with what each is for");
  command->footer(R"(On a terminal the chapter is shown by $PAGER, or else by less, where there is one.

Exit status: 0, or 1 when there is no such chapter.)");
  command->callback([topic, &program, &chosen] {
    chosen.run = [topic, &program] { return help(*topic, program); };
    chosen.keeps_descriptor_limit = true;  // the pager has the limit that it would have without us
  });
}

}  // namespace hearth::tools
