// `hearth rules check | test | explain`.
//
//   check     a file ─▶ Ruleset::compile ─▶ FILE:LINE:COLUMN: text, as compilers say it
//   test      a table of cases ─▶ Scene: a database in a folder of its own, with these rules ─▶ Guard::explain for each
//   explain   a question ─▶ a running server (/.inspect/explain.json), or a folder that no server has open
//
// Nothing of this judges rules by itself: they are compiled by Ruleset, and judged by a Guard on a real database, as in
// a server. So what a test says is what a server would do.
//
// A case writes nothing. Guard::explain() judges the tree as it would be, and gives it up; so the cases of a table do
// not depend on one another, but for `data`, which stays for the cases behind the one that sets it. The Scene's clock
// stands still, at the table's `now` where it gives one: rules may ask for the time, and a table that passes today has
// to pass next year.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>

#include "db/host.h"
#include "db/model/json.h"
#include "rules/guard.h"
#include "rules/warnings.h"
#include "tools/commands.h"
#include "tools/or_throw.h"
#include "tools/rest_client.h"
#include "tools/rules_file.h"
#include "tools/temporary_folder.h"

namespace hearth::tools {
namespace {

struct RulesFlags {
  std::string file;   // check: rules; test: a table of cases
  std::string rules;  // test, explain --data: a file of rules instead of those that are set
  bool coverage = false;
  std::string lcov;  // a file to write
  // explain
  std::string url = usual_url();
  std::string data;  // a folder, instead of the url
  std::string space;
  std::string token = env("HEARTH_TOKEN");
  std::string read, write, update;  // a path: one of them
  std::string value;                // JSON
  std::string auth;                 // JSON of the rules' variable; empty: signed out
  bool json = false;
};

constexpr std::string_view kSpace = "rules-test";

rules::Explanation explain_in(rules::Guard& guard, const std::string& space, const rules::Auth& as, rules::Trial trial,
                              std::string_view doing) {
  const auto explanation = std::make_shared<rules::Explanation>();
  std::promise<db::Result<void>> done;
  guard.explain(space, rules::Auth::admin(), as, std::move(trial), explanation,
                [&](const db::Answer& answer) { done.set_value(answer.status); });
  or_throw(done.get_future().get(), doing);
  return *explanation;
}

// A database for one run of a table of cases, whose clock stands still where the table says.
class Scene {
 public:
  Scene(const std::shared_ptr<const rules::Ruleset>& ruleset, int64_t now) : clock_(db::Timestamp(now)) {
    db::Database::Options options;
    options.folder = folder_.path();
    options.sync = db::SyncMode::Os;
    options.clock = &clock_;
    database_ = or_throw(db::Host::open(std::move(options)), "rules test");
    rules::Guard::Options guarded;
    guarded.dev = true;  // so that what is evaluated is counted
    guarded.rules = ruleset;
    guard_ = std::make_unique<rules::Guard>(*database_, std::move(guarded));
  }
  void set_data(const std::string& json, std::string_view where) {
    if (json == data_) return;
    auto value = or_throw(db::parse_value(std::string(json), db::Path()), where);
    auto space = or_throw(database_->space(kSpace), where);
    or_throw(space.set("", std::move(value)), where);
    data_ = json;
  }
  rules::Explanation explain(const rules::Auth& as, rules::Trial trial, std::string_view doing) {
    return explain_in(*guard_, std::string(kSpace), as, std::move(trial), doing);
  }
  std::shared_ptr<const rules::Coverage> coverage() const { return guard_->coverage(std::string(kSpace)); }

