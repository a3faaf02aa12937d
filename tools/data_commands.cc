// Commands for the data of a running server. Each is a request, and what is printed of its answer.
//
//   hearth get /rooms/tea ─▶ CLI11 fills in the members, chosen_ = get ─▶ run() ─▶ ask_ok(target_, GET /rooms/tea.json)
//
// Output is made for pipes: values on standard output and nothing else; remarks (note()) on standard error, and only
// when that is a terminal. With --json everything on standard output is JSON. An answer is printed as it comes, so
// that a value of any size passes.
//
// A value on the command line is JSON if it is valid JSON, or else a string (json_of): `hearth set /name Ada` needs
// no quotes within quotes. What cannot be undone asks first, by name (namespace delete), or not at all with --yes;
// without a terminal it refuses.
//
// watch() reads an event stream without end. It comes back by itself with the last id it saw, so each change is
// printed once (net/rest/event_stream.cc, Resume); it backs off like an SDK, and any event resets that.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "db/model/json.h"
#include "tools/commands.h"
#include "tools/dump_file.h"
#include "tools/output.h"
#include "tools/rest_client.h"
#include "tools/rules_file.h"

namespace hearth::tools {
namespace {

constexpr std::chrono::milliseconds kBackOff{500};
constexpr std::chrono::milliseconds kBackOffMax{30'000};

constexpr const char* kHowToSayIt = R"(
PATH is as in the SDKs: /rooms/tea. Without --token the admin secret in --data is used, if it can be read, and else 'owner',
which a server in development believes. HEARTH_URL and HEARTH_TOKEN stand for --url and --token.

Exit status: 0, or 1 with one line that says what is wrong.)";
constexpr const char* kForAdmins = R"(
For admins: without --token the admin secret in --data is used, if it can be read, and else 'owner', which a server in
development believes. HEARTH_URL and HEARTH_TOKEN stand for --url and --token.

Exit status: 0, or 1 with one line that says what is wrong.)";

std::string text_of(std::istream& from) { return {std::istreambuf_iterator<char>(from), {}}; }

// A value of the command line: JSON, or else a string.
std::string json_of(const std::string& text) {
  if (db::JsonDocument::parse(text).ok()) return text;
  std::string quoted;
  db::append_json_string(text, quoted);
  return quoted;
}

// Events of a stream, from bytes as they come (SSE). Pure.
class EventLines {
 public:
  struct Event {
    std::string name, data, id;
  };
  std::vector<Event> add(std::string_view bytes);

 private:
  std::string held_;
  Event event_;
};

// A line may come in pieces, so what has no line end yet is held. An empty line ends an event; lines without ": "
// mean nothing to us.
std::vector<EventLines::Event> EventLines::add(std::string_view bytes) {
  std::vector<Event> whole;
  held_ += bytes;
  size_t from = 0;
  for (size_t end; (end = held_.find('\n', from)) != std::string::npos; from = end + 1) {
    const std::string_view line = std::string_view(held_).substr(from, end - from);
    if (line.empty()) {
      if (!event_.name.empty()) whole.push_back(std::move(event_));
      event_ = {};
      continue;
    }
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view value = line.substr(colon + 2);
    if (line.starts_with("event: ")) event_.name = value;
    if (line.starts_with("data: ")) event_.data = value;
    if (line.starts_with("id: ")) event_.id = value;
  }
  held_.erase(0, from);
  return whole;
}

// The flags of all of them. The command line names one, which then runs.
class DataCommands : public std::enable_shared_from_this<DataCommands> {
 public:
  explicit DataCommands(Chosen& chosen) : chosen_(chosen) {}

  void add_to(CLI::App& program);  // the program owns this from then on

 private:
  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& text, std::function<int()> run);
  void add_reads(CLI::App& program);
  void add_writes(CLI::App& program);
  void add_files(CLI::App& program);
  void add_namespaces(CLI::App& program);

  int get() const;
  int write(const std::string& method) const;
  int remove() const;
  int watch() const;
  int import_file() const;
  int export_file() const;
  int list_namespaces() const;
  int create_namespace() const;
  int delete_namespace() const;

