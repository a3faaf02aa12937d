// The C interface, as thin as it can be: each function checks its arguments, calls the C++ interface within
// guarded(), and turns what comes back into a status. The manual is hearth.h.
//
//   C call ─▶ guarded ─▶ place_of, value_of: text becomes values ─▶ db::Namespace, rules::Guard, net::Server
//      status, hearth_error ◀─ fail ◀─ Error or exception
//
// What holds:
// - No exception passes into C: unwinding through C frames is undefined. What could be thrown is memory, mostly.
// - Nulls are errors with a sentence, not crashes: a caller in another language gets them wrong first.
// - Text that is given out is malloc'ed, and hearth_free() frees it; the two sides may have different allocators.
//
// Threads of callbacks. Without `wake` the database calls them on its own thread. With it they wait in a Loop until
// the app calls hearth_poll(), so that they run where the app's data is. The Loop is shared: a database that is
// closed may leave work in it.
//
// A listener has two halves. hearth_listener is the handle, Told is what callbacks hold. hearth_unlisten() marks Told
// as stopped under the lock that is held while a callback runs, so afterwards no callback runs and none will; the
// lock is recursive, since an app may unlisten from within its callback. hearth_server shares the database, so the
// two may be closed in any order.
#include "net/c/hearth.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/host.h"
#include "db/model/json.h"
#include "net/c/loop.h"
#include "net/io/log.h"
#include "net/rest/change_feed.h"
#include "net/server.h"
#include "rules/guard.h"

using hearth::db::Error;
using hearth::db::ErrorCode;
using hearth::db::Result;
using hearth::db::Value;
using hearth::net::c::Loop;

struct hearth_database {
  std::shared_ptr<Loop> loop;                   // null: callbacks have a thread
  std::shared_ptr<hearth::db::Host> database;   // servers share it: they may be stopped after it is closed
  std::optional<hearth::rules::Guard> guard{};  // for the _as functions and for rules
};

namespace {

// What the callbacks of a listener hold. It outlives the handle while a call is on its way.
struct Told {
  const hearth_told told;
  void* const user;
  // Held while the callback runs, and by hearth_unlisten. Recursive: a callback may unlisten itself.
  std::recursive_mutex mutex{};
  bool is_stopped = false;

  void tell(const char* json, const char* why) {
    const std::lock_guard lock(mutex);
    if (!is_stopped) told(user, json, why);
  }
};

}  // namespace

struct hearth_listener {
  std::shared_ptr<Told> told;
  hearth::db::Listener listener;
};

struct hearth_server {
  std::shared_ptr<hearth::db::Host> database;
  std::optional<hearth::rules::Guard> guard;
  std::unique_ptr<hearth::net::Server> server;
};

namespace {

hearth_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidPath:
      return HEARTH_INVALID_PATH;
    case ErrorCode::InvalidData:
      return HEARTH_INVALID_DATA;
    case ErrorCode::InvalidArgument:
      return HEARTH_INVALID_ARGUMENT;
    case ErrorCode::Stale:
      return HEARTH_STALE;
    case ErrorCode::TooLarge:
      return HEARTH_TOO_LARGE;
    case ErrorCode::Unavailable:
    case ErrorCode::Timeout:
    case ErrorCode::NotOwner:
      return HEARTH_UNAVAILABLE;
    case ErrorCode::Io:
      return HEARTH_IO;
    case ErrorCode::Corruption:
      return HEARTH_CORRUPTION;
    case ErrorCode::Locked:
      return HEARTH_LOCKED;
    case ErrorCode::Unsupported:
      return HEARTH_UNSUPPORTED;
    case ErrorCode::PermissionDenied:
      return HEARTH_DENIED;
    case ErrorCode::NotFound:
    case ErrorCode::InvalidToken:
    case ErrorCode::ExpiredToken:
    case ErrorCode::KeyReused:
      return HEARTH_REFUSED;
  }
  return HEARTH_REFUSED;
}

// The message is cut between two characters: callers expect UTF-8.
hearth_status fail(const Error& why, hearth_error* error) {
  const hearth_status status = status_of(why.code);
  if (error == nullptr) return status;
  error->status = status;
  size_t size = std::min(why.message.size(), sizeof error->message - 1);
  while (size < why.message.size() && size > 0 && (static_cast<unsigned char>(why.message[size]) & 0xc0) == 0x80)
    --size;
  std::memcpy(error->message, why.message.data(), size);
  error->message[size] = '\0';
  return status;
}

