// The embedded API over the engine. Two shapes of calls:
//
//   blocking   Namespace::set … ─▶ State::wait() ─▶ engine ─▶ a shard or a reader ─▶ a promise: the caller waits
//   callback   set_async, listen ─▶ engine ─▶ … ─▶ Callbacks::add ─▶ the thread that runs callbacks
//
// A blocking call within a callback would wait for the thread that it is on, so it is refused (would_wait_for_itself).
//
// A listener is a conversation of its own (Listener::State). The shard's `wake` comes on any thread and only puts
// drain() among the callbacks; drain() takes the items and turns them into the app's callbacks, with the value before
// and after:
//
//   Story ─▶ wake ─▶ drain_soon ─▶ drain: Answer, Event ─▶ applied() ─▶ whole ─▶ projected() ─▶ value ─▶ callbacks
//
// Handles hold the engine by shared_ptr and may outlive the Database: after close() the engine refuses whatever they
// ask.
#include "db/database.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

#include "db/child_events.h"
#include "db/client.h"
#include "db/engine.h"
#include "db/model/push_id.h"

namespace hearth::db {
namespace {

constexpr uint64_t kListenRequest = 1;
constexpr uint64_t kListenerId = 1;

Result<Written> written(const Answer& answer) {
  if (!answer.status.ok()) return answer.status.error();
  return Written{answer.sequence, answer.time};
}

Error would_wait_for_itself() {
  return {ErrorCode::InvalidArgument,
          "A blocking call on the thread that runs callbacks would wait for itself; use the form with a callback."};
}

}  // namespace

struct Namespace::State {
  const std::shared_ptr<Engine> engine;
  std::string name;
  PushIdGenerator push_ids;

  // The promise is on this stack; the engine answers exactly once, also when it is closing.
  Result<Answer> wait(Result<Write> write) {
    if (!write.ok()) return write.error();
    if (engine->callbacks().is_here()) return would_wait_for_itself();
    std::promise<Answer> promise;
    engine->write(name, std::move(write).value(), [&](Answer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
  }
  Result<Value> wait(Read read) {
    std::promise<Answer> promise;
    engine->read(name, std::move(read), [&](Answer answer) { promise.set_value(std::move(answer)); });
    Answer answer = promise.get_future().get();
    if (!answer.status.ok()) return answer.status.error();
    return std::move(answer.value);
  }
  void start(Result<Write> write, Done done) {
    if (!write.ok()) {
      if (done != nullptr) engine->callbacks().add([done = std::move(done), error = write.error()] { done(error); });
      return;
    }
    engine->write(name, std::move(write).value(),
                  [&callbacks = engine->callbacks(), done = std::move(done)](const Answer& answer) {
                    if (done != nullptr) callbacks.add([done, result = written(answer)] { done(result); });
                  });
  }
};

const std::string& Namespace::name() const { return state_->name; }

Result<Value> Namespace::get(std::string_view path) const {
  if (state_->engine->callbacks().is_here()) return would_wait_for_itself();
  Read read;
  ASSIGN_OR_RETURN(read.path, Path::parse(path));
  return state_->wait(std::move(read));
}

Result<Value> Namespace::get(std::string_view path, const Query& query, const Projection& projection) const {
  if (state_->engine->callbacks().is_here()) return would_wait_for_itself();
  RETURN_IF_ERROR(check_query(query));
  Read read;
  ASSIGN_OR_RETURN(read.path, Path::parse(path));
  read.query = query;
  read.projection = projection;
  return state_->wait(std::move(read));
}

Result<uint64_t> Namespace::count(std::string_view path, const Query& query) const {
  Query counting = query;
  counting.counts = true;
  ASSIGN_OR_RETURN(const Value found, get(path, counting));
  return static_cast<uint64_t>(found.as_integer());
}

Result<Written> Namespace::remove(std::string_view path, const Query& query) {
  RETURN_IF_ERROR(check_query(query));
  Write write;
  ASSIGN_OR_RETURN(write.base, Path::parse(path));
  write.merge = true;
  write.selection = query;
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(std::move(write)));
  return written(answer);
}

Result<Written> Namespace::set_indexes(std::string_view json) {
  RETURN_IF_ERROR(parse_indexes(json));
  Write write;
  write.settings.push_back({std::string(kOwnIndexesSetting), std::string(json)});
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(std::move(write)));
  return written(answer);
}

Result<Written> Namespace::set(std::string_view path, Value value) {
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(make_write(path, std::move(value))));
  return written(answer);
}

