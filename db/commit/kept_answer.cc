#include "db/commit/kept_answer.h"

#include "db/base/bytes.h"
#include "db/model/key_order.h"
#include "db/model/write.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr char kAnswerVersion = 1;

}  // namespace

std::string KeptAnswer::encode() const {
  std::string bytes(1, kAnswerVersion);
  append_bytes(key, bytes);
  append_bytes(asked, bytes);
  append_varint(static_cast<uint64_t>(wall.count()), bytes);
  append_varint(offset, bytes);
  append_varint(sequence, bytes);
  append_varint(static_cast<uint64_t>(time.count()), bytes);
  append_bytes(encode_path(base), bytes);
  return bytes + encode_rows(value);
}

Result<KeptAnswer> KeptAnswer::decode(std::string_view bytes) {
  ByteReader in(bytes);
  const bool is_known = in.byte() == kAnswerVersion;
  KeptAnswer answer;
  answer.key = in.bytes();
  answer.asked = in.bytes();
  answer.wall = Timestamp(static_cast<int64_t>(in.varint()));
  answer.offset = in.varint();
  answer.sequence = in.varint();
  answer.time = Timestamp(static_cast<int64_t>(in.varint()));
  const std::string_view base = in.bytes();
  if (!is_known || !in.ok()) return Error{ErrorCode::Corruption, "a kept answer to a write with a key"};
  ASSIGN_OR_RETURN(answer.base, decode_path(base));
  ASSIGN_OR_RETURN(answer.value, decode_rows(in.rest()));
  return answer;
}

std::string answer_row(uint64_t arrival) {
  std::string row(kAnswersFrom);
  append_sequence(arrival, row);
  return row;
}

std::string answer_key_row(std::string_view key) { return "k" + std::string(key); }

uint64_t arrival_of(std::string_view answer_row) {
  return answer_row.size() < 9 ? 0 : read_sequence(answer_row.substr(1));
}

}  // namespace hearth::db
