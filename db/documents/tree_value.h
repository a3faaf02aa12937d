// What of a Yjs document stands in the tree: its JSON as a value, and what is to be written where that differs from what
// stands there. A tree is poorer than a document, so
//
//   a key that no child may have   is written with % and two hexadecimal digits for each byte that may not be there, and for %
//                                  itself: "a.b" is "a%2Eb"; the empty key is "%"
//   a list                         has its elements at "0", "1", …; null is left out, as are empty lists and objects
//
// Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/value.h"
#include "db/model/write.h"

namespace hearth::db::documents {

std::string tree_key(std::string_view key);

// Errors: InvalidData: it is no JSON, or the tree holds no key of that length.
Result<Value> tree_value(std::string_view json);

inline constexpr size_t kDifferencesMax = 200;  // of one place, before all of it is written anew

// Appends the writes that make `from`, which stands at `at`, to `to`. Errors: of Path::child, where the path gets too long.
Result<void> append_differences(const Value& from, const Value& to, const Path& at, std::vector<Overwrite>& writes);

}  // namespace hearth::db::documents
