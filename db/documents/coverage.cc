// A merge could say whether an update brings anything, at the cost of the whole document. Clocks are enough to say it:
//
//      client 7   structs_   [ 0 ─────────── 41 )      [ 44 ── 50 )     a hole of three clocks: they have not come yet
//                 deletes_        [ 5, 9 )     [ 30, 31 )
//      an update  "x" at 40                  is here already
//                 "yz" at 41                 is news: it goes beyond 41
//                 deletes [ 6, 8 )           is here already
//                 deletes [ 8, 12 )          is news, for 9, 10 and 11
//
// A state vector would not do. It is one number for each client, the end of the first run from 0 on. It is silent about
// what lies behind a hole, and about deletes; so an update that has come before its causes would count as news each
// time that it is sent again.
//
// A run has no hole inside it, because Ranges joins what touches. So a client whose structs have come without gaps
// costs one range, however long it has been writing. has_holes() need only look at how many runs there are, and where
// the first begins.
#include "db/documents/coverage.h"

#include <algorithm>
#include <iterator>

namespace hearth::db::documents {
namespace {

// The clocks of a section that are in no hole.
std::vector<Range> runs_of(const Update& update, const Section& section) {
  if (!section.has_holes) return {{section.start, section.end}};
  std::vector<Range> runs;
  StructReader reader(update, section);
  for (Struct next; reader.next(next);) {
    if (next.kind == Kind::Skip) continue;
    if (runs.empty() || runs.back().end < next.clock) {
      runs.push_back({next.clock, next.end()});
    } else {
      runs.back().end = next.end();
    }
  }
  return runs;
}

bool has_all(const std::map<uint64_t, Ranges>& known, uint64_t client, Range clocks) {
  const auto found = known.find(client);
  return found != known.end() && found->second.has(clocks);
}

}  // namespace

void Coverage::add(const Update& update) {
  for (const Section& section : update.sections()) structs_[section.client].add(runs_of(update, section));
  std::map<uint64_t, std::vector<Range>> deletes;
  for (const DeletedRange& range : update.deletes()) deletes[range.client].push_back(range.clocks);
  for (auto& [client, ranges] : deletes) deletes_[client].add(std::move(ranges));
}

bool Coverage::has(const Update& update) const {
  for (const Section& section : update.sections()) {
    for (const Range& run : runs_of(update, section)) {
      if (!has_all(structs_, section.client, run)) return false;
    }
  }
  return std::all_of(update.deletes().begin(), update.deletes().end(),
                     [&](const DeletedRange& range) { return has_all(deletes_, range.client, range.clocks); });
}

StateVector Coverage::state_vector() const {
  StateVector vector;
  for (const auto& [client, runs] : structs_) {
    if (!runs.empty() && runs.all().front().start == 0) vector.set(client, runs.all().front().end);
  }
  return vector;
}

bool Coverage::has_holes() const {
  return std::any_of(structs_.begin(), structs_.end(), [](const auto& entry) {
    return entry.second.all().size() > 1 || (!entry.second.empty() && entry.second.all().front().start > 0);
  });
}

size_t Coverage::bytes() const {
  constexpr size_t kEntryBytes = sizeof(std::pair<const uint64_t, Ranges>) + 4 * sizeof(void*);
  size_t bytes = 0;
  for (const auto* clients : {&structs_, &deletes_}) {
    for (const auto& entry : *clients) bytes += kEntryBytes + entry.second.bytes();
  }
  return bytes;
}

StateVector state_vector(std::span<const Update> updates) {
  std::map<uint64_t, std::vector<Range>> runs;
  for (const Update& update : updates) {
    for (const Section& section : update.sections()) {
      std::vector<Range> more = runs_of(update, section);
      std::vector<Range>& of_client = runs[section.client];
      of_client.insert(of_client.end(), more.begin(), more.end());
    }
  }
  StateVector vector;
  for (auto& [client, of_client] : runs) {
    Ranges united;
    united.add(std::move(of_client));
    if (!united.empty() && united.all().front().start == 0) vector.set(client, united.all().front().end);
  }
  return vector;
}

}  // namespace hearth::db::documents
