// How what comes through the Guard gets its conditions: for sessions and for requests by themselves. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "db/model/write.h"
#include "rules/access.h"
#include "rules/auth.h"
#include "rules/rulebook.h"

namespace hearth::rules {

// Null for an admin, unless the admin's credential has an end.
SharedAsker asker_of(const std::shared_ptr<Rulebook>& book, const std::string& space, const Auth& auth);

// From here on the write is judged as the asker's.
void guard_write(db::Write& write, const SharedAsker& asker);

}  // namespace hearth::rules
