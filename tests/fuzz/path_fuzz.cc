// Paths as text, and as rows have them.
#include "db/model/path.h"

#include "db/model/key_order.h"
#include "tests/fuzz/fuzz.h"

using namespace hearth::db;

FUZZ_TARGET(path) {
  const auto path = Path::parse(bytes);
  check_key(bytes).ok();
  if (!path.ok()) return;
  invariant(path.value().depth() <= kDepthMax && path.value().text().size() <= kPathBytesMax, "a path has limits");
  invariant(path.value().keys().size() == path.value().depth(), "a path is as deep as it has keys");
  const auto decoded = decode_path(encode_path(path.value()));
  invariant(decoded.ok() && decoded.value() == path.value(), "a row key is its path");
  for (const std::string_view key : path.value().keys()) invariant(check_key(key).ok(), "a path has good keys");
}

FUZZ_TARGET(row_key) {
  segment_length(bytes);
  const auto path = decode_path(bytes);
  if (!path.ok()) return;
  invariant(encode_path(path.value()) == bytes, "a path has one row key");
  invariant(Path::parse(path.value().text()).ok(), "a path of rows is a path");
}
