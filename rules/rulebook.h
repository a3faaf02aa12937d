// The compiled rules of all namespaces, and which of them is in force at a moment. Compiled once for each text, whoever
// uses it: namespaces with the same rules share one Ruleset. Thread: any.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "db/base/metrics.h"
#include "db/base/result.h"
#include "db/model/settings.h"
#include "rules/activity.h"
#include "rules/coverage.h"
#include "rules/language/explanation.h"
#include "rules/ruleset.h"
#include "rules/unindexed.h"

namespace hearth::rules {

inline constexpr size_t kRulesetsKept = 256;  // compiled; the one that was used longest ago goes first

// How often rules were asked, and said no. Admins are never asked.
struct Verdicts {
  db::Counter reads, writes;
  db::Counter reads_denied, writes_denied;
  db::Counter writes_invalid;  // a .validate rule did not hold
};

class Rulebook {
 public:
  struct Options {
    bool is_open = false;                       // where no rules are set, everyone may do everything; else nobody
    std::shared_ptr<const Ruleset> fallback{};  // for namespaces that have none of their own; may be null
    bool covers = false;                        // counts what is evaluated
    bool needs_indexes = true;                  // Unindexed::Refused means it
    std::string own_indexes{};                  // of namespaces that have not set theirs (db/model/index.h)
    std::function<void(std::string_view space, const Explanation&)> on_denied{};  // is told why; may be empty
    size_t activity_bytes_max = kActivityBytesMax;
  };
  explicit Rulebook(Options options) : options_(std::move(options)), activity_(options_.activity_bytes_max) {}

  // Null: none are set. Errors: Io; Corruption when the stored text does not compile, as after a downgrade.
  db::Result<std::shared_ptr<const Ruleset>> in_force(const db::Settings& settings);
  void keep(std::shared_ptr<const Ruleset> ruleset);  // spares in_force the compiling

  const Options& options() const { return options_; }
  Verdicts& verdicts() { return verdicts_.mine(); }
  const db::PerThread<Verdicts>& all_verdicts() const { return verdicts_; }
  UnindexedQueries& unindexed() { return unindexed_; }
  Activity& activity() { return activity_; }

  // The counts of the namespace's rules that were in force when they were last asked; null when nothing is counted.
  std::shared_ptr<Coverage> coverage(std::string_view space, const std::shared_ptr<const Ruleset>& ruleset);
  std::shared_ptr<Coverage> coverage(std::string_view space) const;  // null: nothing was asked yet

 private:
  using Kept = std::list<std::pair<std::string, std::shared_ptr<const Ruleset>>>;  // digest; latest use first
  const Options options_;
  db::PerThread<Verdicts> verdicts_;
  UnindexedQueries unindexed_;
  Activity activity_;
  mutable std::mutex mutex_;  // Guards all below.
  Kept kept_;
  std::map<std::string, Kept::iterator, std::less<>> by_digest_;
  std::map<std::string, std::pair<std::shared_ptr<const Ruleset>, std::shared_ptr<Coverage>>, std::less<>> covered_;
};

}  // namespace hearth::rules