Result<Written> Namespace::update(std::string_view path, std::vector<std::pair<std::string, Value>> entries) {
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(make_update(path, std::move(entries))));
  return written(answer);
}

Result<Written> Namespace::set(std::string_view path, Value value, const WriteOptions& options) {
  ASSIGN_OR_RETURN(Write write, make_write(path, std::move(value)));
  write.ttl = options.ttl;
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(std::move(write)));
  return written(answer);
}

Result<Written> Namespace::update(std::string_view path, std::vector<std::pair<std::string, Value>> entries,
                                  const WriteOptions& options) {
  ASSIGN_OR_RETURN(Write write, make_update(path, std::move(entries)));
  write.ttl = options.ttl;
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(std::move(write)));
  return written(answer);
}

Result<std::string> Namespace::push(std::string_view path, Value value) {
  std::string key = state_->push_ids.next(state_->engine->clock().now());
  RETURN_IF_ERROR(set(std::string(path) + "/" + key, std::move(value)));
  return key;
}

Result<Written> Namespace::remove(std::string_view path) { return set(path, Value()); }

Result<Written> Namespace::compare_and_set(std::string_view path, const Value& from, Value to) {
  ASSIGN_OR_RETURN(Write write, make_write(path, std::move(to)));
  write.preconditions.push_back(std::make_shared<ValueIs>(write.base, from));
  ASSIGN_OR_RETURN(const Answer answer, state_->wait(std::move(write)));
  return written(answer);
}

Result<Value> Namespace::transaction(std::string_view path,
                                     const std::function<std::optional<Value>(const Value&)>& change) {
  if (state_->engine->callbacks().is_here()) return would_wait_for_itself();
  ASSIGN_OR_RETURN(const Path at, Path::parse(path));
  // Threads of this process take turns, so only writes from elsewhere make a try vain.
  const Turns::Turn turn(state_->engine->turns(), state_->name + "/" + at.text());
  ASSIGN_OR_RETURN(Value current, get(path));
  for (int tries = 0; tries < kTransactionTriesMax; ++tries) {
    std::optional<Value> wanted = change(current);
    if (!wanted) return current;
    ASSIGN_OR_RETURN(Write write, make_write(path, std::move(*wanted)));
    write.preconditions.push_back(std::make_shared<ValueIs>(write.base, current));
    write.wants_value = true;
    ASSIGN_OR_RETURN(Answer answer, state_->wait(std::move(write)));
    // Stale brings the value that was found: the next try begins with it and needs no read.
    if (!answer.status.ok() && answer.status.error().code != ErrorCode::Stale) return answer.status.error();
    current = std::move(answer.value);
    if (answer.status.ok()) return current;
  }
  return Error{ErrorCode::Stale,
               "The transaction found another value " + std::to_string(kTransactionTriesMax) + " times."};
}

void Namespace::set_async(std::string_view path, Value value, Done done) {
  state_->start(make_write(path, std::move(value)), std::move(done));
}

void Namespace::set_async(std::string_view path, Value value, const WriteOptions& options, Done done) {
  Result<Write> write = make_write(path, std::move(value));
  if (write.ok()) write.value().ttl = options.ttl;
  state_->start(std::move(write), std::move(done));
}

void Namespace::update_async(std::string_view path, std::vector<std::pair<std::string, Value>> entries, Done done) {
  state_->start(make_update(path, std::move(entries)), std::move(done));
}

std::string Namespace::push_async(std::string_view path, Value value, Done done) {
  std::string key = state_->push_ids.next(state_->engine->clock().now());
  set_async(std::string(path) + "/" + key, std::move(value), std::move(done));
  return key;
}

void Namespace::remove_async(std::string_view path, Done done) { set_async(path, Value(), std::move(done)); }

void Namespace::get_async(std::string_view path, std::function<void(Result<Value>)> done) const {
  Callbacks& callbacks = state_->engine->callbacks();
  Read read;
  const Result<Path> parsed = Path::parse(path);
  if (!parsed.ok()) return callbacks.add([done = std::move(done), error = parsed.error()] { done(error); });
  read.path = parsed.value();
  state_->engine->read(state_->name, std::move(read), [&callbacks, done = std::move(done)](Answer answer) {
    callbacks.add([done, answer = std::move(answer)] {
      done(answer.status.ok() ? Result<Value>(answer.value) : Result<Value>(answer.status.error()));
    });
  });
}

