// The order of a backup, so that whoever is killed anywhere leaves an index that is right:
//
//   index: the name is trash ─▶ the file ─▶ index: it is there, and the tip ─▶ index: what may go is trash ─▶ removed
//
//   F1 ◀─ i2 ◀─ i3 ◀─ i4b            a full dump is due at 4: F4a first, then i4b, which closes the chain before it, a
//                F4a ◀─ i5           little later; so no moment lies between two chains. The tip is F4a.
//
// A target is one store's. Each dump says of which it is, before anything is written; and an index that another has
// written since it was read is not written over, where the target has no lock to keep the two apart.
//
// How a chain hangs together. A dump begins with its info: its id, its moment, and for each namespace the position in
// the log up to which it has everything. The next dump is asked for with these positions (base_of), and has what came
// behind them. So an incremental dump is of use only with all dumps from its full one on, and an index entry names its
// base by id. db/dump/chain follows these links, both to restore and to say what no kept moment needs.
//
// The file's name is made of the dump's own info, so write() gathers the first bytes in `head` until the info can be
// read. Then, before a byte of the file is in the target, its name is in the index's trash: whatever becomes of this
// process, the next one finds the name there and removes the file. Names become files of the index in one save, with
// the tip.
//
// Another full dump is due by time, or when the incremental ones since the last have grown as large as the full one: a
// restore reads all of them, and must not take much longer than reading the store once. i4b hangs on the chain before
// F4a, so its bytes do not count for F4a.
#include "tools/backup/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>

#include "db/base/text.h"
#include "db/dump/tree_rows.h"
#include "db/model/past.h"
#include "tools/or_throw.h"

namespace hearth::tools {
namespace {

// The target has dumps of another store: what they have is not continued.
struct OtherStore final : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string file_name(const db::DumpInfo& info) {
  std::string time = db::rfc3339(info.made);
  time.erase(std::remove(time.begin(), time.end(), ':'), time.end());
  time.erase(std::remove(time.begin(), time.end(), '-'), time.end());
  return fmt::format("{}-{}-{}.hdump", time, info.is_incremental ? "incremental" : "full", info.id.substr(0, 8));
}

class Run {
 public:
  Run(BackupTarget& target, const std::string& where, const TakeDump& take, bool takes_over)
      : target_(target), where_(where), take_(take), takes_over_(takes_over), saved_(read()) {
    if (saved_) index_ = BackupIndex::parse(*saved_, where);
  }

  void remove_trash() {
    if (index_.trash.empty()) return;
    for (const std::string& name : index_.trash) target_.remove(name);
    index_.trash.clear();
    save();
  }

  // Writes one dump, and returns it as the index has it. `tip`: the file that an incremental dump continues; null: a
  // full dump.
  BackupFile write(const BackupFile* tip, bool becomes_tip) {
    std::shared_ptr<const db::DumpBase> since;
    if (tip != nullptr) since = base_of(read_info(target_, tip->name));
    BackupFile file;
    db::Sha256 digest;
    std::unique_ptr<BackupTarget::Writing> writing;
    std::string head;  // what has come before the name is known
    const auto put = [&](std::string_view bytes) {
      digest.add(bytes);
      file.bytes += bytes.size();
      writing->write(bytes);
    };
    take_(since, [&](std::string_view piece) {
      if (writing != nullptr) return put(piece);
      head += piece;
      auto info = info_of(head);
      if (!info) return;
      check_store(info->store, tip);
      remove_trash();  // it is ours
      info->spaces.clear();
      info->positions.clear();
      info->lives.clear();
      file.info = std::move(*info);
      file.name = file_name(file.info);
      index_.trash.push_back(file.name);
      save();
      writing = target_.begin(file.name);
      put(head);
      head.clear();
    });
    if (writing == nullptr) throw std::runtime_error("what came is no dump");
    writing->finish();
    file.sha256 = db::to_hex(std::move(digest).finish());
    std::erase(index_.trash, file.name);
    index_.files.push_back(file);
    if (becomes_tip) index_.tip = file.name;
    save();
    return file;
  }