  Chosen& chosen_;
  Target target_;
  std::string path_ = "/";
  bool json_ = false;
  // get
  bool shallow_ = false, export_ = false, pretty_ = false;
  std::string at_;
  std::string order_by_, start_at_, start_after_, end_at_, end_before_, equal_to_;
  bool counts_ = false;
  size_t limit_to_first_ = 0, limit_to_last_ = 0;
  // set, update, push
  std::string value_, file_;
  // watch
  size_t count_ = 0;
  // namespace
  std::string name_;
  bool yes_ = false;
  // import, export
  bool replace_ = false;
  std::string out_;
};

void DataCommands::add_to(CLI::App& program) {
  add_reads(program);
  add_writes(program);
  add_files(program);
  add_namespaces(program);
  for (const char* name : {"get", "watch", "set", "update", "push", "remove", "import", "export"}) {
    add_chapter(*program.get_subcommand(name), "data-commands");
  }
  add_chapter(*program.get_subcommand("namespace"), "service");
}

// Every command has the same five options. run() is called after parsing, so that errors of the command line come
// first.
CLI::App* DataCommands::add(CLI::App& parent, const std::string& name, const std::string& text,
                            std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, text);
  command->add_option("--url", target_.url, "The running server (HEARTH_URL)")->capture_default_str();
  command->add_option("--ns", target_.space, "The namespace; without it, the server's default one");
  command->add_option("--token", target_.token, "A credential (HEARTH_TOKEN)");
  command->add_option("--data", target_.data, "The server's data folder, for the admin secret in it")
      ->capture_default_str();
  command->add_flag("--json", json_, "For scripts: nothing but JSON on standard output");
  command->callback([self = shared_from_this(), run = std::move(run)] { self->chosen_.run = run; });
  return command;
}

void DataCommands::add_reads(CLI::App& program) {
  CLI::App* get = add(program, "get", "Prints a value as JSON", [this] { return this->get(); });
  get->add_option("path", path_, "Where")->capture_default_str();
  get->add_flag("--shallow", shallow_, "Its keys only, each with true");
  get->add_flag("--export", export_, "With priorities");
  get->add_flag("--pretty", pretty_, "Indented, as it is on a terminal without --json");
  get->add_option("--order-by", order_by_,
                  R"(A child's path, $key, $value or $priority; or several: '["author/id","sent"]')");
  get->add_option("--start-at", start_at_, "With --order-by: JSON, or else a string");
  get->add_option("--start-after", start_after_, "The same");
  get->add_option("--end-at", end_at_, "The same");
  get->add_option("--end-before", end_before_, "The same");
  get->add_option("--equal-to", equal_to_, "The same");
  get->add_option("--limit-to-first", limit_to_first_, "With --order-by")->check(CLI::PositiveNumber);
  get->add_option("--limit-to-last", limit_to_last_, "With --order-by")->check(CLI::PositiveNumber);
  get->add_flag("--count", counts_, "How many children there are, or how many --order-by and its bounds select");
  get->add_option("--at", at_,
                  "What was there then: an id of a change, milliseconds since 1970, or 2026-11-30T16:00:00Z");
  get->footer(std::string(R"(
  hearth get /rooms/tea
  hearth get /rooms/tea --at 2026-11-30T16:00:00Z
  hearth get /messages --order-by sent --start-at 1700000000000 --limit-to-last 10
  hearth get / --shallow --ns chat)") +
              "\n" + kHowToSayIt);

  CLI::App* watch = add(program, "watch", "Prints what a value is, and each change, until it is interrupted",
                        [this] { return this->watch(); });
  watch->add_option("path", path_, "Where")->capture_default_str();
  watch->add_option("--count", count_, "Ends after so many events")->check(CLI::PositiveNumber);
  watch->footer(std::string(R"(
A line for each event: 'put PATH JSON' (what is there now) or 'patch PATH JSON' (what of it changed); with --json an object
{"event","path","data"}. When the connection breaks it comes back, and is told what it missed, once.)") +
                "\n" + kHowToSayIt);
}