namespace {

// Waits for a commit after `since`, or until then: a conversation that asks for nothing else. Errors: as await_commit.
Result<void> await_commit(Engine& engine, const std::string& name, uint64_t since,
                          std::chrono::steady_clock::time_point until) {
  struct Woken {
    std::mutex mutex;  // Guards `is_woken`.
    std::condition_variable changed;
    bool is_woken = false;
  };
  const auto woken = std::make_shared<Woken>();
  ASSIGN_OR_RETURN(auto conversation, engine.converse(name, "", [woken] {
    const std::lock_guard lock(woken->mutex);
    woken->is_woken = true;
    woken->changed.notify_all();
  }));
  Client client(std::move(conversation));
  client.await_commit(1, since);
  for (;;) {
    for (const Item& item : client.take()) {
      if (const auto* answer = std::get_if<Answer>(&item)) return answer->status;
      if (const auto* ended = std::get_if<Ended>(&item)) return ended->reason;
    }
    std::unique_lock lock(woken->mutex);
    if (!woken->changed.wait_until(lock, until, [&] { return woken->is_woken; })) return {};
    woken->is_woken = false;
  }
}

}  // namespace

Result<ChangesPage> Namespace::changes(const ChangesRead& read, std::chrono::milliseconds patience) const {
  if (state_->engine->callbacks().is_here()) return would_wait_for_itself();
  const auto until = std::chrono::steady_clock::now() + patience;
  ChangesRead next = read;
  for (;;) {
    std::promise<Result<ChangesPage>> promise;
    state_->engine->changes(state_->name, next, [&](Result<ChangesPage> page) { promise.set_value(std::move(page)); });
    ASSIGN_OR_RETURN(ChangesPage page, promise.get_future().get());
    const bool is_over = std::chrono::steady_clock::now() >= until;
    if (!page.changes.empty() || (page.is_end && is_over)) return page;
    // Only changes of others came, or nothing: on from there.
    next.since = page.next;
    if (page.is_end) RETURN_IF_ERROR(await_commit(*state_->engine, state_->name, page.sequence, until));
  }
}

void Namespace::changes_async(ChangesRead read, std::function<void(Result<ChangesPage>)> done) const {
  state_->engine->changes(state_->name, std::move(read),
                          [&callbacks = state_->engine->callbacks(), done = std::move(done)](Result<ChangesPage> page) {
                            callbacks.add([done, page = std::move(page)] { done(page); });
                          });
}

// One listener: a conversation of its own, whose items are handled where callbacks run.
// Callbacks that are still to come hold it weakly: a listener that was stopped and destroyed is not called any more.
struct Listener::State : std::enable_shared_from_this<Listener::State> {
  const std::shared_ptr<Engine> engine;
  Path path;
  Query query;
  ListenerCallbacks callbacks;
  std::unique_ptr<Client> client;
  std::atomic<bool> is_started{false};  // there is a client
  std::atomic<bool> stopped{false};
  std::mutex mutex;  // Guards nothing but the order: one drain at a time, whatever threads the app's `run` has.
  const Projection projection;
  Value whole;  // as it is told
  Value value;  // what is left of it by the projection

  State(std::shared_ptr<Engine> engine, Path path, Query query, ListenerCallbacks callbacks, Projection projection)
      : engine(std::move(engine)),
        path(std::move(path)),
        query(std::move(query)),
        callbacks(std::move(callbacks)),
        projection(std::move(projection)) {}

  Result<void> start(const std::string& name) {
    ASSIGN_OR_RETURN(auto conversation, engine->converse(name, "", [weak = weak_from_this()] {
      // On any thread of the database, which must not be held up: only the word is passed on.
      if (const auto self = weak.lock(); self != nullptr) self->drain_soon();
    }));
    client = std::make_unique<Client>(std::move(conversation));
    Listen listen;
    listen.path = path;
    listen.query = query;
    client->listen(kListenRequest, kListenerId, std::move(listen));
    // `client` is set before: a wake that came earlier found it missing, and drain_soon() below makes up for that.
    is_started = true;
    drain_soon();  // what came before that: when the database is closing, the end
    return {};
  }

  void drain_soon() {
    engine->callbacks().add([weak = weak_from_this()] {
      if (const auto alive = weak.lock(); alive != nullptr && alive->is_started) alive->drain();
    });
  }

