// Commits are done again by the committer itself (Committer::replay), which settles nothing anew: so what comes of them
// is what was there, byte for byte. For each incremental file:
//
//   survey    each namespace: does it continue where the last file has left it?      no: an error that names both
//             its entries, up to the moment ─▶ replay ─▶ commit, kFoldBytesMax at a time
//   wholes    namespaces that are in it as a whole: removed, and restored from it
//   removed   what is not in it any more goes
//
// A whole, and a removal, are known of the file's own time alone. So a moment between it and the file before it has no
// answer for that namespace: where something would have to be left out or guessed, it is an error.
//
// Left out of a commit: its indexes, for they follow from the settings and are built where it is restored; and queues
// of onDisconnect, which are in no dump.
#include "db/upkeep/fold.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "db/commit/committer.h"
#include "db/dump/chain.h"
#include "db/dump/dump_file.h"
#include "db/dump/restore.h"
#include "db/model/namespace_name.h"
#include "db/store/tree_store.h"

namespace hearth::db {
namespace {

bool is_done_again(const Effect& effect) {
  switch (effect.kind) {
    case Effect::Kind::Set:
    case Effect::Kind::SetPriority:
    case Effect::Kind::Unleaf:
    case Effect::Kind::Configure:
    case Effect::Kind::Append:
    case Effect::Kind::Compact:
    case Effect::Kind::Forget:
      return true;
    case Effect::Kind::Enqueue:
    case Effect::Kind::Dequeue:
    case Effect::Kind::QueuedBy:
    case Effect::Kind::Reindex:
    case Effect::Kind::BuildIndex:
      return false;
  }
  return false;
}

class Fold {
 public:
  Fold(const FoldRequest& request, std::unique_ptr<TreeStore> store, std::string folder, Timestamp now)
      : request_(request),
        store_(std::move(store)),
        folder_(std::move(folder)),
        now_(now),
        committer_(*store_, TreeStore::Durability::Os) {}

  Result<Folded> run() {
    std::vector<ChainFile> files;
    for (const FoldFile& file : request_.files) {
      Result<DumpInfo> info = read_dump_info(file.read());
      if (!info.ok()) return of_file(file.name, info.error());
      files.push_back({file.name, std::move(info).value()});
    }
    RETURN_IF_ERROR(check_chain(files));
    if (request_.to && request_.to->id && !space_of_id(files)) {
      return Error{ErrorCode::InvalidArgument,
                   "an id is of one namespace, and the dumps have several; say which: --ns"};
    }
    for (size_t i = 0; i < files.size(); ++i) {
      const Result<void> done = i == 0 ? begin(files[0]) : go_on(files[i], files[i - 1], i);
      if (!done.ok()) return of_file(files[i].name, done.error());
    }
    if (request_.space && !positions_.contains(*request_.space)) {
      return Error{ErrorCode::NotFound, fmt::format("the dumps have no namespace {}", *request_.space)};
    }
    RETURN_IF_ERROR(check_id());
    return std::move(folded_);
  }

 private:
  class Survey;

  static Error of_file(const std::string& name, const Error& error) {
    return {error.code, name + ": " + error.message};
  }

  std::optional<std::string> space_of_id(const std::vector<ChainFile>& files) const {
    if (request_.space) return request_.space;
    const auto& names = files.back().info.spaces;
    return names.size() == 1 ? std::optional(names.front()) : std::nullopt;
  }

  bool is_wanted(const std::string& name) const { return !request_.space || *request_.space == name; }

  Result<uint32_t> number_of(const std::string& name) {
    RETURN_IF_ERROR(check_stored_name(name));
    return tree_of(name).number;
  }
  Tree& tree_of(const std::string& name) {
    const auto [at, is_new] = trees_.try_emplace(name);
    if (is_new) {
      at->second.name = name;
      at->second.number = next_number_++;
    }
    return at->second;
  }

