// From a full dump forward, to whoever continues it. Of two that continue the same one the way that leads further is
// taken.
//
// Links point back: an incremental dump names its base. The chain is wanted forward, so bases_ has the link of each
// file, and reach_ the newest time to which a way through the file leads; it is found by walking back from each file
// once. Files come from people and from disks, so links may form a ring: each walk ends after as many steps as there
// are files.
//
//   F1 ◀─ i2 ◀─ i3            reach of F1: 5, since F1 i2 i5 leads there. continued_by(i2) is i5 and not i3
//          └──── i5
//
// A moment is asked for by time or by a commit's id. By an id it is in one file: the first whose position has reached
// that sequence. By time it may be in the next one as well, since a commit gets its time a little before it is durable;
// so one file more is taken.
//
// check() refuses a file whose base is not among those given, also where the chain would do without it: whoever gives a
// file means it to be used, and a gap that is passed over in silence would be found out when it is too late.
//
// unneeded() keeps a full dump that is at least as old as the oldest moment that is wanted, and everything that hangs
// on it or on a newer one. Without such a full dump nothing may go.
#include "db/dump/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace hearth::db {
namespace {

constexpr size_t kNoFile = SIZE_MAX;

Error chain_error(std::string why) { return {ErrorCode::InvalidArgument, std::move(why)}; }

std::string named_file(const ChainFile& file) {
  return fmt::format("{} ({}, made {})", file.name, file.info.id, rfc3339(file.info.made));
}

std::string base_text(const DumpInfo& info) {
  if (info.base.empty()) return "of other positions";
  return info.base_made.count() == 0 ? info.base : fmt::format("{}, made {}", info.base, rfc3339(info.base_made));
}

Error is_missing(const ChainFile& file, const ChainFile& last) {
  return chain_error(fmt::format("{} continues the dump {}; the files given end at {}; give the dump between them too",
                                 file.name, base_text(file.info), named_file(last)));
}

size_t find_id(const std::vector<ChainFile>& files, const std::string& id) {
  if (id.empty()) return kNoFile;
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const ChainFile& file) { return file.info.id == id; });
  return found == files.end() ? kNoFile : static_cast<size_t>(found - files.begin());
}

bool is_newer(const std::vector<ChainFile>& files, size_t a, size_t b) {
  return files[a].info.made > files[b].info.made;
}

// The sequence of the namespace at the end of the file; nothing: it is not in it.
std::optional<uint64_t> sequence_in(const DumpInfo& info, const std::string& space) {
  for (size_t i = 0; i < info.spaces.size() && i < info.positions.size(); ++i) {
    if (info.spaces[i] != space) continue;
    if (const auto id = parse_event_id(info.positions[i])) return id->sequence;
  }
  return {};
}

class Chains {
 public:
  Chains(const std::vector<ChainFile>& files, const std::optional<PastMoment>& to, std::string space)
      : files_(files), to_(to), space_(std::move(space)) {
    std::map<std::string, size_t> by_id;
    for (size_t i = 0; i < files.size(); ++i) {
      if (!files[i].info.id.empty()) by_id.emplace(files[i].info.id, i);
      reach_.push_back(files[i].info.made);
    }
    for (size_t i = 0; i < files.size(); ++i) bases_.push_back(base_of(i, by_id));
    for (size_t i = 0; i < files.size(); ++i) {
      size_t steps = 0;
      for (size_t at = i; at != kNoFile && steps <= files.size(); at = bases_[at], ++steps) {
        reach_[at] = std::max(reach_[at], files[i].info.made);
      }
    }
  }

  Result<std::vector<size_t>> find() {
    RETURN_IF_ERROR(check());
    size_t full = kNoFile, oldest = kNoFile;
    for (size_t i = 0; i < files_.size(); ++i) {
      if (files_[i].info.is_incremental) continue;
      if (oldest == kNoFile || files_[i].info.made < files_[oldest].info.made) oldest = i;
      if (may_begin(files_[i].info) && (full == kNoFile || is_newer(files_, i, full))) full = i;
    }
    if (oldest == kNoFile)
      return chain_error("there is no full dump among the files; an incremental one continues another");
    if (full == kNoFile) {
      return chain_error(fmt::format("{} is before the oldest full dump, {}", moment(), named_file(files_[oldest])));
    }
    std::vector<size_t> chain{full};
    bool is_reached = reaches(files_[full].info);
    for (size_t next = continued_by(full); next != kNoFile; next = continued_by(next)) {
      // By its time a moment may be in the next one too.
      const bool is_last = is_reached;
      if (is_last && to_->id) break;
      chain.push_back(next);
      if (is_last) break;
      is_reached = reaches(files_[next].info);
    }
    if (to_ && !is_reached) {
      return chain_error(fmt::format("{} is not in the dumps, which end at {}; give the ones that came after it",
                                     moment(), named_file(files_[chain.back()])));
    }
    return chain;
  }