// No exception passes into C.
template <typename Body>
hearth_status guarded(hearth_error* error, Body&& body) {
  try {
    const Result<void> done = body();
    return done.ok() ? HEARTH_OK : fail(done.error(), error);
  } catch (const std::bad_alloc&) {
    return fail({ErrorCode::Unavailable, "There is no memory left for that."}, error);
  } catch (const std::exception& thrown) {
    return fail({ErrorCode::Io, thrown.what()}, error);
  }
}

Result<std::string> text_of(const char* text, const char* what) {
  if (text != nullptr) return std::string(text);
  return Error{ErrorCode::InvalidArgument, std::string(what) + " is missing."};
}

Result<hearth::db::Namespace> space_of(hearth_database* database, const char* space) {
  if (database == nullptr) return Error{ErrorCode::InvalidArgument, "The database is missing."};
  ASSIGN_OR_RETURN(const std::string name, text_of(space, "The namespace"));
  return database->database->space(name);
}

Result<Value> value_of(const char* json) {
  ASSIGN_OR_RETURN(std::string text, text_of(json, "The value"));
  return hearth::db::parse_value(std::move(text), {});
}

using Entries = std::vector<std::pair<std::string, Value>>;
Result<Entries> entries_of(const char* json_object) {
  ASSIGN_OR_RETURN(const std::string text, text_of(json_object, "The update"));
  ASSIGN_OR_RETURN(const auto document, hearth::db::JsonDocument::parse(text));
  if (!document.root().is_object()) return Error{ErrorCode::InvalidData, "An update is an object of paths."};
  Entries entries;
  for (const auto& [name, value] : document.root().fields()) {
    ASSIGN_OR_RETURN(Value parsed, hearth::db::parse_value(value.to_text(), {}));
    entries.emplace_back(name, std::move(parsed));
  }
  return entries;
}

// The place in the tree that a call is about.
struct Place {
  hearth::db::Namespace tree;
  std::string path;
};
Result<Place> place_of(hearth_database* database, const char* space, const char* path) {
  ASSIGN_OR_RETURN(auto tree, space_of(database, space));
  ASSIGN_OR_RETURN(std::string at, text_of(path, "The path"));
  RETURN_IF_ERROR(hearth::db::Path::parse(at));
  return Place{std::move(tree), std::move(at)};
}

Result<hearth::rules::Auth> auth_of(const char* auth) {
  if (auth == nullptr) return hearth::rules::Auth();
  const auto document = hearth::db::JsonDocument::parse(std::string_view(auth));
  const auto uid = document.ok() ? document.value().root().field("uid") : std::nullopt;
  if (!uid || !uid->string())
    return Error{ErrorCode::InvalidArgument, R"(Who asks is an object with a uid: {"uid":"ada","token":{}}.)"};
  return hearth::rules::Auth{hearth::rules::Auth::Kind::User, auth, {}};
}

// Blocks until the Guard has answered.
Result<Value> wait_for(const std::function<void(hearth::rules::Guard::Done)>& begin) {
  std::promise<hearth::db::Answer> answered;
  begin([&](hearth::db::Answer answer) { answered.set_value(std::move(answer)); });
  hearth::db::Answer answer = answered.get_future().get();
  if (!answer.status.ok()) return answer.status.error();
  return std::move(answer.value);
}

hearth::db::Namespace::Done done_of(hearth_done done, void* user) {
  if (done == nullptr) return {};
  return [done, user](const Result<hearth::db::Written>& written) {
    const hearth_status status = written.ok() ? HEARTH_OK : status_of(written.error().code);
    done(user, status, written.ok() ? nullptr : written.error().message.c_str());
  };
}

// A ttl of 0 would be none. Errors: InvalidArgument
Result<hearth::db::WriteOptions> for_ms(unsigned ttl_ms) {
  if (ttl_ms == 0) return Error{ErrorCode::InvalidArgument, "A ttl is 100 to 60,000 milliseconds."};
  return hearth::db::WriteOptions{std::chrono::milliseconds(ttl_ms)};
}

std::string json_of(const Value& value) { return hearth::db::to_json(value, hearth::db::JsonStyle::Plain); }

