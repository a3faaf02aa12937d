// A shard's log → a store: the same namespaces, from the same bytes, in the same order. What an owner has settled is not
// judged again: neither rules nor clocks nor limits are asked.
//
//   LogApplier applier(store, committer, shard, read_file);
//   RETURN_IF_ERROR(applier.start());
//   applier.apply(batch) …                       each behind the one before it; one commit of the store, with the row
//                                                that says so
//
// A restore, a removal and the steps of a purge are commits of their own within their batch. A process that dies between them
// and the end of the batch applies it again, and passes over what of it is there: of the first batch after a start alone.
//
// It never guesses: a batch that does not follow, or does not fit what is here, stops it for good, with nothing of the
// batch applied that came before the error in the same commit. Thread: one. Blocks on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/commit/committer.h"
#include "db/log/batch.h"
#include "db/log/commit_log.h"

namespace hearth::db {

// Hears of namespaces that came and went, once that is in the store. Either may be empty.
struct OnNames {
  std::function<void(const std::string& name, uint32_t number)> named{};
  std::function<void(const std::string& name, uint64_t goes_on)> removed{};  // where the next of that name goes on
};

class LogApplier {
 public:
  // Calls `part` for the parts of a file (CommitLog::add_file_part), in order, until it answers with an error.
  using ReadFile = std::function<Result<void>(const std::string& file,
                                              const std::function<Result<void>(std::string_view part)>& part)>;
  // `number_of`: a new number for a namespace of that name.
  using NumberOf = std::function<uint32_t(const std::string& name)>;
  LogApplier(TreeStore& store, Committer& committer, uint32_t shard, ReadFile read_file, NumberOf number_of,
             OnNames on_names = {})
      : store_(store),
        committer_(committer),
        shard_(shard),
        read_file_(std::move(read_file)),
        number_of_(std::move(number_of)),
        on_names_(std::move(on_names)) {}

  // `names`: the namespaces of the shard that the store has. Errors: Io, Corruption.
  Result<void> start(const std::map<std::string, uint32_t>& names);
  // One that was applied last is passed over. Errors: Corruption, Unsupported, the store's; after one, always the same.
  Result<void> apply(std::string_view batch);
  const LogPosition& last() const { return last_; }

 private:
  Result<void> apply_entry(BatchEntry&& entry);
  Result<void> restore(const BatchEntry& entry);
  Result<void> purge(const BatchEntry& entry);
  Result<Tree*> tree_of(const std::string& name);
  Tree& make_tree(const std::string& name, uint32_t number);
  Result<void> commit();
  Result<void> trim(Timestamp now);

  TreeStore& store_;
  Committer& committer_;
  const uint32_t shard_;
  const ReadFile read_file_;
  const NumberOf number_of_;
  const OnNames on_names_;
  std::vector<std::pair<std::string, uint32_t>> named_;  // with the next commit()
  std::map<std::string, Tree> trees_;
  std::set<Tree*> changed_;   // by this batch
  bool may_be_there_ = true;  // part of this batch
  bool was_there_ = false;    // its last commit
  LogPosition last_;
  std::optional<Error> stopped_;
};

}  // namespace hearth::db
