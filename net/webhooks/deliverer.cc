// One thread with all hooks. What comes from elsewhere comes as mail; what has to be asked elsewhere (pages of the log,
// commits, names, TLS) is asked without waiting, but for rows of the store, which are small.
//
//   shard: a commit ─▶ Session's wake ─▶ mail ─▶ HookLine::pump ─┐
//   reader: a page ──────────────────▶ mail ─▶ HookLine::on_page ┤
//   REST: ask() ─────────────────────▶ mail ─▶ Asks ─────────────┤
//                                                                ▼
//      ┌─▶ mail ─▶ each hook: go() ─▶ Poster::run, until mail, an answer or the next retry ─▶ on_sent ─┐
//      └───────────────────────────────────────────────────────────────────────────────────────────────┘
//
// A receiver that does not answer costs its own hook an attempt's time, and the server one of `at_once_max` attempts.
// Each turn begins behind the hook that was last given room: so all hooks get their turn, also when there is never room
// for all.
//
// Who holds whom. The Core owns the hooks, the mailbox and the poster. What is given away (to readers, to sessions)
// holds the mailbox and a weak pointer to its hook, so it may come back at any time. What runs as mail may use the Core
// itself: only the Core's thread runs mail.
//
// stop() goes in this order: no purges come any more, the thread ends, the mailbox is closed and drops what comes
// later, each hook keeps its cursor, and attempts under way are dropped. Until the mailbox is closed somebody else may
// still post.
//
// moved() drops the hooks of namespaces that came or went, and load()s again. A namespace that another node has answers
// NotOwner and is passed over; a hook that is there already is left as it is.
#include "net/webhooks/deliverer.h"

#include <mutex>
#include <thread>
#include <utility>

#include "net/io/log.h"
#include "net/webhooks/asks.h"
#include "net/webhooks/hook_line.h"

namespace hearth::net::webhooks {
namespace {
constexpr std::chrono::seconds kTurnMax{60};
}  // namespace

class Deliverer::Core {
 public:
  Core(rules::Guard& guard, WebhookOptions options, Reach reach, Counts& counts)
      : shared_{guard, std::move(options), std::move(reach), counts}, asks_(shared_, lines_) {
    shared_.mail = std::make_shared<Mailbox>([this] { shared_.poster.wake(); });
  }

  db::Result<void> load() {
    ASSIGN_OR_RETURN(const auto spaces, shared_.guard.with_rows_beside(deliverer_auth()));
    for (const std::string& space : spaces) {
      const auto rows = shared_.guard.beside(space, deliverer_auth(), {config_row(""), SIZE_MAX});
      if (!rows.ok() && rows.error().code == db::ErrorCode::NotOwner) continue;
      if (!rows.ok()) return rows.error();
      for (const auto& [key, bytes] : rows.value()) {
        const std::string id = key.substr(1);
        if (lines_.contains(id)) continue;
        auto config = HookConfig::decode(bytes);
        ASSIGN_OR_RETURN(const auto states, shared_.guard.beside(space, deliverer_auth(), {state_row(id), 1}));
        auto state = states.empty() ? db::Result<HookState>(HookState()) : HookState::decode(states.begin()->second);
        if (!config.ok() || !state.ok()) {
          http::log(http::LogLevel::Error, "a webhook's rows cannot be read; it is left out",
                    {{"ns", space}, {"webhook", id}});
          continue;
        }
        lines_[id] =
            std::make_shared<HookLine>(shared_, space, id, std::move(config).value(), std::move(state).value());
      }
    }
    shared_.counts.hooks = lines_.size();
    return {};
  }
  bool has_hooks() const { return !lines_.empty(); }

  // Until stop() the guard's purges reach the letters too.
  void follow_purges() {
    shared_.guard.when_purged([this, mail = shared_.mail, begun = begun_](const std::string& space,
                                                                          const db::Path& path,
                                                                          std::function<void(db::Result<void>)> done) {
      // Without a thread there are no hooks, and nothing to purge. The task may use this Core: it runs while the Core
      // is there, or is dropped when the mailbox closes.
      const bool is_taken = *begun && mail->post([this, space, path, done] { done(purge(space, path)); });
      if (!is_taken) done({});
    });
  }