char* copy_of(const std::string& text) {
  auto* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace

const char* hearth_version(void) { return HEARTH_VERSION; }

hearth_status hearth_open(const char* folder, const hearth_options* options, hearth_database** database,
                          hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    if (database == nullptr) return Error{ErrorCode::InvalidArgument, "There is no place for the database."};
    hearth::db::Database::Options wanted;
    ASSIGN_OR_RETURN(wanted.folder, text_of(folder, "The folder"));
    if (options != nullptr && options->survives_kill_only != 0) wanted.sync = hearth::db::SyncMode::Os;
    if (options != nullptr && options->readers > 0) wanted.readers = options->readers;
    if (options != nullptr && options->history != nullptr) {
      ASSIGN_OR_RETURN(wanted.history, hearth::db::parse_history(options->history));
    }
    std::shared_ptr<Loop> loop;
    if (options != nullptr && options->wake != nullptr) {
      loop = std::make_shared<Loop>(options->wake, options->wake_user);
      wanted.run = [loop](std::function<void()> task) { loop->post(std::move(task)); };
    }
    ASSIGN_OR_RETURN(auto opened, hearth::db::Host::open(wanted));
    auto made = std::make_unique<hearth_database>(std::move(loop), std::move(opened));
    made->guard.emplace(*made->database, hearth::rules::Guard::Options());
    *database = made.release();
    return {};
  });
}

void hearth_close(hearth_database* database) {
  if (database == nullptr) return;
  database->database->close();
  delete database;
}

namespace {

using MaybeOptions = const Result<hearth::db::WriteOptions>&;

hearth_status set_with(hearth_database* database, const char* space, const char* path, const char* json,
                       MaybeOptions options, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Value value, value_of(json));
    if (!options.ok()) return options.error();
    RETURN_IF_ERROR(at.tree.set(at.path, std::move(value), options.value()));
    return {};
  });
}

hearth_status update_with(hearth_database* database, const char* space, const char* path, const char* json_object,
                          MaybeOptions options, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Entries entries, entries_of(json_object));
    if (!options.ok()) return options.error();
    RETURN_IF_ERROR(at.tree.update(at.path, std::move(entries), options.value()));
    return {};
  });
}

hearth_status set_async_with(hearth_database* database, const char* space, const char* path, const char* json,
                             MaybeOptions options, hearth::db::Namespace::Done done, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Value value, value_of(json));
    if (!options.ok()) return options.error();
    at.tree.set_async(at.path, std::move(value), options.value(), std::move(done));
    return {};
  });
}

}  // namespace

hearth_status hearth_set(hearth_database* database, const char* space, const char* path, const char* json,
                         hearth_error* error) {
  return set_with(database, space, path, json, hearth::db::WriteOptions(), error);
}

hearth_status hearth_update(hearth_database* database, const char* space, const char* path, const char* json_object,
                            hearth_error* error) {
  return update_with(database, space, path, json_object, hearth::db::WriteOptions(), error);
}

hearth_status hearth_set_for(hearth_database* database, const char* space, const char* path, const char* json,
                             unsigned ttl_ms, hearth_error* error) {
  return set_with(database, space, path, json, for_ms(ttl_ms), error);
}

hearth_status hearth_update_for(hearth_database* database, const char* space, const char* path, const char* json_object,
                                unsigned ttl_ms, hearth_error* error) {
  return update_with(database, space, path, json_object, for_ms(ttl_ms), error);
}

hearth_status hearth_remove(hearth_database* database, const char* space, const char* path, hearth_error* error) {
  return hearth_set(database, space, path, "null", error);
}

hearth_status hearth_push(hearth_database* database, const char* space, const char* path, const char* json,
                          char key[21], hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Value value, value_of(json));
    ASSIGN_OR_RETURN(const std::string name, at.tree.push(at.path, std::move(value)));
    if (key != nullptr) key[name.copy(key, 20)] = '\0';
    return {};
  });
}

hearth_status hearth_get(hearth_database* database, const char* space, const char* path, char** json,
                         hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(const Value value, at.tree.get(at.path));
    if (json != nullptr) *json = copy_of(json_of(value));
    return {};
  });
}

hearth_status hearth_set_async(hearth_database* database, const char* space, const char* path, const char* json,
                               hearth_done done, void* user, hearth_error* error) {
  return set_async_with(database, space, path, json, hearth::db::WriteOptions(), done_of(done, user), error);
}

hearth_status hearth_set_for_async(hearth_database* database, const char* space, const char* path, const char* json,
                                   unsigned ttl_ms, hearth_done done, void* user, hearth_error* error) {
  return set_async_with(database, space, path, json, for_ms(ttl_ms), done_of(done, user), error);
}

hearth_status hearth_update_async(hearth_database* database, const char* space, const char* path,
                                  const char* json_object, hearth_done done, void* user, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Entries entries, entries_of(json_object));
    at.tree.update_async(at.path, std::move(entries), done_of(done, user));
    return {};
  });
}

