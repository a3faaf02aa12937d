// The Yjs documents of a namespace as they are stored, for those who run the server: which there are, and what one says.
// Their rows are those of Table::Document (db/store/row_key.h). Blocks on disk; on a thread for long jobs. Thread: any.
#pragma once

#include <cstddef>

#include "db/base/result.h"
#include "db/model/live.h"
#include "db/model/path.h"
#include "db/model/tree_view.h"

namespace hearth::db {

// At most `most` of them behind `after` (the root: from the first on). Errors: Io, Corruption.
Result<DocumentsPage> list_documents(const TreeView& rows, const Path& after, size_t most);

// Errors: NotFound; TooLarge: it is large, or its JSON is; Io, Corruption.
Result<DocumentContent> read_document_content(const TreeView& rows, const Path& path);

}  // namespace hearth::db
