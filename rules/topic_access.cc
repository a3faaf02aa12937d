// Everything is asked of the moment that is judged: its settings, the path that they name for this topic, and the rules
// at that path. No path means that nobody needs a right, as in a public channel; an error of judged_by() means that
// there is no such topic any more, and ends whoever is in it. For an administrator the settings count and no rules.
#include "rules/topic_access.h"

namespace hearth::rules {

db::Result<void> TopicAccess::check(const db::Moment& moment) const {
  ASSIGN_OR_RETURN(const auto settings, right_->settings->in_force(moment.settings));
  ASSIGN_OR_RETURN(const auto path, right_->judged_by(*settings));
  if (!path || right_->asker == nullptr) return {};
  return to_ == To::Be ? right_->asker->may_read(moment, *path, {}) : right_->asker->may_speak(moment, *path);
}

std::optional<db::Timestamp> TopicAccess::lapses() const {
  if (right_->asker == nullptr || !right_->asker->expires()) return {};
  return *right_->asker->expires();
}

}  // namespace hearth::rules
