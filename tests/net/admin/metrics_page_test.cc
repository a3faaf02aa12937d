// Figures move as told when the thing is done to a whole server; who may read them; that they stay few.
#include "net/admin/metrics_page.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "db/base/text.h"
#include "db/host.h"
#include "db/model/hash.h"
#include "net/server.h"
#include "tests/support/exposition.h"
#include "tests/support/http_client.h"
#include "tests/support/raw_client.h"

using hearth::net::Server;
using hearth::test::ask;
using hearth::test::Exposition;
using hearth::test::Folder;
using hearth::test::HttpClient;
using hearth::test::Reply;
using hearth::test::Request;
namespace db = hearth::db;
namespace rules = hearth::rules;

namespace {

constexpr std::string_view kSecret = "a-secret-of-some-length";
// {"alg":"none"} {"sub":"alice"}
constexpr std::string_view kUser = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.";

enum class Mode { Dev, Closed };

class Fixture {
 public:
  explicit Fixture(Mode mode = Mode::Dev, db::SyncMode sync = db::SyncMode::Group) {
    db::Database::Options options;
    options.folder = folder_ / "data";
    options.sync = sync;
    database_ = db::Host::open(std::move(options)).value();
    rules::Guard::Options guard_options;
    guard_options.dev = mode == Mode::Dev;
    guard_options.admin_secret = kSecret;
    guard_options.default_namespace = "default";
    REQUIRE(database_->create("default").ok());
    guard_.emplace(*database_, std::move(guard_options));
    Server::Options server_options;
    server_options.port = 0;
    server_options.watch = hearth::net::WatchPort{"127.0.0.1", 0};
    server_ = Server::start(*guard_, server_options).value();
  }
  ~Fixture() { server_->stop(); }

  uint16_t port() const { return server_->port(); }
  uint16_t watch_port() const {
    const std::string url = server_->watch_url();
    return static_cast<uint16_t>(std::atoi(url.c_str() + url.rfind(':') + 1));
  }
  Reply send(const Request& request) const { return ask(port(), request); }
  // By the port of its own, so that asking does not count among the requests of clients.
  Exposition figures() const {
    const Reply reply = ask(watch_port(), {.target = "/.metrics"});
    Exposition read(reply.body);
    INFO(read.all_faults());
    CHECK(reply.status == 200);
    CHECK(read.faults().empty());
    return read;
  }

 private:
  Folder folder_;
  std::unique_ptr<db::Host> database_;
  std::optional<rules::Guard> guard_;
  std::unique_ptr<Server> server_;
};

std::string owner() { return "Authorization: Bearer owner\r\n"; }
std::string bearer(std::string_view token) { return "Authorization: Bearer " + std::string(token) + "\r\n"; }

// Signed by nobody, and believed in development.
std::string token_of(const std::string& user) {
  std::string claims = db::base64(R"({"sub":")" + user + R"("})");
  std::replace(claims.begin(), claims.end(), '+', '-');
  std::replace(claims.begin(), claims.end(), '/', '_');
  return "eyJhbGciOiJub25lIn0." + claims + ".";
}

using Moves = std::vector<std::pair<std::string, double>>;

// Waits until the figures have moved so, and no further.
void check_moves(const Fixture& fixture, const Exposition& before, const Moves& expected) {
  std::string wrong;
  for (int tries = 0; tries < 2000; ++tries) {
    const Exposition after = fixture.figures();
    wrong.clear();
    for (const auto& [name, by] : expected) {
      const double moved = after.at(name) - before.at(name);
      if (moved != by) wrong += name + " moved by " + std::to_string(moved) + ", not " + std::to_string(by) + "\n";
    }
    if (wrong.empty()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  INFO(wrong);
  CHECK(wrong.empty());
}

std::string request_text(int number, const std::string& action, const std::string& body) {
  return R"({"t":"d","d":{"r":)" + std::to_string(number) + R"(,"a":")" + action + R"(","b":)" + body + "}}";
}

// Says it, and waits for its answer; what comes before that is passed over.
void say(HttpClient& client, int number, const std::string& action, const std::string& body) {
  client.send_text(request_text(number, action, body));
  const std::string answer = R"("r":)" + std::to_string(number) + ",";
  for (HttpClient::Frame frame = client.take_frame(); frame.opcode == 1; frame = client.take_frame()) {
    if (frame.payload.find(answer) != std::string::npos) return;
  }
  FAIL("no answer to " << body);
}

constexpr std::string_view kRules = R"x({"rules": {
  "open": {".read": true, ".write": true},
  "number": {".read": false, ".write": true, ".validate": "newData.isNumber()"},
  "shut": {".read": false, ".write": false}
}})x";

}  // namespace

