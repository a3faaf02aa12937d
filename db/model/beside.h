// Rows that whoever serves a namespace keeps beside its tree, for purposes of its own (net/webhooks; those that begin with an "r"
// are of db/shard/resume_points.h). They are no data: no dump
// has them, no log and no listener tells of them, and they go with the namespace. Values. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace hearth::db {

struct BesideRead {
  std::string prefix{};  // of the keys
  size_t rows_max = SIZE_MAX;
};
using BesideRows = std::map<std::string, std::string>;

struct BesideWrite {
  // Kernel: survives a kill of the process. Where a power cut takes it, it takes all later ones too.
  enum class Until : uint8_t { Disk, Kernel };
  std::map<std::string, std::optional<std::string>> rows{};  // nothing: erased
  Until until = Until::Disk;
  bool is_for_good = false;  // what was there before is gone from the files too when it returns: a purge
};

}  // namespace hearth::db
