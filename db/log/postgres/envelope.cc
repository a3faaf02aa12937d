// The first byte of a row tells how to read the rest of it.
#include "db/log/postgres/envelope.h"

#include <zstd.h>

#include <memory>

#include "db/base/bytes.h"
#include "db/base/invariant.h"

namespace hearth::db {
namespace {

constexpr int kCompressed = 1, kInFile = 2, kNamesFiles = 4;
constexpr int kLevel = 1;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

}  // namespace

std::string Envelope::encode(std::string_view of) const {
  std::string stored;
  stored.reserve(of.size() + 64);
  stored += static_cast<char>((is_compressed ? kCompressed : 0) | (is_in_file ? kInFile : 0) |
                              (files.empty() ? 0 : kNamesFiles));
  if (!files.empty()) {
    append_varint(files.size(), stored);
    for (const std::string& file : files) append_bytes(file, stored);
  }
  stored += of;
  return stored;
}

std::string file_of_batch(uint32_t shard, uint64_t sequence, const std::string& which) {
  return "batch/" + std::to_string(shard) + "/" + std::to_string(sequence) + "/" + which;
}

std::string files_of_shard(uint32_t shard) { return "file/" + std::to_string(shard) + "/"; }

std::string files_of_run(uint32_t shard, const std::string& run) { return files_of_shard(shard) + run + "/"; }

Result<Envelope> read_envelope(std::string_view stored) {
  ByteReader reader(stored);
  const int form = static_cast<unsigned char>(reader.byte());
  Envelope envelope;
  if (reader.ok() && form > (kCompressed | kInFile | kNamesFiles)) {
    return Error{ErrorCode::Unsupported,
                 "a row of the log has the form " + std::to_string(form) + ": it was written by a newer Hearth"};
  }
  envelope.is_compressed = (form & kCompressed) != 0;
  envelope.is_in_file = (form & kInFile) != 0;
  if ((form & kNamesFiles) != 0) {
    for (uint64_t left = reader.varint(); left > 0 && reader.ok(); --left) envelope.files.emplace_back(reader.bytes());
  }
  envelope.payload = reader.rest();
  if (!reader.ok() || envelope.payload.empty()) {
    return Error{ErrorCode::Corruption, "a row of the log is cut short"};
  }
  return envelope;
}

std::string compress_batch(std::string_view batch) {
  // What is compressed is large, so that a context of its own costs little beside it.
  const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  std::string frame(ZSTD_compressBound(batch.size()), '\0');
  const size_t size = ZSTD_compressCCtx(context.get(), frame.data(), frame.size(), batch.data(), batch.size(), kLevel);
  invariant(ZSTD_isError(size) == 0, "zstd has the room that it asked for");
  frame.resize(size);
  return frame;
}

Result<std::string> decompress_batch(std::string_view frame, size_t bytes_max) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return Error{ErrorCode::Corruption, "a batch of the log cannot be decompressed: its head is no frame's"};
  }
  if (size > bytes_max) {
    return Error{ErrorCode::TooLarge, "a batch of the log has " + std::to_string(size) + " bytes, more than the " +
                                          std::to_string(bytes_max) + " that one may have"};
  }
  std::string batch(size, '\0');
  const size_t opened = ZSTD_decompress(batch.data(), batch.size(), frame.data(), frame.size());
  if (ZSTD_isError(opened) != 0 || opened != size) {
    return Error{ErrorCode::Corruption, "a batch of the log cannot be decompressed"};
  }
  return batch;
}

}  // namespace hearth::db
