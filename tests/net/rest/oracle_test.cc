// What a refusal tells. Two servers hold the same rules and the same open data, and secrets of their own. Nobody may read the
// secrets, and no rule looks at them: so whatever is asked of both, by whatever method, they answer the same bytes and do the
// same work.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/net/rest/fixture.h"
#include "tests/support/random_tree.h"

namespace db = hearth::db;
namespace net = hearth::net;
using namespace hearth::test;

namespace {

const std::string kAdmin = "Authorization: Bearer " + std::string(kSecret) + "\r\n";

struct Asked {
  Ask ask;
  bool is_push = false;  // its answer has a name made of chance
};

// A secret's place, or one beside it.
std::string place(RandomTree& random) {
  switch (random.below(6)) {
    case 0:
      return "/secret";
    case 1:
      return "/secret/mine";
    case 2:
      return "/open/x";
    case 3:
      return "/nowhere";
    default:
      return "/secret/" + std::string(1, static_cast<char>('a' + random.below(4)));
  }
}

Asked random_request(RandomTree& random) {
  const auto one_of = [&](const std::vector<std::string>& all) { return all[random.below(all.size())]; };
  Asked asked;
  Ask& ask = asked.ask;
  std::string parameters;
  const auto add = [&](const std::string& text) { parameters += (parameters.empty() ? "?" : "&") + text; };
  const auto condition = [&] {
    ask.headers += one_of({"If-Match", "If-None-Match"}) + ": " +
                   one_of({"null_etag", "*", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "\"x\""}) + "\r\n";
  };
  const auto query = [&] {
    add(one_of({"orderBy=\"$key\"", "orderBy=\"$value\"", "orderBy=\"n\"", "orderBy=\"$priority\""}));
    if (random.chance(0.6)) add(one_of({"limitToFirst=2", "limitToLast=1", "limitToFirst=50"}));
    if (random.chance(0.5)) add(one_of({"startAt=\"b\"", "endAt=3", "equalTo=\"a\"", "startAfter=1"}));
  };
  ask.method = one_of({"GET", "GET", "GET", "HEAD", "PUT", "PATCH", "DELETE", "DELETE", "POST", "OPTIONS"});
  // What a push is called is chance, and would be seen where anybody may read.
  const std::string at = ask.method == "PATCH" || ask.method == "POST" ? "/secret" : place(random);
  if (random.chance(0.4)) condition();
  if (random.chance(0.4)) ask.headers += "X-Firebase-ETag: true\r\n";
  if (ask.method == "GET" || ask.method == "HEAD") {
    if (random.chance(0.5)) query();
    if (random.chance(0.2)) add("shallow=true");
    if (random.chance(0.2)) add("count=true");
    if (random.chance(0.2)) add("wait=1s");
    if (random.chance(0.2)) add("select=n");
    if (random.chance(0.2)) add("timeout=5s");
    if (random.chance(0.2)) add("print=pretty");
    if (random.chance(0.1)) add("format=export");
    if (ask.method == "GET" && random.chance(0.2)) ask.headers += "Accept-Encoding: gzip\r\n";
    if (ask.method == "GET" && at.starts_with("/secret") && at != "/secret/mine" && random.chance(0.2)) {
      ask.headers += "Accept: text/event-stream\r\n";
    }
  } else if (ask.method == "DELETE") {
    if (random.chance(0.7)) query();
  } else {
    if (random.chance(0.2)) add("print=silent");
    ask.body = one_of({"1", "2", "\"text\"", "{\"n\":1}", R"({".sv":{"increment":0}})", R"({".sv":"timestamp"})",
                       "null", "{\"a\":1,\"b\":{\"n\":2}}", "not json"});
    if (ask.method == "PATCH") ask.body = one_of({"{\"a\":1,\"b\":2}", "{\"c\":null}", "{\"a/n\":1,\"d\":1}", "{}"});
  }
  asked.is_push = ask.method == "POST";
  ask.target = at + ".json" + parameters;
  return asked;
}

std::string without_date(std::string head) {
  const size_t at = head.find("\r\nDate: ");
  if (at != std::string::npos) head.erase(at, head.find("\r\n", at + 2) - at);
  return head;
}

struct Done {
  HttpReply reply;
  uint64_t rows = 0, bytes = 0, evaluations = 0, slices = 0;
};

// A listener ends after its answer, and that is work too: it is none of the next request's. What is asked of the shard behind
// that end is answered when its work is counted.
void await_ends(const RestServer& server) {
  for (int tries = 0; tries < 10'000 && server.database->figures().sessions > 0; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  (void)server.get("/open/x.json");
}

Done done_by(const RestServer& server, const Ask& ask) {
  await_ends(server);
  const db::Figures before = server.database->figures();
  Done done;
  done.reply = server.ask(ask);
  const db::Figures after = server.database->figures();
  done.rows = after.rows_worked - before.rows_worked;
  done.bytes = after.bytes_worked - before.bytes_worked;
  done.evaluations = after.evaluations_worked - before.evaluations_worked;
  done.slices = after.reads.slices + after.scans.slices - before.reads.slices - before.scans.slices;
  return done;
}

}  // namespace

TEST_CASE("REST: servers that differ only where nobody may look answer the same bytes, for the same work",
          "[net][rest]") {
  const uint64_t seed = seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  size_t refused = 0, allowed = 0;
  for (int round = 0; round < 6; ++round) {
    const std::string read_rule = std::vector<std::string>{"false", "auth != null", "root.child('open/y').exists()",
                                                           "query.limitToFirst == 7"}[random.below(4)];
    const std::string write_rule =
        std::vector<std::string>{"false", "auth != null", "newData.isNumber()", "newData.exists()",
                                 "root.child('open/x').val() == 1"}[random.below(5)];
    const std::string rules = R"X({"rules": {"open": {".read": true, ".write": true}, "secret": {".read": ")X" +
                              read_rule + R"X(", ".indexOn": "n", "mine": {".read": true}, "$k": {".write": ")X" +
                              write_rule + R"X("}}}})X";
    INFO("round " << round << ", rules " << rules);
    const db::ManualClock clock{db::Timestamp(1'795'342'798'354)};  // a moment for both
    const auto server = [&] {
      return std::make_unique<RestServer>(RestServer::Mode::Closed, std::chrono::seconds(30), net::Verifier::Options{},
                                          &clock);
    };
    const auto one = server(), other = server();
    const int count = static_cast<int>(random.below(300));
    for (RestServer* server : {one.get(), other.get()}) {
      REQUIRE(server->put("/.settings/rules.json", rules, kAdmin).status == 200);
      std::string secret = "{\"mine\":{\"n\":1},\"a\":" + std::to_string(random.below(3)) + ",\"b\":{\"n\":2}";
      for (int i = 0; server == other.get() && i < count; ++i)
        secret += ",\"k" + std::to_string(i) + "\":{\"n\":" + std::to_string(i) + "}";
      // Whether anything is there may be asked by who may write there ("If-Match: null_etag"), so that is the same.
      secret += ",\"c\":\"" + std::string(1 + random.below(2'000), 'x') + "\"";
      REQUIRE(server->put("/.json", "{\"open\":{\"x\":1},\"secret\":" + secret + "}}", kAdmin).status == 200);
    }
    for (RestServer* server : {one.get(), other.get()}) {  // the index is built in steps of its own
      for (int tries = 0; tries < 10'000; ++tries) {
        const std::string state = server->get("/.inspect/indexes.json", kAdmin).body;
        if (state.find("\"complete\":true") != std::string::npos) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    for (int i = 0; i < 80; ++i) {
      const Asked asked = random_request(random);
      INFO("request " << i << ": " << text_of(asked.ask));
      const Done first = done_by(*one, asked.ask), second = done_by(*other, asked.ask);
      REQUIRE(first.reply.status == second.reply.status);
      const bool is_refused = first.reply.status >= 400;
      (is_refused ? refused : allowed) += 1;
      if (asked.is_push && !is_refused) continue;
      CHECK(without_date(first.reply.head) == without_date(second.reply.head));
      CHECK(first.reply.body == second.reply.body);
      CHECK(first.slices == second.slices);
      // A write that is allowed, or judged by what it would make, works on what stands there.
      if (!is_refused || (asked.ask.method != "GET" && write_rule.find("newData") != std::string::npos)) continue;
      // The end of a listener comes after its answer.
      if (asked.ask.headers.find("event-stream") != std::string::npos ||
          asked.ask.target.find("wait=") != std::string::npos)
        continue;
      CHECK(first.rows == second.rows);
      CHECK(first.evaluations == second.evaluations);
      // The one row that tells whether anything is there has the length that it has.
      if (asked.ask.headers.find("null_etag") == std::string::npos) CHECK(first.bytes == second.bytes);
    }
  }
  CHECK(refused > 100);
  CHECK(allowed > 20);
}
