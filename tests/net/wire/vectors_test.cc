// The vectors that were computed with the published JavaScript SDK, as they go over the wire.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "db/model/json.h"
#include "tests/net/wire/client.h"

using namespace hearth;
using namespace hearth::net::wire;
using Lines = std::vector<std::string>;
using test::Client;
using test::Server;

namespace {

db::JsonDocument vectors() {
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/data/wire-test-vectors.json");
  std::stringstream text;
  text << file.rdbuf();
  return db::JsonDocument::parse(text.str()).value();
}

// The same JSON with the members of objects in the order that we send them.
std::string normal(const db::JsonNode& json) {
  return db::to_json(json.to_value(db::Path()).value(), db::JsonStyle::Export);
}

std::string text_of_field(const db::JsonNode& object, std::string_view name) {
  return std::string(*object.field(name)->string());
}

}  // namespace

TEST_CASE("Vectors: values are stored, told in export form, and known by the SDK's hash", "[wire]") {
  Server server;
  Client client(server);
  const auto document = vectors();
  int count = 0;
  for (const db::JsonNode& vector : document.root().field("simple_hash")->elements()) {
    const std::string path = "v/" + std::to_string(count++);
    const std::string at = R"({"p":"/)" + path + R"(")";
    const std::string json = vector.field("json")->to_text();
    const std::string exported = normal(*vector.field("export"));
    const std::string hash = text_of_field(vector, "hash");
    INFO(json);

    CHECK(client.answer("p", at + R"(,"d":)" + json + "}") == Client::done());
    CHECK(client.answer("g", at + R"(,"q":{}})") == Client::done(exported));
    INFO("a listen with that hash needs no value; with another it gets it");
    const int64_t same = client.ask("q", at + R"(,"h":")" + hash + R"("})");
    CHECK(client.hear_all() == Lines{Client::ok(same, "{}")});
    const int64_t unlisten = client.ask("n", at + "}");
    const int64_t other = client.ask("q", at + R"(,"h":"another"})");
    CHECK(client.hear_all() == Lines{Client::ok(unlisten), Client::pushed(path, exported), Client::ok(other, "{}")});
    INFO("a transaction from that hash passes; a second one finds another value");
    client.ask("p", at + R"(,"d":"changed","h":")" + hash + R"("})");
    CHECK(client.hear(2) == Lines{Client::pushed(path, R"("changed")"), client.ok()});
    client.ask("p", at + R"(,"d":"again","h":")" + hash + R"("})");
    CHECK(client.hear() == client.refused("datastale", "Transaction hash does not match"));
    CHECK(client.answer("n", at + "}") == Client::done());
  }
  CHECK(count == 31);
}

TEST_CASE("Vectors: JavaScript's own rounding of numbers in hashes is accepted", "[wire]") {  // §7.2
  Server server;
  Client client(server);
  const auto document = vectors();
  int count = 0;
  for (const db::JsonNode& vector : document.root().field("sdk_number_quirk")->elements()) {
    const std::string at = R"({"p":"/q)" + std::to_string(count++) + R"(")";
    const std::string number = vector.field("number")->to_text();
    const std::string hash = text_of_field(vector, "js_hash");
    INFO(number);
    CHECK(client.answer("p", at + R"(,"d":)" + number + "}") == Client::done());
    CHECK(client.answer("q", at + R"(,"h":")" + hash + R"("})") == Client::done("{}"));
    CHECK(client.answer("n", at + "}") == Client::done());
    CHECK(client.answer("p", at + R"(,"d":1,"h":")" + hash + R"("})") == Client::done());
  }
  CHECK(count == 5);
}

TEST_CASE("Vectors: children are told in key order, never as arrays", "[wire]") {
  Server server;
  Client client(server);
  const auto document = vectors();
  std::string written = "{", told = "{";
  const auto keys = document.root().field("key_order")->elements();
  for (size_t i = 0; i < keys.size(); ++i) {
    // A key with "." is in the order for the SDK's sake alone; none can be stored.
    const std::string forward = keys[i].to_text(), backward = keys[keys.size() - 1 - i].to_text();
    if (backward.find('.') == std::string::npos) written += (written.size() > 1 ? "," : "") + backward + ":true";
    if (forward.find('.') == std::string::npos) told += (told.size() > 1 ? "," : "") + forward + ":true";
  }
  CHECK(client.answer("p", R"({"p":"/keys","d":)" + written + "}}") == Client::done());
  CHECK(client.answer("g", R"({"p":"/keys","q":{}})") == Client::done(told + "}"));

  int count = 0;
  for (const db::JsonNode& vector : document.root().field("val_coercion")->elements()) {
    const std::string at = R"({"p":"/c)" + std::to_string(count++) + R"(")";
    INFO(vector.field("stored")->to_text());
    CHECK(client.answer("p", at + R"(,"d":)" + vector.field("stored")->to_text() + "}") == Client::done());
    CHECK(client.answer("g", at + R"(,"q":{}})") == Client::done(normal(*vector.field("export"))));
  }
  CHECK(count == 10);
}

TEST_CASE("Vectors: a listen with a compound hash gets the whole value", "[wire]") {  // §13: ignoring it is correct
  Server server;
  Client client(server);
  const auto document = vectors();
  int count = 0;
  for (const db::JsonNode& vector : document.root().field("compound_hash")->elements()) {
    const std::string path = "h" + std::to_string(count++);
    const std::string at = R"({"p":"/)" + path + R"(")";
    const std::string json = normal(*vector.field("json"));
    INFO(json);
    CHECK(client.answer("p", at + R"(,"d":)" + json + "}") == Client::done());
    client.ask("q", at + R"(,"h":"another","ch":{"hs":)" + vector.field("hs")->to_text() + R"(,"ps":)" +
                        vector.field("ps")->to_text() + "}}");
    CHECK(client.hear(2) == Lines{Client::pushed(path, json), client.ok("{}")});
  }
  CHECK(count == 7);
}
