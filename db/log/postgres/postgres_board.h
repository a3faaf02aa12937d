// What the nodes of a cluster know of each other, in tables of PostgreSQL (schema.h).
//
// Three connections, so that nothing slow stands before a beat: one for beats and looking, one for what takes locks and asks
// how the engine is, one for reading the log. Each is made when it is needed, and made anew after a failure.
// Thread: any; functions of one connection wait for each other.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "db/cluster/board.h"
#include "db/log/postgres/connection.h"
#include "db/log/postgres/engine_check.h"

namespace hearth::db {

inline constexpr size_t kCutRowsMax = 1000;                  // of the log that go in one transaction
inline constexpr size_t kBatchesReadMax = 256;               // of one batches()
inline constexpr size_t kBatchBytesMax = size_t{512} << 20;  // of one batch, whole

class PostgresBoard final : public Board {
 public:
  struct Options {
    PostgresTarget target{};
    Durability durability = Durability::Verified;
    int snapshot_age_max = kSnapshotAgeMax;  // seconds
  };
  explicit PostgresBoard(Options options) : options_(std::move(options)) {}

  // Errors: NotFound (no cluster was made there).
  Result<ClusterFacts> facts() override;
  Result<EngineCheck> check() override;
  Result<void> enter(const ClusterNode& node) override;
  Result<bool> renew(const std::string& name, const std::string& run, const std::vector<uint64_t>& durable) override;
  Result<ClusterView> look() override;
  Result<void> end_connections(const std::string& name, const std::string& run) override;
  Result<std::optional<LogPosition>> take(const Take& take) override;
  Result<void> give_up(uint32_t shard, const std::string& name, uint64_t epoch) override;
  // Errors of these four: NotFound, which names who or what is not there.
  Result<void> wish(uint32_t shard, const std::string& node) override;
  Result<void> gift(uint32_t shard, const std::string& node) override;
  Result<void> end_wish(const ClusterShard& seen) override;
  Result<void> drain(const std::string& node, bool is_drained) override;
  Result<void> forget(const std::string& node) override;
  Result<void> set_format(uint32_t format) override;
  // Errors: NotFound: the log does not reach back to there; Corruption.
  Result<std::vector<std::string>> batches(uint32_t shard, uint64_t behind, size_t bytes_max) override;
  Result<void> read_file(const std::string& file, const std::function<Result<void>(std::string_view)>& part) override;
  Result<bool> cut(uint32_t shard, uint64_t epoch, uint64_t upto) override;
  Result<bool> erase_left(uint32_t shard, uint64_t epoch) override;

 private:
  struct Link {
    std::mutex mutex;  // Guards `connection`.
    std::unique_ptr<PostgresConnection> connection;
  };
  Result<PostgresRows> ask(Link& link, const char* statement, const PostgresValues& values = {});
  Result<PostgresConnection*> open(Link& link);  // Precondition: its mutex is held
  Result<std::string> whole_batch(std::string_view stored);
  Result<std::vector<std::string>> files_named(uint32_t shard, uint64_t from, uint64_t upto);
  Result<void> erase_files(uint32_t shard, uint64_t from, uint64_t upto);

  const Options options_;
  Link lease_, control_, reads_;
  bool has_started_ = false;  // guarded by control_.mutex
};

}  // namespace hearth::db