  // The whole namespaces of a file, one or all.
  Result<void> restore_wholes(const FoldFile& file, const DumpInfo& info, std::optional<std::string> space) {
    RestoreRequest request;
    // Of the only one it would be a new name.
    if (info.spaces.size() > 1) request.space = std::move(space);
    request.existing = Existing::Replace;
    const Restore::NumberOf number = [this](const std::string& name) { return number_of(name); };
    ASSIGN_OR_RETURN(const auto restore,
                     Restore::stage(file.read(), request, *store_, folder_, number, Restore::Incremental::Wholes));
    committer_.refresh();
    RETURN_IF_ERROR(restore->swap_in(now_));
    for (const RestoredSpace& one : restore->spaces()) {
      Tree& tree = tree_of(one.name);
      committer_.forget(tree);
      tree.head = {};
      tree.named = true;
    }
    return {};
  }

  Result<void> begin(const ChainFile& file) {
    const auto& names = file.info.spaces;
    const bool has_it = !request_.space || std::count(names.begin(), names.end(), *request_.space) > 0;
    if (has_it && !names.empty()) RETURN_IF_ERROR(restore_wholes(request_.files[0], file.info, request_.space));
    for (size_t i = 0; i < names.size(); ++i) {
      if (is_wanted(names[i])) positions_[names[i]] = file.info.positions[i];
    }
    return {};
  }

  // Whether the moment is in the file or behind it.
  bool is_past(const ChainFile& file) const {
    return !request_.to || request_.to->id || file.info.made <= request_.to->time;
  }

  Result<void> go_on(const ChainFile& file, const ChainFile& before, size_t index);
  Result<void> replay(const std::string& name, LogEntry&& entry);
  Result<void> remove(const std::string& name);
  Result<void> check_id() const;
  Result<void> commit() {
    waiting_bytes_ = 0;
    return committer_.commit();
  }

  const FoldRequest& request_;
  const std::unique_ptr<TreeStore> store_;
  const std::string folder_;
  const Timestamp now_;
  Committer committer_;
  std::map<std::string, Tree> trees_;
  uint32_t next_number_ = 1;
  std::map<std::string, std::string> positions_;  // of the namespaces that there are, at the end of the last file
  std::set<std::string> stopped_;                 // the moment is before what comes
  std::map<uint32_t, std::string> lives_;         // of the file that is read
  uint64_t waiting_bytes_ = 0;
  bool found_id_ = false;  // the commit that was asked for
  Folded folded_;
};

// Reads an incremental file to its end: does again what there is to be done, and notes the namespaces that are whole.
class Fold::Survey final : public DumpVisitor {
 public:
  explicit Survey(Fold& fold) : fold_(fold) {}
  std::vector<std::string> wholes;

  Result<void> space(const DumpedSpace& space) override {
    name_ = space.name;
    is_wanted_ = fold_.is_wanted(space.name);
    if (!is_wanted_) return {};
    if (!space.has_entries) {
      wholes.push_back(space.name);
      return {};
    }
    const auto at = fold_.positions_.find(space.name);
    const std::string reached = at == fold_.positions_.end() ? "" : at->second;
    if (space.base != reached) {
      const auto text = [](const std::string& position) {
        return position.empty() ? std::string("the begin") : "the commit " + position;
      };
      return Error{
          ErrorCode::InvalidArgument,
          fmt::format("it continues the namespace {} behind {}, and the dumps before it end at {}; give the one "
                      "between them too",
                      space.name, text(space.base), text(reached))};
    }
    fold_.positions_[space.name] = space.position;
    Tree& tree = fold_.tree_of(space.name);
    // One without a commit has a name all the same.
    if (at == fold_.positions_.end()) fold_.committer_.name(tree);
    return {};
  }
  Result<void> row(std::string_view, std::string_view) override { return {}; }
  Result<void> document(std::string_view, std::string_view) override { return {}; }
  Result<void> entry(LogEntry&& entry) override {
    return is_wanted_ ? fold_.replay(name_, std::move(entry)) : Result<void>();
  }
  Result<void> end(const DumpedRows&) override { return {}; }

