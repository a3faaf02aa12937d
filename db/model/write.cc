// Writes as they are asked for, and records as bytes.
//
// Paths, limits and overlaps of a write are checked before it is submitted: here, or where JSON becomes a value
// (json_value.cc). From there on nobody checks them again. A record is what evaluate() settled; its bytes may come from
// elsewhere, so decode() trusts none of them, and RowsCheck proves row by row that they are a tree before a
// ValueBuilder takes them.
//
// record := version:1 = 1  sequence:varint  time:varint  count:varint  effect*
// effect := kind:1  path:bytes  slot:1  name:bytes  rows
// kind   := 's' Set  'p' SetPriority  'u' Unleaf  'e' Enqueue  'd' Dequeue  'q' QueuedBy  'c' Configure  'x' Reindex
//         | 'b' BuildIndex  'a' Append  'k' Compact  'f' Forget                               as Effect::Kind
// rows   := count:varint ( key:bytes leaf:bytes )*
// bytes  := length:varint byte*                                          path and keys as encoded (key_order.h)
#include "db/model/write.h"

#include <algorithm>

#include "db/base/bytes.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"

namespace hearth::db {
namespace {

// A follower that finds another version must stop, and not guess.
constexpr char kRecordVersion = 1;

Error bad_record(const char* what) { return {ErrorCode::Corruption, std::string("record: ") + what}; }

char letter(Effect::Kind kind) {
  switch (kind) {
    case Effect::Kind::Set:
      return 's';
    case Effect::Kind::SetPriority:
      return 'p';
    case Effect::Kind::Unleaf:
      return 'u';
    case Effect::Kind::Enqueue:
      return 'e';
    case Effect::Kind::Dequeue:
      return 'd';
    case Effect::Kind::QueuedBy:
      return 'q';
    case Effect::Kind::Configure:
      return 'c';
    case Effect::Kind::Reindex:
      return 'x';
    case Effect::Kind::BuildIndex:
      return 'b';
    case Effect::Kind::Append:
      return 'a';
    case Effect::Kind::Compact:
      return 'k';
    case Effect::Kind::Forget:
      return 'f';
  }
  invariant(false, "every kind has a letter");
  return 0;
}

void append_rows(const Value& value, std::string& to) {
  append_varint(value.row_count(), to);
  for (size_t i = 0; i < value.row_count(); ++i) {
    const Value::Row row = value.row(i);
    append_bytes(row.key, to);
    append_bytes(row.leaf, to);
  }
}

// The precondition of ValueBuilder::add, of rows that nobody has checked.
// A row is judged by the few rows before it: keys ascend, so a leaf, and an object's priority that still waits for a
// child, can only concern what comes right behind them.
//
//   a·[00]        priority of a: a must be a leaf that was just seen, or a child of a must come next  (awaits_)
//   a·b           leaf: nothing may follow that begins with it, but its own priority                  (leaf_)
class RowsCheck {
 public:
  Result<void> add(std::string_view key, std::string_view leaf) {
    if (!is_well_formed_leaf(leaf)) return bad_record("a damaged leaf");
    if (!first_ && key <= last_) return bad_record("rows out of order");
    std::string_view node = key;
    const bool priority = is_priority_key(key);
    if (priority) {
      node.remove_suffix(1);
      const LeafTag tag = tag_of_leaf(leaf);
      if (tag == LeafTag::False || tag == LeafTag::True || tag == LeafTag::Integer)
        return bad_record("no priority's leaf");
    }
    RETURN_IF_ERROR(decode_path(node));
    if (awaits_ && !key.starts_with(awaited_)) return bad_record("a priority of nothing");
    const bool of_leaf = priority && has_leaf_ && node == leaf_;
    if (has_leaf_ && !of_leaf && key.starts_with(leaf_)) return bad_record("a row below a leaf");
    awaits_ = priority && !of_leaf;
    if (awaits_) awaited_ = node;
    if (!priority) {
      has_leaf_ = true;
      leaf_ = key;
    }
    first_ = false;
    last_ = key;
    return {};
  }
  Result<void> end() const {
    if (awaits_) return bad_record("a priority of nothing");
    return {};
  }