void DataCommands::add_writes(CLI::App& program) {
  struct Command {
    const char* name;
    const char* method;
    const char* text;
  };
  for (const Command& one : {Command{"set", "PUT", "Writes a value, in place of what is there"},
                             Command{"update", "PATCH", "Writes some children, given as an object; paths may be deep"},
                             Command{"push", "POST", "Adds a child with a new key, and prints the key"}}) {
    CLI::App* command =
        add(program, one.name, one.text, [this, method = std::string(one.method)] { return write(method); });
    command->add_option("path", path_, "Where")->required();
    CLI::Option* value = command->add_option("value", value_, "JSON, or else a string; '-' or nothing: standard input");
    command->add_option("--file", file_, "A file of JSON instead")->check(CLI::ExistingFile)->excludes(value);
    command->footer(fmt::format(R"(
  hearth {0} /rooms/tea '{{"topic":"tea"}}'
  hearth {0} /rooms/tea --file room.json
  echo '{{"topic":"tea"}}' | hearth {0} /rooms/tea
{1})",
                                one.name, kHowToSayIt));
  }
  CLI::App* remove =
      add(program, "remove", "Removes a value with all that is below it", [this] { return this->remove(); });
  remove->add_option("path", path_, "Where")->required();
  remove->footer(kHowToSayIt);
}

void DataCommands::add_files(CLI::App& program) {
  CLI::App* import_command =
      add(program, "import", "Writes a JSON file as an export has it, at once", [this] { return import_file(); });
  import_command->add_option("file", file_, "The file")->required()->check(CLI::ExistingFile);
  import_command->add_option("path", path_, "Where to")->capture_default_str();
  import_command->add_flag("--replace", replace_, "Also when something is there");
  import_command->footer(std::string(R"(
One write: whoever listens is told once, and rules do not judge an admin. A file larger than the server's --max-body-size
(256 MB) goes with 'hearth restore'.)") +
                         "\n" + kHowToSayIt);

  CLI::App* export_command =
      add(program, "export", "Saves a value as JSON with priorities, as the Firebase console does",
          [this] { return export_file(); });
  export_command->add_option("path", path_, "What of it")->capture_default_str();
  export_command->add_option("--out", out_, "A file, which is there when it is whole; without it, standard output");
  export_command->footer(kHowToSayIt);
}

void DataCommands::add_namespaces(CLI::App& program) {
  CLI::App* spaces = program.add_subcommand("namespace", "Lists, makes and deletes the namespaces of a server");
  spaces->require_subcommand(1);
  add(*spaces, "list", "Prints their names, a line each", [this] { return list_namespaces(); })->footer(kForAdmins);

  CLI::App* create = add(*spaces, "create", "Makes one, which is empty", [this] { return create_namespace(); });
  create->add_option("name", name_, "1 to 128 of a-z, 0-9, '-' and '_'")->required();
  create->footer(std::string(R"(
Nobody but an admin has rights in it before it has rules: PUT /.settings/rules.json, or serve --rules. A server in development
makes namespaces by itself when they are written.)") +
                 "\n" + kForAdmins);

  CLI::App* remove =
      add(*spaces, "delete", "Removes one, with its data, rules and indexes", [this] { return delete_namespace(); });
  remove->add_option("name", name_, "Which")->required();
  remove->add_flag("--yes", yes_, "Does not ask first");
  remove->footer(std::string(R"(
There is no way back but a dump that was taken before ('hearth dump --ns NAME --out FILE'). Its clients are disconnected; what
they had queued for their end is not written. The room on disk comes back by and by, or at once with 'hearth compact'.)") +
                 "\n" + kForAdmins);
  for (CLI::App* command : spaces->get_subcommands({})) command->remove_option(command->get_option("--ns"));
}