hearth_status hearth_remove_async(hearth_database* database, const char* space, const char* path, hearth_done done,
                                  void* user, hearth_error* error) {
  return hearth_set_async(database, space, path, "null", done, user, error);
}

hearth_status hearth_push_async(hearth_database* database, const char* space, const char* path, const char* json,
                                char key[21], hearth_done done, void* user, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Value value, value_of(json));
    const std::string name = at.tree.push_async(at.path, std::move(value), done_of(done, user));
    if (key != nullptr) key[name.copy(key, 20)] = '\0';
    return {};
  });
}

hearth_status hearth_get_async(hearth_database* database, const char* space, const char* path, hearth_got got,
                               void* user, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    if (got == nullptr) return Error{ErrorCode::InvalidArgument, "There is nobody to tell."};
    ASSIGN_OR_RETURN(const auto at, place_of(database, space, path));
    at.tree.get_async(at.path, [got, user](const Result<Value>& value) {
      if (!value.ok()) return got(user, nullptr, status_of(value.error().code), value.error().message.c_str());
      got(user, json_of(value.value()).c_str(), HEARTH_OK, nullptr);
    });
    return {};
  });
}

size_t hearth_poll(hearth_database* database) {
  if (database == nullptr || database->loop == nullptr) return 0;
  const std::shared_ptr<Loop> loop = database->loop;  // the database may be closed within
  return loop->run();
}

hearth_status hearth_set_rules(hearth_database* database, const char* space, const char* rules, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto tree, space_of(database, space));
    ASSIGN_OR_RETURN(std::string text, text_of(rules, "The text of the rules"));
    RETURN_IF_ERROR(database->database->create(tree.name()));
    RETURN_IF_ERROR(wait_for([&](hearth::rules::Guard::Done done) {
      database->guard->set_rules(tree.name(), hearth::rules::Auth::admin("the app"), std::move(text),
                                 hearth::rules::Install::Yes, std::move(done));
    }));
    return {};
  });
}

hearth_status hearth_set_paths(hearth_database* database, const char* space, const char* paths, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto tree, space_of(database, space));
    ASSIGN_OR_RETURN(std::string text, text_of(paths, "The text of what is set for paths"));
    RETURN_IF_ERROR(database->database->create(tree.name()));
    RETURN_IF_ERROR(wait_for([&](hearth::rules::Guard::Done done) {
      database->guard->set_setting(tree.name(), hearth::rules::Auth::admin("the app"),
                                   *hearth::rules::find_setting_kind(hearth::rules::kPathsKind), std::move(text),
                                   std::move(done));
    }));
    return {};
  });
}

hearth_status hearth_get_as(hearth_database* database, const char* space, const char* path, const char* auth,
                            char** json, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(const auto who, auth_of(auth));
    hearth::db::Read read;
    ASSIGN_OR_RETURN(read.path, hearth::db::Path::parse(at.path));
    ASSIGN_OR_RETURN(const Value value, wait_for([&](hearth::rules::Guard::Done done) {
                       database->guard->read(at.tree.name(), who, std::move(read), std::move(done));
                     }));
    if (json != nullptr) *json = copy_of(json_of(value));
    return {};
  });
}

namespace {

Result<void> write_as(hearth_database* database, const Place& at, const char* auth, Result<hearth::db::Write> write) {
  if (!write.ok()) return write.error();
  ASSIGN_OR_RETURN(const auto who, auth_of(auth));
  RETURN_IF_ERROR(wait_for([&](hearth::rules::Guard::Done done) {
    database->guard->write(at.tree.name(), who, std::move(write).value(), std::move(done));
  }));
  return {};
}

}  // namespace

hearth_status hearth_set_as(hearth_database* database, const char* space, const char* path, const char* json,
                            const char* auth, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Value value, value_of(json));
    return write_as(database, at, auth, hearth::db::make_write(at.path, std::move(value)));
  });
}

hearth_status hearth_update_as(hearth_database* database, const char* space, const char* path, const char* json_object,
                               const char* auth, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto at, place_of(database, space, path));
    ASSIGN_OR_RETURN(Entries entries, entries_of(json_object));
    return write_as(database, at, auth, hearth::db::make_update(at.path, std::move(entries)));
  });
}

void hearth_log(hearth_log_level level, hearth_log_line line, void* user) {
  namespace http = hearth::net::http;
  if (line == nullptr) return http::log_to(http::LogLevel::Off, nullptr);
  http::log_to(static_cast<http::LogLevel>(level), [line, user](http::LogLevel of, std::string_view text) {
    line(user, static_cast<hearth_log_level>(of), std::string(text).c_str());
  });
}

