#include "net/wire/message.h"

#include <catch2/catch.hpp>
#include <future>

#include "db/model/json.h"
#include "tests/net/wire/client.h"

using namespace hearth;
using namespace hearth::net::wire;
using hearth::net::wire::test::Client;
using hearth::net::wire::test::Server;

namespace {

Incoming parse(std::string text) { return parse_message({.text = std::move(text)}); }

// A request number 7 with that action and body.
Action act(const std::string& action, const std::string& body) {
  const Incoming incoming = parse(R"({"t":"d","d":{"r":7,"a":")" + action + R"(","b":)" + body + "}}");
  const auto* request = std::get_if<ClientRequest>(&incoming);
  REQUIRE(request != nullptr);
  REQUIRE(request->number == 7);
  return request->action;
}

std::string told(const db::Overwrite& overwrite) {
  return overwrite.path.text() + (overwrite.slot == db::Slot::Priority ? " .priority = " : " = ") +
         db::to_json(overwrite.value, db::JsonStyle::Export);
}

std::vector<std::string> told(const std::vector<db::Overwrite>& overwrites) {
  std::vector<std::string> lines;
  for (const auto& overwrite : overwrites) lines.push_back(told(overwrite));
  return lines;
}

}  // namespace

TEST_CASE("Message: a put is one overwrite, however the client writes its path", "[wire]") {
  struct Case {
    std::string body;
    std::string overwrite;
    size_t preconditions;
  };
  const std::vector<Case> cases = {
      // Frames of the published SDK (net/wire/protocol.md §4, §7.1).
      {R"({"p":"/rooms/r1","d":{"n":5,"name":"Lobby"}})", R"(rooms/r1 = {"n":5,"name":"Lobby"})", 0},
      {R"({"p":"/pr/.priority","d":"hi"})", R"(pr .priority = "hi")", 1},  // something must be there
      {R"({"p":"/pr/.priority","d":null})", "pr .priority = null", 0},
      {R"({"p":"/cnt2","d":1,"h":""})", "cnt2 = 1", 1},
      {R"({"p":"/cnt2","d":42,"h":"FKQEQrg9eSmOibuEATBfMSlup8g="})", "cnt2 = 42", 1},
      {R"({"p":"a/b","d":1})", "a/b = 1", 0},
      {R"({"p":"//a//b/","d":1})", "a/b = 1", 0},
      {R"({"p":"/","d":{"a":1}})", R"( = {"a":1})", 0},
      {R"({"p":"","d":null})", " = null", 0},
      {R"({"p":"/.priority","d":3})", " .priority = 3", 1},
      {R"({"p":"/a%20b","d":1})", "a%20b = 1", 0},
      {R"({"p":"/a","d":[1,null,3]})", R"(a = {"0":1,"2":3})", 0},
      {R"({"p":"/a","d":{"b":{},"c":null}})", "a = null", 0},
      {R"({"p":"/a","d":{".value":"v",".priority":3}})", R"(a = {".value":"v",".priority":3})", 0},
      {R"({"d":1,"extra":[],"p":"/a"})", "a = 1", 0},
      {R"({"p":"/a","d":1,"p":"/b"})", "b = 1", 0},
      {R"({"p":"/a","d":"\ud83d\ude00"})", "a = \"😀\"", 0},
      {R"({"p":"/a","d":"x\ud83dy"})", "a = \"x\xef\xbf\xbdy\"", 0},  // a lone surrogate: §2.2
      {R"({"p":"/a","d":123456789012345678901234567890})", "a = 1.2345678901234568e+29", 0},
      {R"({"p":"/a","d":9223372036854775807})", "a = 9223372036854775807", 0},
      {R"({"p":"/a","d":{"x":1,"x":2}})", R"(a = {"x":2})", 0},
  };
  for (const Case& c : cases) {
    INFO(c.body);
    const Action action = act("p", c.body);
    const auto* put = std::get_if<Put>(&action);
    REQUIRE(put != nullptr);
    CHECK_FALSE(put->write.merge);
    CHECK(told(put->write.overwrites) == std::vector<std::string>{c.overwrite});
    CHECK(put->write.base == put->write.overwrites[0].path);
    CHECK(put->write.preconditions.size() == c.preconditions);
  }
}

TEST_CASE("Message: server values stay unresolved", "[wire]") {
  const Action action =
      act("p", R"({"p":"/m","d":{"c":{".sv":{"increment":2}},"text":"hi","ts":{".sv":"timestamp"}}})");
  const auto* put = std::get_if<Put>(&action);
  REQUIRE(put != nullptr);
  const db::Value& value = put->write.overwrites[0].value;
  CHECK(value.child("ts").kind() == db::Value::Kind::Timestamp);
  CHECK(value.child("c").kind() == db::Value::Kind::Increment);
  CHECK(value.child("c").increment_by() == db::Value::integer(2));
}

TEST_CASE("Message: a merge is the user's own object", "[wire]") {
  const Action action =
      act("m",
          R"({"p":"/u","d":{"/a/b":[1,null,3],"c":{},"d":{"e":null,"f":{".value":1,".priority":2}},"g/.priority":5}})");
  const auto* merge = std::get_if<Put>(&action);
  REQUIRE(merge != nullptr);
  CHECK(merge->write.merge);
  CHECK(merge->write.base.text() == "u");
  CHECK(told(merge->write.overwrites) == std::vector<std::string>{R"(u/a/b = {"0":1,"2":3})", "u/c = null",
                                                                  R"(u/d = {"f":{".value":1,".priority":2}})",
                                                                  "u/g .priority = 5"});
  CHECK(std::holds_alternative<Acknowledge>(act("m", R"({"p":"/u","d":{}})")));
  CHECK(std::holds_alternative<Acknowledge>(act("om", R"({"p":"/u","d":{}})")));
}

TEST_CASE("Message: listens and gets without a filter are of the whole location", "[wire]") {
  const std::vector<std::string> whole = {
      R"({"p":"/rooms/r1","h":""})", R"({"p":"rooms/r1"})", R"({"p":"/rooms/r1","q":{}})",
      R"({"p":"/rooms/r1","q":{"i":"name"},"h":"x"})", R"({"p":"/rooms/r1","q":null,"t":null})"};
  for (const std::string& body : whole) {
    INFO(body);
    const Action listen = act("q", body);
    REQUIRE(std::holds_alternative<Listen>(listen));
    CHECK(std::get<Listen>(listen).listen.path->text() == "rooms/r1");
    const Action get = act("g", body);
    REQUIRE(std::holds_alternative<Get>(get));
    CHECK(std::get<Get>(get).read.path.text() == "rooms/r1");
    const Action unlisten = act("n", body);
    REQUIRE(std::holds_alternative<Unlisten>(unlisten));
    CHECK_FALSE(std::get<Unlisten>(unlisten).tag);
  }
  CHECK(std::get<Listen>(act("q", R"({"p":"/a","h":"abc="})")).listen.hash == "abc=");
  CHECK(std::get<Listen>(act("q", R"({"p":"/a","h":""})")).listen.hash == "");
  CHECK_FALSE(std::get<Listen>(act("q", R"({"p":"/a"})")).listen.hash);
}

TEST_CASE("Message: filtered queries, as SDKs write them", "[wire]") {  // net/wire/protocol.md §4, §6: captured frames
  struct Case {
    std::string query, text;  // of db::Query
  };
  const std::vector<Case> cases = {
      {R"({"sp":1,"sin":true,"l":2,"vf":"r","i":"ts"})", "cts|1=||l2"},
      {R"({"sp":"a","sin":false,"ep":"z","ein":false,"i":".key"})", "k|\"a\"!|\"z\"!|"},
      {R"({"sp":3,"sn":"[MAX_NAME]","sin":false,"ep":9,"en":"kk","ein":false,"l":10,"vf":"l","i":".value"})",
       "v|3\"[MAX_NAME]\"!|9\"kk\"!|f10"},
      {R"({"sp":"x","sin":true,"ep":"x","ein":true})", "p|\"x\"=|\"x\"=|"},
      {R"({"l":1,"vf":"l"})", "p|||f1"},
      {R"({"l":1})", "p|||l1"},
      {R"({"l":1,"sp":null})", "p|null=||f1"},
      {R"({"sp":null,"i":"a/b"})", "ca/b|null=||"},
      {R"({"ep":true,"en":"[MIN_NAME]","i":".priority"})", "p||true\"[MIN_NAME]\"=|"},
      // So says Android.
      {R"({"sp":2,"sn":"[MAX_KEY]","l":2,"vf":"l","i":"v"})", "cv|2\"[MAX_NAME]\"=||f2"},
      {R"({"ep":2,"en":"[MIN_KEY]","i":"v"})", "cv||2\"[MIN_NAME]\"=|"},
      {R"({"sp":"[MIN_KEY]","ep":"[MAX_KEY]","i":".key"})", "k|\"[MIN_NAME]\"=|\"[MAX_NAME]\"=|"},
  };
  for (const Case& c : cases) {
    INFO(c.query);
    const std::string body = R"({"p":"/msgs","q":)" + c.query + R"(,"t":7,"h":""})";
    const Action listen = act("q", body);
    REQUIRE(std::holds_alternative<Listen>(listen));
    CHECK(std::get<Listen>(listen).listen.query->text() == c.text);
    CHECK(std::get<Listen>(listen).tag == 7);
    CHECK(std::get<Listen>(listen).query_json == c.query);
    CHECK(std::get<Get>(act("g", body)).read.query->text() == c.text);
    CHECK(std::get<Unlisten>(act("n", body)).tag == 7);
  }
  CHECK_FALSE(std::get<Listen>(act("q", R"({"p":"/a","q":{},"t":3})")).listen.query);
}

TEST_CASE("Message: queries that are none are refused with why", "[wire]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"p":"/a","q":{"l":1}})", "A filtered listen has a tag: `t` must be an integer."},
      {R"({"p":"/a","q":{"l":1},"t":"x"})", "`t` must be an integer."},
      {R"({"p":"/a","q":[],"t":1})", "`q` must be an object."},
      {R"({"p":"/a","q":{"l":0},"t":1})", "`l` must be a positive integer."},
      {R"({"p":"/a","q":{"l":1.5},"t":1})", "`l` must be a positive integer."},
      {R"({"p":"/a","q":{"l":1,"vf":"x"},"t":1})", "`vf` must be \"l\" or \"r\"."},
      {R"({"p":"/a","q":{"sp":{}},"t":1})", "`sp` must be null, a boolean, a number or a string."},
      {R"({"p":"/a","q":{"sp":1,"i":".key"},"t":1})", "`sp` must be a key: the order is that of keys."},
      {R"({"p":"/a","q":{"sn":"k"},"t":1})", "`sn` needs a `sp`."},
      {R"({"p":"/a","q":{"ep":1,"en":2},"t":1})", "`en` must be a string."},
      {R"({"p":"/a","q":{"ep":1,"ein":1},"t":1})", "`ein` must be a boolean."},
      {R"({"p":"/a","q":{"i":5,"l":1},"t":1})", "`i` must be a string."},
      {R"({"p":"/a","q":{"i":"/","l":1},"t":1})", "`i` must name a child."},
  };
  for (const auto& [body, what] : cases) {
    INFO(body);
    const Action action = act("q", body);
    REQUIRE(std::holds_alternative<Refuse>(action));
    CHECK(std::get<Refuse>(action).error.message == what);
  }
}

