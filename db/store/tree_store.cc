// The store's commits. What a commit holds decides how it goes to disk; every way is atomic, and reads never wait.
//
//   a group's rows ─ fewer than 50,000 ─▶ one WriteBatch ─▶ log (one fsync) ─▶ memory ─▶ files, some time later
//                  └ more ─▶ one file: tombstones and rows ─▶ sync the log, flush memory ─▶ taken in
//   a Staged, of any size ─▶ files, already on disk ───────▶ sync the log ────────────────▶ all taken in by one edit
//
// - A file that is taken in is durable at once; commits before it may still be in the unsynced log. So the log is
//   synced first, or a power cut could keep the later commit and lose the earlier one.
// - After a failed commit nobody knows what is on disk. break_store() refuses every write until a restart has looked.
// - Range tombstones in memory slow every later seek; flush() moves them to files in time. Rows that were erased one by one
//   are stepped over once readers know of them (empty_runs.h): to have them compacted soon costs more than all else.
#include "db/store/tree_store.h"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "db/base/random.h"
#include "db/base/step.h"
#include "db/model/hash.h"
#include "db/model/index.h"
#include "db/model/key_order.h"
#include "db/store/cut_filter.h"
#include "db/store/empty_runs.h"
#include "db/store/patient_files.h"
#include "db/store/rocks.h"
#include "db/store/row_key.h"
#include "db/store/snapshot_state.h"
#include "db/store/staged.h"
#include "db/store/store_watch.h"

namespace hearth::db {

struct TreeStore::Rocks {
  StoreWatch watch;
  CutFilters cuts;
  std::unique_ptr<rocksdb::DB> db;
  EmptyRuns empty{[this] { return db->GetLatestSequenceNumber(); }};
  std::string folder;
  rocksdb::Env* environment;
};

namespace {

constexpr uint64_t kLevel0FilesOfIngest = 12;
constexpr std::chrono::milliseconds kCompactionLook{5};
constexpr int kCompactionLooksMax = 2'000;

// Large commits make files faster than compactions merge them, and from some number of files on RocksDB holds up all
// writes. So a large commit waits, for a while, before it adds another file.
void wait_for_compactions(rocksdb::DB& db) {
  for (int looks = 0; looks < kCompactionLooksMax; ++looks) {
    std::string files;  // the property is one of text
    if (!db.GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files)) return;
    if (std::strtoull(files.c_str(), nullptr, 10) < kLevel0FilesOfIngest) return;
    std::this_thread::sleep_for(kCompactionLook);
  }
}

}  // namespace

namespace {

struct Identity {
  std::string format;
  std::string id;
  uint32_t shards = 0;
};

// Nothing: the store is empty. Errors: Corruption, Unsupported.
Result<std::optional<Identity>> read_identity(const Snapshot& now) {
  ASSIGN_OR_RETURN(const auto format, now.get(row_key(Table::Store, "format")));
  if (!format) {
    bool foreign = false;
    RETURN_IF_ERROR(now.scan("", "\xff", [&](auto, auto) {
      foreign = true;
      return false;
    }));
    if (foreign)
      return Error{ErrorCode::Corruption,
                   "the folder holds a RocksDB store that is not Hearth's; choose another folder"};
    return std::optional<Identity>();
  }
  // An older store is opened, and marked with our format: from then on an older Hearth refuses it.
  const bool is_older = *format == "1" || *format == "2" || *format == "3" || *format == "4" || *format == "5";
  if (!is_older && *format != std::to_string(kStoreFormat)) {
    return Error{ErrorCode::Unsupported, "the store has format " + *format + ", this Hearth reads format " +
                                             std::to_string(kStoreFormat) +
                                             "; use the version that made it, or a newer one"};
  }
  ASSIGN_OR_RETURN(const auto id, now.get(row_key(Table::Store, "id")));
  ASSIGN_OR_RETURN(const auto stored_shards, now.get(row_key(Table::Store, "shards")));
  uint32_t count = 0;
  if (stored_shards) std::from_chars(stored_shards->data(), stored_shards->data() + stored_shards->size(), count);
  if (!id || id->empty() || count == 0) {
    return Error{ErrorCode::Corruption, "the store's own rows (id, shards) are missing or damaged; restore a backup"};
  }
  return std::optional(Identity{*format, *id, count});
}

constexpr std::string_view kLife = "life";

std::string life_key(uint32_t index) {
  std::string key = row_key(Table::Store, kLife);
  append_number(index, key);
  return key;
}

Result<std::map<uint32_t, std::string>> read_lives(const Snapshot& now) {
  std::map<uint32_t, std::string> lives;
  const std::string prefix = row_key(Table::Store, kLife);
  RETURN_IF_ERROR(now.scan(prefix, prefix + '\xff', [&](auto key, auto value) {
    if (key.size() == prefix.size() + 4) lives.emplace(read_number(key.substr(prefix.size())), value);
    return true;
  }));
  return lives;
}

Result<std::map<std::string, uint32_t>> read_names(const Snapshot& now) {
  std::map<std::string, uint32_t> names;
  RETURN_IF_ERROR(now.scan(row_key(Table::Name, ""), row_key(Table::Head, ""), [&](auto key, auto value) {
    if (value.size() == 4) names.emplace(key.substr(1), read_number(value));
    return true;
  }));
  return names;
}

}  // namespace

