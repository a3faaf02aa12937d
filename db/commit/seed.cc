// Reading a shard from a checkpoint, and writing it under other numbers.
#include "db/commit/seed.h"

#include <array>
#include <utility>
#include <vector>

#include "db/base/bytes.h"
#include "db/model/hash.h"
#include "db/model/namespace_name.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

constexpr uint64_t kFormat = 1;
constexpr char kFirst = 'S', kRows = 'N', kLast = 'E';

// All that a namespace may have rows in, in the order of their numbers.
constexpr std::array kTables = {Table::Head,     Table::Disconnect, Table::Data,  Table::Setting, Table::Index,
                                Table::Document, Table::History,    Table::Log,   Table::Version, Table::Answer,
                                Table::Mirror,   Table::Beside,     Table::Expiry};

Error damaged_seed(const char* what) {
  return {ErrorCode::Corruption, std::string("what a node gave of a shard: ") + what};
}

// Namespaces with all that they have, by ranges.
class Uprooted final : public RowSource {
 public:
  void add(const std::string& name, uint32_t number) { names_.emplace(name, number); }
  size_t size() const { return names_.size(); }
  size_t row_count() const override { return names_.size(); }
  std::vector<std::pair<std::string, std::string>> ranges() const override {
    std::vector<std::pair<std::string, std::string>> ranges;
    for (const auto& [name, number] : names_) {
      for (const Table table : kTables) ranges.emplace_back(row_key(table, number), row_key(table, number + 1));
    }
    return ranges;
  }
  void rows(const PutFunction& put) const override {
    for (const auto& [name, number] : names_) put(row_key(Table::Name, name), std::nullopt);
  }

 private:
  std::map<std::string, uint32_t> names_;
};

// Rows as they come, in pieces.
class Pieces {
 public:
  using Take = std::function<Result<void>(std::string_view piece)>;
  explicit Pieces(const Take& take) : take_(take) {}

  Result<void> begin(std::string_view name) {
    RETURN_IF_ERROR(end());
    name_ = name;
    is_open_ = true;
    return {};
  }
  Result<void> put(std::string_view row, std::string_view value) {
    append_file_row(row, value, rows_);
    if (piece_.size() + rows_.size() < kSeedPieceBytes) return {};
    RETURN_IF_ERROR(flush());
    is_open_ = true;  // it goes on in the next piece
    return {};
  }
  Result<void> flush() {
    RETURN_IF_ERROR(end());
    return piece_.size() > 1 ? tell(std::exchange(piece_, std::string(1, kRows))) : Result<void>();
  }
  Result<void> tell(const std::string& piece) {
    digest_ = text_digest(digest_ + piece);
    return take_(piece);
  }
  const std::string& digest() const { return digest_; }

 private:
  Result<void> end() {
    if (!std::exchange(is_open_, false)) return {};
    append_bytes(name_, piece_);
    append_bytes(rows_, piece_);
    rows_.clear();
    // Many small namespaces make a piece too.
    return piece_.size() < kSeedPieceBytes ? Result<void>() : tell(std::exchange(piece_, std::string(1, kRows)));
  }

  const Take& take_;
  std::string piece_ = std::string(1, kRows), name_, rows_, digest_;
  bool is_open_ = false;
};

}  // namespace

std::string planting_row(uint32_t shard) {
  std::string key = row_key(Table::Store, "planting");
  append_number(shard, key);
  return key;
}

Result<bool> is_half_planted(const Snapshot& snapshot, uint32_t shard) {
  ASSIGN_OR_RETURN(const auto row, snapshot.get(planting_row(shard)));
  return row.has_value();
}

Result<void> seed_shard(const Frozen& from, uint32_t shard, uint32_t shards, const Pieces::Take& take) {
  ASSIGN_OR_RETURN(const bool is_half, is_half_planted(*from.snapshot, shard));
  if (is_half) {
    return Error{ErrorCode::Unavailable, "the shard " + std::to_string(shard) + " is being planted here itself"};
  }
  ASSIGN_OR_RETURN(const LogPosition position, applied_in(*from.snapshot, shard));
  ASSIGN_OR_RETURN(auto removed, removed_in(*from.snapshot));
  std::erase_if(removed, [&](const auto& one) { return shard_of(one.first, shards) != shard; });
  Pieces pieces(take);
  std::string first(1, kFirst);
  for (const uint64_t number : {kFormat, uint64_t{shards}, uint64_t{shard}, position.sequence, position.epoch}) {
    append_varint(number, first);
  }
  append_bytes(position.id, first);
  append_varint(removed.size(), first);
  for (const auto& [name, sequence] : removed) {
    append_bytes(name, first);
    append_varint(sequence, first);
  }
  RETURN_IF_ERROR(pieces.tell(first));
  for (const auto& [name, number] : from.names) {
    if (number % shards != shard) continue;
    RETURN_IF_ERROR(pieces.begin(name));
    for (const Table table : kTables) {
      Result<void> put;
      const auto row = [&](std::string_view key, std::string_view value) {
        std::string rest(1, static_cast<char>(table));
        rest += key.substr(kTableAndNumber);
        put = pieces.put(rest, value);
        return put.ok();
      };
      RETURN_IF_ERROR(from.snapshot->scan(row_key(table, number), row_key(table, number + 1), row));
      RETURN_IF_ERROR(put);
    }
  }
  RETURN_IF_ERROR(pieces.flush());
  std::string last(1, kLast);
  append_bytes(pieces.digest(), last);
  return take(last);
}

