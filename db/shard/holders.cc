// Holders and their places. A holder goes when its session ends or its time is over, and its rows go with it. Which
// rows those are is not kept: a holder remembers the places where it has written, and released() goes through the rows
// there and takes those whose holder it is. A row that somebody else has written over since has another holder, and
// stays.
//
//   places      /cursors/ada     /cursors           /cursors/ada lies below another place, and is found there
//   rows        /cursors/ada/x  holder 7            released(7): all of /cursors/ada is 7's, but not all of /cursors,
//               /cursors/ben/x  holder 8            so each row of 7 is removed by itself
//
// Where all rows of a place are the holder's, one removal of the place stands for them.
//
// A session that leaves may hold very many rows. released() stops at kReleasedRowsMax and says by is_all that there is
// more; the caller removes these, and asks again.
//
// Places of a holder that have no row of it any more are dropped when the number of its places has doubled, and not
// each time: so a client that moves from place to place costs little, and memory follows what it holds.
#include "db/shard/holders.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "db/base/step.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

size_t place_bytes(const Path& place) { return kHolderBytes + place.text().size(); }

bool holds_any(const EphemeralRows& rows, uint64_t holder, const Path& place) {
  const std::string from = encode_path(place);
  for (EphemeralRows::Cursor at(rows, from, from + kPastChildren); at.row() != nullptr; at.next()) {
    if (at.row()->holder == holder) return true;
  }
  return false;
}

}  // namespace

void Holders::add(uint64_t number, std::span<const Path> places, std::optional<Timestamp> until,
                  const EphemeralRows& rows) {
  const auto [found, is_new] = holders_.try_emplace(number);
  Holder& holder = found->second;
  if (is_new) bytes_ += kHolderBytes;
  if (until && !holder.until) {
    holder.until = until;
    by_time_.emplace(*until, number);
  }
  for (const Path& place : places) {
    if (holder.places.insert(place).second) bytes_ += place_bytes(place);
  }
  // A client that writes in one new place after the other, and removes them itself, is not remembered at each of them.
  if (holder.places.size() > holder.look_at) {
    bytes_ -= drop_idle(number, holder, rows);
    holder.look_at = 2 * holder.places.size() + kHolderPlacesLook;
  }
}

size_t Holders::drop_idle(uint64_t number, Holder& holder, const EphemeralRows& rows) {
  size_t bytes = 0;
  std::erase_if(holder.places, [&](const Path& place) {
    if (holds_any(rows, number, place)) return false;
    bytes += place_bytes(place);
    return true;
  });
  return bytes;
}

Holders::Released Holders::released(uint64_t number, const EphemeralRows& rows) const {
  Released released;
  const auto found = holders_.find(number);
  if (found == holders_.end()) return released;
  const std::set<Path>& places = found->second.places;
  for (const Path& place : places) {
    // What is below another place of its own is found there.
    bool is_below = false;
    for (size_t depth = 0; depth < place.depth() && !is_below; ++depth) is_below = places.contains(place.prefix(depth));
    if (is_below) continue;
    const std::string from = encode_path(place);
    std::vector<Overwrite> own;
    bool is_whole = true;
    EphemeralRows::Cursor at(rows, from, from + kPastChildren);
    for (; at.row() != nullptr && released.removals.size() + own.size() < kReleasedRowsMax; at.next()) {
      Step::here().count_row(at.row()->key.size());
      if (at.row()->holder != number) {
        is_whole = false;
        continue;
      }
      Result<Path> path = decode_path(at.row()->key);
      if (path.ok()) own.push_back({std::move(path).value(), Slot::Value, {}});
    }
    released.is_all = at.row() == nullptr;
    if (is_whole && released.is_all && !own.empty()) {
      released.removals.push_back({place, Slot::Value, {}});
    } else {
      std::move(own.begin(), own.end(), std::back_inserter(released.removals));
    }
    if (!released.is_all) return released;
  }
  return released;
}

void Holders::forget(uint64_t number) {
  const auto found = holders_.find(number);
  if (found == holders_.end()) return;
  bytes_ -= kHolderBytes;
  for (const Path& place : found->second.places) bytes_ -= place_bytes(place);
  if (found->second.until) by_time_.erase({*found->second.until, number});
  holders_.erase(found);
}

std::optional<uint64_t> Holders::due(Timestamp now) const {
  if (by_time_.empty() || by_time_.begin()->first > now) return {};
  return by_time_.begin()->second;
}

std::optional<Timestamp> Holders::next_due() const {
  return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first);
}

}  // namespace hearth::db