TEST_CASE("Message: onDisconnect put, merge and cancel", "[wire]") {
  const Action put = act("o", R"({"p":"/st/a","d":{"at":{".sv":"timestamp"},"online":false}})");
  REQUIRE(std::holds_alternative<OnDisconnect>(put));
  CHECK(std::get<OnDisconnect>(put).disconnect.kind == db::Disconnect::Kind::Put);
  CHECK(std::get<OnDisconnect>(put).disconnect.path.text() == "st/a");
  CHECK(std::get<OnDisconnect>(put).disconnect.overwrites.size() == 1);

  const Action merge = act("om", R"({"p":"/st/b","d":{"x":1,"y/z":null}})");
  REQUIRE(std::holds_alternative<OnDisconnect>(merge));
  CHECK(std::get<OnDisconnect>(merge).disconnect.kind == db::Disconnect::Kind::Merge);
  CHECK(told(std::get<OnDisconnect>(merge).disconnect.overwrites) ==
        std::vector<std::string>{"st/b/x = 1", "st/b/y/z = null"});

  const Action cancel = act("oc", R"({"p":"/st/c","d":null})");
  REQUIRE(std::holds_alternative<OnDisconnect>(cancel));
  CHECK(std::get<OnDisconnect>(cancel).disconnect.kind == db::Disconnect::Kind::Cancel);
  CHECK(std::get<OnDisconnect>(cancel).disconnect.path.text() == "st/c");
}

