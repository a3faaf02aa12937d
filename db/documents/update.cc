// An update of Yjs, read without the document that it changes.
//
//   client 7, clock ─▶   0   1   2   3   4   5   6   7   8
//   one section         [   "abc"  ][ Skip ][ "de"  ]                first 0, start 0, end 7, structs 3, has_holes
//   deletes                 [ 1, 3 )                [ 7, 9 )
//
// Each client counts what it inserts: 0, 1, 2, …. A struct takes one clock for each letter or element that it has, and
// a clock is never used again. So (client, clock) names one letter for ever, on all replicas, and two updates have the
// same letter exactly when they have the same client and clock. Everything in this folder rests on that.
//
// A section writes the clock of its first struct alone. The clock of each other struct is the sum of the lengths before
// it. So nobody can find the end of a section, or the beginning of the next one, without reading every struct in
// between. parse() does that once, and judges each struct while it is there. The Update keeps a few numbers for a
// section and no struct. StructReader reads the structs again from the same bytes; by then they are known to be
// well-formed, so the reader trusts texts, and a failure is a fault of ours.
//
// A delete is no struct: it is a range of clocks in a list behind the sections, and takes no clock itself. Hence
// - a state vector, which has one number for each client, says nothing about deletes, and diff() always sends all of
//   them;
// - a range may name clocks that this update does not bring, or that nobody here has seen yet.
//
// `first` and `start` differ where a section begins with a Skip: the bytes begin at `first`, what was inserted at
// `start`. A section of Skips alone is not kept. A client may have two sections in one update; nothing here joins them.
//
// The counts in front of sections, structs and ranges come from strangers. So each loop asks ok() in every round: "four
// billion structs", with nothing behind it, ends at the first one.
#include "db/documents/update.h"

#include <algorithm>

namespace hearth::db::documents {

StructReader::StructReader(const Update& update, const Section& section)
    : offset_(section.offset),
      from_(update.bytes().substr(section.offset, section.offset_end - section.offset)),
      client_(section.client),
      clock_(section.first),
      left_(section.structs) {
  from_.trust();
}

bool StructReader::next(Struct& to) {
  if (left_ == 0) return false;
  --left_;
  to = read_struct(client_, clock_, from_);
  invariant(from_.ok(), "an Update was parsed before it is read");
  clock_ = to.end();
  return true;
}

Result<Update> Update::parse(std::string_view bytes) { return parse_bytes(bytes, false); }
Result<Update> Update::parse_own(std::string_view bytes) { return parse_bytes(bytes, true); }

Result<Update> Update::parse_bytes(std::string_view bytes, bool is_own) {
  if (bytes.size() > kUpdateBytesMax) return Error{ErrorCode::TooLarge, "The update is too large."};
  Update update(bytes);
  Reader from(bytes);
  if (is_own) from.trust();
  for (uint64_t sections = from.var_uint(); sections > 0 && from.ok(); --sections) {
    Section section{};
    section.structs = from.var_uint();
    section.client = from.var_uint();
    section.first = from.var_uint();
    section.offset = from.offset();
    bool is_begun = false;
    uint64_t clock = section.first;
    for (uint64_t left = section.structs; left > 0 && from.ok(); --left) {
      const Struct read = read_struct(section.client, clock, from);
      if (read.kind == Kind::Skip) {
        ++update.skips_;
        section.has_holes = true;
      } else {
        if (!is_begun) section.start = read.clock;
        section.end = read.end();
        is_begun = true;
      }
      clock = read.end();
    }
    section.offset_end = from.offset();
    if (is_begun) update.sections_.push_back(section);
  }
  for (uint64_t clients = from.var_uint(); clients > 0 && from.ok(); --clients) {
    const uint64_t client = from.var_uint();
    for (uint64_t ranges = from.var_uint(); ranges > 0 && from.ok(); --ranges) {
      const uint64_t clock = from.var_uint();
      const uint64_t length = from.var_uint();
      if (from.ok() && length == 0) from.fail("A range is empty");
      if (length > kIntegerMax - clock) from.fail("A clock is too large");
      if (from.ok()) update.deletes_.push_back({client, {clock, clock + length}});
    }
  }
  if (from.ok() && !from.is_at_end()) from.fail("There are bytes behind the end");
  if (!from.ok()) return from.error();
  return update;
}

Update Update::without_deletes() const {
  Update structs = *this;
  structs.deletes_.clear();
  return structs;
}

Result<StateVector> StateVector::parse(std::string_view bytes) {
  StateVector vector;
  Reader from(bytes);
  for (uint64_t count = from.var_uint(); count > 0 && from.ok(); --count) {
    const uint64_t client = from.var_uint();
    const uint64_t clock = from.var_uint();
    if (from.ok()) vector.set(client, clock);
  }
  if (from.ok() && !from.is_at_end()) from.fail("There are bytes behind the end");
  if (!from.ok()) return from.error();
  return vector;
}

uint64_t StateVector::clock(uint64_t client) const {
  const auto found = clocks_.find(client);
  return found == clocks_.end() ? 0 : found->second;
}

std::string StateVector::encode() const {
  std::string bytes;
  append_var_uint(clocks_.size(), bytes);
  for (auto at = clocks_.rbegin(); at != clocks_.rend(); ++at) {
    append_var_uint(at->first, bytes);
    append_var_uint(at->second, bytes);
  }
  return bytes;
}

}  // namespace hearth::db::documents