  // First the index says that they are trash, then they go: the other way round a kill would leave an index that names
  // files which are not there.
  size_t prune(db::Timestamp from) {
    const auto chain = index_.chain_files();
    std::set<std::string> gone;
    for (const size_t at : db::unneeded(chain, from)) gone.insert(chain[at].name);
    if (gone.empty()) return 0;
    std::erase_if(index_.files, [&](const BackupFile& file) { return gone.contains(file.name); });
    index_.trash.insert(index_.trash.end(), gone.begin(), gone.end());
    save();
    remove_trash();
    return gone.size();
  }

  // Whether the next dump is to be a full one.
  bool is_full_due(const BackupPolicy& policy, db::Timestamp now) const {
    const BackupFile* full = nullptr;
    uint64_t bytes = 0;  // of incremental dumps since then
    for (const BackupFile& file : index_.files) {
      if (!file.info.is_incremental) {
        full = &file;
        bytes = 0;
      } else if (full != nullptr && file.info.base_made >= full->info.made) {
        bytes += file.bytes;  // what closes the chain before it is none of its own
      }
    }
    if (full == nullptr || index_.find(index_.tip) == nullptr) return true;
    return now - full->info.made >= policy.full_every || bytes >= std::max(full->bytes, kIncrementsBytesMin);
  }

  std::optional<BackupFile> tip() const {
    const BackupFile* found = index_.find(index_.tip);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }

 private:
  std::optional<std::string> read() { return target_.read(std::string(kIndexName), kIndexBytesMax); }
  void save() {
    if (read() != saved_) {
      throw std::runtime_error(where_ + ": another backup has been made there meanwhile; this one is given up");
    }
    save_index(target_, index_);
    saved_ = index_.to_json();
  }
  void check_store(const std::string& store, const BackupFile* tip) const {
    const BackupFile* last = tip != nullptr ? tip : index_.find(index_.tip);
    if (last == nullptr && !index_.files.empty()) last = &index_.files.back();
    if (last == nullptr || last->info.store == store || (takes_over_ && tip == nullptr)) return;
    throw OtherStore(fmt::format(
        "{} has backups of another store ({}, this is {}): of two that write there each would remove what the other "
        "needs. Give this one a target of its own; or, where the other is gone, go on there by `hearth backup "
        "--take-over`.",
        where_, last->info.store, store));
  }
  // Reads the info of a dump that has come as far as `head`. Nothing: more has to come first.
  static std::optional<db::DumpInfo> info_of(const std::string& head) {
    auto info = info_in(head);
    if (info.ok()) return std::move(info).value();
    if (head.size() > kDumpHeadBytesMax) throw std::runtime_error("what came is no dump: " + info.error().message);
    return {};
  }

  BackupTarget& target_;
  const std::string& where_;
  const TakeDump& take_;
  const bool takes_over_;
  std::optional<std::string> saved_;  // the index as it is there
  BackupIndex index_;
};

}  // namespace

BackupDone run_backup(BackupTarget& target, const std::string& where, const TakeDump& take, const BackupPolicy& policy,
                      db::Timestamp now) {
  target.lock();
  Run run(target, where, take, policy.takes_over);
  BackupDone done;
  const auto tip = run.tip();
  bool is_full = run.is_full_due(policy, now);
  if (!is_full) {
    try {
      done.written.push_back(run.write(&*tip, true));
    } catch (const OtherStore&) {
      if (!policy.takes_over) throw;
      is_full = true;
    }
  }
  if (is_full) {
    done.written.push_back(run.write(nullptr, true));
    try {
      if (tip && tip->info.store == done.written.front().info.store) {
        done.written.push_back(run.write(&*tip, false));
      }
    } catch (const OtherStore&) {
      // It was made anew within this moment.
    }
  }
  if (policy.keep.count() > 0) done.removed = run.prune(now - policy.keep);
  return done;
}

}  // namespace hearth::tools