  void drain() {
    const std::lock_guard lock(mutex);
    // Asked before each item: the callback before it may have stopped the listener.
    for (Item& item : client->take()) {
      if (stopped.load()) return;
      if (const auto* answer = std::get_if<Answer>(&item)) {
        if (!answer->status.ok()) return cancel(answer->status.error());
        tell_change(answer->first == nullptr ? Value() : answer->first->value(), true);
      } else if (const auto* event = std::get_if<Event>(&item)) {
        if (event->kind == Event::Kind::Revoked) return cancel(event->error.value_or(Error{}));
        tell_change(applied(whole, path, *event->body), false);
      } else if (const auto* ended = std::get_if<Ended>(&item)) {
        return cancel(ended->reason);
      }
    }
  }

  void cancel(const Error& error) {
    stopped = true;
    if (callbacks.cancelled != nullptr) callbacks.cancelled(error);
  }

  void tell_change(Value next, bool first) {
    whole = std::move(next);
    const Value last = std::exchange(value, projected(whole, projection));
    if (callbacks.child_added || callbacks.child_changed || callbacks.child_moved || callbacks.child_removed) {
      // Asked again before each callback: the app may stop the listener in any of them.
      for (const ChildEvent& event : child_events(last, value, query)) {
        if (stopped.load()) return;
        switch (event.kind) {
          case ChildEvent::Kind::Removed:
            if (callbacks.child_removed) callbacks.child_removed(event.key, event.value);
            break;
          case ChildEvent::Kind::Added:
            if (callbacks.child_added) callbacks.child_added(event.key, event.value, event.previous);
            break;
          case ChildEvent::Kind::Moved:
            if (callbacks.child_moved) callbacks.child_moved(event.key, event.value, event.previous);
            break;
          case ChildEvent::Kind::Changed:
            if (callbacks.child_changed) callbacks.child_changed(event.key, event.value, event.previous);
            break;
        }
      }
    }
    if (stopped.load() || !callbacks.value) return;
    // With a projection an event may leave what the listener sees as it was.
    if (first || !(last == value)) callbacks.value(value);
  }
};

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    stop();
    state_ = std::move(other.state_);
  }
  return *this;
}

Listener::~Listener() { stop(); }

void Listener::stop() {
  if (state_ == nullptr) return;
  // Before the client ends: a callback that is being called finishes, and none begins after it.
  state_->stopped = true;
  state_->client->end();
  state_.reset();
}

Result<Listener> Namespace::listen(std::string_view path, ListenerCallbacks callbacks) {
  return listen(path, Query(), std::move(callbacks));
}

Result<Listener> Namespace::listen(std::string_view path, const Query& query, ListenerCallbacks callbacks,
                                   Projection projection) {
  RETURN_IF_ERROR(check_query(query));
  ASSIGN_OR_RETURN(Path parsed, Path::parse(path));
  auto state = std::make_shared<Listener::State>(state_->engine, std::move(parsed), query, std::move(callbacks),
                                                 std::move(projection));
  RETURN_IF_ERROR(state->start(state_->name));
  return Listener(std::move(state));
}

Database::Database(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}
Database::~Database() { close(); }

void Database::close() {
  const std::shared_ptr<Engine> engine = engine_;  // a callback that ends meanwhile may be the end of this
  engine->close();
}

Result<std::unique_ptr<Database>> Database::open(const Options& options) {
  ASSIGN_OR_RETURN(std::shared_ptr<Engine> engine, Engine::open(options));
  return std::unique_ptr<Database>(new Database(std::move(engine)));
}

Result<Namespace> Database::space(std::string_view name) {
  ASSIGN_OR_RETURN(std::string stored, check_namespace_name(name));
  return Namespace(std::shared_ptr<Namespace::State>(new Namespace::State{engine_, std::move(stored), {}}));
}

std::vector<std::string> Database::namespaces() const { return engine_->names(); }
bool Database::exists(std::string_view name) const { return engine_->exists(std::string(name)); }

Result<void> Database::create(std::string_view name) {
  ASSIGN_OR_RETURN(const std::string stored, check_namespace_name(name));
  return engine_->create(stored);
}

Result<void> Database::remove(std::string_view name) {
  ASSIGN_OR_RETURN(const std::string stored, check_namespace_name(name));
  return engine_->remove(stored);
}

void Database::stats(const std::string& name, Path path, std::function<void(Result<Stats>)> done) {
  engine_->stats(name, std::move(path), std::move(done));
}

void Database::compact(std::function<void(Result<Compacted>)> done) {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return done(closed_error());
  engine_->let_beginning_go();  // it pins what is to go
  engine_->backups().compact(std::move(done));
}

Result<void> Database::health() const {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return closed_error();
  // Broken is told before full: only a restart helps then, and room would not.
  RETURN_IF_ERROR(engine_->store().health());
  return engine_->store().room();
}

}  // namespace hearth::db
