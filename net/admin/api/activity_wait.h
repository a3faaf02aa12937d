// What is asked of the server just now (rules/activity.h), as the admin API tells it: what is there, or with a wait the next
// that comes. A long poll, which looks every quarter of a second: so a busy server's entries come in handfuls, and requests
// that are recorded wake nobody. Thread: the exchange's home.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "net/http/exchange.h"
#include "net/http/target.h"
#include "net/io/io_pool.h"
#include "rules/activity.h"

namespace hearth::net::admin {

inline constexpr std::chrono::milliseconds kActivityLookInterval{250};
inline constexpr std::chrono::milliseconds kActivityWaitMax{30'000};

// Which entries are wanted. `space`: "" for those of all.
struct ActivityFilter {
  std::string space{};
  std::optional<uint64_t> since{};
  std::string path{};                                      // at or below it; "": any
  std::set<std::string, std::less<>> kinds{}, verdicts{};  // none: all
  std::chrono::milliseconds wait{0};

  // Of the parameters since, path, kind, verdict and wait. Errors: InvalidArgument.
  static db::Result<ActivityFilter> parse(const http::Target& target, std::string space);
  bool wants(const rules::ActivityEntry& entry) const;
};

std::string activity_text(const rules::Activity::Page& page);

class ActivityWait : public std::enable_shared_from_this<ActivityWait> {
 public:
  // Turns recording on, and answers now or later. `activity` outlives the io threads.
  static void start(rules::Activity& activity, std::shared_ptr<http::Exchange> exchange, ActivityFilter filter);

  ActivityWait(rules::Activity& activity, std::shared_ptr<http::Exchange> exchange, ActivityFilter filter)
      : activity_(activity), exchange_(std::move(exchange)), filter_(std::move(filter)) {}

 private:
  void look();
  void answer(const rules::Activity::Page& page);  // once
  rules::Activity::Page wanted() const;

  rules::Activity& activity_;
  std::shared_ptr<http::Exchange> exchange_;  // null once it is answered
  ActivityFilter filter_;
  std::chrono::steady_clock::time_point until_ = std::chrono::steady_clock::now() + filter_.wait;
  uint64_t looked_to_ = 0;  // what has come up to here is not wanted
  http::Timer next_;
};

}  // namespace hearth::net::admin