Result<void> Planter::begin() {
  Batch mark;
  mark.put(planting_row(shard_), "1");
  RETURN_IF_ERROR(store_.commit(mark, TreeStore::Durability::Synced));
  // From here on the shard is known to be none, whatever becomes of this process.

  Uprooted some;
  Result<void> done;
  const auto uproot = [&](std::string_view key, std::string_view value) {
    const uint32_t number = value.size() == 4 ? read_number(value) : 0;
    if (value.size() != 4 || number % store_.shards() != shard_) return true;
    some.add(std::string(key.substr(1)), number);
    if (some.size() < kUprootedMax) return true;
    done = store_.commit(std::exchange(some, {}), TreeStore::Durability::Os);
    return done.ok();
  };
  RETURN_IF_ERROR(store_.snapshot()->scan(row_key(Table::Name, ""), row_key(Table::Head, ""), uproot));
  RETURN_IF_ERROR(done);
  if (some.size() > 0) RETURN_IF_ERROR(store_.commit(some, TreeStore::Durability::Os));
  ASSIGN_OR_RETURN(const auto removed, removed_in(*store_.snapshot()));
  Batch rest;
  rest.erase(applied_row(shard_, {}).first);
  for (const auto& [name, sequence] : removed) {
    if (shard_of(name, store_.shards()) == shard_) rest.erase(removed_row(name, sequence).first);
  }
  return store_.commit(rest, TreeStore::Durability::Os);
}

Result<void> Planter::add(std::string_view piece) {
  RETURN_IF_ERROR(store_.room());
  if (piece.empty() || is_whole_ || has_begun_ != (piece.front() != kFirst))
    return damaged_seed("a piece out of its order");
  if (piece.front() == kLast) {
    ByteReader in(piece.substr(1));
    if (in.bytes() != digest_ || !in.ok() || !in.done()) return damaged_seed("pieces are missing");
    is_whole_ = true;
    return {};
  }
  digest_ = text_digest(digest_ + std::string(piece));
  if (piece.front() == kFirst) return add_first(piece.substr(1));
  return piece.front() == kRows ? add_rows(piece.substr(1)) : damaged_seed("a piece of no known kind");
}

Result<void> Planter::add_first(std::string_view piece) {
  ByteReader in(piece);
  if (const uint64_t format = in.varint(); in.ok() && format != kFormat) {
    return Error{ErrorCode::Unsupported, "another node gives a shard in the format " + std::to_string(format) +
                                             ", and this one reads " + std::to_string(kFormat) +
                                             "; run the same version of Hearth on both"};
  }
  const uint64_t shards = in.varint(), shard = in.varint();
  position_.sequence = in.varint();
  position_.epoch = in.varint();
  position_.id = in.bytes();
  for (uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    std::string name(in.bytes());
    removed_[std::move(name)] = in.varint();
  }
  if (!in.ok() || !in.done() || position_.id.size() != kBatchIdBytes) return damaged_seed("its first piece");
  if (shards != store_.shards() || shard != shard_)
    return damaged_seed("it is another shard, or of a cluster with others");
  has_begun_ = true;
  return {};
}

Result<void> Planter::add_rows(std::string_view piece) {
  Batch batch;
  for (ByteReader in(piece); !in.done();) {
    const std::string name(in.bytes());
    const std::string_view rows = in.bytes();
    if (!in.ok() || !check_stored_name(name).ok() || shard_of(name, store_.shards()) != shard_) {
      return damaged_seed("a namespace that is none of the shard");
    }
    auto [known, is_new] = names_.try_emplace(name, 0);
    if (is_new) {
      known->second = number_of_(name);
      std::string number;
      append_number(known->second, number);
      batch.put(row_key(Table::Name, name), number);
    }
    RETURN_IF_ERROR(read_file_rows(rows, [&](std::string_view row, std::string_view value) -> Result<void> {
      const auto table = static_cast<Table>(row.front());
      if (table < Table::Head || table >= Table::End) return damaged_seed("a row of no known table");
      batch.put(row_key(table, known->second, row.substr(1)), value);
      return {};
    }));
  }
  return store_.commit(batch, TreeStore::Durability::Os);
}

Result<LogPosition> Planter::finish() {
  if (!is_whole_) return damaged_seed("its last piece has not come");
  Batch batch;
  for (const auto& [name, sequence] : removed_) {
    const auto [row, value] = removed_row(name, sequence);
    batch.put(row, value);
  }
  if (position_.sequence > 0) {
    const auto [row, value] = applied_row(shard_, position_);
    batch.put(row, value);
  }
  batch.erase(planting_row(shard_));
  // Synced, and with it all that was put before: the store's log keeps its order.
  RETURN_IF_ERROR(store_.commit(batch, TreeStore::Durability::Synced));
  return position_;
}

}  // namespace hearth::db
