// Where a namespace stands in a frozen store: which of its commits is the last, and whether its log tells all that came
// after another dump. Thread: any. Blocks on disk.
#pragma once

#include <cstdint>
#include <string>

#include "db/base/result.h"
#include "db/model/dump_request.h"
#include "db/store/tree_store.h"

namespace hearth::db {

struct Standing {
  std::string position;  // LIFE:SEQUENCE; "": no run of the database is known that it could be of
  // What came after `base` is in the log, to the last commit, and can be done again from there. Else the namespace has
  // to be taken as a whole.
  bool has_entries = false;
  uint64_t since = 0;       // the sequence of `base`
  std::string base{};       // its position in the other dump; "": it was not there
  uint64_t read_count = 0;  // entries that were looked at for it
};

// `since`: null: nobody asks for entries. Errors: Io, Corruption.
Result<Standing> standing_of(const Frozen& from, const std::string& name, uint32_t number, const DumpBase* since);

}  // namespace hearth::db
