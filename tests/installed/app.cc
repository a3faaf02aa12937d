// An app with a database of its own, which it also serves: SDK clients and the app share one tree. Run: app FOLDER
#include <hearth/db/host.h>
#include <hearth/net/server.h>
#include <hearth/rules/guard.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <string>

using namespace hearth;
using db::Value;

namespace {

constexpr int kReads = 50'000;
constexpr int kWrites = 20'000;

db::Result<void> use(db::Host& database) {
  ASSIGN_OR_RETURN(db::Namespace shop, database.space("shop"));
  RETURN_IF_ERROR(
      shop.set("items/tea", db::Value::object({{"price", Value::integer(3)}, {"left", Value::integer(10)}})));

  // What comes in, by whomever.
  std::promise<void> first, sold;
  db::ListenerCallbacks callbacks;
  callbacks.value = [&, told = 0](const Value& left) mutable {
    if (++told == 1) first.set_value();
    if (left.as_integer() == 9) sold.set_value();
  };
  ASSIGN_OR_RETURN(const db::Listener listener, shop.listen("items/tea/left", std::move(callbacks)));
  first.get_future().wait();
  RETURN_IF_ERROR(shop.transaction("items/tea/left", [](const Value& left) -> std::optional<Value> {
    return left.as_integer() > 0 ? std::optional(Value::integer(left.as_integer() - 1)) : std::nullopt;
  }));
  sold.get_future().wait();
  std::printf("one tea was sold\n");
  return {};
}

// Waits for what a Guard does.
db::Answer wait_for(const std::function<void(rules::Guard::Done)>& begin) {
  std::promise<db::Answer> answered;
  begin([&](db::Answer answer) { answered.set_value(std::move(answer)); });
  return answered.get_future().get();
}

// Everybody reads what there is, and only Ada sets prices.
constexpr const char* kRules = R"json({"rules": {
  ".read": true,
  "items": {"$item": {"price": {".write": "auth.uid === 'ada'", ".validate": "newData.isNumber()"}}}
}})json";

// Rules without a server: the app asks in the name of others, and what the rules refuse does not happen.
db::Result<void> judge(rules::Guard& guard) {
  const auto set = [&](const rules::Auth& who, int64_t price) -> db::Result<void> {
    ASSIGN_OR_RETURN(db::Write write, db::make_write("items/tea/price", Value::integer(price)));
    return wait_for([&](auto done) { guard.write("shop", who, std::move(write), std::move(done)); }).status;
  };
  const rules::Auth nobody;
  const rules::Auth ada{rules::Auth::Kind::User, R"({"uid":"ada","token":{}})", {}};
  const db::Result<void> refused = set(nobody, 0);
  if (refused.ok() || refused.error().code != db::ErrorCode::PermissionDenied)
    return db::Error{db::ErrorCode::Io, "that was to be refused"};
  RETURN_IF_ERROR(set(ada, 4));
  std::printf("nobody: %s; Ada: it costs 4\n", refused.error().message.c_str());
  return {};
}

// The same tree over the network, behind the same rules.
db::Result<void> serve(db::Host& database) {
  rules::Guard guard(database, {.admin_secret = "a-secret-of-the-app", .default_namespace = "shop"});
  RETURN_IF_ERROR(wait_for([&](auto done) {
                    guard.set_rules("shop", rules::Auth::admin("the app"), kRules, rules::Install::Yes,
                                    std::move(done));
                  }).status);
  RETURN_IF_ERROR(judge(guard));
  net::Server::Options options;
  options.port = 0;
  ASSIGN_OR_RETURN(const auto server, net::Server::start(guard, std::move(options)));
  std::printf("serving on %s\n", server->url().c_str());
  std::fflush(stdout);
  const std::string ask = "curl -sf " + server->url() + "/items/tea/left.json";
  const std::string refused = "curl -s -X PUT -d 1 " + server->url() + "/items/tea/left.json";
  if (std::system(ask.c_str()) != 0) return db::Error{db::ErrorCode::Io, "the tree is not served"};
  std::printf("\n");
  std::fflush(stdout);
  if (std::system(refused.c_str()) != 0) return db::Error{db::ErrorCode::Io, "no answer"};
  server->stop();
  return {};
}

// How fast it is, in this process: reads one after the other, durable writes as an app makes them that does not wait.
db::Result<void> measure(db::Host& database) {
  using Clock = std::chrono::steady_clock;
  ASSIGN_OR_RETURN(db::Namespace shop, database.space("shop"));
  auto begin = Clock::now();
  for (int i = 0; i < kReads; ++i) RETURN_IF_ERROR(shop.get("items/tea/price"));
  const std::chrono::duration<double> reading = Clock::now() - begin;
  begin = Clock::now();
  std::promise<void> all;
  std::atomic<int> left = kWrites;
  for (int i = 0; i < kWrites; ++i) {
    shop.set_async("visits/" + std::to_string(i % 1'000), Value::integer(i), [&](const db::Result<db::Written>&) {
      if (--left == 0) all.set_value();
    });
  }
  all.get_future().wait();
  const std::chrono::duration<double> writing = Clock::now() - begin;
  std::printf("%.0f reads and %.0f durable writes a second\n", kReads / reading.count(), kWrites / writing.count());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  db::Database::Options options;
  options.folder = argc > 1 ? argv[1] : "app-data";
  auto database = db::Host::open(options);
  if (!database.ok()) return std::fprintf(stderr, "%s\n", database.error().message.c_str()), 1;
  // Another one beside it, which has nothing to do with it.
  options.folder += "-other";
  auto other = db::Database::open(options);
  if (!other.ok()) return std::fprintf(stderr, "%s\n", other.error().message.c_str()), 1;
  for (const auto step : {use, serve, measure}) {
    const db::Result<void> done = step(*database.value());
    if (!done.ok()) return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  }
  std::printf("done\n");
}
