// What is stored of a Yjs document: its updates, the oldest first (db/documents/update.h). Immutable; crosses threads freely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/model/path.h"
#include "db/model/topic.h"

namespace hearth::db {

struct DocumentUpdates {
  std::vector<std::string> updates;
  uint64_t last = 0;  // the number of the last one; 0: there is none
  size_t bytes = 0;   // of all
};

// How to be in a document: as in the topic of document_topic(). Its members hear each update as what is said there, under
// the name kUpdateSaid, once it is on disk.
struct DocumentOpen {
  Path path;
  TopicJoin join{};
};

inline constexpr std::string_view kUpdateSaid = "update";
inline std::string document_topic(const Path& path) { return "document:" + path.text(); }

}  // namespace hearth::db
