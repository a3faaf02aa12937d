// Hearth inside a program: no server, no port. Run: embedded FOLDER
//
// A scoreboard: players join, score and leave, and a listener is told of each change.
#include <cstdio>
#include <future>
#include <string>

#include "db/database.h"

using hearth::db::Database;
using hearth::db::Listener;
using hearth::db::ListenerCallbacks;
using hearth::db::Namespace;
using hearth::db::Result;
using hearth::db::Value;
using hearth::db::Written;

namespace {

Result<void> play(Namespace game) {
  // Callbacks come one at a time, on a thread of the database's own (or wherever Options::run takes them).
  std::promise<void> first, ended;
  ListenerCallbacks callbacks;
  callbacks.value = [&first, told = false](const Value&) mutable {
    if (!told) first.set_value();
    told = true;
  };
  callbacks.child_added = [](const std::string& key, const Value& player, const std::string& previous) {
    std::printf("%s joins after '%s' with %lld\n", key.c_str(), previous.c_str(),
                static_cast<long long>(player.child("score").as_integer()));
  };
  callbacks.child_changed = [](const std::string& key, const Value& player, const std::string&) {
    std::printf("%s has %lld\n", key.c_str(), static_cast<long long>(player.child("score").as_integer()));
  };
  callbacks.child_removed = [&ended](const std::string& key, const Value&) {
    std::printf("%s leaves\n", key.c_str());
    ended.set_value();
  };
  ASSIGN_OR_RETURN(const Listener listener, game.listen("players", std::move(callbacks)));
  first.get_future().wait();

  // Blocking calls return when the write is on disk.
  RETURN_IF_ERROR(game.set("players/ada/score", Value::integer(1)));
  RETURN_IF_ERROR(game.update("players", {{"ada/score", Value::integer(2)}, {"bob/score", Value::integer(0)}}));
  RETURN_IF_ERROR(game.transaction("players/bob/score", [](const Value& score) -> std::optional<Value> {
    return Value::integer(score.as_integer() + 5);
  }));

  // A program that cannot wait for a disk is called back instead.
  std::promise<Result<Written>> done;
  game.set_async("players/ada/score", Value::increment(Value::integer(10)),
                 [&done](Result<Written> written) { done.set_value(std::move(written)); });
  RETURN_IF_ERROR(done.get_future().get());

  ASSIGN_OR_RETURN(const Value ada, game.get("players/ada/score"));
  std::printf("ada's score is %lld\n", static_cast<long long>(ada.as_integer()));
  RETURN_IF_ERROR(game.remove("players/bob"));
  ended.get_future().wait();
  return {};
}

Result<void> run(const std::string& folder) {
  Database::Options options;
  options.folder = folder;
  ASSIGN_OR_RETURN(const std::unique_ptr<Database> database, Database::open(std::move(options)));
  ASSIGN_OR_RETURN(const Namespace game, database->space("game"));
  return play(game);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: embedded FOLDER\n");
    return 2;
  }
  const Result<void> result = run(argv[1]);
  if (!result.ok()) std::fprintf(stderr, "embedded: %s\n", result.error().message.c_str());
  return result.ok() ? 0 : 1;
}
