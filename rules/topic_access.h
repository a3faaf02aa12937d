// Whether somebody may be in a topic, and speak there: the namespace's settings say which path stands for the topic, and
// the rules at that path say who. Both are those of the moment that is judged, so a channel that the operator takes away
// ends with the commit that sets it, and one whose path is another is judged by the rules there. Thread: any.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "db/model/precondition.h"
#include "rules/access.h"
#include "rules/space_settings.h"

namespace hearth::rules {

// What the two rights of one place in a topic have in common.
struct TopicRight {
  std::shared_ptr<KnownSettings> settings;
  SharedAsker asker;  // of an admin the settings alone are asked
  JudgedBy judged_by;
};

class TopicAccess final : public db::Precondition {
 public:
  enum class To : uint8_t { Be, Speak };  // `.read` of the path; `.write` of it, where nothing is written
  TopicAccess(To to, std::shared_ptr<const TopicRight> right) : to_(to), right_(std::move(right)) {}
  // Errors: those of the right's judged_by, PermissionDenied, Io.
  db::Result<void> check(const db::Moment& moment) const override;
  std::optional<db::Timestamp> lapses() const override;

 private:
  const To to_;
  const std::shared_ptr<const TopicRight> right_;
};

}  // namespace hearth::rules
