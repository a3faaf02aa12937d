// Dumps of a database that is in use, and restores into one. Both work on threads of their own, beside the shards: a
// dump from a checkpoint, whose disk space is held until the last piece is taken; a restore from a file that was
// uploaded first, in pieces, until all shards concerned meet for the moment of its swap. Removals of namespaces take
// turns with restores. Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/base/thread_pool.h"
#include "db/dump/restore_meter.h"
#include "db/model/dump_request.h"
#include "db/shard/namespace_state.h"
#include "db/store/tree_store.h"

namespace hearth::db {

inline constexpr size_t kDumpsMax = 4;    // at a time; each is a few open files and links to what was deleted since
inline constexpr size_t kUploadsMax = 4;  // at a time
inline constexpr std::chrono::minutes kUploadIdleMax{30};  // without a byte, before another upload may take its place

class Backups {
 public:
  // Null: the namespace is another node's.
  using SpaceOf = std::function<std::shared_ptr<NamespaceState>(const std::string& name)>;
  // `steady`: for how long an upload was left alone.
  Backups(TreeStore& store, std::string folder, const Clock& clock, const Clock& steady, SpaceOf space_of);
  ~Backups();  // a restore that is under way is given up, unless its moment has come

  // Everything that was committed before the call is in it. Errors: of Dumper::make, Unavailable above kDumpsMax.
  void dump(DumpRequest request, std::function<void(Result<DumpPieces>)> done);

  // How much of the dump of that name is taken, 0 to 1, about. Nothing: none is under way.
  std::optional<double> dump_part(const std::string& name) const;

  // A file for restore(). Blocks on disk. Errors: Unavailable (too many, disk full), NotFound (no such upload),
  // InvalidArgument (`at` is not where the upload ends), Io.
  Result<std::string> begin_upload();
  Result<void> upload(const std::string& id, uint64_t at, std::string_view bytes);
  std::optional<UploadState> upload_state(const std::string& id) const;  // nothing: there is none, or no more
  // The upload goes, and so does a restore of it, unless its moment has come: whoever asked for that is told what became
  // of it. Errors: NotFound.
  Result<void> give_up_upload(const std::string& id);
  // The upload is gone afterwards. Errors: of Restore; Unavailable: something else is under way.
  void restore(const std::string& id, RestoreRequest request,
               std::function<void(Result<std::vector<RestoredTree>>)> done);

  // Runs `work` on this thread while no restore is under way. Errors: Unavailable: something is under way; those of
  // `work`.
  Result<void> meanwhile(const std::function<Result<void>()>& work);
  // The whole store, beside what reads and writes it. `done` is told the bytes of its files before and after. Errors:
  // Io; Unavailable: another one is under way, the database is closing, or the disk too full.
  void compact(std::function<void(Result<Compacted>)> done);
  void give_up_compaction();  // the one that is under way, and all to come: the database is about to close

 private:
  struct Upload {
    uint64_t bytes = 0;
    Timestamp touched{};
    bool is_busy = false;
    bool is_given_up = false;               // it goes when it is not busy any more
    std::shared_ptr<RestoreMeter> meter{};  // of its restore
  };
  Result<std::vector<RestoredTree>> run(const std::string& path, const RestoreRequest& request, RestoreMeter& meter);
  std::shared_ptr<RestoreMeter> measure(const std::string& id);
  void forget(const std::string& id);
  std::string path_of(const std::string& id) const;
  Result<void> take(const std::string& id, std::optional<uint64_t> at);
  Result<void> begin(std::string what);
  void end();

  TreeStore& store_;
  const std::string folder_;
  const Clock& clock_;
  const Clock& steady_;
  const SpaceOf space_of_;
  // Pieces may outlive this.
  struct Dumps {
    std::mutex mutex;  // Guards all below.
    size_t count = 0;
    std::map<std::string, double> parts;  // by name, of those that have one
  };
  const std::shared_ptr<Dumps> dumps_ = std::make_shared<Dumps>();
  std::atomic<bool> is_stopping_ = false;
  std::atomic<bool> is_compacting_ = false;
  std::atomic<bool> is_not_to_compact_ = false;
  mutable std::mutex mutex_;  // Guards all below.
  std::map<std::string, Upload> uploads_;
  std::string under_way_;  // what; "": nothing
  ThreadPool checkpoints_{1};
  ThreadPool restores_{1};
  ThreadPool compactions_{1};
};

}  // namespace hearth::db