 private:
  // One that is known by positions alone continues the newest before it, or restoring it finds that it does not.
  size_t base_of(size_t file, const std::map<std::string, size_t>& by_id) const {
    const DumpInfo& info = files_[file].info;
    if (!info.is_incremental) return kNoFile;
    if (!info.base.empty()) {
      const auto found = by_id.find(info.base);
      return found == by_id.end() || found->second == file ? kNoFile : found->second;
    }
    size_t best = kNoFile;
    for (size_t i = 0; i < files_.size(); ++i) {
      if (files_[i].info.made < info.made && (best == kNoFile || is_newer(files_, i, best))) best = i;
    }
    return best;
  }

  std::string moment() const {
    return to_->id ? fmt::format("the commit {}:{} of {}", to_->id->life, to_->id->sequence, space_)
                   : rfc3339(to_->time);
  }

  // Every link is there, whether it is needed or not: whoever gives a file means it to be used.
  Result<void> check() {
    if (files_.empty()) return chain_error("there are no dumps");
    for (size_t i = 0; i < files_.size(); ++i) {
      const ChainFile& file = files_[i];
      if (!file.info.is_incremental || bases_[i] != kNoFile) continue;
      size_t last = kNoFile;
      for (size_t at = 0; at < files_.size(); ++at) {
        const bool is_before = at != i && files_[at].info.made <= file.info.made;
        if (is_before && (last == kNoFile || is_newer(files_, at, last))) last = at;
      }
      if (last != kNoFile) return is_missing(file, files_[last]);
      return chain_error(fmt::format("{} continues the dump {}, which is not among the files; give it too", file.name,
                                     base_text(file.info)));
    }
    if (!to_ || !to_->id || !space_.empty()) return {};
    size_t newest = 0;
    for (size_t i = 1; i < files_.size(); ++i) newest = is_newer(files_, i, newest) ? i : newest;
    const std::vector<std::string>& names = files_[newest].info.spaces;
    if (names.size() != 1) return chain_error("an id is of one namespace, and the dumps have several; say which: --ns");
    space_ = names.front();
    return {};
  }

  bool may_begin(const DumpInfo& info) const {
    if (!to_) return true;
    if (!to_->id) return info.made <= to_->time;
    const auto sequence = sequence_in(info, space_);
    return !sequence || *sequence <= to_->id->sequence;
  }

  bool reaches(const DumpInfo& info) const {
    if (!to_) return false;
    if (!to_->id) return info.made >= to_->time;
    const auto sequence = sequence_in(info, space_);
    return sequence && *sequence >= to_->id->sequence;
  }

  size_t continued_by(size_t file) const {
    size_t best = kNoFile;
    for (size_t i = 0; i < files_.size(); ++i) {
      if (bases_[i] == file && (best == kNoFile || reach_[i] > reach_[best])) best = i;
    }
    return best;
  }

  const std::vector<ChainFile>& files_;
  const std::optional<PastMoment>& to_;
  std::string space_;
  std::vector<size_t> bases_;     // which of the files each one continues
  std::vector<Timestamp> reach_;  // the newest time of what continues it
};

}  // namespace

Result<std::vector<size_t>> chain_of(const std::vector<ChainFile>& files, const std::optional<PastMoment>& to,
                                     const std::string& space) {
  return Chains(files, to, space).find();
}

Result<void> check_chain(const std::vector<ChainFile>& files) {
  for (size_t i = 0; i < files.size(); ++i) {
    const DumpInfo& info = files[i].info;
    if (i == 0 && info.is_incremental) {
      return chain_error(fmt::format("{} is an incremental dump, which continues {}; the full one comes first",
                                     files[i].name, info.base.empty() ? "another one" : "the dump " + info.base));
    }
    if (i == 0) continue;
    if (!info.is_incremental) return chain_error(fmt::format("{} is a full dump, which continues none", files[i].name));
    const bool fits = info.base.empty() || info.base == files[i - 1].info.id;
    if (!fits || info.store != files[i - 1].info.store) return is_missing(files[i], files[i - 1]);
  }
  return {};
}

std::vector<size_t> unneeded(const std::vector<ChainFile>& files, Timestamp from) {
  size_t full = kNoFile;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!files[i].info.is_incremental && files[i].info.made <= from && (full == kNoFile || is_newer(files, i, full))) {
      full = i;
    }
  }
  if (full == kNoFile) return {};
  // A moment from then on begins with that one, or with one that is newer: so whatever continues an older one is not
  // needed.
  std::vector<size_t> rest;
  for (size_t i = 0; i < files.size(); ++i) {
    size_t at = i;
    for (size_t steps = 0; at != kNoFile && files[at].info.is_incremental && steps < files.size(); ++steps) {
      at = find_id(files, files[at].info.base);
    }
    if (at == kNoFile || files[at].info.made < files[full].info.made) rest.push_back(i);
  }
  return rest;
}

}  // namespace hearth::db
