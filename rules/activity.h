// What is asked of a server, and what became of it, for as long as somebody looks: the latest requests with their verdicts,
// and for a denial the rule that said no. Nobody looks as a rule; then a request costs one relaxed load (is_on), and nothing
// is kept.
//
//   look() ─▶ on for kActivityTime, and on for longer with each look; the first request after that turns it off and drops all
//
//   Session, Guard ── when a request is answered ──▶ add ─▶ ring of entries ─▶ since()     the console, net/admin/api
//   Asker          ── when a rule says no ─────────▶ note_denial ─▶ taken by the request's add()
//   Verifier       ── a credential is refused ─────▶ add
//
// A denial is noted where rules are asked, on a shard or a reader, and its request is answered elsewhere; both name the
// namespace, the user and the path, by which they are put together. Of two requests that are alike in all three, one may
// get the other's rule, which is the same.
//
// No values, credentials or tokens come in: paths, uids, messages of errors and the sources of rules.
//
// Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/result.h"
#include "rules/language/explanation.h"

namespace hearth::rules {

inline constexpr std::chrono::seconds kActivityTime{30};  // that it is kept on after a look
inline constexpr size_t kActivityEntriesMax = 500;
inline constexpr size_t kActivityBytesMax = 1u << 20;  // of all entries; the default
inline constexpr size_t kActivityTextBytesMax = 512;   // of a path, a message, a rule's source; more is cut
inline constexpr size_t kDenialsNotedMax = 64;

// The rule that said no: of several, the last that was asked.
struct DenyingRule {
  std::string kind{};     // ".read", ".write", ".validate"
  std::string pattern{};  // where it stands
  std::string path{};     // of what it was asked
  std::string source{};
  std::string why{};  // of one that failed
  uint32_t line = 0, column = 0;
};

struct ActivityEntry {
  enum class Kind : uint8_t { Read, Write, Listen, OnDisconnect, Rows, Topic, Document, SignIn };
  enum class Verdict : uint8_t { Ok, Denied, Failed };
  uint64_t number = 0;  // counts up
  db::Timestamp time{};
  std::string space{};
  std::string protocol{};   // "": not known
  uint64_t connection = 0;  // 0: not known
  std::string peer{};       // an address; of refused credentials
  std::string user{};
  bool is_admin = false;
  Kind kind = Kind::Read;
  std::string path{};
  Verdict verdict = Verdict::Ok;
  std::string reason{};
  std::optional<DenyingRule> rule{};
  std::chrono::nanoseconds took{0};

  size_t byte_count() const;  // about what it holds in memory
};
std::string_view name_of(ActivityEntry::Kind kind);        // "read", … "onDisconnect", "sign-in"
std::string_view name_of(ActivityEntry::Verdict verdict);  // "ok", "denied", "failed"

class Activity {
 public:
  // `steady`: for the time that it stays on; null: the system's.
  explicit Activity(size_t bytes_max = kActivityBytesMax, const db::Clock* steady = nullptr)
      : bytes_max_(bytes_max), steady_(steady != nullptr ? *steady : own_steady_) {}
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }
  void look();  // somebody looks: on from here, for kActivityTime

  // The result decides the verdict and the reason. Of a denial, the rule that was noted for it is put in. Nothing happens
  // once it is off.
  void add(ActivityEntry entry, const db::Result<void>& result);
  void note_denial(std::string_view space, std::string_view user, std::string_view path, const Explanation& why);

  uint64_t last() const;  // the number of the newest entry, ever
  struct Page {
    std::vector<ActivityEntry> entries;  // the oldest first
    uint64_t next = 0;                   // ask since this next time
    uint64_t missed = 0;                 // entries behind `since` that are not here any more
  };
  // What came behind `since` (nothing: all that is there) and is `wanted`.
  Page since(std::optional<uint64_t> since, const std::function<bool(const ActivityEntry&)>& wanted) const;
  size_t byte_count() const;
  uint64_t recorded() const { return recorded_.value(); }  // ever
  size_t bytes_max() const { return bytes_max_; }

 private:
  struct Denial {
    std::string space, user, path, reason;
    std::optional<DenyingRule> rule;
  };
  bool is_looked_at();  // under mutex_; turns it off when nobody has for too long
  std::optional<Denial> take_denial(const ActivityEntry& entry);  // under mutex_

  const size_t bytes_max_;
  const db::SteadyClock own_steady_;
  const db::Clock& steady_;
  std::atomic<bool> is_on_ = false;
  db::Counter recorded_;
  mutable std::mutex mutex_;  // Guards all below.
  db::Timestamp until_{};     // by `steady_`
  std::deque<ActivityEntry> entries_;
  std::deque<Denial> denials_;
  size_t bytes_ = 0;
  uint64_t last_ = 0;
};

}  // namespace hearth::rules