TEST_CASE("Message: credentials and what an admin asks to be judged as", "[wire]") {
  const Action plain = act("gauth", R"({"cred":"owner"})");  // admin SDK frames (net/wire/protocol.md §9.1)
  CHECK(std::get<Authenticate>(plain).credential == "owner");
  CHECK_FALSE(std::get<Authenticate>(plain).act_as);
  CHECK(std::get<Authenticate>(act("gauth", R"({"cred":"owner","noauth":true})")).act_as == "null");
  CHECK(std::get<Authenticate>(act("auth", R"({"cred":"owner","authvar":{"uid":"svc","admin":false}})")).act_as ==
        R"({"uid":"svc","admin":false})");
  CHECK(std::holds_alternative<Unauthenticate>(act("unauth", "{}")));
  for (const char* name : {"s", "appcheck", "unappeck", "unappcheck"}) {
    INFO(name);
    CHECK(std::holds_alternative<Acknowledge>(act(name, R"({"c":{"sdk.node.13-2-0":1},"token":"t"})")));
  }
}

TEST_CASE("Message: what makes no sense is refused with the reason", "[wire]") {
  std::string deep = "1";
  for (int i = 0; i < 33; ++i) deep = R"({"k":)" + deep + "}";
  std::string deep_path;
  for (int i = 0; i < 33; ++i) deep_path += "/k";
  using db::ErrorCode;
  struct Case {
    std::string action;
    std::string body;
    ErrorCode code;
    std::string text;  // contained in the message
  };
  const std::vector<Case> cases = {
      {"zz", "{}", ErrorCode::Unsupported, "Unknown action: zz"},
      {std::string(100, 'z'), "{}", ErrorCode::Unsupported, "Unknown action."},
      {"p", "null", ErrorCode::InvalidArgument, "`b` must be an object"},
      {"p", "[]", ErrorCode::InvalidArgument, "`b` must be an object"},
      {"p", R"({"d":1})", ErrorCode::InvalidArgument, "`p` must be a string"},
      {"p", R"({"p":5,"d":1})", ErrorCode::InvalidArgument, "`p` must be a string"},
      {"p", R"({"p":"/a"})", ErrorCode::InvalidArgument, "`d` is missing"},
      {"p", R"({"p":"/a","d":1,"h":5})", ErrorCode::InvalidArgument, "`h` must be a string"},
      {"p", R"({"p":"/a/.priority","d":1,"h":"x"})", ErrorCode::Unsupported, "priority"},
      {"p", R"({"p":"/a.b","d":1})", ErrorCode::InvalidPath, "Invalid token in path"},
      {"p", R"({"p":"/a$","d":1})", ErrorCode::InvalidPath, "Invalid token in path"},
      {"p", R"({"p":"/a\u0001","d":1})", ErrorCode::InvalidPath, "Invalid token in path"},
      {"p", R"({"p":"/.info/connected","d":1})", ErrorCode::InvalidPath, "Can't modify data under /.info/"},
      {"p", R"({"p":".info","d":1})", ErrorCode::InvalidPath, "Can't modify data under /.info/"},
      {"m", R"({"p":"/","d":{"/.info/x":1}})", ErrorCode::InvalidPath, "Can't modify data under /.info/"},
      {"o", R"({"p":"/.info/x","d":1})", ErrorCode::InvalidPath, "Can't modify data under /.info/"},
      {"oc", R"({"p":"/.info/x","d":null})", ErrorCode::InvalidPath, "Can't modify data under /.info/"},
      {"q", R"({"p":"/.settings"})", ErrorCode::InvalidPath, "Invalid token in path"},
      {"p", R"({"p":")" + deep_path + R"(","d":1})", ErrorCode::InvalidPath, "maximum depth"},
      {"p", R"({"p":"/a","d":)" + deep + "}", ErrorCode::InvalidData, "depth"},
      {"p", R"({"p":"/)" + std::string(769, 'k') + R"(","d":1})", ErrorCode::InvalidPath, "768"},
      {"p", R"({"p":"/a","d":{")" + std::string(769, 'k') + R"(":1}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a","d":{"b.c":1}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a","d":{"":1}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a","d":{".value":1,"b":2}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a","d":{".sv":"tomorrow"}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a","d":{".sv":{"increment":"1"}}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a/.priority","d":{"x":1}})", ErrorCode::InvalidData, ""},
      {"p", R"({"p":"/a","d":")" + std::string(db::kStringBytesMax + 1, 's') + R"("})", ErrorCode::InvalidData, ""},
      {"m", R"({"p":"/a","d":[1]})", ErrorCode::InvalidData, ""},
      {"m", R"({"p":"/a","d":5})", ErrorCode::InvalidData, ""},
      {"m", R"({"p":"/","d":{"a":1,"a/b":2}})", ErrorCode::InvalidData, "ancestor"},
      {"m", R"({"p":"/","d":{"/a/b":1,"a/b":2}})", ErrorCode::InvalidData, ""},
      {"m", R"({"p":"/","d":{"a/.sv":1}})", ErrorCode::InvalidPath, ""},
      {"q", R"({"p":"/a","q":"x"})", ErrorCode::InvalidArgument, "`q` must be an object"},
      {"auth", "{}", ErrorCode::InvalidToken, "`cred` must be a string"},
  };
  for (const Case& c : cases) {
    INFO(c.action.substr(0, 80) << " " << c.body.substr(0, 80));
    const Action action = act(c.action, c.body);
    const auto* refused = std::get_if<Refuse>(&action);
    REQUIRE(refused != nullptr);
    INFO(refused->error.message.substr(0, 200));
    CHECK(refused->error.code == c.code);
    CHECK(refused->error.message.find(c.text) != std::string::npos);
    CHECK(refused->error.message.size() < 1000);
  }
}