TEST_CASE("Metrics: each request moves its figures, and by how much", "[admin][metrics]") {
  const Fixture fixture;
  REQUIRE(
      fixture
          .send({.method = "PUT", .target = "/.settings/rules.json", .body = std::string(kRules), .headers = owner()})
          .status == 200);
  REQUIRE(fixture.send({.method = "PUT", .target = "/open/a.json", .body = "1"}).status == 200);

  struct Case {
    Request request;
    int status;
    Moves moves;
  };
  const std::vector<Case> cases = {
      {{.method = "PUT", .target = "/open/a.json", .body = "2"},
       200,
       {{R"(hearth_writes_total{result="accepted"})", 1},
        {R"(hearth_writes_total{result="denied"})", 0},
        {"hearth_commits_total", 1},
        {"hearth_fsync_seconds_count", 1},
        {"hearth_commit_group_size_count", 1},
        {"hearth_commit_group_size_sum", 1},
        {R"(hearth_commit_group_size_bucket{le="1"})", 1},
        {"hearth_commit_seconds_count", 1},
        {"hearth_read_seconds_count", 0},
        {"hearth_rows_written_total", 2},  // the leaf, and the namespace's head
        {"hearth_index_rows_written_total", 0},
        {R"(hearth_rule_evaluations_total{kind="write"})", 1},
        {R"(hearth_rule_evaluations_total{kind="read"})", 0},
        {R"(hearth_requests_total{method="PUT",status="2xx"})", 1},
        {"hearth_connections_accepted_total", 1},
        {"hearth_sends_total", 1}}},
      {{.method = "PUT", .target = "/open/a.json", .body = "2", .headers = owner()},  // what stands there; an admin
       200,
       {{R"(hearth_writes_total{result="accepted"})", 1},
        {R"(hearth_rule_evaluations_total{kind="write"})", 0},
        {R"(hearth_requests_total{method="PUT",status="2xx"})", 1}}},
      {{.target = "/open/a.json"},
       200,
       {{"hearth_read_seconds_count", 1},
        {R"(hearth_rule_evaluations_total{kind="read"})", 1},
        {R"(hearth_rule_denials_total{kind="read"})", 0},
        {R"(hearth_requests_total{method="GET",status="2xx"})", 1},
        {"hearth_commits_total", 0},
        {"hearth_fsync_seconds_count", 0}}},
      {{.target = "/shut.json"},
       401,
       {{R"(hearth_rule_denials_total{kind="read"})", 1},
        {R"(hearth_rule_denials_total{kind="write"})", 0},
        {R"(hearth_requests_total{method="GET",status="4xx"})", 1}}},
      {{.method = "PUT", .target = "/shut.json", .body = "1"},
       401,
       {{R"(hearth_rule_denials_total{kind="write"})", 1},
        {R"(hearth_rule_denials_total{kind="validate"})", 0},
        {R"(hearth_writes_total{result="denied"})", 1},
        {R"(hearth_writes_total{result="accepted"})", 0},
        {"hearth_commits_total", 0},
        {"hearth_fsync_seconds_count", 0},
        {R"(hearth_requests_total{method="PUT",status="4xx"})", 1}}},
      {{.method = "PUT", .target = "/number.json", .body = "\"one\""},
       401,
       {{R"(hearth_rule_denials_total{kind="validate"})", 1},
        {R"(hearth_rule_denials_total{kind="write"})", 0},
        {R"(hearth_writes_total{result="denied"})", 1}}},
      {{.method = "PUT", .target = "/open/a.json", .body = "3", .headers = "if-match: another\r\n"},
       412,
       {{R"(hearth_writes_total{result="stale"})", 1},
        {R"(hearth_writes_total{result="accepted"})", 0},
        {R"(hearth_writes_total{result="denied"})", 0},
        {"hearth_commits_total", 0}}},
      {{.method = "BREW", .target = "/open/a.json"},
       405,
       {{R"(hearth_requests_total{method="other",status="4xx"})", 1}, {"hearth_bad_requests_total", 0}}},
      {{.target = "/open/a.json", .headers = "Content-Length: one\r\n"},
       400,
       {{"hearth_bad_requests_total", 1}, {R"(hearth_requests_total{method="GET",status="4xx"})", 0}}},
      {{.method = "PUT", .target = "/open/a.json?ns=another", .body = "1"},
       200,
       {{"hearth_namespaces", 1}, {"hearth_namespaces_in_memory", 1}, {"hearth_commits_total", 1}}},
  };
  for (const Case& c : cases) {
    INFO(c.request.method << " " << c.request.target);
    const Exposition before = fixture.figures();
    CHECK(fixture.send(c.request).status == c.status);
    check_moves(fixture, before, c.moves);
  }
}

