// `hearth help`: chapters of the manual, as they are and as a terminal shows them; and that --help names them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/scripts/program.h"

using hearth::test::contents;
using hearth::test::Folder;
using hearth::test::Program;
using hearth::test::run;
using hearth::test::Told;

namespace {

const std::string kProgram = HEARTH_BIN_DIR "/hearth";

std::vector<std::string> chapter_names() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(HEARTH_SOURCE_DIR "/tools/manual")) {
    if (file.path().extension() == ".md") names.push_back(file.path().stem());
  }
  return names;
}

std::string chapter(const std::string& name) { return contents(HEARTH_SOURCE_DIR "/tools/manual/" + name + ".md"); }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What `hearth help TOPIC` shows on a terminal. `settings` are variables of the environment: "PAGER='cat -n'"; without any
// there is no PAGER. A terminal ends lines with CR LF.
std::string on_terminal(const std::string& topic, const std::string& settings) {
  const std::string command = "env -u PAGER TERM=xterm " + settings + " '" + kProgram + "' help " + topic;
  Program program({"script", "--quiet", "--return", "--command", command, "/dev/null"});
  INFO(program.errors());
  CHECK(program.wait() == 0);
  std::string text = program.output();
  std::erase(text, '\r');
  return text;
}

}  // namespace

TEST_CASE("help: each chapter of the manual is printed as it is", "[scripts]") {
  const std::vector<std::string> names = chapter_names();
  CHECK(names.size() > 10);
  for (const std::string& name : names) {
    INFO(name);
    const Told told = run({"help", name});
    CHECK(told.status == 0);
    CHECK(told.output == chapter(name));
    CHECK(told.errors.empty());
  }
}

TEST_CASE("help: without a chapter, all are listed with what each is for, and the commands are", "[scripts]") {
  const Told told = run({"help"});
  CHECK(told.status == 0);
  for (const std::string& name : chapter_names()) {
    INFO(name);
    CHECK(has(told.output, "\n  " + name + " "));
  }
  CHECK(has(told.output,
            "\n  http             Lists what a program can do over HTTP, with curl or any HTTP\n"
            "                   library.\n"));
  CHECK(has(told.output, "\n  serve            Serves a data folder to clients\n"));
  CHECK(has(told.output, "\n  export "));
  CHECK_FALSE(has(told.output, "\033"));
  for (size_t from = 0, end; (end = told.output.find('\n', from)) != std::string::npos; from = end + 1) {
    INFO(told.output.substr(from, end - from));
    CHECK(end - from <= 80);
  }
}

TEST_CASE("help: a chapter that is none is an error, which names those there are", "[scripts]") {
  const Told told = run({"help", "servr"});
  CHECK(told.status == 1);
  CHECK(told.output.empty());
  CHECK(has(told.errors, "hearth: the manual has no chapter 'servr'. Its chapters are: admin-api, backup, "));
  for (const std::string& name : chapter_names()) CHECK(has(told.errors, name));
  CHECK(std::count(told.errors.begin(), told.errors.end(), '\n') == 1);
}

TEST_CASE("help: a terminal has bold headings, and comments of examples are none", "[scripts]") {
  const std::string text = on_terminal("tls", "PAGER=cat");
  CHECK(has(text, "\033[1m# TLS and nginx\033[0m\n"));
  std::string plain = text;
  for (const std::string mark : {"\033[1m", "\033[0m"}) {
    for (size_t at; (at = plain.find(mark)) != std::string::npos;) plain.erase(at, mark.size());
  }
  CHECK(plain == chapter("tls"));
  const std::string dump = on_terminal("dump", "PAGER=cat");
  bool is_code = false;
  size_t comments = 0;
  for (size_t from = 0, end; (end = dump.find('\n', from)) != std::string::npos; from = end + 1) {
    const std::string line = dump.substr(from, end - from);
    INFO(line);
    if (line.starts_with("```")) is_code = !is_code;
    if (is_code) CHECK_FALSE(has(line, "\033"));
    if (!is_code) CHECK_FALSE(line.starts_with('#'));
    comments += is_code && line.starts_with('#');
  }
  CHECK(comments > 0);
  CHECK(on_terminal("tls", "TERM=dumb PAGER=cat") == chapter("tls"));
}

TEST_CASE("help: on a terminal $PAGER shows the chapter, else less, else nothing between", "[scripts]") {
  const Folder folder;
  // A pager that says how it was called, in place of less.
  std::filesystem::create_directory(folder / "bin");
  std::ofstream(folder / "bin/less") << "#!/bin/sh\nread -r line\necho \"less $* has $line\"\n";
  std::filesystem::permissions(folder / "bin/less", std::filesystem::perms::owner_all);
  const std::string heading = "\033[1m# TLS and nginx\033[0m";

  CHECK(on_terminal("tls", "PAGER='head -n 1'") == heading + "\n");
  const std::string usual = "PATH=" + (folder / "bin") + ":\"$PATH\"";
  CHECK(on_terminal("tls", usual) == "less -FRX has " + heading + "\n");
  CHECK(on_terminal("tls", "PAGER= " + usual) == "less -FRX has " + heading + "\n");

  // Without less, and with a PAGER that is not there: all of it.
  std::filesystem::remove(folder / "bin/less");
  std::filesystem::create_symlink("/bin/cat", folder / "bin/cat");
  std::filesystem::create_symlink("/bin/sh", folder / "bin/sh");
  const std::string without = on_terminal("tls", "PATH=" + (folder / "bin"));
  CHECK(without.starts_with(heading));
  CHECK(has(without, chapter("tls").substr(chapter("tls").size() - 60)));
  const std::string missing = on_terminal("tls", "PAGER=no-such-pager");
  CHECK(has(missing, heading));
  CHECK(has(missing, chapter("tls").substr(chapter("tls").size() - 60)));
}

TEST_CASE("help: --help of each command names a chapter that there is", "[scripts]") {
  const std::string mark = "\nThe manual: hearth help ";
  const std::vector<std::vector<std::string>> commands = {{"serve"},
                                                          {"rules"},
                                                          {"rules", "check"},
                                                          {"rules", "test"},
                                                          {"rules", "explain"},
                                                          {"exec"},
                                                          {"token"},
                                                          {"kick"},
                                                          {"fsck"},
                                                          {"stats"},
                                                          {"compact"},
                                                          {"dump"},
                                                          {"dump", "verify"},
                                                          {"restore"},
                                                          {"backup"},
                                                          {"backup", "list"},
                                                          {"bench"},
                                                          {"get"},
                                                          {"watch"},
                                                          {"set"},
                                                          {"update"},
                                                          {"push"},
                                                          {"remove"},
                                                          {"import"},
                                                          {"export"},
                                                          {"webhook"},
                                                          {"webhook", "add"},
                                                          {"namespace"},
                                                          {"namespace", "list"}};
  for (std::vector<std::string> words : commands) {
    words.push_back("--help");
    const Told told = run(words);
    INFO(told.output);
    CHECK(told.status == 0);
    const size_t at = told.output.find(mark);
    REQUIRE(at != std::string::npos);
    const size_t from = at + mark.size();
    CHECK(run({"help", told.output.substr(from, told.output.find('\n', from) - from)}).status == 0);
  }
}