 private:
  bool first_ = true;
  std::string_view last_;
  bool has_leaf_ = false;
  std::string_view leaf_;  // the last one
  bool awaits_ = false;
  std::string_view awaited_;  // an object whose priority was seen, and no child yet
};

Result<Value> read_rows(ByteReader& in) {
  ValueBuilder builder;
  RowsCheck check;
  const uint64_t rows = in.varint();
  for (uint64_t row = 0; row < rows; ++row) {
    const std::string_view key = in.bytes();
    const std::string_view leaf = in.bytes();
    if (!in.ok()) return bad_record("cut short");
    RETURN_IF_ERROR(check.add(key, leaf));
    builder.add(key, leaf);
  }
  RETURN_IF_ERROR(check.end());
  if (!in.ok()) return bad_record("cut short");
  return std::move(builder).build();
}

}  // namespace

// "/.priority" at the end addresses the priority alone. Slashes at the end are ignored, as everywhere in paths.
Result<Overwrite> make_overwrite(std::string_view path_text, Value value) {
  std::string_view text = path_text;
  while (text.ends_with('/')) text.remove_suffix(1);
  const std::string_view node = node_of(text);
  ASSIGN_OR_RETURN(Path path, Path::parse(node));
  return make_overwrite(std::move(path), node == text ? Slot::Value : Slot::Priority, std::move(value));
}

Result<Overwrite> make_overwrite(Path path, Slot slot, Value value) {
  if (slot == Slot::Priority) {
    const Value::Kind kind = value.kind();
    const bool possible = kind == Value::Kind::Null || kind == Value::Kind::String || value.is_number() ||
                          kind == Value::Kind::Timestamp || kind == Value::Kind::Increment;
    if (!possible || !value.priority().is_null()) {
      return Error{ErrorCode::InvalidData,
                   "Invalid data; priority must be a string, a number, a server value or null."};
    }
  }
  return Overwrite{std::move(path), slot, std::move(value)};
}

Result<void> check_overlap(const std::vector<Overwrite>& overwrites) {
  if (overwrites.size() > kUpdatePathsMax) {
    return Error{ErrorCode::TooLarge, "An update may name at most " + std::to_string(kUpdatePathsMax) + " locations."};
  }
  // In encoded order whatever lies below a path comes right behind it.
  std::vector<std::pair<std::string, const Overwrite*>> sorted;
  sorted.reserve(overwrites.size());
  for (const Overwrite& overwrite : overwrites) {
    sorted.emplace_back(encode_path(overwrite.path), &overwrite);
    if (overwrite.slot == Slot::Priority) sorted.back().first += '\0';
  }
  std::sort(sorted.begin(), sorted.end());
  const auto told = [](const Overwrite& overwrite) {
    return overwrite.path.slashed() + (overwrite.slot == Slot::Value ? ""
                                       : overwrite.path.is_root()    ? ".priority"
                                                                     : "/.priority");
  };
  // One pass over neighbours instead of all pairs: 100,000 locations in one update are allowed.
  const std::pair<std::string, const Overwrite*>* above = nullptr;  // the last that sets a whole node
  const std::pair<std::string, const Overwrite*>* last = nullptr;
  for (const auto& at : sorted) {
    const bool covered = above != nullptr && at.first.starts_with(above->first);
    if (covered || (last != nullptr && at.first == last->first)) {
      return Error{ErrorCode::InvalidData, "Invalid data; the update contains a path " +
                                               told(*(covered ? above : last)->second) +
                                               " that is ancestor of another path " + told(*at.second)};
    }
    if (at.second->slot == Slot::Value) above = &at;
    last = &at;
  }
  return {};
}

// Of a key that is an integer its segment is shorter than its text, which has at most so many bytes.
constexpr size_t kIntegerKeyBytesMax = 11;

Result<void> check_fits(const Path& path, const Value& value) {
  const std::string base = encode_path(path);
  for (size_t i = 0; i < value.row_count(); ++i) {
    const Value::Row row = value.row(i);
    if (row.leaf.size() > kStringBytesMax + 1) {
      return Error{ErrorCode::InvalidData, "Invalid data; a string is longer than 10485760 bytes."};
    }
    std::string_view key = row.key;
    size_t depth = path.depth();
    size_t bytes = path.text().size();
    while (segment_length(key) > 0) {
      bytes += 1 + std::max(segment_length(key), kIntegerKeyBytesMax);
      key.remove_prefix(segment_length(key));
      ++depth;
    }
    if (depth > kDepthMax)
      return Error{ErrorCode::InvalidData,
                   "Invalid data; path specified exceeds the maximum depth that can be written (32)."};
    if (bytes > kPathBytesMax) {  // perhaps: these are the most that the keys can have, so look closely
      const auto whole = decode_path(base + std::string(row.key.substr(0, row.key.size() - key.size())));
      if (!whole.ok()) {
        return Error{ErrorCode::InvalidPath,
                     "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes)."};
      }
    }
  }
  return {};
}

Result<Write> make_write(std::string_view path, Value value) {
  Write write;
  ASSIGN_OR_RETURN(Overwrite overwrite, make_overwrite(path, std::move(value)));
  RETURN_IF_ERROR(check_fits(overwrite.path, overwrite.value));
  write.base = overwrite.path;
  write.overwrites.push_back(std::move(overwrite));
  return write;
}

// Merges are checked for overlap: "a" and "a/b" in one update contradict each other, whichever came first.
// NOLINTNEXTLINE(performance-unnecessary-value-param): its values are moved from; Clang 14 does not see it.
Result<Write> make_update(std::string_view path, std::vector<std::pair<std::string, Value>> entries) {
  Write write;
  write.merge = true;
  ASSIGN_OR_RETURN(write.base, Path::parse(path));
  for (auto& [below, value] : entries) {
    ASSIGN_OR_RETURN(Overwrite overwrite, make_overwrite(write.base.text() + "/" + below, std::move(value)));
    RETURN_IF_ERROR(check_fits(overwrite.path, overwrite.value));
    write.overwrites.push_back(std::move(overwrite));
  }
  RETURN_IF_ERROR(check_overlap(write.overwrites));
  return write;
}

std::string Record::encode() const {
  std::string bytes;
  append_to(bytes);
  return bytes;
}

void Record::append_to(std::string& bytes) const { append_to(bytes, {Path(), {}}); }

void Record::append_to(std::string& bytes, const EncodedPath& known) const {
  bytes += kRecordVersion;
  append_varint(sequence, bytes);
  append_varint(static_cast<uint64_t>(time.count()), bytes);
  append_varint(effects.size(), bytes);
  for (const Effect& effect : effects) {
    bytes += letter(effect.kind);
    if (effect.path == known.path) {
      append_bytes(known.bytes, bytes);
    } else {
      append_bytes(encode_path(effect.path), bytes);
    }
    bytes += static_cast<char>(effect.slot);
    append_bytes(effect.name, bytes);
    append_rows(effect.value, bytes);
  }
}

Result<Record> Record::decode(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kRecordVersion) return bad_record("unknown version");
  ByteReader in(bytes.substr(1));
  Record record;
  record.sequence = in.varint();
  record.time = Timestamp(static_cast<int64_t>(in.varint()));
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    if (in.done()) return bad_record("cut short");
    Effect effect;
    switch (in.byte()) {
      case 's':
        effect.kind = Effect::Kind::Set;
        break;
      case 'p':
        effect.kind = Effect::Kind::SetPriority;
        break;
      case 'u':
        effect.kind = Effect::Kind::Unleaf;
        break;
      case 'e':
        effect.kind = Effect::Kind::Enqueue;
        break;
      case 'd':
        effect.kind = Effect::Kind::Dequeue;
        break;
      case 'q':
        effect.kind = Effect::Kind::QueuedBy;
        break;
      case 'c':
        effect.kind = Effect::Kind::Configure;
        break;
      case 'x':
        effect.kind = Effect::Kind::Reindex;
        break;
      case 'b':
        effect.kind = Effect::Kind::BuildIndex;
        break;
      case 'a':
        effect.kind = Effect::Kind::Append;
        break;
      case 'k':
        effect.kind = Effect::Kind::Compact;
        break;
      case 'f':
        effect.kind = Effect::Kind::Forget;
        break;
      default:
        return bad_record("unknown effect");
    }
    ASSIGN_OR_RETURN(effect.path, decode_path(in.bytes()));
    const char slot = in.byte();
    if (!in.ok() || slot < 0 || slot > 1) return bad_record("unknown slot");
    effect.slot = static_cast<Slot>(slot);
    effect.name = in.bytes();
    ASSIGN_OR_RETURN(effect.value, read_rows(in));
    record.effects.push_back(std::move(effect));
  }
  if (!in.ok() || !in.done()) return bad_record("cut short");
  return record;
}

// The form in which a session's queue keeps values on disk: unresolved server values included.
std::string encode_rows(const Value& value) {
  std::string bytes;
  append_rows(value, bytes);
  return bytes;
}

Result<Value> decode_rows(std::string_view bytes) {
  ByteReader in(bytes);
  ASSIGN_OR_RETURN(Value value, read_rows(in));
  if (!in.done()) return bad_record("bytes behind the rows");
  return value;
}

}  // namespace hearth::db
