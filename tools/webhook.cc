// `hearth webhook`, and the flags of `hearth serve` for webhooks. Each command is a request to a running server, and
// prints what matters of its answer. What was asked for goes to standard output, and remarks go to standard error, as
// with the data commands.
//
// A secret is printed once, on a line of its own, so that a script can take it without parsing. The exit status says
// whether a receiver took the message: `test` and `retry` fail by it, though the request to the server went well.
//
// One object has the flags of all commands, since the command line names one of them. The callbacks of CLI11 share it.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "db/model/history.h"
#include "db/model/json.h"
#include "net/webhooks/options.h"
#include "tools/admin_texts.h"
#include "tools/commands.h"
#include "tools/or_throw.h"
#include "tools/output.h"
#include "tools/rest_client.h"

namespace hearth::tools {
namespace {

std::string body_with(std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  std::string json = "{";
  for (const auto& [name, text] : members) {
    if (text.empty()) continue;
    json += json.size() > 1 ? ",\"" : "\"";
    json.append(name).append("\":");
    db::append_json_string(text, json);
  }
  return json + "}";
}

// The flags of all of them. The command line names one, which then runs.
class WebhookCommands : public std::enable_shared_from_this<WebhookCommands> {
 public:
  explicit WebhookCommands(Chosen& chosen) : chosen_(chosen) {}
  void add_to(CLI::App& program);  // the program owns this from then on

 private:
  CLI::App* command(CLI::App& webhook, const std::string& name, const std::string& text, std::function<int()> run);
  CLI::App* of_one(CLI::App& webhook, const std::string& name, const std::string& text, std::function<int()> run);
  std::string post(std::string_view action, const std::string& body) const;
  int add() const;
  int list() const;
  int test() const;
  int rotate() const;
  int change(std::string_view action, std::string_view done) const;
  int dead() const;
  int retry() const;

