// Blocks: a head of four numbers, then one zstd frame. The place and the checksum are what makes a copy that was cut,
// mixed up or damaged fail at its first wrong block, by number, before anything of it is used.
#include "db/dump/block.h"

#include <zlib.h>
#include <zstd.h>

#include "db/base/invariant.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr size_t kHeadBytes = 16;
constexpr int kLevel = 1;  // README.md of this folder has the figures

uint32_t checksum(std::string_view head, std::string_view frame) {
  uLong crc = crc32(0, reinterpret_cast<const Bytef*>(head.data()), static_cast<uInt>(head.size()));
  crc = crc32(crc, reinterpret_cast<const Bytef*>(frame.data()), static_cast<uInt>(frame.size()));
  return static_cast<uint32_t>(crc);
}

void free_compressor(ZSTD_CCtx* context) { ZSTD_freeCCtx(context); }
void free_decompressor(ZSTD_DCtx* context) { ZSTD_freeDCtx(context); }

}  // namespace

Result<size_t> read_fully(const ByteSource& source, char* to, size_t bytes) {
  size_t got = 0;
  while (got < bytes) {
    ASSIGN_OR_RETURN(const size_t more, source(to + got, bytes - got));
    if (more == 0) break;
    got += more;
  }
  return got;
}

BlockWriter::BlockWriter() : context_(ZSTD_createCCtx(), &free_compressor) {}
BlockWriter::~BlockWriter() = default;

void BlockWriter::write(std::string_view raw, std::string& to) {
  invariant(raw.size() <= kBlockBytesMax, "whoever fills blocks ends them in time");
  // Compressed straight into `to`, behind room for the head: a dump is not copied once more.
  const size_t start = to.size();
  to.resize(start + kHeadBytes + ZSTD_compressBound(raw.size()));
  const size_t room = to.size() - start - kHeadBytes;
  const size_t stored =
      ZSTD_compressCCtx(context_.get(), to.data() + start + kHeadBytes, room, raw.data(), raw.size(), kLevel);
  invariant(ZSTD_isError(stored) == 0, "zstd has the room that it asked for");
  to.resize(start + kHeadBytes + stored);
  std::string head;
  append_number(place_++, head);
  append_number(static_cast<uint32_t>(raw.size()), head);
  append_number(static_cast<uint32_t>(stored), head);
  append_number(checksum(head, std::string_view(to).substr(start + kHeadBytes)), head);
  to.replace(start, kHeadBytes, head);
}

BlockReader::BlockReader(ByteSource source, std::string what)
    : source_(std::move(source)), what_(std::move(what)), context_(ZSTD_createDCtx(), &free_decompressor) {}
BlockReader::~BlockReader() = default;

Error BlockReader::damaged(const std::string& how) const {
  return {ErrorCode::Corruption, what_ + " is damaged: block " + std::to_string(place_) + " " + how};
}

Result<std::optional<std::string_view>> BlockReader::next() {
  std::string head(kHeadBytes, '\0');
  ASSIGN_OR_RETURN(const size_t got, read_fully(source_, head.data(), kHeadBytes));
  if (got == 0) return std::optional<std::string_view>();
  if (got < kHeadBytes) return damaged("is cut short");
  const std::string_view fields = head;
  const size_t raw = read_number(fields.substr(4));
  const size_t stored = read_number(fields.substr(8));
  if (read_number(fields) != place_) return damaged("is not where it belongs");
  // Before anything of that size is allocated: the numbers may be anybody's.
  if (raw > kBlockBytesMax || stored > ZSTD_compressBound(kBlockBytesMax)) return damaged("has an impossible size");
  stored_.resize(stored);
  ASSIGN_OR_RETURN(const size_t filled, read_fully(source_, stored_.data(), stored));
  if (filled < stored) return damaged("is cut short");
  // Before zstd sees the frame: a damaged one must not reach the decompressor.
  if (checksum(fields.substr(0, 12), stored_) != read_number(fields.substr(12))) return damaged("has another checksum");
  raw_.resize(raw);
  const size_t opened = ZSTD_decompressDCtx(context_.get(), raw_.data(), raw, stored_.data(), stored);
  if (ZSTD_isError(opened) != 0 || opened != raw) return damaged("cannot be decompressed");
  ++place_;
  return std::optional<std::string_view>(raw_);
}

}  // namespace hearth::db