void hearth_free(char* text) { std::free(text); }

// `change` returns malloc'ed text, which is freed here, or null to give up. Text that is no JSON gives up too, and is
// the error.
hearth_status hearth_transaction(hearth_database* database, const char* space, const char* path, hearth_change change,
                                 void* user, char** json, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    if (change == nullptr) return Error{ErrorCode::InvalidArgument, "There is no change."};
    std::optional<Error> wrong;
    ASSIGN_OR_RETURN(const Value last, at.tree.transaction(at.path, [&](const Value& value) -> std::optional<Value> {
      const std::unique_ptr<char, decltype(&std::free)> wanted(change(user, json_of(value).c_str()), std::free);
      if (wanted == nullptr) return std::nullopt;
      Result<Value> parsed = value_of(wanted.get());
      if (parsed.ok()) return std::move(parsed).value();
      wrong = parsed.error();
      return std::nullopt;
    }));
    if (wrong) return *wrong;
    if (json != nullptr) *json = copy_of(json_of(last));
    return {};
  });
}

hearth_status hearth_listen(hearth_database* database, const char* space, const char* path, hearth_told told,
                            void* user, hearth_listener** listener, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    if (told == nullptr || listener == nullptr) return Error{ErrorCode::InvalidArgument, "There is nobody to tell."};
    ASSIGN_OR_RETURN(auto at, place_of(database, space, path));
    const std::shared_ptr<Told> to(new Told{told, user});
    hearth::db::ListenerCallbacks callbacks;
    callbacks.value = [to](const Value& value) { to->tell(json_of(value).c_str(), nullptr); };
    callbacks.cancelled = [to](const Error& why) { to->tell(nullptr, why.message.c_str()); };
    ASSIGN_OR_RETURN(auto running, at.tree.listen(at.path, std::move(callbacks)));
    *listener = new hearth_listener{to, std::move(running)};
    return {};
  });
}

void hearth_unlisten(hearth_listener* listener) {
  if (listener == nullptr) return;
  {
    const std::lock_guard lock(listener->told->mutex);
    listener->told->is_stopped = true;
  }
  listener->listener.stop();
  delete listener;
}

hearth_status hearth_changes(hearth_database* database, const char* space, const char* path, const char* since,
                             unsigned wait_ms, char** lines, hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto at, place_of(database, space, path != nullptr ? path : ""));
    hearth::db::ChangesRead read;
    ASSIGN_OR_RETURN(read.since, text_of(since, "The id of the last change"));
    ASSIGN_OR_RETURN(read.path, hearth::db::Path::parse(at.path));
    ASSIGN_OR_RETURN(const auto page, at.tree.changes(read, std::chrono::milliseconds(wait_ms)));
    if (lines == nullptr) return {};
    std::string text;
    for (const auto& change : page.changes) text += hearth::net::rest::change_line(change) + "\n";
    text += R"({"next":)";
    hearth::db::append_json_string(page.next, text);
    *lines = copy_of(text + "}\n");
    return {};
  });
}

hearth_status hearth_serve(hearth_database* database, const hearth_serve_options* options, hearth_server** server,
                           hearth_error* error) {
  return guarded(error, [&]() -> Result<void> {
    if (database == nullptr || server == nullptr) return Error{ErrorCode::InvalidArgument, "The database is missing."};
    const hearth_serve_options wanted = options != nullptr ? *options : hearth_serve_options{};
    hearth::rules::Guard::Options guard;
    guard.dev = wanted.is_open != 0;
    if (wanted.admin_secret != nullptr) guard.admin_secret = wanted.admin_secret;
    if (wanted.usual_space != nullptr) {
      ASSIGN_OR_RETURN(guard.default_namespace, hearth::db::check_namespace_name(wanted.usual_space));
    }
    auto made = std::make_unique<hearth_server>();
    made->database = database->database;
    made->guard.emplace(*made->database, std::move(guard));
    RETURN_IF_ERROR(made->guard->load_revoked());
    hearth::net::Server::Options serving;
    if (wanted.host != nullptr) serving.host = wanted.host;
    serving.port = wanted.port;
    ASSIGN_OR_RETURN(made->server, hearth::net::Server::start(*made->guard, std::move(serving)));
    *server = made.release();
    return {};
  });
}

uint16_t hearth_server_port(const hearth_server* server) { return server->server->port(); }

void hearth_server_stop(hearth_server* server) {
  if (server == nullptr) return;
  server->server->stop();
  delete server;
}
