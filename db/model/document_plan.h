// Which Yjs documents stand in the tree as JSON too, and what of them: the part of a namespace's setting `documents` that the
// database goes by.
//
//   plan := {"/notes": {"title": "text", "meta": "map"}, …}
//
// A document at or below a path has those roots in the tree, read as the kinds say; of several such paths the longest one
// counts, and one without roots means none. Values; pure. Thread: any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"
#include "db/model/path.h"

namespace hearth::db {

// Derived from /.settings/documents.json by who sets that (db/model/settings.h).
inline constexpr std::string_view kMirrorsSetting = "mirrors_plan";
inline constexpr size_t kMirrorRootsMax = 50;  // of one path

bool is_mirror_kind(std::string_view kind);
using MirrorRoots =
    std::map<std::string, std::string, std::less<>>;  // by root, "text", "delta", "map", "array" or "xml"

struct DocumentPlan {
  std::vector<std::pair<Path, MirrorRoots>> places{};

  const MirrorRoots* of(const Path& document) const;  // null: nothing of it
};

// Errors: InvalidData.
Result<DocumentPlan> parse_document_plan(std::string_view text);
std::string document_plan_text(
    const DocumentPlan& plan);  // that parse_document_plan reads; "" when there are no places

}  // namespace hearth::db