TEST_CASE("Metrics: an event is told to each stream, and serialised once", "[admin][metrics]") {
  const Fixture fixture;
  const Exposition before = fixture.figures();
  {
    HttpClient first(fixture.port()), second(fixture.port());
    for (HttpClient* stream : {&first, &second}) {
      stream->ask("/a.json", "Accept: text/event-stream\r\n");
      REQUIRE(stream->take_until("null}\n\n").find("put") != std::string::npos);
    }
    check_moves(fixture, before,
                {{R"(hearth_transports{transport="event_stream"})", 2},
                 {R"(hearth_transports_opened_total{transport="event_stream"})", 2},
                 {R"(hearth_transports{transport="websocket"})", 0},
                 {"hearth_requests_in_flight", 0},
                 {"hearth_connections", 2},
                 {"hearth_sessions", 2},
                 {"hearth_listeners", 2},
                 {"hearth_views", 0},
                 {"hearth_event_bodies_serialised_total", 1}});  // both were told the same first value

    const Exposition listening = fixture.figures();
    REQUIRE(fixture.send({.method = "PUT", .target = "/a.json", .body = "17"}).status == 200);
    for (HttpClient* stream : {&first, &second}) CHECK(stream->take_until("17}\n\n").find("put") != std::string::npos);
    check_moves(fixture, listening, {{"hearth_events_total", 2}, {"hearth_event_bodies_serialised_total", 1}});
  }
  check_moves(fixture, before,
              {{R"(hearth_transports{transport="event_stream"})", 0},
               {R"(hearth_transports_opened_total{transport="event_stream"})", 2},
               {"hearth_connections", 0},
               {"hearth_sessions", 0},
               {"hearth_listeners", 0},
               {"hearth_outbox_bytes", 0}});
}

TEST_CASE("Metrics: what a WebSocket listens to, queues and leaves behind", "[admin][metrics]") {
  const Fixture fixture;
  const Exposition before = fixture.figures();
  {
    HttpClient client(fixture.port());
    REQUIRE(client.upgrade("/.ws?v=5&ns=default").status == 101);
    say(client, 1, "q", R"({"p":"/a","h":""})");
    say(client, 2, "q", R"({"p":"/b","q":{"sp":"a","i":".key"},"t":1,"h":""})");
    say(client, 3, "q", R"({"p":"/b","q":{"sp":"b","i":".key"},"t":2,"h":""})");
    say(client, 4, "o", R"({"p":"/gone","d":true})");
    say(client, 5, "om", R"({"p":"/left","d":{"x":1,"y":2}})");
    check_moves(fixture, before,
                {{R"(hearth_transports{transport="websocket"})", 1},
                 {R"(hearth_requests_total{method="GET",status="1xx"})", 1},
                 {"hearth_requests_in_flight", 0},
                 {"hearth_sessions", 1},
                 {"hearth_listeners", 3},
                 {"hearth_views", 2},
                 {"hearth_on_disconnect_queued_total", 3},
                 {"hearth_on_disconnect_run_total", 0}});
    say(client, 6, "p", R"({"p":"/a","d":1})");
    check_moves(fixture, before, {{"hearth_events_total", 1}, {"hearth_event_bodies_serialised_total", 1}});
    say(client, 7, "n", R"({"p":"/b","q":{"sp":"b","i":".key"},"t":2})");
    check_moves(fixture, before, {{"hearth_listeners", 2}, {"hearth_views", 1}});
  }
  check_moves(fixture, before,
              {{R"(hearth_transports{transport="websocket"})", 0},
               {"hearth_sessions", 0},
               {"hearth_listeners", 0},
               {"hearth_views", 0},
               {"hearth_on_disconnect_run_total", 3}});
}

