// The conformance cases of security rules, over a real connection: REST with unsigned tokens, as tests of an app send them.
// The cases: tests/data/rules-cases.json. The same cases in-process: tests/rules/ruleset_test.cc.
#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <sstream>

#include "db/host.h"
#include "db/model/json.h"
#include "net/server.h"
#include "rules/guard.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
namespace rules = hearth::rules;
using hearth::test::HttpClient;

namespace {

std::string base64url(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(byte);
    for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
  return text;
}

std::string escaped(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string to;
  for (const char c : text) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_';
    if (is_plain) {
      to += c;
    } else {
      to += '%';
      to += kDigits[static_cast<unsigned char>(c) >> 4];
      to += kDigits[static_cast<unsigned char>(c) & 15];
    }
  }
  return to;
}

// The token of whom the rules shall see as that `auth`.
std::string token_of(const db::JsonNode& auth) {
  const std::string claims = auth.field("token")->to_text();
  std::string uid;
  db::append_json_string(*auth.field("uid")->string(), uid);
  const std::string all =
      "{\"user_id\":" + uid + ",\"sub\":" + uid + (claims.size() > 2 ? "," + claims.substr(1) : "}");
  return base64url(R"({"alg":"none","type":"JWT"})") + "." + base64url(all) + ".";
}

struct Served {
  Served() {
    db::Database::Options options;
    options.folder = folder.path();
    options.sync = db::SyncMode::Os;
    options.clock = &clock;
    database = db::Host::open(std::move(options)).value();
    rules::Guard::Options guarded;
    guarded.dev = true;
    guard = std::make_unique<rules::Guard>(*database, guarded);
    hearth::net::Server::Options served;
    served.port = 0;
    served.dev_hosts = {"test"};  // what the client calls it
    server = hearth::net::Server::start(*guard, served).value();
    client = std::make_unique<HttpClient>(server->port());
  }
  HttpClient::Reply ask(const std::string& method, const std::string& target, const std::string& token,
                        const std::string& body = "") {
    const std::string fields = token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
    client->ask(target, fields, body, method);
    return client->reply();
  }

  hearth::test::TempFolder folder;
  db::ManualClock clock{db::Timestamp(1'700'000'000'000)};
  std::unique_ptr<db::Host> database;
  std::unique_ptr<rules::Guard> guard;
  std::unique_ptr<hearth::net::Server> server;
  std::unique_ptr<HttpClient> client;
};

// The parameters of a query, as the cases' rule names have it.
std::string query_of(const db::JsonNode& query) {
  std::string text;
  const auto add = [&](std::string_view name, std::string_view json) {
    text.append("&").append(name).append("=").append(escaped(json));
  };
  for (const auto& [name, value] : query.fields()) {
    if (name == "orderByChild") {
      add("orderBy", value.to_text());
    } else if (name == "orderByKey" || name == "orderByValue" || name == "orderByPriority") {
      add("orderBy", name == "orderByKey" ? R"("$key")" : name == "orderByValue" ? R"("$value")" : R"("$priority")");
    } else {
      add(name, value.to_text());
    }
  }
  return text;
}

}  // namespace

TEST_CASE("Rules conformance: over REST, with unsigned tokens and the cases' clock", "[net][rules]") {
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/data/rules-cases.json");
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  const auto document = db::JsonDocument::parse(text.str());
  REQUIRE(document.ok());

  Served served;
  size_t number = 0;
  for (const db::JsonNode& one : document.value().root().field("cases")->elements()) {
    INFO(*one.field("name")->string());
    const std::string space = "?ns=case" + std::to_string(++number);
    const auto now = one.field("now");
    served.clock.set(db::Timestamp(now ? *now->integer() : 1'700'000'000'000));
    REQUIRE(served.ask("PUT", "/.settings/rules.json" + space, "owner", one.field("rules")->to_text()).status == 200);
    REQUIRE(served.ask("PUT", "/.json" + space, "owner", one.field("data")->to_text()).status == 200);
    const auto auth = one.field("auth");
    const std::string token = auth->is_null() ? "" : token_of(*auth);

    const db::JsonNode op = *one.field("op");
    const std::string type(*op.field("type")->string());
    std::string target = escaped(*op.field("path")->string()) + ".json" + space;
    std::string body;
    if (type != "read") body = op.field(type == "update" ? "values" : "value")->to_text();
    if (const auto query = op.field("query")) {
      target += query_of(*query);
    }
    const auto reply = served.ask(type == "read" ? "GET" : type == "update" ? "PATCH" : "PUT", target, token, body);
    INFO(target << " " << body << " -> " << reply.status << " " << reply.body);
    const bool is_allowed = *one.field("expect")->string() == "allow";
    CHECK(reply.status == (is_allowed ? 200 : 401));
  }
  CHECK(number == 349);
}

TEST_CASE("Rules conformance: what does not compile is refused by REST with the service's words", "[net][rules]") {
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/data/rules-cases.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto document = db::JsonDocument::parse(text.str());
  REQUIRE(document.ok());

  Served served;
  for (const db::JsonNode& one : document.value().root().field("compile")->elements()) {
    INFO(*one.field("name")->string());
    const auto raw = one.field("rulesText");
    const std::string source = raw ? std::string(*raw->string()) : one.field("rules")->to_text();
    const bool is_valid = *one.field("expect")->string() == "valid";
    for (const char* dry : {"&dryRun=true", ""}) {
      const auto reply = served.ask("PUT", std::string("/.settings/rules.json?ns=compile") + dry, "owner", source);
      CHECK(reply.status == (is_valid ? 200 : 400));
      if (is_valid) continue;
      const auto told = db::JsonDocument::parse(reply.body);
      REQUIRE(told.ok());
      const std::string error(*told.value().root().field("error")->string());
      CHECK(error.ends_with("\n"));
      if (const auto message = one.field("message")) {
        CHECK(error.find(": " + std::string(*message->string())) != std::string::npos);
      }
    }
    if (is_valid) CHECK(served.ask("GET", "/.settings/rules.json?ns=compile", "owner").body == source);
  }
}