TreeStore::TreeStore(std::unique_ptr<Rocks> rocks) : rocks_(std::move(rocks)) {}
TreeStore::~TreeStore() = default;

Result<std::unique_ptr<TreeStore>> TreeStore::open(const Options& options) {
  auto* environment = static_cast<rocksdb::Env*>(options.environment);
  auto rocks = std::make_unique<Rocks>();
  rocks->watch.tell(options.on_notice);
  ASSIGN_OR_RETURN(rocks->db, open_rocks(options.folder, environment, rocks->watch.listener(), rocks->cuts.factory()));
  rocks->folder = options.folder;
  rocks->environment = environment != nullptr ? environment : patient_environment();
  // Files that were staged, uploaded or checkpointed when a process died belong to nobody.
  std::vector<std::string> files;
  if (rocks->environment->GetChildren(options.folder, &files).ok()) {
    for (const std::string& file : files) {
      const std::string path = options.folder + "/" + file;
      if (file.ends_with(".ingest") || file.ends_with(kUploadSuffix)) (void)rocks->environment->DeleteFile(path);
      std::error_code ignored;
      if (file.ends_with(kCheckpointSuffix)) std::filesystem::remove_all(path, ignored);
    }
  }
  std::unique_ptr<TreeStore> store(new TreeStore(std::move(rocks)));
  store->free_bytes_min_ = options.free_bytes_min;
  store->on_notice_ = options.on_notice;
  RETURN_IF_ERROR(store->read_or_make_identity(options.shards));
  ASSIGN_OR_RETURN(store->names_, read_names(*store->snapshot()));
  RETURN_IF_ERROR(store->begin_life(options.life));
  return store;
}

Result<void> TreeStore::begin_life(const std::string& own) {
  const auto now = snapshot();
  ASSIGN_OR_RETURN(lives_, read_lives(*now));
  if (!own.empty() && !lives_.empty() && lives_.rbegin()->second == own) {
    life_index_ = lives_.rbegin()->first;
    return {};
  }
  // What is here would be taken for what the cluster has.
  if (!own.empty() && (!lives_.empty() || !names_.empty())) {
    return Error{
        ErrorCode::InvalidArgument,
        "the data folder " + rocks_->folder +
            " was not made by this cluster, or was served without it since; start the node with an empty folder, "
            "and bring namespaces in by hearth dump and hearth restore"};
  }
  life_index_ = (lives_.empty() ? 0 : lives_.rbegin()->first) + 1;
  lives_.emplace(life_index_, own.empty() ? random_hex(8) : own);
  bool has_logs = !own.empty();
  RETURN_IF_ERROR(now->scan(row_key(Table::History, ""), row_key(Table::Log, ""), [&](auto, auto) {
    has_logs = true;
    return false;
  }));
  if (!has_logs) return {};
  Batch batch;
  const auto [key, value] = life_row();
  batch.put(key, value);
  for (; lives_.size() > kLivesMax; lives_.erase(lives_.begin())) batch.erase(life_key(lives_.begin()->first));
  return commit(batch, Durability::Synced);
}

const std::string& TreeStore::life() const { return lives_.at(life_index_); }

std::optional<uint32_t> TreeStore::life_index_of(std::string_view life) const {
  // The newest are asked for most.
  for (auto at = lives_.rbegin(); at != lives_.rend(); ++at) {
    if (at->second == life) return at->first;
  }
  return {};
}

const std::string* TreeStore::life_of(uint32_t index) const {
  const auto found = lives_.find(index);
  return found == lives_.end() ? nullptr : &found->second;
}

std::pair<std::string, std::string> TreeStore::life_row() const { return {life_key(life_index_), life()}; }

