// Dumps that continue each other (db/dump/chain.h) → the state at one moment, as a store in a folder of its own: the
// full dump is restored there, and what the incremental ones have is done again, commit by commit. What comes of it is
// dumped or restored as any other folder is. Thread: one. Blocks on disk. Memory: of a few MB of commits, or one large
// one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/dump/block.h"
#include "db/model/past.h"

namespace hearth::db {

inline constexpr uint64_t kFoldBytesMax = 4u << 20;  // of entries, done again as one commit of the new store

struct FoldFile {
  std::string name;                  // for people
  std::function<ByteSource()> read;  // from its begin; several times
};

struct FoldRequest {
  std::vector<FoldFile> files;         // as chain_of() puts them
  std::optional<PastMoment> to{};      // nothing: all that they have
  std::optional<std::string> space{};  // of several namespaces the one to take
};

struct Folded {
  uint64_t commits = 0;  // that were done again
};

// `folder`: is made, or is empty. Errors: InvalidArgument: a file does not continue the one before it, or the moment is
// not known of some namespace, saying which; NotFound: there is no such namespace; Corruption, Io.
Result<Folded> fold(const FoldRequest& request, const std::string& folder, Timestamp now);

}  // namespace hearth::db
