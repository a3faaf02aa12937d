// Compiled rules by the digest of their text, in a list by last use. Namespaces with equal rules share one Ruleset,
// and a namespace whose rules change simply asks for another digest: nothing is ever invalidated.
#include "rules/rulebook.h"

#include "db/base/step.h"
#include "db/model/hash.h"

namespace hearth::rules {

db::Result<std::shared_ptr<const Ruleset>> Rulebook::in_force(const db::Settings& settings) {
  ASSIGN_OR_RETURN(const std::string digest, settings.rules_digest());
  if (digest.empty()) return options_.fallback;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_digest_.find(digest); found != by_digest_.end()) {
      kept_.splice(kept_.begin(), kept_, found->second);
      return found->second->second;
    }
  }
  // Compiling takes long, and no thread that answers only short reads does that.
  if (db::Step::here().is_in_memory()) {
    db::Step::here().end_early();
    return db::step_is_over();
  }
  // Compiled without the lock: two threads may do it at once, and keep() takes the first.
  ASSIGN_OR_RETURN(auto text, settings.text(db::kRulesSetting));
  if (!text) return db::Error{db::ErrorCode::Corruption, "the namespace's rules are named and not there"};
  auto compiled = Ruleset::compile(std::move(*text));
  if (!compiled.ok()) {
    return db::Error{
        db::ErrorCode::Corruption,
        "the stored rules do not compile, so nobody but an admin gets in; set them anew: " + compiled.error().message};
  }
  keep(compiled.value());
  return compiled;
}

void Rulebook::keep(std::shared_ptr<const Ruleset> ruleset) {
  std::string digest = db::text_digest(ruleset->text());
  const std::lock_guard lock(mutex_);
  // The one that is there may be in use already; two Rulesets of one text would be counted apart.
  if (by_digest_.contains(digest)) return;
  kept_.emplace_front(digest, std::move(ruleset));
  by_digest_.emplace(std::move(digest), kept_.begin());
  if (kept_.size() <= kRulesetsKept) return;
  by_digest_.erase(kept_.back().first);
  kept_.pop_back();
}

std::shared_ptr<Coverage> Rulebook::coverage(std::string_view space, const std::shared_ptr<const Ruleset>& ruleset) {
  if (!options_.covers) return nullptr;
  const std::lock_guard lock(mutex_);
  auto found = covered_.find(space);
  if (found == covered_.end())
    found = covered_.emplace(space, std::pair<std::shared_ptr<const Ruleset>, std::shared_ptr<Coverage>>()).first;
  auto& [of, counts] = found->second;
  // New rules begin new counts; whoever holds the old ones may count on in them, and nobody reads that.
  if (of != ruleset) {
    of = ruleset;
    counts = std::make_shared<Coverage>(ruleset);
  }
  return counts;
}

std::shared_ptr<Coverage> Rulebook::coverage(std::string_view space) const {
  const std::lock_guard lock(mutex_);
  const auto found = covered_.find(space);
  return found == covered_.end() ? nullptr : found->second.second;
}

}  // namespace hearth::rules