TEST_CASE("Metrics: a listener that loses its right is a revocation", "[admin][metrics]") {
  const Fixture fixture;
  HttpClient stream(fixture.port());
  stream.ask("/a.json", "Accept: text/event-stream\r\n");
  REQUIRE(stream.take_until("null}\n\n").find("put") != std::string::npos);
  const Exposition before = fixture.figures();
  REQUIRE(
      fixture
          .send({.method = "PUT", .target = "/.settings/rules.json", .body = std::string(kRules), .headers = owner()})
          .status == 200);
  CHECK(stream.take_until("cancel").find("cancel") != std::string::npos);
  check_moves(fixture, before,
              {{"hearth_revocations_total", 1},
               {"hearth_events_total", 1},
               {"hearth_listeners", -1},
               {R"(hearth_rule_denials_total{kind="read"})", 1}});
}

TEST_CASE("Metrics: rows of an index count beside those of the data", "[admin][metrics]") {
  const Fixture fixture;
  REQUIRE(fixture
              .send({.method = "PUT",
                     .target = "/.settings/indexes.json",
                     .body = R"([{"at":"/m","by":"n"}])",
                     .headers = owner()})
              .status == 200);
  while (fixture.send({.target = "/.inspect/indexes.json"}).body.find(R"("complete":true)") == std::string::npos) {
  }
  const Exposition before = fixture.figures();
  REQUIRE(fixture.send({.method = "PUT", .target = "/m/a.json", .body = R"({"n":1,"t":2})"}).status == 200);
  check_moves(fixture, before,
              {{"hearth_index_rows_written_total", 2},  // the child's, and the number of children
               {"hearth_rows_written_total", 5}});
}

TEST_CASE("Metrics: --sync os syncs nothing", "[admin][metrics]") {
  const Fixture fixture(Mode::Dev, db::SyncMode::Os);
  const Exposition before = fixture.figures();
  REQUIRE(fixture.send({.method = "PUT", .target = "/a.json", .body = "1"}).status == 200);
  check_moves(fixture, before, {{"hearth_commits_total", 1}, {"hearth_fsync_seconds_count", 0}});
}

TEST_CASE("Metrics: admins read them, and in development whoever is on this machine", "[admin][metrics]") {
  struct Case {
    Mode mode;
    Request request;
    int status;
  };
  const std::string secret(kSecret);
  const std::vector<Case> cases = {
      {Mode::Closed, {.target = "/.metrics"}, 401},
      {Mode::Closed, {.target = "/.metrics", .headers = bearer(kSecret)}, 200},
      {Mode::Closed, {.method = "HEAD", .target = "/.metrics", .headers = bearer(kSecret)}, 200},
      {Mode::Closed, {.target = "/.metrics?x=1", .headers = bearer(kSecret)}, 200},
      {Mode::Closed, {.target = "/.metrics", .headers = bearer(secret + "x")}, 401},
      {Mode::Closed, {.target = "/.metrics", .headers = bearer("owner")}, 401},
      {Mode::Closed, {.target = "/.metrics", .headers = bearer(kUser)}, 401},
      {Mode::Closed, {.target = "/.metrics?auth=" + secret}, 401},  // a URL is no place for it
      {Mode::Closed, {.target = "/.metrics?access_token=" + secret}, 401},
      {Mode::Closed, {.method = "POST", .target = "/.metrics", .body = "1", .headers = bearer(kSecret)}, 405},
      {Mode::Dev, {.target = "/.metrics"}, 200},
      {Mode::Dev, {.target = "/.metrics", .headers = owner()}, 200},
      {Mode::Dev, {.target = "/.metrics", .headers = bearer(kUser)}, 401},
      {Mode::Dev, {.target = "/.metrics", .headers = bearer("nonsense")}, 401},
      {Mode::Dev, {.target = "/.metrics/more"}, 404},
      {Mode::Dev, {.target = "/.metrics.json"}, 400},
  };
  for (const Mode mode : {Mode::Closed, Mode::Dev}) {
    const Fixture fixture(mode);
    for (const Case& c : cases) {
      if (c.mode != mode) continue;
      INFO((mode == Mode::Dev ? "dev: " : "closed: ")
           << c.request.method << " " << c.request.target << " " << c.request.headers);
      const Reply reply = fixture.send(c.request);
      CHECK(reply.status == c.status);
      CHECK((reply.body.find("hearth_commits_total") != std::string::npos) ==
            (c.status == 200 && c.request.method == "GET"));
      if (c.status == 200) CHECK(reply.head.find("content-type: text/plain; version=0.0.4") != std::string::npos);
    }
  }
}

