// Dumps and restores of a database in use.
//
//   dump      checkpoints_ (one thread): a checkpoint, links of files ─▶ Dumper ─▶ DumpPieces, at the client's pace
//   upload    the caller's thread: pieces into a file of the data folder, each where the last one ended
//   restore   restores_ (one thread): Restore::stage, beside everything else
//                └─▶ SwapRequest to each shard concerned ─▶ they meet (db/shard/swap.h) ─▶ swap_in() ─▶ answers
//   compact   compactions_ (one thread)
//
// - One restore, or one removal of a namespace, at a time (under_way_). Two restores could each hold a shard that the
//   other one waits for; and a removal would take away the namespace that a restore has asked the number of.
// - An upload is busy while it is written or restored (take): two callers never write one file. Who gives one up then
//   marks it, and it goes when whoever has it is done: a restore looks at its meter at each read and row.
// - A dump is counted until its pieces go, not until it is made: the disk space of its checkpoint lasts as long.
#include "db/upkeep/backups.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <set>

#include "db/base/random.h"
#include "db/dump/dumper.h"
#include "db/dump/restore.h"
#include "db/model/namespace_name.h"
#include "db/shard/shard.h"

namespace hearth::db {
namespace {

Error upload_failed(const std::string& doing) { return {ErrorCode::Io, doing + ": " + std::strerror(errno)}; }

Error no_such_upload() { return {ErrorCode::NotFound, "there is no such upload, or it was left alone for too long"}; }

// A file that is closed at the end.
struct File {
  explicit File(int opened) : number(opened) {}
  ~File() {
    if (number >= 0) close(number);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const int number;
};

Result<void> write_all(int file, std::string_view bytes, uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return upload_failed("writing an upload");
    bytes.remove_prefix(static_cast<size_t>(count));
    at += static_cast<uint64_t>(count);
  }
  return {};
}

}  // namespace

Backups::Backups(TreeStore& store, std::string folder, const Clock& clock, const Clock& steady, SpaceOf space_of)
    : store_(store), folder_(std::move(folder)), clock_(clock), steady_(steady), space_of_(std::move(space_of)) {}

// The pools, the last members, join their threads after this: a restore sees is_stopping_ at its next read.
Backups::~Backups() {
  is_stopping_ = true;
  give_up_compaction();
}

void Backups::dump(DumpRequest request, std::function<void(Result<DumpPieces>)> done) {
  {
    const std::lock_guard lock(dumps_->mutex);
    if (dumps_->count >= kDumpsMax) {
      return done(Error{ErrorCode::Unavailable,
                        std::to_string(kDumpsMax) + " dumps are under way; try again when one is done"});
    }
    ++dumps_->count;
    if (!request.name.empty()) dumps_->parts[request.name] = 0;
  }
  // Counted down when the pieces go.
  std::shared_ptr<void> place(nullptr, [dumps = dumps_, name = request.name](void*) {
    const std::lock_guard lock(dumps->mutex);
    --dumps->count;
    dumps->parts.erase(name);
  });
  checkpoints_.run([this, request = std::move(request), done = std::move(done), place = std::move(place)]() mutable {
    const auto make = [&]() -> Result<DumpPieces> {
      ASSIGN_OR_RETURN(Frozen frozen, store_.checkpoint());
      ASSIGN_OR_RETURN(auto made, Dumper::make(std::move(frozen), request, clock_.now()));
      return DumpPieces([dumper = std::shared_ptr<Dumper>(std::move(made)), dumps = dumps_, name = request.name,
                         place](std::string& to) {
        Result<bool> more = dumper->next(to);
        const std::lock_guard lock(dumps->mutex);
        if (const auto part = dumps->parts.find(name); part != dumps->parts.end()) part->second = dumper->part();
        return more;
      });
    };
    Result<DumpPieces> pieces = make();
    place.reset();  // who has heard may let go of them, and ask for the next dump
    done(std::move(pieces));
  });
}

std::optional<double> Backups::dump_part(const std::string& name) const {
  const std::lock_guard lock(dumps_->mutex);
  const auto found = dumps_->parts.find(name);
  return found == dumps_->parts.end() ? std::nullopt : std::optional(found->second);
}

std::string Backups::path_of(const std::string& id) const { return folder_ + "/" + id + std::string(kUploadSuffix); }

Result<std::string> Backups::begin_upload() {
  RETURN_IF_ERROR(store_.room());
  const std::string id = random_hex(16);
  const std::lock_guard lock(mutex_);
  const Timestamp now = steady_.now();
  for (auto at = uploads_.begin(); at != uploads_.end();) {
    // Nobody is told that an upload was given up; it makes room when somebody else needs it.
    const bool is_left = !at->second.is_busy && now - at->second.touched > kUploadIdleMax;
    if (is_left) (void)unlink(path_of(at->first).c_str());
    at = is_left ? uploads_.erase(at) : std::next(at);
  }
  if (uploads_.size() >= kUploadsMax) {
    return Error{ErrorCode::Unavailable,
                 std::to_string(kUploadsMax) + " uploads are under way; try again when one is done"};
  }
  const File file(open(path_of(id).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.number < 0) return upload_failed("beginning an upload in " + folder_);
  // Only now is it an upload: a file that could not be made leaves nothing behind.
  uploads_[id].touched = now;
  return id;
}

// Marks the upload as the caller's, until it is not busy any more.
Result<void> Backups::take(const std::string& id, std::optional<uint64_t> at) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return no_such_upload();
  if (found->second.is_busy) return Error{ErrorCode::Unavailable, "the upload is being written or restored"};
  if (at && *at != found->second.bytes) {
    return Error{ErrorCode::InvalidArgument, "the upload goes on at byte " + std::to_string(found->second.bytes)};
  }
  found->second.is_busy = true;
  return {};
}

Result<void> Backups::upload(const std::string& id, uint64_t at, std::string_view bytes) {
  RETURN_IF_ERROR(store_.room());
  RETURN_IF_ERROR(take(id, at));
  const File file(open(path_of(id).c_str(), O_WRONLY | O_CLOEXEC));
  const Result<void> done = file.number < 0 ? upload_failed("writing an upload") : write_all(file.number, bytes, at);
  const std::lock_guard lock(mutex_);
  Upload& upload = uploads_.at(id);
  upload.is_busy = false;
  upload.touched = steady_.now();
  if (upload.is_given_up) {
    forget(id);
    return Error{ErrorCode::NotFound, "the upload was given up while it was written"};
  }
  // After an error the caller begins the same piece again, over what was written of it.
  if (done.ok()) upload.bytes += bytes.size();
  return done;
}

std::optional<UploadState> Backups::upload_state(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return {};
  const Upload& upload = found->second;
  return UploadState{upload.bytes, upload.meter == nullptr ? std::nullopt : std::optional(upload.meter->part())};
}

Result<void> Backups::give_up_upload(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return no_such_upload();
  found->second.is_given_up = true;
  if (found->second.meter != nullptr) found->second.meter->give_up();
  if (!found->second.is_busy) forget(id);
  return {};
}

// Precondition: mutex_ is held, and nobody writes or reads the file.
void Backups::forget(const std::string& id) {
  (void)unlink(path_of(id).c_str());
  uploads_.erase(id);
}

// Of an upload that is the caller's.
std::shared_ptr<RestoreMeter> Backups::measure(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Upload& upload = uploads_.at(id);
  upload.meter = std::make_shared<RestoreMeter>(upload.bytes);
  // It may have been given up since it was taken.
  if (upload.is_given_up) upload.meter->give_up();
  return upload.meter;
}

void Backups::restore(const std::string& id, RestoreRequest request,
                      std::function<void(Result<std::vector<RestoredTree>>)> done) {
  if (const Result<void> begun = begin("a restore"); !begun.ok()) return done(begun.error());
  restores_.run([this, id, request = std::move(request), done = std::move(done)] {
    const Result<void> taken = take(id, {});
    auto result =
        taken.ok() ? run(path_of(id), request, *measure(id)) : Result<std::vector<RestoredTree>>(taken.error());
    if (taken.ok()) {
      const std::lock_guard lock(mutex_);
      forget(id);
    }
    // Before the caller is told: it may begin the next restore in `done`.
    end();
    done(std::move(result));
  });
}

Result<void> Backups::begin(std::string what) {
  const std::lock_guard lock(mutex_);
  if (!under_way_.empty())
    return Error{ErrorCode::Unavailable, under_way_ + " is under way; try again when it is done"};
  under_way_ = std::move(what);
  return {};
}

void Backups::end() {
  const std::lock_guard lock(mutex_);
  under_way_.clear();
}

Result<void> Backups::meanwhile(const std::function<Result<void>()>& work) {
  RETURN_IF_ERROR(begin("the removal of a namespace"));
  Result<void> done = work();
  end();
  return done;
}

void Backups::compact(std::function<void(Result<Compacted>)> done) {
  if (is_compacting_.exchange(true))
    return done(Error{ErrorCode::Unavailable, "a compaction is under way; try again when it is done"});
  compactions_.run([this, done = std::move(done)] {
    Result<Compacted> result = store_.compact(is_not_to_compact_);
    is_compacting_ = false;
    done(std::move(result));
  });
}

void Backups::give_up_compaction() { is_not_to_compact_ = true; }

Result<std::vector<RestoredTree>> Backups::run(const std::string& path, const RestoreRequest& request,
                                               RestoreMeter& meter) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number < 0) return upload_failed("reading an upload");
  const ByteSource source = [&](char* to, size_t bytes) -> Result<size_t> {
    if (is_stopping_) return Error{ErrorCode::Unavailable, "the server is stopping"};
    if (meter.is_given_up()) return restore_given_up();
    const ssize_t count = read(file.number, to, bytes);
    if (count < 0) return upload_failed("reading an upload");
    meter.read(static_cast<uint64_t>(count));
    return static_cast<size_t>(count);
  };
  std::map<std::string, std::shared_ptr<NamespaceState>> spaces;  // held, so that their numbers stay theirs
  const auto number_of = [&](const std::string& name) -> Result<uint32_t> {
    RETURN_IF_ERROR(check_stored_name(name));
    spaces[name] = space_of_(name);
    if (spaces[name] == nullptr) {
      return Error{ErrorCode::NotOwner, "Another node of the cluster serves the namespace " + name + "; ask there."};
    }
    return spaces[name]->tree.number;
  };
  ASSIGN_OR_RETURN(const auto restore,
                   Restore::stage(source, request, store_, folder_, number_of, Restore::Incremental::Refused, &meter));
  if (meter.is_given_up()) return restore_given_up();
  // From here on the file is known to be whole. What is left is one moment.

  std::vector<RestoredTree> restored;
  std::map<Shard*, std::vector<SwapRequest::Place>> places;
  for (const RestoredSpace& space : restore->spaces()) {
    restored.push_back(space.said());
    const std::shared_ptr<NamespaceState>& where = spaces.at(space.name);
    places[&where->shard].push_back({where, space.at});
  }
  // A dump without namespaces.
  if (places.empty()) return restored;
  // `restore` lives on this thread's stack: all answers are waited for below, whatever they say.
  const auto swap = std::make_shared<Swap>(places.size(), [&] { return restore->swap_in(clock_.now()); });
  std::vector<std::promise<Result<void>>> told(places.size());
  size_t next = 0;
  for (auto& [shard, its] : places) {
    const std::shared_ptr<NamespaceState> first = its.front().space;
    auto done = [&to = told[next++]](const Answer& answer) { to.set_value(answer.status); };
    shard->submit({.space = first, .what = SwapRequest{swap, std::move(its)}, .done = std::move(done)});
  }
  Result<void> status;
  for (auto& one : told) {
    if (const Result<void> result = one.get_future().get(); !result.ok()) status = result;
  }
  if (!status.ok()) return status.error();
  return restored;
}

}  // namespace hearth::db