  void moved(std::function<bool(const std::string& space)> is_one) {
    shared_.mail->post([this, is_one = std::move(is_one)] {
      std::erase_if(lines_, [&](const auto& one) { return is_one(one.second->space()); });
      if (const auto loaded = load(); !loaded.ok()) {
        http::log(http::LogLevel::Error, "webhooks of a namespace that has come here cannot be read",
                  {{"why", loaded.error().message}});
      }
    });
    begin();
  }

  void begin() {
    const std::lock_guard lock(mutex_);
    if (is_stopping_ || thread_.joinable()) return;
    *begun_ = true;
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    shared_.guard.when_purged(nullptr);
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    shared_.poster.wake();
    if (thread_.joinable()) thread_.join();
    shared_.mail->close();
    for (const auto& [id, line] : lines_) line->tidy({}, true);
    lines_.clear();
    shared_.sent.clear();
  }
  void ask(Ask ask, Done done) {
    shared_.mail->post([this, ask = std::move(ask), done = std::move(done)] { asks_.answer(ask, done); });
    begin();
  }

 private:
  db::Result<void> purge(const std::string& space, const db::Path& path) {
    for (const auto& [id, line] : lines_) {
      if (line->space() != space || !line->is_still_there()) continue;
      RETURN_IF_ERROR(line->purge(path));
    }
    return {};
  }

  void run() {
    while (!is_stopping_) {
      for (const auto& task : shared_.mail->take()) task();
      const auto now = std::chrono::steady_clock::now();
      auto next = now + std::chrono::seconds(kTurnMax);
      int64_t since = 0;
      // Each turn begins behind the last hook that had room. So a hook that finds no room now comes first in a later
      // turn.
      auto at = lines_.upper_bound(last_);
      for (size_t i = 0; i < lines_.size(); ++i, ++at) {
        if (at == lines_.end()) at = lines_.begin();
        HookLine& line = *at->second;
        const bool had_room = shared_.has_room();
        line.go(now);
        line.tidy(now, false);
        if (had_room) last_ = at->first;
        if (const auto due = line.due()) next = std::min(next, *due);
        const int64_t waiting = line.waiting_since().count();
        if (waiting > 0 && (since == 0 || waiting < since)) since = waiting;
      }
      std::erase_if(lines_, [](const auto& one) { return one.second->is_gone(); });
      shared_.counts.hooks = lines_.size();
      shared_.counts.under_way = shared_.poster.under_way();
      shared_.counts.waiting_since = since;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now);
      for (http::Posted& posted : shared_.poster.run(std::max(left, std::chrono::milliseconds(1)))) {
        const auto found = shared_.sent.find(posted.id);
        if (found == shared_.sent.end()) continue;
        const auto done = std::move(found->second);
        shared_.sent.erase(found);
        done(std::move(posted));
      }
    }
  }

  Shared shared_;
  HookLines lines_;
  Asks asks_;
  std::string last_;  // the hook that went last
  std::mutex mutex_;  // Guards thread_ until it is joined.
  std::atomic<bool> is_stopping_ = false;
  const std::shared_ptr<std::atomic<bool>> begun_ = std::make_shared<std::atomic<bool>>(false);  // the thread
  std::thread thread_;
};

db::Result<std::unique_ptr<Deliverer>> Deliverer::open(rules::Guard& guard, WebhookOptions options) {
  ASSIGN_OR_RETURN(Reach reach, Reach::parse(options.hosts, options.private_too));
  std::unique_ptr<Deliverer> deliverer(new Deliverer());
  deliverer->core_ = std::make_unique<Core>(guard, std::move(options), std::move(reach), deliverer->counts_);
  return deliverer;
}

Deliverer::Deliverer() = default;
Deliverer::~Deliverer() { stop(); }

db::Result<void> Deliverer::start() {
  RETURN_IF_ERROR(core_->load());
  core_->follow_purges();
  if (core_->has_hooks()) core_->begin();
  return {};
}

void Deliverer::stop() {
  if (core_ != nullptr) core_->stop();
}

void Deliverer::moved(std::function<bool(const std::string& space)> is_one) { core_->moved(std::move(is_one)); }

void Deliverer::ask(Ask ask, Done done) { core_->ask(std::move(ask), std::move(done)); }

}  // namespace hearth::net::webhooks
