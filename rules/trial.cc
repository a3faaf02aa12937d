// A question of the kind "what if", from JSON to the request that it stands for. Paths, values and overlaps are
// checked by the functions that real requests pass, so a trial is refused exactly where they would be.
#include "rules/trial.h"

#include "db/model/json.h"

namespace hearth::rules {
namespace {

using db::Error;
using db::ErrorCode;

Error bad_question() {
  return {
      ErrorCode::InvalidData,
      "Invalid data; ask {\"read\": path}, {\"write\": path, \"value\": …} or {\"update\": path, \"value\": {…}}, each "
      "with \"auth\": an object or null, and \"rules\": a text, where others than those in force are meant."};
}

db::Result<void> read_write(const db::JsonNode& path, const db::JsonNode& value, Trial& trial) {
  trial.kind = Trial::Kind::Write;
  // The path may name a .priority, as any write's.
  // Twice: the value's limits depend on the path, and whether it is a priority's value on the path's end.
  ASSIGN_OR_RETURN(db::Overwrite place, db::make_overwrite(*path.string(), db::Value()));
  ASSIGN_OR_RETURN(db::Value to, value.to_value(place.path));
  ASSIGN_OR_RETURN(db::Overwrite overwrite, db::make_overwrite(*path.string(), std::move(to)));
  trial.write.base = overwrite.path;
  trial.write.overwrites.push_back(std::move(overwrite));
  return {};
}

db::Result<void> read_update(const db::JsonNode& path, const db::JsonNode& value, Trial& trial) {
  trial.kind = Trial::Kind::Write;
  trial.write.merge = true;
  ASSIGN_OR_RETURN(trial.write.base, db::Path::parse(*path.string()));
  ASSIGN_OR_RETURN(std::vector<db::JsonEntry> entries, value.to_entries(trial.write.base));
  for (db::JsonEntry& entry : entries) {
    ASSIGN_OR_RETURN(db::Overwrite overwrite,
                     db::make_overwrite(trial.write.base.text() + "/" + entry.path, std::move(entry.value)));
    trial.write.overwrites.push_back(std::move(overwrite));
  }
  return db::check_overlap(trial.write.overwrites);
}

}  // namespace

db::Result<TrialQuestion> read_trial(std::string&& body) {
  ASSIGN_OR_RETURN(const db::JsonDocument document, db::JsonDocument::parse(std::move(body)));
  const db::JsonNode root = document.root();
  if (!root.is_object()) return bad_question();
  TrialQuestion question;
  if (const auto auth = root.field("auth"); auth && !auth->is_null()) {
    if (!auth->is_object()) return bad_question();
    question.as = {Auth::Kind::User, auth->to_text(), {}};
  }
  if (const auto rules = root.field("rules")) {
    if (!rules->string()) return bad_question();
    ASSIGN_OR_RETURN(question.trial.rules, Ruleset::compile(std::string(*rules->string())));
  }
  const auto read = root.field("read");
  const auto write = root.field("write");
  const auto update = root.field("update");
  const auto path = read ? read : write ? write : update;
  if (!path || !path->string() || (read.has_value() + write.has_value() + update.has_value() != 1))
    return bad_question();
  if (read) {
    ASSIGN_OR_RETURN(question.trial.path, db::Path::parse(*path->string()));
    return question;
  }
  const auto value = root.field("value");
  if (!value) return bad_question();
  RETURN_IF_ERROR(write ? read_write(*path, *value, question.trial) : read_update(*path, *value, question.trial));
  return question;
}

}  // namespace hearth::rules
