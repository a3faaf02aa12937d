// What stands on the disk: records and rows.
#include "db/model/write.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::db;

FUZZ_TARGET(record) {
  const auto record = Record::decode(bytes);
  if (!record.ok()) return;
  const std::string encoded = record.value().encode();
  const auto again = Record::decode(encoded);
  invariant(again.ok() && again.value().encode() == encoded, "a record is its bytes");
}

FUZZ_TARGET(rows) {
  const auto value = decode_rows(bytes);
  if (!value.ok()) return;
  const auto again = decode_rows(encode_rows(value.value()));
  invariant(again.ok() && again.value() == value.value(), "a value is its rows");
}