 private:
  Fold& fold_;
  std::string name_;
  bool is_wanted_ = false;
};

Result<void> Fold::replay(const std::string& name, LogEntry&& entry) {
  if (stopped_.contains(name)) return {};
  if (request_.to) {
    const uint64_t sequence = entry.record.sequence;
    const bool is_behind = request_.to->id ? sequence > request_.to->id->sequence : entry.wall > request_.to->time;
    if (is_behind) {
      stopped_.insert(name);
      return {};
    }
    if (request_.to->id && sequence == request_.to->id->sequence) {
      // Of another history with the same sequences: a folder that was put back to an older state.
      const auto life = lives_.find(entry.life);
      found_id_ = life != lives_.end() && life->second == request_.to->id->life;
    }
  }
  Tree& tree = tree_of(name);
  RETURN_IF_ERROR(committer_.load(tree));
  tree.log = {};  // this store keeps none, whatever the settings say
  if (tree.head.sequence + 1 != entry.record.sequence) {
    return Error{ErrorCode::Corruption, fmt::format("the commit {} of {} does not follow the one before it, {}",
                                                    entry.record.sequence, name, tree.head.sequence)};
  }
  for (const Effect& effect : entry.record.effects)
    waiting_bytes_ += 64 + effect.value.byte_count() + effect.name.size();
  std::erase_if(entry.record.effects, [](const Effect& effect) { return !is_done_again(effect); });
  RETURN_IF_ERROR(committer_.replay(tree, entry.record));
  ++folded_.commits;
  return waiting_bytes_ >= kFoldBytesMax ? commit() : Result<void>();
}

Result<void> Fold::remove(const std::string& name) {
  positions_.erase(name);
  const auto found = trees_.find(name);
  if (found == trees_.end()) return {};
  RETURN_IF_ERROR(committer_.remove(found->second));
  trees_.erase(found);
  return {};
}

Result<void> Fold::go_on(const ChainFile& file, const ChainFile& before, size_t index) {
  // Of a file that is read only for commits that became durable late.
  const bool was_reached = request_.to && !request_.to->id && before.info.made >= request_.to->time;
  lives_ = file.info.lives;
  Survey survey(*this);
  RETURN_IF_ERROR(read_dump(request_.files[index].read(), survey));
  RETURN_IF_ERROR(commit());
  const auto unknown = [&](const std::string& name, std::string_view why) {
    return Error{
        ErrorCode::InvalidArgument,
        fmt::format("{} {}, so what it was between {} and {} is not known; restore to one of these, or another "
                    "namespace (--ns)",
                    name, why, rfc3339(before.info.made), rfc3339(file.info.made))};
  };
  if (was_reached) return {};
  for (const std::string& name : survey.wholes) {
    if (!is_past(file) || (request_.to && request_.to->id)) {
      return unknown(name, "is in it as a whole, for its log did not tell all that came since");
    }
    RETURN_IF_ERROR(remove(name));
  }
  if (!survey.wholes.empty()) RETURN_IF_ERROR(restore_wholes(request_.files[index], file.info, request_.space));
  const std::set<std::string> wholes(survey.wholes.begin(), survey.wholes.end());
  for (size_t i = 0; i < file.info.spaces.size(); ++i) {
    if (wholes.contains(file.info.spaces[i])) positions_[file.info.spaces[i]] = file.info.positions[i];
  }
  const std::set<std::string> names(file.info.spaces.begin(), file.info.spaces.end());
  std::vector<std::string> removed;
  for (const auto& [name, position] : positions_) {
    if (!names.contains(name)) removed.push_back(name);
  }
  for (const std::string& name : removed) {
    if (!is_past(file)) return unknown(name, "is not in it any more");
    RETURN_IF_ERROR(remove(name));
  }
  return {};
}

Result<void> Fold::check_id() const {
  if (!request_.to || !request_.to->id || found_id_) return {};
  const EventId& id = *request_.to->id;
  // The end of the full dump, or a commit that is not there.
  const std::string text = id.life + ":" + std::to_string(id.sequence);
  for (const auto& [name, position] : positions_) {
    if (is_wanted(name) && position == text) return {};
  }
  return Error{ErrorCode::InvalidArgument, fmt::format("the dumps do not know the commit {}", text)};
}

}  // namespace

Result<Folded> fold(const FoldRequest& request, const std::string& folder, Timestamp now) {
  TreeStore::Options options;
  options.folder = folder;
  ASSIGN_OR_RETURN(auto store, TreeStore::open(options));
  return Fold(request, std::move(store), folder, now).run();
}

}  // namespace hearth::db