  Chosen& chosen_;
  Target target_;
  bool json_ = false;
  std::string url_, path_ = "/", since_ = "now", id_, message_;
  bool before_ = false, clear_ = false;
};

CLI::App* WebhookCommands::command(CLI::App& webhook, const std::string& name, const std::string& text,
                                   std::function<int()> run) {
  CLI::App* command = webhook.add_subcommand(name, text);
  add_server(*command, target_.url, target_.token);
  command->add_option("--ns", target_.space, "The namespace; without it, the server's default one");
  command->add_option("--data", target_.data, "The server's data folder, for the admin secret in it")
      ->capture_default_str();
  command->add_flag("--json", json_, "For scripts: nothing but JSON on standard output");
  command->footer(kWhoMayAsk);
  command->callback([self = shared_from_this(), run = std::move(run)] { self->chosen_.run = run; });
  return command;
}

CLI::App* WebhookCommands::of_one(CLI::App& webhook, const std::string& name, const std::string& text,
                                  std::function<int()> run) {
  CLI::App* one = command(webhook, name, text, std::move(run));
  one->add_option("id", id_, "Of the webhook, as 'hearth webhook list' prints it")->required();
  return one;
}

void WebhookCommands::add_to(CLI::App& program) {
  CLI::App* webhook = program.add_subcommand("webhook", "Sends what happens at a path to a URL, signed and in order");
  webhook->require_subcommand(1);
  CLI::App* add =
      command(*webhook, "add", "Adds a webhook, and prints its secret, once", [this] { return this->add(); });
  add->add_option("url", url_, "Where to, as https://example.com/orders; its host is one of --webhook-host")
      ->required();
  add->add_option("--path", path_, "What happens at, below or above this place is sent")->capture_default_str();
  add->add_option("--since", since_, "An id of a change: what came after it is sent too; 0: all that the log has")
      ->capture_default_str();
  add->add_flag("--before", before_, "What stood there before is sent too, where versions are kept");
  command(*webhook, "list", "Prints the webhooks of a namespace, and how far each is", [this] { return list(); });
  of_one(*webhook, "test", "Sends a test message now, and prints the answer", [this] { return test(); });
  of_one(*webhook, "pause", "Sends nothing until it is resumed", [this] { return change("pause", "paused"); });
  of_one(*webhook, "resume", "Goes on where it was", [this] { return change("resume", "goes on"); });
  of_one(*webhook, "rotate", "Makes another secret, and prints it, once; the old one signs for 24 hours more",
         [this] { return rotate(); });
  of_one(*webhook, "remove", "Removes a webhook and its dead letters", [this] { return change("remove", "removed"); });
  CLI::App* dead = of_one(*webhook, "dead", "Prints what could not be delivered, a line of JSON for each message",
                          [this] { return this->dead(); });
  dead->add_flag("--clear", clear_, "Forgets them instead");
  dead->add_option("--message", message_, "With --clear: this one alone");
  of_one(*webhook, "retry", "Sends dead letters again, the oldest first, until one is not taken", [this] {
    return retry();
  })->add_option("message", message_, "This one alone");
  add_chapter(*webhook, "webhooks");
}

std::string WebhookCommands::post(std::string_view action, const std::string& body) const {
  return ask_ok(target_, {.method = "POST", .path = fmt::format("/.webhooks/{}.json", action), .body = body});
}

int WebhookCommands::add() const {
  std::string body = body_with({{"url", url_}, {"path", path_of(path_)}, {"since", since_}});
  if (before_) body.replace(body.size() - 1, 1, R"(,"before":true})");
  const std::string reply = ask_ok(target_, {.method = "POST", .path = "/.webhooks.json", .body = body});
  if (json_) {
    print_bytes(reply + "\n");
    return 0;
  }
  const db::Value added = db::parse_value(std::string(reply), {}).value();
  print_bytes(fmt::format("{}\n{}\n", added.child("id").as_string(), added.child("secret").as_string()));
  note(
      "the second line is the secret by which the receiver verifies; it is not shown again ('hearth webhook rotate' "
      "makes "
      "another)");
  return 0;
}

int WebhookCommands::list() const {
  const std::string reply = ask_ok(target_, {.path = "/.webhooks.json"});
  if (json_ || !is_terminal(STDOUT_FILENO)) {
    print_bytes(reply + "\n");
    return 0;
  }
  const auto all = db::JsonDocument::parse(std::string_view(reply));
  if (!all.ok()) throw std::runtime_error("the server's answer is no JSON");
  const auto hooks = all.value().root().elements();
  if (hooks.empty()) note("there are none; 'hearth webhook add' makes one");
  for (const auto& hook : hooks) {
    const auto number = [&](std::string_view name) {
      const auto field = hook.field(name);
      return field ? field->integer().value_or(0) : 0;
    };
    print_bytes(fmt::format("{}  {:<10}  {} ─▶ {}\n", hook.text("id"), hook.text("state"), hook.text("path"),
                            hook.text("url")));
    print_bytes(fmt::format("    delivered {}, failed attempts {}, dead letters {}", number("delivered"),
                            number("failed"), number("dead")));
    if (number("behind") > 0)
      print_bytes(fmt::format(", {:.1f} s behind", static_cast<double>(number("behind")) / 1e3));
    if (!hook.text("status").empty()) {
      print_bytes(fmt::format("; last answer: {}, {}", hook.text("status"), moment_text(number("answered"))));
    }
    print_bytes("\n");
    if (!hook.text("why").empty()) print_bytes(fmt::format("    {}\n", hook.text("why")));
  }
  return 0;
}

int WebhookCommands::test() const {
  const std::string reply = post("test", body_with({{"id", id_}}));
  const auto told = db::JsonDocument::parse(std::string_view(reply));
  if (!told.ok()) throw std::runtime_error("the server's answer is no JSON");
  const auto root = told.value().root();
  const bool is_taken = root.field("taken") && root.field("taken")->boolean().value_or(false);
  if (json_) {
    print_bytes(reply + "\n");
    return is_taken ? 0 : 1;
  }
  const int64_t ms = root.field("ms") ? root.field("ms")->integer().value_or(0) : 0;
  if (!root.field("status")) {
    throw std::runtime_error(fmt::format("no answer after {} ms: {}", ms, root.text("failure")));
  }
  print_bytes(fmt::format("{} after {} ms\n{}\n", root.field("status")->integer().value_or(0), ms, root.text("body")));
  return is_taken ? 0 : 1;
}

int WebhookCommands::rotate() const {
  const std::string reply = post("rotate", body_with({{"id", id_}}));
  if (json_) {
    print_bytes(reply + "\n");
    return 0;
  }
  print_bytes(fmt::format("{}\n", db::parse_value(std::string(reply), {}).value().child("secret").as_string()));
  note("messages are signed with this secret and with the old one for 24 hours, and then with this one alone");
  return 0;
}

int WebhookCommands::change(std::string_view action, std::string_view done) const {
  const std::string reply = post(action, body_with({{"id", id_}}));
  if (json_) print_bytes(reply + "\n");
  if (!json_) note(fmt::format("{} {}", id_, done));
  return 0;
}

int WebhookCommands::dead() const {
  if (clear_) {
    const std::string reply = post("clear", body_with({{"id", id_}, {"message", message_}}));
    if (json_) print_bytes(reply + "\n");
    if (!json_) {
      note(fmt::format("dead letters forgotten: {}",
                       db::parse_value(std::string(reply), {}).value().child("cleared").as_integer()));
    }
    return 0;
  }
  const std::string reply = ask_ok(target_, {.path = "/.webhooks/dead.json", .query = {{"id", id_}}});
  if (json_) {
    print_bytes(reply + "\n");
    return 0;
  }
  const auto told = db::JsonDocument::parse(std::string_view(reply));
  const auto letters = told.ok() ? told.value().root().field("letters") : std::nullopt;
  if (!letters) throw std::runtime_error("the server's answer is no list of letters");
  for (const auto& letter : letters->elements()) print_bytes(letter.to_text() + "\n");
  const auto dropped = told.value().root().field("dropped");
  if (dropped && dropped->integer().value_or(0) > 0) {
    note(fmt::format("{} older ones are gone, for there were too many", *dropped->integer()));
  }
  return 0;
}

// One request for each, so that an interrupt leaves the rest where it is.
int WebhookCommands::retry() const {
  for (size_t sent = 0;; ++sent) {
    const RestReply reply = ask(
        target_,
        {.method = "POST", .path = "/.webhooks/retry.json", .body = body_with({{"id", id_}, {"message", message_}})});
    if (reply.status == 404 && sent > 0) break;  // all of them
    const auto told = db::JsonDocument::parse(std::string_view(reply.body));
    if (!told.ok()) throw std::runtime_error("the server's answer is no JSON");
    const auto root = told.value().root();
    if (reply.status != 200) throw std::runtime_error(std::string(root.text("error")));
    if (json_) print_bytes(reply.body + "\n");
    const bool is_taken = root.field("taken") && root.field("taken")->boolean().value_or(false);
    if (!json_) note(fmt::format("{}: {}", root.text("message"), is_taken ? "taken" : "not taken"));
    if (!is_taken) return 1;
    const int64_t left = root.field("left") ? root.field("left")->integer().value_or(0) : 0;
    if (!message_.empty() || left == 0) break;
  }
  return 0;
}

}  // namespace

void add_webhook(CLI::App& program, Chosen& chosen) { std::make_shared<WebhookCommands>(chosen)->add_to(program); }

void add_webhook_flags(CLI::App& serve, net::WebhookOptions& options) {
  const std::string group = "Webhooks";
  serve
      .add_option("--webhook-host", options.hosts,
                  "A host to which webhooks may be sent, NAME or NAME:PORT (repeatable); without it there are none. "
                  "Without a port, that of the URL's scheme")
      ->type_name("NAME[:PORT]")
      ->group(group);
  serve
      .add_flag("--webhook-private", options.private_too,
                "Such a host may be at a private address, as of this machine or its network, and there without TLS")
      ->group(group);
  serve
      .add_option("--webhook-ca", options.authorities,
                  "A PEM file of the authorities whose certificates receivers may have, instead of the system's")
      ->check(CLI::ExistingFile)
      ->group(group);
  serve
      .add_option("--webhook-attempts", options.attempts_max,
                  "Of one message, until it is given up and becomes a dead letter")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str()
      ->group(group);
  serve
      .add_option_function<std::string>(
          "--webhook-retry",
          [&options](const std::string& text) {
            const size_t comma = text.find(',');
            const std::string_view all = text;
            options.retry_min = or_throw(db::parse_age(all.substr(0, comma)), "--webhook-retry MIN,MAX");
            options.retry_max =
                or_throw(db::parse_age(comma == text.npos ? all : all.substr(comma + 1)), "--webhook-retry MIN,MAX");
          },
          "How long to wait after a failure: from MIN, doubled with each one, up to MAX")
      ->type_name("MIN,MAX")
      ->default_str("1s,1h")
      ->group(group);
  serve
      .add_option_function<int64_t>(
          "--webhook-time", [&options](int64_t seconds) { options.time_max = std::chrono::seconds(seconds); },
          "For one attempt as a whole")
      ->check(CLI::Range(1, 600))
      ->type_name("SECONDS")
      ->default_str("15")
      ->group(group);
  const auto number = [&](const char* name, size_t& count, const char* text) {
    serve.add_option(name, count, text)
        ->type_name("COUNT")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str()
        ->group(group);
  };
  const auto size = [&](const char* name, size_t& bytes, const char* text, const char* usual) {
    serve.add_option(name, bytes, text)->transform(CLI::AsSizeValue(false))->default_str(usual)->group(group);
  };
  number("--max-webhooks", options.hooks_max, "Of one namespace");
  number("--max-webhook-deliveries", options.at_once_max, "Attempts at a time, in all; of one webhook there is one");
  size("--max-webhook-body-size", options.body_bytes_max,
       "Of one message; of a larger change the paths are sent without their values", "1MB");
  size("--max-webhook-answer-size", options.answer_bytes_max, "Of an answer, as much as is read", "64kB");
  number("--max-webhook-dead", options.dead_max, "Dead letters of one webhook; past it the oldest go");
  size("--max-webhook-dead-size", options.dead_bytes_max, "The same in bytes", "16MB");
}

}  // namespace hearth::tools
