// Updates of Yjs documents, format 1: what clients send, what is stored of a document, and what a client that comes back
// is given. None of it needs the document itself: these are functions of bytes. Pure; thread: any.
//
//   update       := var_uint n, n × section, deletes
//   section      := var_uint n, var_uint client, var_uint clock, n × struct       (grammar of a struct: struct.h)
//   deletes      := var_uint n, n × (var_uint client, var_uint m, m × (var_uint clock, var_uint length))
//   state vector := var_uint n, n × (var_uint client, var_uint next clock)
//
// A state is an update as well: the merge of all that came.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/documents/ranges.h"
#include "db/documents/struct.h"

namespace hearth::db::documents {

inline constexpr size_t kUpdateBytesMax = size_t{1} << 30;
inline constexpr size_t kSkipsMax = 10'000;  // holes in what merge() and its kin give

inline constexpr std::string_view kEmptyUpdate{"\0\0", 2};
inline constexpr std::string_view kEmptyStateVector{"\0", 1};

// A client's structs within an update.
struct Section {
  uint64_t client;
  uint64_t start;     // its first clock that is not in a hole
  uint64_t end;       // behind its last one
  uint64_t first;     // the clock at which its bytes begin
  uint64_t structs;   // holes too
  size_t offset;      // of the first struct
  size_t offset_end;  // behind the last one
  bool has_holes;
};

struct DeletedRange {
  uint64_t client;
  Range clocks;
};

// An update that is well-formed, as a view: `bytes` outlives it. It holds its sections and what it deletes, not the
// structs, which are read again from the bytes by whoever wants them.
class Update {
 public:
  // Errors: InvalidData, with the offset; TooLarge past kUpdateBytesMax.
  static Result<Update> parse(std::string_view bytes);
  // The same for bytes that this library wrote: texts are not judged again.
  static Result<Update> parse_own(std::string_view bytes);

  std::string_view bytes() const { return bytes_; }
  const std::vector<Section>& sections() const { return sections_; }     // those with a struct
  const std::vector<DeletedRange>& deletes() const { return deletes_; }  // as written
  bool is_empty() const { return sections_.empty() && deletes_.empty(); }
  size_t skips() const { return skips_; }
  Update without_deletes() const;

 private:
  explicit Update(std::string_view bytes) : bytes_(bytes) {}
  static Result<Update> parse_bytes(std::string_view bytes, bool is_own);

  std::string_view bytes_;
  std::vector<Section> sections_;
  std::vector<DeletedRange> deletes_;
  size_t skips_ = 0;
};

// Reads the structs of a section, in order of clocks. Thread: one.
class StructReader {
 public:
  StructReader(const Update& update, const Section& section);
  // False behind the last one.
  bool next(Struct& to);
  size_t offset() const { return offset_ + from_.offset(); }  // in the update's bytes
  uint64_t left() const { return left_; }                     // structs that are not read yet

 private:
  size_t offset_;
  Reader from_;
  uint64_t client_;
  uint64_t clock_;
  uint64_t left_;
};

// How far a replica is: for each client the next clock that it lacks.
class StateVector {
 public:
  // Errors: InvalidData.
  static Result<StateVector> parse(std::string_view bytes);
  void set(uint64_t client, uint64_t clock) { clocks_[client] = clock; }
  uint64_t clock(uint64_t client) const;
  std::string encode() const;  // the highest client first, as Yjs writes it
  const std::map<uint64_t, uint64_t>& clocks() const { return clocks_; }

 private:
  std::map<uint64_t, uint64_t> clocks_;
};

// All that is in any of them, once. Whatever their order, replicas that apply what comes out are the same.
// Errors: TooLarge with more than kSkipsMax holes.
Result<std::string> merge(std::span<const Update> updates);

// How far a replica is that has applied these: for each client that begins at 0, where its first hole is, or its end.
StateVector state_vector(std::span<const Update> updates);

// What a replica lacks that is as far as `from`: its missing structs, and all deletes. Of several updates the
// difference to their merge, without merging them first. Errors: as merge().
Result<std::string> diff(std::span<const Update> updates, const StateVector& from);

// The merge in as few bytes as can be had without knowing the document: what is deleted loses its content, neighbours
// become one. Replicas that apply it are the same; what a client had deleted can't be had back from it.
// Errors: as merge().
Result<std::string> compact(std::span<const Update> updates);

}  // namespace hearth::db::documents
