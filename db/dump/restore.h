// A dump → namespaces of a store, all or nothing at any size: first its rows are staged beside the store
// (db/store/staged.h) and checked to the last digest, seen by nobody; then one commit swaps them in. Until that
// commit nothing is changed, and what was staged goes with the object or at the next open. Memory: of one block, and
// of what is sorted. Thread: one at a time. Blocks on disk.
//
//   ASSIGN_OR_RETURN(auto restore, Restore::stage(source, request, store, number_of));   // as long as it takes
//   RETURN_IF_ERROR(restore->swap_in(now));                                         // at once; nobody else may commit
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/dump/dump_file.h"
#include "db/dump/restore_meter.h"
#include "db/model/dump_request.h"
#include "db/store/staged.h"
#include "db/store/tree_store.h"

namespace hearth::db {

struct RestoredSpace {
  std::string name;
  uint32_t number = 0;
  Path at;             // of what is replaced
  DumpedSpace dumped;  // as the file has it
  DumpedRows rows{};
  uint64_t last_update = 0;  // the highest sequence of an update of a document
  // A whole namespace, whose settings are those of the file from now on.
  bool is_whole() const { return at.is_root() && dumped.path.is_root() && !dumped.name.empty(); }
  RestoredTree said() const;
};

Error restore_given_up();  // NotFound: what to say when somebody has asked for that

class Restore {
 public:
  // The number of the namespace of that name, which may be a new one. Errors: InvalidArgument when the name is none.
  using NumberOf = std::function<Result<uint32_t>(const std::string& name)>;

  // What of an incremental dump (DumpInfo::is_incremental) is taken: nothing, for it continues another one; or those of
  // its namespaces that are in it as a whole. Its entries are for db/upkeep/fold.h.
  enum class Incremental : uint8_t { Refused, Wholes };

  // `meter`: of whoever asks how far it is, or gives it up between two rows. Errors: of read_any; InvalidArgument: data
  // or a document is there, or the request does not fit the file; NotFound: not in the file, or given up; Unavailable: the
  // disk is full.
  static Result<std::unique_ptr<Restore>> stage(const ByteSource& source, const RestoreRequest& request,
                                                TreeStore& store, const std::string& folder, const NumberOf& number_of,
                                                Incremental incremental = Incremental::Refused,
                                                RestoreMeter* meter = nullptr);
  ~Restore();

  // Precondition: nobody commits anything to these namespaces during the call. Writes that came before it, also while
  // rows were staged, are part of what is replaced. Errors: InvalidArgument (data or a document has come), the store's.
  Result<void> swap_in(Timestamp now);

  const std::vector<RestoredSpace>& spaces() const;
  size_t file_count() const;  // that the store takes in

 private:
  class Staging;
  Restore(TreeStore& store, Existing existing, std::unique_ptr<Staged> staged, std::vector<RestoredSpace> spaces);
  Result<void> empty_documents();
  Result<void> renew_ages(Batch& to);
  Result<void> add_beside(const RestoredSpace& space, Timestamp now, Batch& to) const;

  TreeStore& store_;
  const Existing existing_;
  std::unique_ptr<Staged> staged_;
  const std::vector<RestoredSpace> spaces_;
};

// Reads a dump to its end and says what is in it. Errors: of read_any.
struct DumpContents {
  bool is_native = false;
  DumpInfo info;
  std::vector<std::pair<DumpedSpace, DumpedRows>> spaces;
};
Result<DumpContents> verify_dump(const ByteSource& source, const std::string& folder);

}  // namespace hearth::db