 private:
  TemporaryFolder folder_;
  db::ManualClock clock_;
  std::unique_ptr<db::Host> database_;
  std::unique_ptr<rules::Guard> guard_;
  std::string data_;
};

// A table may hold a thing, or name the file that does, beside itself.
std::string inline_or_file(const db::JsonNode& node, const std::string& table) {
  if (!node.string()) return node.to_text();
  const auto beside = std::filesystem::path(table).parent_path() / std::string(*node.string());
  return beside.string();
}

std::shared_ptr<const rules::Ruleset> rules_of(const db::JsonNode& root, const RulesFlags& flags) {
  if (!flags.rules.empty()) return load_rules(flags.rules);
  const auto node = root.field("rules");
  if (!node)
    throw std::runtime_error(fmt::format("{}: no \"rules\"; name their file, or give --rules FILE", flags.file));
  if (node->string()) return load_rules(inline_or_file(*node, flags.file));
  return or_throw(rules::Ruleset::compile(R"({"rules":)" + node->to_text() + "}"), flags.file + ": rules");
}

std::string data_of(const db::JsonNode& node, const std::string& table) {
  return node.string() ? load_json(inline_or_file(node, table)) : node.to_text();
}

void write_file(const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  const bool is_written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file == nullptr || std::fclose(file) != 0 || !is_written) {
    throw std::runtime_error(fmt::format("cannot write {}", path));
  }
}

// Errors alone, so that editors and scripts can read them.
int check_rules(const RulesFlags& flags) {
  try {
    const auto ruleset = load_rules(flags.file);
    for (const std::string& warning : rules::warnings_of(ruleset->text()))
      fmt::print(stderr, "{}:{} (a warning)\n", flags.file, warning);
  } catch (const std::runtime_error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  fmt::print("{}: no errors\n", flags.file);
  return 0;
}

struct Tally {
  size_t passed = 0, failed = 0;
};

void judge_case(const db::JsonNode& one, size_t number, Scene& scene, const RulesFlags& flags, Tally& tally) {
  const auto name_node = one.field("name");
  const std::string name =
      name_node && name_node->string() ? std::string(*name_node->string()) : fmt::format("case {}", number);
  const std::string where = fmt::format("{}: {}", flags.file, name);
  const auto expect = one.field("expect");
  const bool is_known = expect && expect->string() && (*expect->string() == "allow" || *expect->string() == "deny");
  if (!is_known) throw std::runtime_error(where + ": \"expect\" must be \"allow\" or \"deny\"");
  if (const auto data = one.field("data")) scene.set_data(data_of(*data, flags.file), where);
  auto question = or_throw(rules::read_trial(one.to_text()), where);
  const rules::Explanation explanation = scene.explain(question.as, std::move(question.trial), where);
  if (explanation.allowed == (*expect->string() == "allow")) {
    ++tally.passed;
    return;
  }
  ++tally.failed;
  fmt::print("FAILED {}\n  expected {}\n{}\n", name, *expect->string(), rules::to_text(explanation));
}

int test_rules(const RulesFlags& flags) {
  const auto document = or_throw(db::JsonDocument::parse(load_json(flags.file)), flags.file);
  const db::JsonNode root = document.root();
  const auto cases = root.is_object() ? root.field("cases") : std::nullopt;
  if (!cases) throw std::runtime_error(fmt::format("{}: no \"cases\"; see hearth rules test --help", flags.file));
  const auto ruleset = rules_of(root, flags);
  const auto now = root.field("now");
  Scene scene(ruleset, now && now->integer() ? *now->integer() : db::SystemClock().now().count());
  if (const auto data = root.field("data")) scene.set_data(data_of(*data, flags.file), flags.file);
  Tally tally;
  size_t number = 0;
  for (const db::JsonNode& one : cases->elements()) judge_case(one, ++number, scene, flags, tally);

  const auto coverage = scene.coverage();
  if (coverage != nullptr && flags.coverage) fmt::print("{}", coverage->to_text());
  if (coverage != nullptr && !flags.lcov.empty()) {
    write_file(flags.lcov, coverage->to_lcov(flags.rules.empty() ? flags.file : flags.rules));
  }
  fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}

std::string question_of(const RulesFlags& flags) {
  const int asked = !flags.read.empty() + !flags.write.empty() + !flags.update.empty();
  if (asked != 1) throw std::runtime_error("rules explain: give one of --read PATH, --write PATH, --update PATH");
  if (flags.read.empty() && flags.value.empty()) throw std::runtime_error("rules explain: a write has a --value JSON");
  const std::string_view what = !flags.read.empty() ? "read" : !flags.write.empty() ? "write" : "update";
  std::string question = fmt::format("{{\"{}\":", what);
  db::append_json_string(!flags.read.empty()    ? flags.read
                         : !flags.write.empty() ? flags.write
                                                : flags.update,
                         question);
  if (flags.read.empty()) question += ",\"value\":" + flags.value;
  return question + ",\"auth\":" + (flags.auth.empty() ? "null" : flags.auth) + "}";
}

std::string explain_at(const std::string& question, const RulesFlags& flags) {
  RestRequest asked{.method = "POST", .path = "/.inspect/explain.json", .body = question};
  if (!flags.json) asked.fields.emplace_back("Accept: text/plain");
  return ask_ok({.url = flags.url, .space = flags.space, .token = flags.token}, asked);
}

std::string explain_in_folder(const std::string& question, const RulesFlags& flags) {
  if (!std::filesystem::exists(flags.data))
    throw std::runtime_error(fmt::format("there is no data folder {}", flags.data));
  db::Database::Options options;
  options.folder = flags.data;
  const auto database = or_throw(db::Host::open(std::move(options)), fmt::format("cannot open {}", flags.data));
  rules::Guard::Options guarded;
  if (!flags.rules.empty()) guarded.rules = load_rules(flags.rules);
  rules::Guard guard(*database, std::move(guarded));
  const std::vector<std::string> names = database->namespaces();
  const std::string space = flags.space.empty() && names.size() == 1 ? names.front() : flags.space;
  if (!guard.resolve(space).ok()) {
    throw std::runtime_error(fmt::format("--ns {}: {} has the namespaces: {}",
                                         space.empty() ? "NAME is missing" : space, flags.data,
                                         fmt::join(names, ", ")));
  }
  auto parsed = or_throw(rules::read_trial(std::string(question)), "rules explain");
  const auto explanation = explain_in(guard, space, parsed.as, std::move(parsed.trial), "rules explain");
  return flags.json ? rules::to_json(explanation) : rules::to_text(explanation);
}

int explain_rules(const RulesFlags& flags) {
  const std::string question = question_of(flags);
  std::string told = flags.data.empty() ? explain_at(question, flags) : explain_in_folder(question, flags);
  if (!told.ends_with('\n')) told += '\n';
  fmt::print("{}", told);
  return 0;
}

}  // namespace

void add_rules(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<RulesFlags>();
  CLI::App* command = program.add_subcommand("rules", "Checks, tests and explains security rules");
  command->require_subcommand(1);

  CLI::App* check = command->add_subcommand("check", "Compiles a file of rules: errors as FILE:LINE:COLUMN: text");
  check->add_option("file", flags->file, "The rules")->required()->check(CLI::ExistingFile);
  check->callback([flags, &chosen] { chosen.run = [flags] { return check_rules(*flags); }; });

  CLI::App* test = command->add_subcommand("test", "Asks the rules a table of questions");
  test->add_option("file", flags->file, "The table")->required()->check(CLI::ExistingFile);
  test->add_option("--rules", flags->rules, "The rules, instead of those that the table names")
      ->check(CLI::ExistingFile);
  test->add_flag("--coverage", flags->coverage, "Print how often each rule was what");
  test->add_option("--lcov", flags->lcov, "Write the same as an lcov file");
  test->callback([flags, &chosen] { chosen.run = [flags] { return test_rules(*flags); }; });
  test->footer(R"(The table is JSON, comments allowed:
  {
    "rules": "database.rules.json",          a file beside the table, or the rules themselves
    "data": {"rooms": {"tea": {"ada": true}}},   or a file
    "now": 1700000000000,                    the clock, if it matters
    "cases": [
      {"name": "members read", "auth": {"uid": "ada"}, "read": "/rooms/tea", "expect": "allow"},
      {"auth": null, "write": "/rooms/tea/bob", "value": true, "expect": "deny"},
      {"auth": {"uid": "ada"}, "update": "/", "value": {"rooms/tea/bob": true}, "expect": "allow"}
    ]
  }
A case may have "data" of its own, which stays for those behind it. No case writes anything.
Exit status: 0 when every case is as expected.)");

  CLI::App* explain = command->add_subcommand("explain", "Says what the rules say of one read or write, and why");
  add_server(*explain, flags->url, flags->token);
  explain->add_option("--data", flags->data, "A data folder that no server has open, instead of --url");
  explain->add_option("--ns", flags->space, "The namespace");
  explain->add_option("--rules", flags->rules, "With --data: rules to try where none are set")
      ->check(CLI::ExistingFile);
  explain->add_option("--auth", flags->auth,
                      R"(Who asks, as the rules' variable: {"uid":"ada","token":{}}; without it, nobody)");
  explain->add_option("--read", flags->read, "A path to read");
  explain->add_option("--write", flags->write, "A path to set to --value");
  explain->add_option("--update", flags->update, "A path to update with --value, an object of paths");
  explain->add_option("--value", flags->value, "JSON");
  explain->add_flag("--json", flags->json, "For scripts");
  explain->callback([flags, &chosen] { chosen.run = [flags] { return explain_rules(*flags); }; });
  add_chapter(*command, "rules");
}

}  // namespace hearth::tools