TEST_CASE("Message: control messages", "[wire]") {
  CHECK(std::holds_alternative<Ping>(parse(R"({"t":"c","d":{"t":"p","d":{}}})")));
  CHECK(std::holds_alternative<Nothing>(parse(R"({"t":"c","d":{"t":"a","d":{}}})")));
  CHECK(std::holds_alternative<EndOfTransmission>(parse(R"({"t":"c","d":{"t":"n","d":{}}})")));
  CHECK(std::holds_alternative<Nothing>(parse(R"({"t":"c","d":{}})")));
}

TEST_CASE("Message: what has no number can't be answered", "[wire]") {
  const std::vector<std::string> broken = {
      "",
      "null",
      "5",
      "[]",
      "{}",
      "{",
      R"({"t":"d"})",
      R"({"t":"x","d":{}})",
      R"({"t":1,"d":{}})",
      R"({"t":"d","d":[]})",
      R"({"t":"d","d":{"a":"p","b":{}}})",
      R"({"t":"d","d":{"r":"7","a":"p","b":{}}})",
      R"({"t":"d","d":{"r":1.5,"a":"p","b":{}}})",
      R"({"t":"d","d":{"r":)",
      R"({"t":"d","d":{"a":"p","b":{"d":1,"r":5}})",
      std::string(100'000, '['),
      std::string(100'000, '{'),
  };
  for (const std::string& text : broken) {
    INFO(text.substr(0, 80));
    CHECK(std::holds_alternative<Broken>(parse(text)));
  }
}

TEST_CASE("Message: broken text with a legible number is a refused request", "[wire]") {
  const std::vector<std::string> broken = {
      R"({"t":"d","d":{"r":7,"a":"p","b":{"p":"/a","d":tru}}})",
      R"({"t":"d","d":{"r":7,"a":"p","b":{"p":"/a","d":")"
      "\xff"
      R"("}}})",
      R"({"t":"d","d":{"r":7,"a":"p","b":{"p":"/a","d":)" + std::string(100'000, '[') + std::string(100'000, ']') +
          "}}}",
      R"({"t":"d","d":{"r":7,"a":"p","b":{"p":"/a","d":01}}})",
  };
  for (const std::string& text : broken) {
    INFO(text.substr(0, 80));
    const Incoming incoming = parse(text);
    REQUIRE(std::holds_alternative<ClientRequest>(incoming));
    CHECK(std::get<ClientRequest>(incoming).number == 7);
    const Action& action = std::get<ClientRequest>(incoming).action;
    REQUIRE(std::holds_alternative<Refuse>(action));
    CHECK(std::get<Refuse>(action).error.code == db::ErrorCode::InvalidData);
  }
}