// Names are quoted here, since orderBy is JSON for the server: a child's name has no "[", so what begins with one is a
// list. Bounds may be JSON or plain text, as values are. A newline is added only when the answer does not end in one.
int DataCommands::get() const {
  RestRequest request{.path = path_of(path_)};
  if (!at_.empty()) request.query.emplace_back("at", at_);
  if (shallow_) request.query.emplace_back("shallow", "true");
  if (export_) request.query.emplace_back("format", "export");
  if (pretty_ || (!json_ && is_terminal(STDOUT_FILENO))) request.query.emplace_back("print", "pretty");
  if (counts_) request.query.emplace_back("count", "true");
  const std::pair<const char*, const std::string*> bounds[] = {{"startAt", &start_at_},
                                                               {"startAfter", &start_after_},
                                                               {"endAt", &end_at_},
                                                               {"endBefore", &end_before_},
                                                               {"equalTo", &equal_to_}};
  bool has_more = limit_to_first_ > 0 || limit_to_last_ > 0;
  for (const auto& [name, bound] : bounds) has_more |= !bound->empty();
  if (has_more && order_by_.empty())
    throw std::runtime_error("what part of it, without an order? Give --order-by, for example '$key'");
  if (!order_by_.empty()) {
    std::string quoted;
    if (order_by_.starts_with("[")) {
      quoted = order_by_;
    } else {
      db::append_json_string(order_by_, quoted);
    }
    request.query.emplace_back("orderBy", quoted);
  }
  for (const auto& [name, bound] : bounds)
    if (!bound->empty()) request.query.emplace_back(name, json_of(*bound));
  if (limit_to_first_ > 0) request.query.emplace_back("limitToFirst", std::to_string(limit_to_first_));
  if (limit_to_last_ > 0) request.query.emplace_back("limitToLast", std::to_string(limit_to_last_));
  char last = '\n';
  ask_ok(target_, request, [&](std::string_view bytes) {
    print_bytes(bytes);
    if (!bytes.empty()) last = bytes.back();
    return true;
  });
  if (last != '\n') print_bytes("\n");
  return 0;
}

// print=silent: a PUT would be answered with the whole value again. POST is not silent, for its answer has the new
// key.
int DataCommands::write(const std::string& method) const {
  RestRequest request{.method = method, .path = path_of(path_)};
  if (!file_.empty()) {
    request.body = read_file(file_);
  } else if (value_.empty() || value_ == "-") {
    request.body = text_of(std::cin);
    if (request.body.find_first_not_of(" \t\r\n") == std::string::npos)
      throw std::runtime_error("no value: standard input is empty");
  } else {
    request.body = json_of(value_);
  }
  if (method != "POST") request.query.emplace_back("print", "silent");
  const std::string reply = ask_ok(target_, request);
  if (method != "POST") {
    note(fmt::format("{} {}", method == "PUT" ? "set" : "updated", request.path));
    return 0;
  }
  const auto document = db::JsonDocument::parse(reply);
  const auto name = document.ok() ? document.value().root().field("name") : std::nullopt;
  if (!name || !name->string()) throw std::runtime_error(target_.url + " did not say which key it made");
  print_bytes((json_ ? reply : std::string(*name->string())) + "\n");
  return 0;
}

int DataCommands::remove() const {
  ask_ok(target_, {.method = "DELETE", .path = path_of(path_), .query = {{"print", "silent"}}});
  note("removed " + path_of(path_));
  return 0;
}

int DataCommands::watch() const {
  std::string last_id;
  size_t seen = 0;
  std::string over;  // why
  auto back_off = kBackOff;
  for (;;) {
    EventLines lines;
    RestRequest request{
        .path = path_of(path_), .query = {{"eventIds", "true"}}, .fields = {"Accept: text/event-stream"}};
    if (!last_id.empty()) request.fields.push_back("Last-Event-ID: " + last_id);
    const auto take = [&](std::string_view bytes) {
      for (const EventLines::Event& event : lines.add(bytes)) {
        back_off = kBackOff;
        if (event.name == "keep-alive") continue;
        if (event.name == "cancel" || event.name == "auth_revoked") {
          over = event.name == "auth_revoked" ? "the credential is not good any more" : event.data;
          return false;
        }
        if (!event.id.empty()) last_id = event.id;
        const auto document = db::JsonDocument::parse(event.data);
        const auto path = document.ok() ? document.value().root().field("path") : std::nullopt;
        const auto data = path ? document.value().root().field("data") : std::nullopt;
        if (!path || !path->string() || !data) throw std::runtime_error(target_.url + " sent an event that is none");
        if (json_) {
          std::string line = R"({"event":")" + event.name + R"(","path":)";
          db::append_json_string(*path->string(), line);
          print_bytes(line + R"(,"data":)" + data->to_text() + "}\n");
        } else {
          print_bytes(fmt::format("{} {} {}\n", event.name, *path->string(), data->to_text()));
        }
        std::fflush(stdout);
        if (count_ > 0 && ++seen == count_) return false;
      }
      return true;
    };
    long status = 0;
    try {
      status = ask(target_, request, take).status;
    } catch (const std::runtime_error& failed) {
      if (last_id.empty()) throw;  // it has never been connected
      note(fmt::format("{}; trying again", failed.what()));
    }
    if (status >= 400 && status < 500) ask_ok(target_, request, take);  // throws what is wrong: to try again is no use
    if (count_ > 0 && seen == count_) return 0;
    if (!over.empty()) throw std::runtime_error(fmt::format("{}: {}", path_of(path_), over));
    std::this_thread::sleep_for(back_off);
    back_off = std::min(back_off * 2, kBackOffMax);
  }
}

