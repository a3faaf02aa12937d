// Rows beside trees, and the log that a store shares with others. Rows beside go to the store past the shards, which know nothing
// of them. So a row may come just after its namespace was removed: it is nobody's then, for the number is not used again while the
// process lives, and the next open erases it before a number is given out.
#include <algorithm>
#include <mutex>

#include "db/engine.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

Error no_such_space(const std::string& name) { return {ErrorCode::NotFound, "There is no namespace " + name + "."}; }

std::vector<uint32_t> numbers_with_rows(const Snapshot& snapshot) {
  std::vector<uint32_t> numbers;
  (void)snapshot.first_rows(Table::Beside, [&](uint32_t number, std::string_view) { numbers.push_back(number); });
  return numbers;
}

}  // namespace

Result<void> Engine::erase_strays_beside() {
  std::set<uint32_t> known;
  for (const auto& [name, number] : names_) known.insert(number);
  const auto snapshot = store_->snapshot();
  Batch strays;
  for (const uint32_t number : numbers_with_rows(*snapshot)) {
    if (known.contains(number)) continue;
    RETURN_IF_ERROR(snapshot->scan(row_key(Table::Beside, number), row_key(Table::Beside, number + 1),
                                   [&](std::string_view key, std::string_view) {
                                     strays.erase(std::string(key));
                                     return true;
                                   }));
  }
  return strays.row_count() == 0 ? Result<void>() : store_->commit(strays, TreeStore::Durability::Os);
}

Result<void> Engine::check_numbers() const {
  for (const auto& [name, number] : names_) {
    if (number % store_->shards() == shard_of(name, store_->shards())) continue;
    return Error{ErrorCode::InvalidArgument, "the namespace " + name +
                                                 " was made without a log, and none has its begin; start with an empty "
                                                 "folder, and bring the namespaces by hearth dump and hearth restore"};
  }
  return {};
}

Result<void> Engine::take_logs() {
  if (options_.log == nullptr) return {};
  RETURN_IF_ERROR(check_numbers());
  for (uint32_t shard = 0; shard < store_->shards(); ++shard) {
    ASSIGN_OR_RETURN(const bool is_half, is_half_planted(*store_->snapshot(), shard));
    if (!is_half) continue;
    return Error{ErrorCode::Unavailable, "the shard " + std::to_string(shard) +
                                             " was restored or planted when the process ended, and is no copy of what "
                                             "the log has"};
  }
  ASSIGN_OR_RETURN(logs_, db::take_logs(*options_.log, *store_->snapshot(), store_->shards()));
  ASSIGN_OR_RETURN(next_sequences_, removed_in(*store_->snapshot()));
  return {};
}

Result<uint32_t> Engine::served_number(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  if (follows() && !is_served(name)) return not_owner_error();
  const auto found = names_.find(name);
  return found == names_.end() ? Result<uint32_t>(no_such_space(name)) : Result<uint32_t>(found->second);
}

Result<BesideRows> Engine::beside(const std::string& name, const BesideRead& read) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  ASSIGN_OR_RETURN(const uint32_t number, served_number(name));
  BesideRows rows;
  const std::string from = row_key(Table::Beside, number, read.prefix);
  RETURN_IF_ERROR(store_->snapshot()->scan(from, row_key(Table::Beside, number + 1),
                                           [&](std::string_view key, std::string_view value) {
                                             if (!key.starts_with(from) || rows.size() >= read.rows_max) return false;
                                             rows.emplace(key.substr(kTableAndNumber), value);
                                             return true;
                                           }));
  return rows;
}

Result<void> Engine::keep_beside(const std::string& name, const BesideWrite& write) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  ASSIGN_OR_RETURN(const uint32_t number, served_number(name));
  Batch batch;
  for (const auto& [row, value] : write.rows) {
    const std::string key = row_key(Table::Beside, number, row);
    value ? batch.put(key, *value) : batch.erase(key);
  }
  std::shared_ptr<ShardLog> held;  // the shard may be disowned meanwhile: then the log takes nothing
  std::unique_lock<std::mutex> turn;
  if (options_.log != nullptr) {
    {
      const std::shared_lock lock(mutex_);
      held = logs_.logs[number % logs_.logs.size()];
    }
    if (held == nullptr) return not_owner_error();
    ShardLog& log = *held;
    BatchEntry entry;
    entry.kind = BatchEntry::Kind::Beside;
    entry.name = name;
    entry.beside = write.rows;
    std::string entries;
    entry.append_to(entries);
    turn = log.turn();
    RETURN_IF_ERROR(log.append(entries, clock_->now()));
    const auto [row, last] = applied_row(log.shard(), log.last());
    batch.put(row, last);
  }
  const bool is_synced =
      write.until == BesideWrite::Until::Disk && options_.sync == SyncMode::Group && !options_.follows;
  RETURN_IF_ERROR(store_->commit(batch, is_synced ? TreeStore::Durability::Synced : TreeStore::Durability::Os));
  if (write.is_for_good) store_->rewrite(number, {Table::Beside});
  return {};
}

Result<std::vector<std::string>> Engine::with_rows_beside() {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  const std::vector<uint32_t> numbers = numbers_with_rows(*store_->snapshot());
  std::vector<std::string> names;
  const std::shared_lock lock(mutex_);
  for (const auto& [name, number] : names_) {
    if (follows() && !is_served(name)) continue;
    if (std::binary_search(numbers.begin(), numbers.end(), number)) names.push_back(name);
  }
  return names;
}

}  // namespace hearth::db