void TreeStore::rewrite(uint32_t number, std::initializer_list<Table> tables) {
  if (!health().ok()) return;
  (void)rocks_->db->Flush(rocksdb::FlushOptions());
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  for (const Table table : tables) {
    const std::string from = row_key(table, number), upto = row_key(table, number + 1);
    const rocksdb::Slice begin = slice(from), end = slice(upto);
    (void)rocks_->db->CompactRange(options, &begin, &end);
  }
}

void TreeStore::cut_log(uint32_t number, uint64_t cut) {
  rocks_->cuts.cut(number, cut);
  std::string from = row_key(Table::Log, number), upto = from;
  append_sequence(cut + 1, upto);
  const rocksdb::Slice begin = slice(from), end = slice(upto);
  // What can't be removed now goes by compaction.
  (void)rocksdb::DeleteFilesInRange(rocks_->db.get(), rocks_->db->DefaultColumnFamily(), &begin, &end, false);
}

Result<void> TreeStore::read_or_make_identity(uint32_t shards) {
  ASSIGN_OR_RETURN(const auto identity, read_identity(*snapshot()));
  Batch batch;
  batch.put(row_key(Table::Store, "format"), std::to_string(kStoreFormat));
  if (!identity) {
    id_ = random_hex(16);
    shards_ = std::max<uint32_t>(shards, 1);
    batch.put(row_key(Table::Store, "id"), id_);
    batch.put(row_key(Table::Store, "shards"), std::to_string(shards_));
    return commit(batch, Durability::Synced);
  }
  id_ = identity->id;
  shards_ = identity->shards;
  if (identity->format == std::to_string(kStoreFormat)) return {};
  return commit(batch, Durability::Synced);  // the formats differ only in rows that may come
}

namespace {

class Nowhere final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

Result<void> check_there_is_a_store(const std::string& folder) {
  std::error_code failed;
  if (std::filesystem::exists(folder + "/CURRENT", failed)) return {};
  if (failed == std::errc::permission_denied) {
    return Error{ErrorCode::Io,
                 "this user may not read the data folder " + folder + "; change its owner or its rights"};
  }
  return Error{ErrorCode::NotFound, "there is no store in the folder " + folder};
}

Result<Frozen> open_frozen(const std::string& folder, Afterwards afterwards) {
  RETURN_IF_ERROR(check_there_is_a_store(folder));
  auto state = std::make_unique<Snapshot::State>();
  if (afterwards == Afterwards::Remove) state->to_remove = folder;
  // Opening for reading takes no lock of its own: ours keeps a server from starting on the folder meanwhile.
  const rocksdb::Status locked = rocksdb::Env::Default()->LockFile(folder + "/LOCK", &state->lock);
  if (!locked.ok()) {
    const Error why = opening_error(locked, folder);
    if (why.code != ErrorCode::Locked) return why;
    return Error{ErrorCode::Locked,
                 "the data folder " + folder + " is in use by another process; ask that one, or stop it"};
  }
  rocksdb::DB* opened = nullptr;
  rocksdb::Options options = rocks_options(nullptr, Memory::Little);
  options.info_log = std::make_shared<Nowhere>();  // it leaves nothing in the folder
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, folder, &opened);
  if (!status.ok()) return opening_error(status, folder);
  state->frozen.reset(opened);
  state->db = opened;
  Frozen frozen;
  frozen.snapshot = std::make_shared<Snapshot>(std::move(state));
  ASSIGN_OR_RETURN(const auto identity, read_identity(*frozen.snapshot));
  if (identity) frozen.id = identity->id;
  ASSIGN_OR_RETURN(frozen.names, read_names(*frozen.snapshot));
  ASSIGN_OR_RETURN(frozen.lives, read_lives(*frozen.snapshot));
  return frozen;
}

std::shared_ptr<const Snapshot> TreeStore::snapshot() const {
  auto state = std::make_unique<Snapshot::State>();
  state->db = rocks_->db.get();
  state->snapshot = rocks_->db->GetSnapshot();
  state->empty = &rocks_->empty;
  return std::make_shared<Snapshot>(std::move(state));
}

Result<void> TreeStore::sync() {
  RETURN_IF_ERROR(health());
  // What an open has read from an old log is in memory, and that log may not be synced.
  rocksdb::FlushOptions flushing;
  flushing.allow_write_stall = true;
  rocksdb::Status status = was_synced_.exchange(true) ? rocksdb::Status() : rocks_->db->Flush(flushing);
  if (status.ok()) status = rocks_->db->SyncWAL();
  return status.ok() ? Result<void>() : break_store(to_error(status, "syncing the log"));
}