// A look before the write: the read takes the first 64 bytes of a shallow answer, and then ends the transfer.
int DataCommands::import_file() const {
  const std::string path = path_of(path_);
  if (!replace_) {
    std::string there;
    ask_ok(target_, {.path = path, .query = {{"shallow", "true"}}}, [&](std::string_view bytes) {
      there.append(bytes.substr(0, 64));
      return there.size() < 64;
    });
    while (!there.empty() && (there.back() == '\n' || there.back() == ' ')) there.pop_back();
    if (there != "null")
      throw std::runtime_error(fmt::format("{} is not empty; --replace puts the file in its place", path));
  }
  ask_ok(target_, {.method = "PUT", .path = path, .query = {{"print", "silent"}}, .body_file = file_});
  note(fmt::format("{} is at {}", file_, path));
  return 0;
}

int DataCommands::export_file() const {
  OutputFile file(out_.empty() ? "-" : out_);
  ask_ok(target_, {.path = path_of(path_), .query = {{"format", "export"}}}, [&](std::string_view bytes) {
    file.write(bytes);
    return true;
  });
  file.finish();
  if (!out_.empty()) note(fmt::format("{} is in {}, {} bytes", path_of(path_), out_, file.byte_count()));
  return 0;
}

int DataCommands::create_namespace() const {
  Target target = target_;
  target.space = name_;
  const std::string reply = ask_ok(target, {.method = "PUT", .path = "/.settings/namespace.json"});
  const auto document = db::JsonDocument::parse(reply);
  const auto created = document.ok() ? document.value().root().field("created") : std::nullopt;
  if (!created || !created->boolean())
    throw std::runtime_error(target_.url + " did not say whether it made it: " + reply);
  if (!*created->boolean()) throw std::runtime_error(fmt::format("there is a namespace {} already", name_));
  if (json_) print_bytes(reply + "\n");
  note(fmt::format("{} is there at {}, and empty", name_, target_.url));
  return 0;
}

// The name has to be typed, not just "y": a namespace is easily mistaken in a shell's history.
int DataCommands::delete_namespace() const {
  if (!yes_) {
    if (!is_terminal(STDIN_FILENO))
      throw std::runtime_error("nobody can be asked whether that is meant: --yes says so");
    fmt::print(stderr, "This removes all data, rules and indexes of {} at {}. Type its name to go on: ", name_,
               target_.url);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != name_) throw std::runtime_error(fmt::format("nothing was removed: '{}' is not '{}'", answer, name_));
  }
  Target target = target_;
  target.space = name_;
  const std::string reply = ask_ok(target, {.method = "DELETE", .path = "/.settings/namespace.json"});
  if (json_) print_bytes(reply + "\n");
  note(fmt::format("{} is removed at {}", name_, target_.url));
  return 0;
}

int DataCommands::list_namespaces() const {
  const std::string reply = ask_ok(target_, {.path = "/.inspect/databases.json"});
  const auto document = db::JsonDocument::parse(reply);
  if (!document.ok() || document.value().root().kind() != db::JsonNode::Kind::Array) {
    throw std::runtime_error(target_.url + " did not answer with a list");
  }
  std::string names = "[";
  for (const db::JsonNode& one : document.value().root().elements()) {
    const auto name = one.field("name");
    if (!name || !name->string()) continue;
    if (!json_) fmt::print("{}\n", *name->string());
    if (names.size() > 1) names += ',';
    db::append_json_string(*name->string(), names);
  }
  if (json_) fmt::print("{}]\n", names);
  return 0;
}

}  // namespace

void add_data_commands(CLI::App& program, Chosen& chosen) { std::make_shared<DataCommands>(chosen)->add_to(program); }

}  // namespace hearth::tools
