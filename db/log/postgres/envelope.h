// A batch as it stands in a row of the log: as it is, compressed, or elsewhere, with the names of the files that are of no use
// once the row is gone.
//
//   stored := form:1 [ count:varint ( file:bytes )* ] payload        On disk, in the engine. Never renumber.
//   form   := 1  the payload, or what it names, is one zstd frame
//           | 2  the payload is the name of a file, whose parts are the batch
//           | 4  files are listed: they are erased with the row
//
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

namespace hearth::db {

struct Envelope {
  bool is_compressed = false;
  bool is_in_file = false;
  std::vector<std::string> files{};  // those that the batch names
  std::string payload{};             // of what was read

  std::string encode(std::string_view of) const;  // a payload
};

// The file of a batch that is in one: batch/SHARD/SEQUENCE/WHICH. Of `hearth_file`, on disk.
std::string file_of_batch(uint32_t shard, uint64_t sequence, const std::string& which);

// What the names of files of restores begin with, of a shard, and of one run of an owner: file/SHARD/RUN/WHICH. A file that no
// row names is of use to the run that has begun it, and to nobody else. Of `hearth_file`, on disk.
std::string files_of_shard(uint32_t shard);
std::string files_of_run(uint32_t shard, const std::string& run);

// Reads of `stored` what stands before the payload as well when the row was cut short behind it. Errors: Corruption,
// Unsupported (a form of a newer Hearth).
Result<Envelope> read_envelope(std::string_view stored);

// One zstd frame, and back. Errors: Corruption; TooLarge, when it is more than `bytes_max`.
std::string compress_batch(std::string_view batch);
Result<std::string> decompress_batch(std::string_view frame, size_t bytes_max);

}  // namespace hearth::db
