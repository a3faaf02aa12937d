// One webhook at work: it reads what happened behind its cursor, sends one message after the other, and waits for more. What
// it has done is in the store before it goes on. hook_line.cc draws its phases.
//
// Thread: the deliverer's.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "db/base/clock.h"
#include "db/model/beside.h"
#include "db/model/change.h"
#include "net/outgoing/poster.h"
#include "net/webhooks/deliverer.h"
#include "net/webhooks/hook.h"
#include "net/webhooks/mailbox.h"
#include "net/webhooks/message.h"
#include "net/webhooks/options.h"
#include "net/webhooks/reach.h"
#include "rules/guard.h"

namespace hearth::net::webhooks {

// What all hooks of a deliverer share.
struct Shared {
  rules::Guard& guard;
  const WebhookOptions options;
  const Reach reach;
  Deliverer::Counts& counts;
  http::Poster poster{};
  std::shared_ptr<Mailbox> mail{};
  std::map<uint64_t, std::function<void(http::Posted)>> sent{};  // by the numbers of attempts under way
  uint64_t last_attempt = 0;

  bool has_room() const { return poster.under_way() < options.at_once_max; }
  // `done` hears what came of it.
  void send(const HookConfig& config, const WebhookMessage& message, std::function<void(http::Posted)> done);
};

inline const rules::Auth& deliverer_auth() {
  static const rules::Auth auth = rules::Auth::admin("webhooks");
  return auth;
}

inline bool is_taken(const http::Posted& posted) { return posted.status >= 200 && posted.status < 300; }
std::string outcome_of(const http::Posted& posted);  // "200", or why there was no answer

class HookLine final : public std::enable_shared_from_this<HookLine> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  HookLine(Shared& shared, std::string space, std::string id, HookConfig config, HookState state);

  const std::string& space() const { return space_; }
  const std::string& id() const { return id_; }
  const HookConfig& config() const { return config_; }
  const HookState& state() const { return state_; }

  void go(Time now);                         // does what can be done now
  std::optional<Time> due() const;           // when there is something to do though nothing comes
  bool is_gone() const { return is_gone_; }  // with its namespace, as far as is known
  bool is_still_there();                     // asks the store
  db::Timestamp waiting_since() const { return config_.is_paused ? db::Timestamp(0) : waiting_since_; }
  std::string describe() const;       // as JSON, without secrets
  void tidy(Time now, bool is_last);  // keeps a cursor that has moved over changes of others, now and then

  // Each is in the store when it returns. Errors: of Guard::keep_beside.
  db::Result<void> pause(std::string why);
  db::Result<void> resume();
  db::Result<std::string> rotate();  // the new secret
  db::Result<void> remove();
  // What it has of that path, in letters and in memory, is no more; from the disk too.
  db::Result<void> purge(const db::Path& path);
  void forget_letter(uint64_t bytes);            // one that is erased by a write, which is kept by
  db::Result<void> keep(db::BesideWrite write);  // this, with the state

 private:
  enum class Phase : uint8_t { Ready, Reading, Awaiting, Sending, Resting, Off };

  void read();
  void on_page(db::Result<db::ChangesPage> page);
  void find_begin();
  void miss(const db::ChangesPage& page);
  void await();
  void pump();
  void send();
  void on_sent(const http::Posted& posted, bool is_missed);
  void on_failure(const http::Posted& posted, bool is_missed);
  void bury(DeadLetter letter, db::BesideWrite& write);
  void rest(std::chrono::milliseconds time);
  void look_again(std::string note);
  void set_cursor(std::string id, uint64_t sequence);
  db::Result<void> keep_config(HookConfig changed);

  Shared& with_;
  const std::string space_;
  const std::string id_;
  HookConfig config_;
  HookState state_;
  Phase phase_ = Phase::Ready;
  uint64_t round_ = 0;                   // answers to what was asked in an earlier one are not heard
  std::deque<WebhookMessage> messages_;  // of the page
  std::string page_next_;
  uint64_t page_sequence_ = 0;
  std::unique_ptr<rules::Session> session_;  // waits for commits; null until it has to
  Time due_{};
  std::string note_;  // why nothing is sent
  db::Timestamp waiting_since_{0};
  bool is_gone_ = false;
  std::optional<Time> moved_;  // the cursor, and it is not kept yet: since when
};

}  // namespace hearth::net::webhooks