TEST_CASE("Message: one that is too large is refused by its number", "[wire]") {
  const std::vector<std::pair<std::string, std::string>> ends = {
      {R"({"t":"d","d":{"r":12,"a":"p","b":{"p":"/a","d":"xxx)", R"(xx"}}})"},
      {R"({"d":{"a":"p","b":{"d":"xxx)", R"(xx","p":"a"},"r":12},"t":"d"})"}};
  for (const auto& [head, tail] : ends) {
    INFO(head << " … " << tail);
    const Incoming incoming = parse_message({.text = head, .too_large = true, .tail = tail});
    REQUIRE(std::holds_alternative<ClientRequest>(incoming));
    CHECK(std::get<ClientRequest>(incoming).number == 12);
    const Action& action = std::get<ClientRequest>(incoming).action;
    REQUIRE(std::holds_alternative<Refuse>(action));
    CHECK(std::get<Refuse>(action).error ==
          db::Error{db::ErrorCode::TooLarge,
                    "Data to write exceeds the maximum size that can be modified with a single request."});
  }
  CHECK(std::holds_alternative<Broken>(parse_message({.text = "{", .too_large = true, .tail = "}"})));
}

TEST_CASE("Message: a number is read off the ends only where it is certain", "[wire]") {
  struct Case {
    std::string head, tail;
    std::optional<int64_t> number;
  };
  const std::vector<Case> cases = {
      {R"({"t":"d","d":{"r":7,"a":"p")", "", 7},                        // JavaScript
      {R"({"t":"d","d":{"a":"p","r":0,"b":{)", "", 0},                  // Android
      {R"({"d":{"a":"p","b":{"d":"x)", R"(x"},"r":21},"t":"d"})", 21},  // C++
      {R"({"d":{"a":"p","b":{"d":"x)", R"(x"},"r":21}})", 21},
      {R"({"t":"d","d":{"r":-3,"a")", "", -3},
      {R"({"r":9,"t":"d","d":{"a":"p","b":{)", "xx", std::nullopt},          // not the request's
      {R"({"t":"d","d":{"a":"p","b":{"r":5,)", "xx", std::nullopt},          // the user's data
      {R"({"t":"d","d":{"a":"\"r\":5,","b":{"d":")", "xx", std::nullopt},    // inside a string
      {R"({"t":"d","d":{"a":"p","b":{"d":")", R"("r":5}}})", std::nullopt},  // the user's data
      {R"({"t":"d","d":{"a":"p","b":{"d":")", R"("r":5x}})", std::nullopt},
      {R"({"t":"d","d":{"r":"7","a":"p")", "", std::nullopt},
      {R"({"t":"d","d":{"r":7)", "", std::nullopt},  // may have more digits
      {R"({"t":"d","d":{"r":99999999999999999999,"a")", "", std::nullopt},
      {"", "", std::nullopt},
  };
  for (const Case& c : cases) {
    INFO(c.head << " … " << c.tail);
    CHECK(request_number(c.head, c.tail) == c.number);
  }
}