Result<void> TreeStore::health() const {
  if (!broken_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(mutex_);
  return Error{ErrorCode::Unavailable, why_broken_};
}

Result<void> TreeStore::room() const {
  if (free_bytes_min_ == 0) return {};
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch() / std::chrono::milliseconds(1);
  int64_t last = looked_at_.load(std::memory_order_relaxed);
  // Of the threads that come when the look is old, one looks; the others go by what it found before.
  const bool is_old = last == INT64_MIN || now - last >= kRoomLookInterval.count();
  if (is_old && looked_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
    uint64_t free_bytes = 0;
    if (rocks_->environment->GetFreeSpace(rocks_->folder, &free_bytes).ok())
      free_bytes_.store(free_bytes, std::memory_order_relaxed);
  }
  const uint64_t left = free_bytes_.load(std::memory_order_relaxed);
  tell_of_room(left);
  if (left >= free_bytes_min_) return {};
  return Error{
      ErrorCode::Unavailable,
      fmt::format(
          "The disk has {} MiB left, and {} MiB are kept in reserve: data can be removed, and nothing else written, "
          "until there is more.",
          left >> 20, free_bytes_min_ >> 20)};
}

void TreeStore::tell_of_room(uint64_t left) const {
  if (!on_notice_) return;
  const bool was_short = is_short_.load(std::memory_order_relaxed);
  const bool is_short = left < free_bytes_min_ + (was_short ? free_bytes_min_ / kRoomMargin : 0);
  // The exchange lets one thread alone tell, though several notice.
  if (is_short == was_short || is_short_.exchange(is_short) == is_short) return;
  on_notice_({.kind = is_short ? Notice::Kind::DiskShort : Notice::Kind::DiskRoom,
              .what = fmt::format("{} MiB are left on the disk of {}, and {} MiB are kept in reserve", left >> 20,
                                  rocks_->folder, free_bytes_min_ >> 20)});
}

StoreFigures TreeStore::figures() const {
  StoreFigures figures = rocks_->watch.figures(*rocks_->db, *rocks_->environment, rocks_->folder);
  figures.empty_runs = rocks_->empty.count();
  figures.empty_run_bytes = rocks_->empty.byte_count();
  figures.is_broken = broken_.load(std::memory_order_acquire);
  return figures;
}

Error TreeStore::break_store(const Error& cause) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = why_broken_.empty();
    if (is_first) why_broken_ = "writes are refused until a restart, because one failed: " + cause.message;
  }
  broken_.store(true, std::memory_order_release);
  Error why = health().error();
  if (is_first && on_notice_) on_notice_({.kind = Notice::Kind::StoreBroken, .what = why.message});
  return why;
}

Result<void> TreeStore::commit(const RowSource& rows, Durability durability) {
  RETURN_IF_ERROR(health());
  const size_t ranges = rows.ranges().size();
  uint64_t in_memory = 0;
  if (ranges > 0) (void)rocks_->db->GetIntProperty(rocksdb::DB::Properties::kNumEntriesActiveMemTable, &in_memory);
  if (in_memory > kRowsUnderTombstoneMax) flush();
  const Result<void> done = rows.row_count() >= kIngestRowsMin ? ingest(rows) : write_batch(rows, durability);
  if (!done.ok()) return break_store(done.error());
  tombstones_ += ranges;
  if (tombstones_.load() >= kTombstonesMax) flush();
  return {};
}

// Begins a flush and does not wait: writes go on in other memory. A flush that fails shows at the next commit.
void TreeStore::flush() {
  tombstones_ = 0;
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;  // or it would wait until there is none
  (void)rocks_->db->Flush(options);
}

void TreeStore::flush_for_estimates() {
  uint64_t bytes = 0;
  (void)rocks_->db->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
  if (bytes <= kEstimatedInMemoryMax) return;
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  (void)rocks_->db->Flush(options);  // one that fails shows at the next commit
}

Result<void> TreeStore::write_batch(const RowSource& source, Durability durability) {
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  for (const auto& [from, upto] : source.ranges()) {
    if (status.ok()) status = batch.DeleteRange(slice(from), slice(upto));
  }
  EmptyRuns::Writing writing(rocks_->empty);
  source.rows([&](std::string_view key, std::optional<std::string_view> value) {
    if (value) writing.put(key);
    if (status.ok()) status = value ? batch.Put(slice(key), slice(*value)) : batch.Delete(slice(key));
  });
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::Synced;
  if (status.ok()) status = rocks_->db->Write(options, &batch);
  if (!status.ok()) return to_error(status, "writing the log");
  return {};
}

