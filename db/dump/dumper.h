// A frozen store → a dump, piece by piece: whoever takes the pieces sets the pace. Between two pieces nothing is held
// open but the files of the frozen store. Memory: of one piece, which may end with one large update of a document. JSON
// is the tree alone: Yjs documents have no place in it. An incremental dump (DumpRequest::since) has entries of the log
// instead, of each namespace whose log tells what came since: it costs what has changed. Thread: one at a time. Blocks
// on disk.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/dump/dump_file.h"
#include "db/dump/json_text.h"
#include "db/dump/standing.h"
#include "db/model/dump_request.h"
#include "db/store/tree_store.h"

namespace hearth::db {

inline constexpr size_t kDumpPieceBytes = 1u << 20;  // of rows read for one piece

class Dumper {
 public:
  // Errors: NotFound (no such namespace), InvalidArgument (JSON of several namespaces, a path of all).
  static Result<std::unique_ptr<Dumper>> make(Frozen from, const DumpRequest& request, Timestamp now);

  // Appends the next piece. False when nothing was left.
  Result<bool> next(std::string& to);

  // What is done so far. `digest` only in a native dump.
  const std::vector<std::pair<std::string, DumpedRows>>& spaces() const { return done_; }
  uint64_t leaf_count() const { return leaves_; }
  uint64_t read_count() const { return read_; }  // rows and entries that were read so far
  const DumpInfo& info() const { return info_; }
  // There are documents at the path asked for or below it, and they are left out, for the dump is JSON.
  bool leaves_documents_out() const { return leaves_out_; }
  double part() const { return part_; }  // of the work, 0 to 1, about; never less than before

 private:
  struct Target {
    std::string name;
    uint32_t number;
    Standing standing{};
  };
  Dumper(Frozen from, DumpRequest request);
  std::string prefix(Table table, const Target& target) const;
  uint64_t bytes_between(const Target& target, std::string_view from, std::string_view upto) const;
  Result<std::optional<std::string>> next_key(Table table, const Target& target, std::string_view from) const;
  Result<void> begin_space(const Target& target, std::string& to);
  Result<bool> next_rows(const Target& target, std::string& to);
  Result<bool> next_entries(const Target& target, std::string& to);
  void measure();
  void row(std::string_view key, std::string_view leaf, std::string& to);
  void end_space(const Target& target, std::string& to);

  const Frozen from_;
  const DumpRequest request_;
  std::vector<Target> targets_;
  size_t at_ = 0;               // in targets_
  std::string cursor_;          // where in it the next piece begins, behind the prefix
  bool has_documents_ = false;  // behind the cursor, maybe
  uint64_t last_ = 0;           // sequence of the last entry that was written
  DumpInfo info_;
  bool is_in_space_ = false;  // it is begun
  bool leaves_out_ = false;
  bool begun_ = false;
  bool finished_ = false;
  DumpWriter writer_;
  JsonText json_;
  uint64_t rows_ = 0;  // of the namespace
  uint64_t space_leaves_ = 0;
  uint64_t leaves_ = 0;
  uint64_t read_ = 0;
  std::vector<std::pair<std::string, DumpedRows>> done_;
  uint64_t store_bytes_ = 0;  // of all targets
  uint64_t done_bytes_ = 0;   // of those before the one at_
  double part_ = 0;
};

}  // namespace hearth::db
