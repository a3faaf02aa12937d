// `hearth changes`, `history`, `undo` and `purge`: what happened on a running server, and back again. Each is a request, and
// what is printed of its answer; values go to standard output and remarks to standard error, as with the data commands.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "db/model/json.h"
#include "tools/admin_texts.h"
#include "tools/commands.h"
#include "tools/output.h"
#include "tools/rest_client.h"

namespace hearth::tools {
namespace {

// {"name":"text"}
std::string object_of(std::string_view name, std::string_view text) {
  std::string json = fmt::format(R"({{"{}":)", name);
  db::append_json_string(text, json);
  return json + "}";
}

// The flags of all of them. The command line names one, which then runs.
class PastCommands : public std::enable_shared_from_this<PastCommands> {
 public:
  explicit PastCommands(Chosen& chosen) : chosen_(chosen) {}
  void add_to(CLI::App& program);  // the program owns this from then on

 private:
  CLI::App* add(CLI::App& program, const std::string& name, const std::string& text, std::function<int()> run);
  int history() const;
  int changes() const;
  int undo() const;
  int purge() const;

  Chosen& chosen_;
  Target target_;
  std::string path_ = "/";
  bool json_ = false;
  size_t values_ = 100;
  std::string since_ = "0", id_;
  bool follow_ = false;
};

CLI::App* PastCommands::add(CLI::App& program, const std::string& name, const std::string& text,
                            std::function<int()> run) {
  CLI::App* command = program.add_subcommand(name, text);
  add_server(*command, target_.url, target_.token);
  command->add_option("--ns", target_.space, "The namespace; without it, the server's default one");
  command->add_option("--data", target_.data, "The server's data folder, for the admin secret in it")
      ->capture_default_str();
  command->add_flag("--json", json_, "For scripts: nothing but JSON on standard output");
  command->footer(kWhoMayAsk);
  command->callback([self = shared_from_this(), run = std::move(run)] { self->chosen_.run = run; });
  add_chapter(*command, "history");
  return command;
}

void PastCommands::add_to(CLI::App& program) {
  CLI::App* history = add(program, "history", "Prints the values that a path had, where versions are kept",
                          [this] { return this->history(); });
  history->add_option("path", path_, "Where")->required();
  history->add_option("--values", values_, "So many of the latest")->check(CLI::Range(1, 1'000))->capture_default_str();

  CLI::App* changes =
      add(program, "changes", "Prints what happened: a line of JSON for each commit, and where to go on",
          [this] { return this->changes(); });
  changes->add_option("path", path_, "Only what concerns this place")->capture_default_str();
  changes->add_option("--since", since_, "An id: what came after it; 0: all that the log has")->capture_default_str();
  changes->add_flag("--follow", follow_, "Goes on with what happens, until it is interrupted");

  add(program, "undo", "Takes one commit back, where nothing has changed since", [this] { return this->undo(); })
      ->add_option("id", id_, "Of the commit, as 'hearth changes' and 'hearth history' print it")
      ->required();
  add(program, "purge", "Removes what a path was from history, for good; what is there now stays",
      [this] { return this->purge(); })
      ->add_option("path", path_, "Where")
      ->required();
}

// A line for each value: time, id, who, and the value; or the JSON of the server.
int PastCommands::history() const {
  RestRequest request{.path = path_of(path_)};
  request.query.emplace_back("history", "true");
  request.query.emplace_back("values", std::to_string(values_));
  const std::string reply = ask_ok(target_, request);
  if (json_ || !is_terminal(STDOUT_FILENO)) {
    print_bytes(reply + "\n");
    return 0;
  }
  const db::Value all = db::parse_value(std::string(reply), {}).value();
  if (!all.child("complete").as_boolean()) note(fmt::format("the latest {}; --values shows more", values_));
  print_bytes(fmt::format("{:<24}  {}\n", "before", db::to_json(all.child("before"), db::JsonStyle::Plain)));
  for (auto one = all.child("values").children(); !one.done(); one.next()) {
    const db::Value entry = one.value();
    const std::string by = entry.child("by").is_null() ? "" : fmt::format(" by {}", entry.child("by").as_string());
    print_bytes(fmt::format("{}  {}{}  {}\n", moment_text(entry.child("time").as_integer()),
                            entry.child("id").as_string(), by,
                            db::to_json(entry.child("value"), db::JsonStyle::Plain)));
  }
  return 0;
}

// One answer after the other, each beginning where the last one ended.
int PastCommands::changes() const {
  std::string since = since_;
  for (;;) {
    RestRequest request{.path = "/.changes"};
    request.query.emplace_back("since", since);
    if (path_ != "/") request.query.emplace_back("path", path_);
    if (follow_) request.query.emplace_back("wait", "25s");
    std::string last;
    ask_ok(target_, request, [&](std::string_view bytes) {
      // The line with `next` is held back: it is for the program, unless it is the end.
      last += bytes;
      const size_t end = last.rfind('\n', last.size() - 2);
      if (end == std::string::npos) return true;
      print_bytes(std::string_view(last).substr(0, end + 1));
      last.erase(0, end + 1);
      return true;
    });
    if (!follow_) {
      print_bytes(last);
      return 0;
    }
    (void)std::fflush(stdout);
    const auto next = db::parse_value(std::string(last), {});
    if (!next.ok() || next.value().child("next").kind() != db::Value::Kind::String)
      throw std::runtime_error("the server's answer was cut off; go on with --since " + since);
    since = next.value().child("next").as_string();
  }
}

int PastCommands::undo() const {
  const std::string reply =
      ask_ok(target_, {.method = "POST", .path = "/.changes/undo.json", .body = object_of("id", id_)});
  if (json_) print_bytes(reply + "\n");
  if (!json_)
    note("taken back, as commit " +
         std::string(db::parse_value(std::string(reply), {}).value().child("id").as_string()));
  return 0;
}

int PastCommands::purge() const {
  const std::string reply =
      ask_ok(target_, {.method = "POST", .path = "/.changes/purge.json", .body = object_of("path", path_of(path_))});
  if (json_) print_bytes(reply + "\n");
  if (!json_) {
    note(fmt::format("{} is gone from history; commits that had said something of it: {}", path_of(path_),
                     db::parse_value(std::string(reply), {}).value().child("commits").as_integer()));
  }
  return 0;
}

}  // namespace

void add_past_commands(CLI::App& program, Chosen& chosen) { std::make_shared<PastCommands>(chosen)->add_to(program); }

}  // namespace hearth::tools
