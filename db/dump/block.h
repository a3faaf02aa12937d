// A stream of compressed blocks, each with its place and a checksum: what a dump and a sorter's runs are made of.
//
//   block := place:4 BE  raw size:4 BE  stored size:4 BE  crc32:4 BE  zstd frame (stored size bytes)
//   crc32: of the twelve bytes before it and of the frame
//
// On disk. Never change. A block out of its place, cut short or changed anywhere is Corruption. Writer and reader hold
// one block in memory. Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace hearth::db {

inline constexpr size_t kBlockBytesMax = 16u << 20;  // raw: the longest row fits

// Bytes from a file or a connection: fills up to `bytes`, and says how many came; 0 at the end.
using ByteSource = std::function<Result<size_t>(char* to, size_t bytes)>;

// As many as there are, up to `bytes`.
Result<size_t> read_fully(const ByteSource& source, char* to, size_t bytes);

class BlockWriter {
 public:
  BlockWriter();
  ~BlockWriter();
  void write(std::string_view raw, std::string& to);  // precondition: at most kBlockBytesMax

 private:
  std::unique_ptr<ZSTD_CCtx_s, void (*)(ZSTD_CCtx_s*)> context_;
  uint32_t place_ = 0;
};

class BlockReader {
 public:
  // `what` is read, for errors: "the dump".
  BlockReader(ByteSource source, std::string what);
  ~BlockReader();
  // The next block's raw bytes, valid until the next call; nothing at a clean end. Errors: Corruption, the source's.
  Result<std::optional<std::string_view>> next();

 private:
  Error damaged(const std::string& how) const;

  const ByteSource source_;
  const std::string what_;
  std::unique_ptr<ZSTD_DCtx_s, void (*)(ZSTD_DCtx_s*)> context_;
  uint32_t place_ = 0;
  std::string stored_;
  std::string raw_;
};

}  // namespace hearth::db