// One file with the old rows' tombstones and the new rows: atomic, and nothing of it waits in the log. The log is
// synced first, for the file is durable at once and may not outlive a commit before it (db/model/data-model.md §13).
Result<void> TreeStore::ingest(const RowSource& source) {
  const std::string path = rocks_->folder + "/" + std::to_string(next_file_++) + ".ingest";
  rocksdb::Options settings = rocks_options(rocks_->environment);
  // Else the file would have the bottom's zstd, and who writes would wait for it: a compaction may take its time.
  settings.bottommost_compression = rocksdb::kDisableCompressionOption;
  settings.table_properties_collector_factories.clear();  // what they say of a file that is taken in, nobody asks
  rocksdb::SstFileWriter file(rocksdb::EnvOptions(), settings);
  auto status = file.Open(path);
  for (const auto& [from, upto] : source.ranges()) {
    if (status.ok()) status = file.DeleteRange(slice(from), slice(upto));
  }
  EmptyRuns::Writing writing(rocks_->empty);
  source.rows([&](std::string_view key, std::optional<std::string_view> value) {
    if (value) writing.put(key);
    if (status.ok()) status = value ? file.Put(slice(key), slice(*value)) : file.Delete(slice(key));
  });
  if (status.ok()) status = file.Finish();
  if (status.ok()) status = rocks_->db->SyncWAL();
  // RocksDB would flush memory that holds the same rows while nobody may write. So memory is flushed before, and
  // others write on.
  rocksdb::FlushOptions flushing;
  flushing.allow_write_stall = true;
  if (status.ok()) status = rocks_->db->Flush(flushing);
  wait_for_compactions(*rocks_->db);
  if (status.ok()) {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    // Otherwise RocksDB would write once more into a file that was finished and synced.
    options.write_global_seqno = false;
    status = rocks_->db->IngestExternalFile({path}, options);
  }
  if (!status.ok()) {
    (void)rocks_->environment->DeleteFile(path);
    return to_error(status, "writing a large commit");
  }
  return {};
}

std::unique_ptr<Staged> TreeStore::stage(size_t file_bytes_max) {
  auto next_path = [this] { return rocks_->folder + "/" + std::to_string(next_file_++) + ".ingest"; };
  return std::make_unique<Staged>(*this, rocks_->environment, std::move(next_path), file_bytes_max);
}

// All files by one edit of the manifest. The log is synced first, as in ingest().
Result<void> TreeStore::commit(Staged& staged) {
  RETURN_IF_ERROR(health());
  RETURN_IF_ERROR(staged.seal());
  if (staged.paths().empty()) return {};
  EmptyRuns::Writing writing(rocks_->empty);
  writing.put_anywhere();
  rocksdb::Status status = rocks_->db->SyncWAL();
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.write_global_seqno = false;
  if (status.ok()) status = rocks_->db->IngestExternalFile(staged.paths(), options);
  if (!status.ok()) return break_store(to_error(status, "taking in what was staged"));
  return {};
}

Result<Compacted> TreeStore::compact(std::atomic<bool>& is_stopping) {
  RETURN_IF_ERROR(health());
  RETURN_IF_ERROR(room());
  Compacted compacted;
  const auto bytes = [&] {
    uint64_t found = 0;
    (void)rocks_->db->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &found);
    return found;
  };
  rocksdb::Status status = rocks_->db->Flush(rocksdb::FlushOptions());
  compacted.bytes_before = bytes();
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.canceled = &is_stopping;
  if (status.ok()) status = rocks_->db->CompactRange(options, nullptr, nullptr);
  if (is_stopping) return Error{ErrorCode::Unavailable, "the database is closing; what was compacted stays so"};
  if (!status.ok()) return to_error(status, "compacting the store");
  compacted.bytes_after = bytes();
  return compacted;
}

// health() comes first: this syncs the log, and RocksDB ends the process at a sync after one that failed.
Result<Frozen> TreeStore::checkpoint() {
  RETURN_IF_ERROR(health());
  RETURN_IF_ERROR(room());
  const std::string folder = rocks_->folder + "/" + std::to_string(next_file_++) + std::string(kCheckpointSuffix);
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(rocks_->db.get(), &made);
  // Links to the store's files: they cost no room until the store deletes what they name.
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(folder);
  if (!status.ok()) return to_error(status, "making a checkpoint in " + folder);
  ASSIGN_OR_RETURN(Frozen frozen, open_frozen(folder, Afterwards::Remove));
  frozen.lives.emplace(life_index_, life());
  frozen.running = life();
  return frozen;
}

}  // namespace hearth::db