TEST_CASE("Metrics: what is refused is counted by why, and what there may be is told", "[admin][metrics][limits]") {
  const Fixture fixture(Mode::Closed);
  const Exposition before = fixture.figures();
  CHECK(fixture.send({.target = "/.json", .headers = bearer(kUser)}).status == 401);
  CHECK(fixture.send({.target = "/.json", .headers = bearer("no token at all")}).status == 401);
  CHECK(fixture.send({.target = "/.json", .headers = bearer(kSecret)}).status == 200);
  CHECK(fixture.send({.target = "/" + std::string(20'000, 'x') + ".json"}).status == 414);
  check_moves(fixture, before,
              {{R"(hearth_credentials_refused_total{reason="unsigned"})", 1},
               {R"(hearth_credentials_refused_total{reason="malformed"})", 1},
               {R"(hearth_credentials_refused_total{reason="signature"})", 0},
               {"hearth_credentials_accepted_total", 1},
               {R"(hearth_limit_reached_total{limit="head_size"})", 1},
               {R"(hearth_limit_reached_total{limit="connections"})", 0}});
  CHECK(before.at(R"(hearth_limit{limit="connections"})") == 50'000);
  CHECK(before.at(R"(hearth_limit{limit="head_time"})") == 30);
  CHECK(before.at(R"(hearth_limit{limit="listeners"})") == 20'000);
  CHECK(before.at(R"(hearth_limit{limit="pending_size"})") == 1u << 30);
  CHECK(before.at(R"(hearth_limit{limit="pending_size_per_address"})") == 1u << 29);
  CHECK(before.at(R"(hearth_limit{limit="receive_pace"})") == 1'000);
  CHECK(before.at(R"(hearth_limit{limit="verify_time"})") == 100);
  for (const char* limit :
       {"pending_size", "pending_size_per_address", "receive_pace", "verify_time", "failed_logins"}) {
    CHECK(before.at(R"(hearth_limit_reached_total{limit=")" + std::string(limit) + "\"}") == 0);
  }
  CHECK(before.at("hearth_pending_bytes") == 0);
}

TEST_CASE("Metrics: the port of its own serves them and health to everyone, and nothing else", "[admin][metrics]") {
  const Fixture fixture(Mode::Closed);
  struct Case {
    Request request;
    int status;
  };
  const std::vector<Case> cases = {
      {{.target = "/.metrics"}, 200},
      {{.target = "/.health"}, 200},
      {{.method = "PUT", .target = "/.health", .body = "1"}, 405},
      {{.target = "/.json", .headers = bearer(kSecret)}, 404},
      {{.method = "PUT", .target = "/a.json", .body = "1", .headers = bearer(kSecret)}, 404},
      {{.target = "/.settings/rules.json", .headers = bearer(kSecret)}, 404},
      {{.target = "/.ws"}, 404},
      {{.target = "/"}, 404},
  };
  for (const Case& c : cases) {
    INFO(c.request.method << " " << c.request.target);
    CHECK(ask(fixture.watch_port(), c.request).status == c.status);
  }
}

TEST_CASE("Metrics: the port of its own has small limits", "[admin][metrics]") {
  const Fixture fixture(Mode::Closed);
  const auto put = [&](size_t bytes) {
    return ask(fixture.watch_port(), {.method = "PUT", .target = "/.health", .body = std::string(bytes, '1')}).status;
  };
  CHECK(put(hearth::net::kWatchBodyBytesMax) == 405);
  CHECK(put(hearth::net::kWatchBodyBytesMax + 1) == 413);

  std::vector<std::unique_ptr<HttpClient>> clients;
  while (clients.size() < hearth::net::kWatchConnectionsMax) {
    clients.push_back(std::make_unique<HttpClient>(fixture.watch_port()));
    clients.back()->ask("/.health");
    const int status = clients.back()->reply().status;
    if (status == 503) clients.pop_back();  // those from above are still leaving
    if (status != 503) REQUIRE(status == 200);
  }
  HttpClient one_more(fixture.watch_port());
  one_more.ask("/.health");
  CHECK(one_more.reply().status == 503);
  CHECK(fixture.send({.target = "/.health"}).status == 200);  // clients have a limit of their own
}

TEST_CASE("Metrics: a thousand namespaces, paths and users are no more series", "[admin][metrics]") {
  const Fixture fixture(Mode::Dev, db::SyncMode::Os);
  const auto touch = [&](int from, int upto) {
    HttpClient client(fixture.port());
    for (int i = from; i < upto; ++i) {
      const std::string n = std::to_string(i);
      const bool is_put = i % 2 == 0;
      client.ask("/path" + n + ".json?ns=space" + n, bearer(token_of("user" + n)), "1", is_put ? "PUT" : "VERB" + n);
      REQUIRE(client.reply().status == (is_put ? 200 : 405));
    }
  };
  touch(0, 10);
  const Exposition before = fixture.figures();
  touch(10, 1010);
  const Exposition after = fixture.figures();
  CHECK(after.series().size() == before.series().size());
  CHECK(after.series().size() < 400);
  for (const auto& [name, value] : after.series()) {
    INFO(name);
    for (const std::string word : {"space1", "path1", "user1", "VERB"}) CHECK(name.find(word) == std::string::npos);
  }
}

TEST_CASE("Metrics: names say whose they are, and their unit last", "[admin][metrics]") {
  const Fixture fixture;
  const Exposition figures = fixture.figures();
  for (const std::string& name : figures.families()) {
    INFO(name);
    CHECK((name.starts_with("hearth_") || name.starts_with("process_")));
    for (const std::string unit : {"_seconds", "_bytes"}) {
      const size_t at = name.find(unit);
      if (at == std::string::npos) continue;
      const std::string rest = name.substr(at + unit.size());
      CHECK((rest.empty() || rest == "_total"));
    }
  }
}

TEST_CASE("Exposition: what a scraper would stumble over is a fault", "[admin][metrics]") {
  const std::string counter = "# HELP a_total A.\n# TYPE a_total counter\n";
  const std::string histogram = "# HELP h H.\n# TYPE h histogram\n";
  CHECK(Exposition(counter + "a_total 1\n" + histogram +
                   "h_count 2\nh_sum 3\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n")
            .faults()
            .empty());
  const std::vector<std::string> bad = {
      "",
      counter + "a_total 1",
      "a_total 1\n",
      "# TYPE a_total counter\na_total 1\n",
      counter,
      counter + "a_total one\n",
      counter + "a_total -1\n",
      counter + "a_total 1\na_total 2\n",
      counter + "a_total{x=\"1\"} 1\na_total{x=\"1\"} 2\n",
      counter + "a_total{x=1} 1\n",
      counter + "b_total 1\n",
      counter + "a_total 1\n" + counter + "a_total{x=\"1\"} 1\n",
      "# HELP a A.\n# TYPE a counter\na 1\n",
      "# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n",
      histogram + "h_count 2\nh_sum 3\nh_bucket{le=\"1\"} 1\n",
      histogram + "h_count 3\nh_sum 3\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n",
      histogram + "h_count 2\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n",
      histogram + "h_count 1\nh_sum 3\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\n",
      histogram + "h_count 2\nh_sum 3\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n",
  };
  for (const std::string& text : bad) {
    INFO(text);
    CHECK_FALSE(Exposition(text).faults().empty());
  }
}
