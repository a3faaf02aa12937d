// A namespace goes into an incremental dump as entries of its log where these say everything, and else as a whole:
//
//   base's position        log
//   known, in the log      all entries from there on can be done again     ─▶ entries (none: it is as it was)
//                          one is a restore, or was purged                 ─▶ whole: what it brought is not in the log
//   not in the base        begins with the namespace's first commit        ─▶ entries from 0
//   anything else                                                          ─▶ whole
//
// Where no log is kept, one case is sure: the same run of the database, and the same sequence. Nothing has happened.
#include "db/dump/standing.h"

#include <optional>

#include "db/log/log_reader.h"
#include "db/model/past.h"

namespace hearth::db {
namespace {

const std::string* life_of(const Frozen& from, uint32_t index) {
  const auto found = from.lives.find(index);
  return found == from.lives.end() ? nullptr : &found->second;
}

std::optional<uint32_t> index_of(const Frozen& from, const std::string& life) {
  for (const auto& [index, name] : from.lives) {
    if (name == life) return index;
  }
  return {};
}

// As the change feed names commits: by the run that wrote the entry, where there is one.
Result<std::string> position_of(const Frozen& from, const LogReader& log, const std::optional<LogState>& state,
                                uint64_t head) {
  std::string life = from.running;
  if (state && head > state->cut) {
    ASSIGN_OR_RETURN(const auto last, log.head_of(head));
    const std::string* of = last ? life_of(from, last->entry.life) : nullptr;
    if (of != nullptr) life = *of;
  } else if (state && life.empty() && !from.lives.empty()) {
    life = from.lives.rbegin()->second;
  }
  return life.empty() ? life : life + ":" + std::to_string(head);
}

// Whether the entries after `since` say what to do, each of them.
Result<bool> can_be_done_again(const LogReader& log, uint64_t since, uint64_t& read_count) {
  bool can = true;
  RETURN_IF_ERROR(log.read(since, [&](LogEntry&& entry, uint64_t) {
    ++read_count;
    can = entry.kind == LogEntry::Kind::Commit;
    for (const Effect& effect : entry.record.effects) {
      can = can && !(effect.kind == Effect::Kind::Set && effect.name == kPurged);
    }
    return can;
  }));
  return can;
}

}  // namespace

Result<Standing> standing_of(const Frozen& from, const std::string& name, uint32_t number, const DumpBase* since) {
  const LogReader log(from.snapshot, number);
  ASSIGN_OR_RETURN(const auto state, log.state());
  ASSIGN_OR_RETURN(const Head head, SnapshotSettings(from.snapshot, number).head());
  Standing standing;
  ASSIGN_OR_RETURN(standing.position, position_of(from, log, state, head.sequence));
  if (since == nullptr) return standing;
  const auto before = since->positions.find(name);
  if (before == since->positions.end()) {
    // New since then, with all that ever happened in it.
    standing.has_entries = head.sequence == 0 || (state && state->cut == 0);
  } else if (const auto id = parse_event_id(before->second)) {
    standing.since = id->sequence;
    standing.base = before->second;
    if (state) {
      const auto life = index_of(from, id->life);
      if (life) {
        ASSIGN_OR_RETURN(standing.has_entries, log.knows(*state, head.sequence, *life, id->sequence));
      }
    } else {
      standing.has_entries = id->life == from.running && id->sequence == head.sequence;
    }
  }
  if (standing.has_entries && head.sequence > standing.since) {
    ASSIGN_OR_RETURN(standing.has_entries, can_be_done_again(log, standing.since, standing.read_count));
  }
  return standing;
}

}  // namespace hearth::db
