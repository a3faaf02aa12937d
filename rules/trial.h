// A request that is not carried out: would the rules allow it?
//
//   question := {"read": path, "auth": auth}
//             | {"write": path, "value": json, "auth": auth}            null deletes
//             | {"update": path, "value": {path: json, …}, "auth": auth}
//   auth     := the rules' variable, as {"uid":"ada","token":{…}} | null or left out: signed out
//
// "rules": text may stand beside them: a rules document that is asked instead of the one in force. Other members are
// ignored. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/write.h"
#include "rules/auth.h"
#include "rules/language/evaluator.h"
#include "rules/ruleset.h"

namespace hearth::rules {

struct Trial {
  enum class Kind : uint8_t { Read, Write };
  Kind kind = Kind::Read;
  db::Path path{};                         // Read
  QueryFacts query{};                      // Read
  db::Write write{};                       // Write
  std::shared_ptr<const Ruleset> rules{};  // null: those in force
};

struct TrialQuestion {
  Auth as;
  Trial trial;
};

// Errors: InvalidData, InvalidPath, TooLarge, each as the real request would have them; of "rules" as Ruleset::compile.
db::Result<TrialQuestion> read_trial(std::string&& json);

}  // namespace hearth::rules
