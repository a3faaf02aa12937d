// A document is a list of updates. To list documents costs a row for each update, so a page ends after kListedUpdatesMax of
// them too, and the list goes on behind the last one.
#include "db/shard/stored_documents.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "db/documents/document.h"
#include "db/documents/update.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr uint64_t kListedUpdatesMax = 20'000;
constexpr size_t kContentBytesMax = 16u << 20;  // of the updates of a document that is read
constexpr size_t kContentStepsMax = 5'000'000;  // of one update (documents::DocumentLimits)

}  // namespace

Result<DocumentsPage> list_documents(const TreeView& rows, const Path& after, size_t most) {
  DocumentsPage page;
  std::string encoded;  // the path of the last one
  uint64_t updates = 0;
  Result<void> status;
  const std::string from = after.is_root() ? std::string() : encode_path(after) + '\1';
  RETURN_IF_ERROR(rows.scan(from, "\xff", [&](std::string_view key, std::string_view update) {
    const auto row = read_document_row(key);
    if (!row) {
      status = Error{ErrorCode::Corruption, "A row is no document's."};
      return false;
    }
    if (page.documents.empty() || row->path != encoded) {
      if (page.documents.size() >= most || updates > kListedUpdatesMax) {
        page.is_last = false;
        return false;
      }
      Result<Path> path = decode_path(row->path);
      if (!path.ok()) {
        status = path.error();
        return false;
      }
      encoded = row->path;
      page.documents.push_back({std::move(path).value(), 0, 0});
    }
    ++page.documents.back().updates;
    page.documents.back().bytes += update.size();
    ++updates;
    return true;
  }));
  RETURN_IF_ERROR(status);
  return page;
}

Result<DocumentContent> read_document_content(const TreeView& rows, const Path& path) {
  DocumentContent content;
  content.stored.path = path;
  const std::string base = encode_path(path);
  documents::DocumentLimits limits;
  limits.steps_max = kContentStepsMax;
  documents::Document document(limits);
  Result<void> status;
  RETURN_IF_ERROR(rows.scan(document_row(base, 0), base + '\1', [&](std::string_view, std::string_view bytes) {
    ++content.stored.updates;
    content.stored.bytes += bytes.size();
    if (content.stored.bytes > kContentBytesMax) {
      status = Error{ErrorCode::TooLarge, "The document is too large to be shown."};
      return false;
    }
    // The update refers to its bytes, so they are used up here.
    Result<documents::Update> update = documents::Update::parse_own(bytes);
    status = update.ok() ? document.apply(update.value()) : Result<void>(update.error());
    return status.ok();
  }));
  RETURN_IF_ERROR(status);
  if (content.stored.updates == 0) return Error{ErrorCode::NotFound, "There is no Yjs document at " + path.slashed()};
  content.has_pending = document.has_pending();
  ASSIGN_OR_RETURN(content.json, document.to_json(documents::RootKinds(), kLiveDocumentBytesMax));
  return content;
}

}  // namespace hearth::db
