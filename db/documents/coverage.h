// What a state has, without its bytes: enough to know whether an update brings anything, and how far the state is.
// Costs 16 bytes for each run of clocks: a client's structs are one run, its deletes often a few. Pure; thread: one.
#pragma once

#include <cstdint>
#include <map>

#include "db/documents/update.h"

namespace hearth::db::documents {

class Coverage {
 public:
  // Costs as much as the update has sections and deletes; where it has holes, as its structs.
  void add(const Update& update);

  // Whether everything in it is here already: each struct and each delete. An echo is dropped by this.
  bool has(const Update& update) const;

  // As state_vector() of the updates that were added.
  StateVector state_vector() const;
  // Structs of some client lie behind a hole: they wait for what was before them.
  bool has_holes() const;
  // Whether `other` has an equal state vector and the same deletes: then neither brings the other anything.
  friend bool operator==(const Coverage&, const Coverage&) = default;

  size_t bytes() const;  // about as many are held

 private:
  std::map<uint64_t, Ranges> structs_;
  std::map<uint64_t, Ranges> deletes_;
};

}  // namespace hearth::db::documents