TEST_CASE("Session: a priority where nothing stands is refused, to those who may not read there as denied", "[wire]") {
  Server server;  // SDK: DataTest.java, setPriorityOnNonexistentNodeFails
  Client client(server);
  const std::string refused = Client::refusal("failure", "could not set priority on non-existent node");
  CHECK(client.answer("p", R"({"p":"/a/.priority","d":1})") == refused);
  CHECK(client.answer("p", R"({"p":"/a/.priority","d":null})") == Client::done());
  CHECK(client.answer("p", R"({"p":"/a/b","d":1})") == Client::done());
  CHECK(client.answer("p", R"({"p":"/a/.priority","d":1})") == Client::done());
  CHECK(client.answer("g", R"({"p":"/a","q":{}})") == Client::done(R"({".priority":1,"b":1})"));
  CHECK(client.answer("m", R"({"p":"/","d":{"x/.priority":1,"y":2}})") == Client::done());
  CHECK(client.answer("g", R"({"p":"/x","q":{}})") == Client::done("null"));

  std::promise<db::Result<void>> set;
  server.guard().set_rules("demo", rules::Auth::admin(), R"({"rules":{".write":true}})", rules::Install::Yes,
                           [&](const db::Answer& answer) { set.set_value(answer.status); });
  REQUIRE(set.get_future().get().ok());
  CHECK(client.answer("p", R"({"p":"/a/.priority","d":2})") == Client::done());
  CHECK(client.answer("p", R"({"p":"/b/.priority","d":2})") ==
        Client::refusal("permission_denied", "Permission denied"));
}
