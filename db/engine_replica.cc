// The engine as a node of a cluster (db/cluster/replica.h): which shards are ours, and what is done when that changes.
//
//   followers_[5]   Follows: applies batches            shards_[5] null: space() is null, and all who ask are refused
//        │ own()    ◀── the log is at what is applied
//        ▼
//   logs_[5]  ─▶ Shard, new ─▶ hashes, queues of lost sessions ─▶ shards_[5], the door is open ─▶ indexes, mirrors, ages
//        │ disown() ◀── moved, given up, or lost (lose(): the shard refuses at once, and the member is told)
//        ▼
//   shards_[5] null, its namespaces are taken out ─▶ stop ─▶ close ─▶ log ended ─▶ conversations end ─▶ followers_[5] follows
//
// Each time that a shard is owned it is another Shard, with other NamespaceStates: nothing that was judged, cached or counted
// before can be there, for it was all theirs. Whoever still holds one of these is refused by it (db/shard/shard_over.cc).
//
// Locks: changing_[n] before the follower's, before mutex_. Nobody waits for a shard or for the log under mutex_.
#include <mutex>
#include <utility>

#include "db/commit/seed.h"
#include "db/engine.h"

namespace hearth::db {

Result<void> Engine::begin_following() {
  const auto count = static_cast<uint32_t>(options_.shards);
  if (options_.log == nullptr) return Error{ErrorCode::InvalidArgument, "a node of a cluster has a log"};
  if (store_->shards() != count) {
    return Error{ErrorCode::InvalidArgument, "this folder was made for " + std::to_string(store_->shards()) +
                                                 " shards, and the cluster has " + std::to_string(count) +
                                                 "; start the node with an empty folder"};
  }
  RETURN_IF_ERROR(check_numbers());
  ASSIGN_OR_RETURN(next_sequences_, removed_in(*store_->snapshot()));
  RETURN_IF_ERROR(store_->sync());
  logs_.logs.resize(count);
  changing_.resize(count);
  durable_.resize(count);
  for (uint32_t shard = 0; shard < count; ++shard) {
    const Follower::Plans plans{options_.history, options_.kept_answers_bytes_max};
    followers_.push_back(std::make_unique<Follower>(*store_, shard, plans, names_for(shard)));
    RETURN_IF_ERROR(followers_.back()->start());
    durable_[shard] = followers_.back()->applied().sequence;
  }
  return {};
}

Engine::Names Engine::names_of(uint32_t shard) const {
  Names names;
  const std::shared_lock lock(mutex_);
  for (const auto& [name, number] : names_) {
    if (number % followers_.size() == shard) names.emplace(name, number);
  }
  return names;
}

Follower::Names Engine::names_for(uint32_t shard) {
  Follower::Names names;
  names.of_shard = [this, shard] { return names_of(shard); };
  names.number_of = [this](const std::string& name) {
    const std::unique_lock lock(mutex_);
    next_number_ = number_for(name, next_number_, store_->shards());
    return next_number_++;
  };
  names.on.named = [this](const std::string& name, uint32_t number) {
    const std::unique_lock lock(mutex_);
    names_[name] = number;
  };
  names.on.removed = [this](const std::string& name, uint64_t goes_on) {
    const std::unique_lock lock(mutex_);
    names_.erase(name);
    next_sequences_[name] = goes_on;
  };
  names.replace = [this, shard](const Names& all, const std::map<std::string, uint64_t>& removed) {
    const std::unique_lock lock(mutex_);
    std::erase_if(names_, [&](const auto& one) { return one.second % store_->shards() == shard; });
    std::erase_if(next_sequences_, [&](const auto& one) { return shard_of(one.first, store_->shards()) == shard; });
    names_.insert(all.begin(), all.end());
    next_sequences_.insert(removed.begin(), removed.end());
  };
  return names;
}

bool Engine::is_served(const std::string& name) const {
  const auto known = names_.find(name);
  const size_t count = followers_.size();
  const size_t shard = known != names_.end() ? known->second % count : shard_of(name, static_cast<uint32_t>(count));
  return shards_[shard] != nullptr;
}

LogPosition Engine::applied(uint32_t shard) const {
  const Gate::Pass pass(gate_);
  if (!pass || !owns(shard)) return followers_[shard]->applied();
  // The log itself may be waited for. What can't be read now was applied once: nothing is said that is not true.
  const auto found = applied_in(*store_->snapshot(), shard);
  return found.ok() ? found.value() : followers_[shard]->applied();
}

Result<void> Engine::apply(uint32_t shard, std::string_view batch, const ReadFile& read_file) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  return followers_[shard]->apply(batch, read_file);
}

Result<void> Engine::sync_applied() {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  std::vector<uint64_t> then;
  for (uint32_t shard = 0; shard < shards(); ++shard) then.push_back(applied(shard).sequence);
  RETURN_IF_ERROR(store_->sync());
  for (uint32_t shard = 0; shard < shards(); ++shard) durable_[shard] = then[shard];
  return {};
}

Result<void> Engine::own(uint32_t shard, const LogPosition& last) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  const std::lock_guard changing(changing_[shard]);
  RETURN_IF_ERROR(followers_[shard]->own(last));
  Result<void> begun = begin_owning(shard, last);
  if (!begun.ok()) give_up(shard, begun.error());
  return begun;
}

Result<void> Engine::begin_owning(uint32_t shard, const LogPosition& last) {
  const Names names = names_of(shard);
  {
    const std::unique_lock lock(mutex_);
    logs_.logs[shard] = std::make_shared<ShardLog>(*options_.log, shard, last,
                                                   [this](uint32_t lost, const Error& why) { lose(lost, why); });
  }
  const auto made = std::make_shared<Shard>(dependencies(), heavy_shards_);
  // What has to be there before the first client asks is the first in the lines. Nobody else knows these states yet.
  std::map<std::string, std::shared_ptr<NamespaceState>> spaces;
  const SpaceOf space_of = [&](const std::string& name) {
    auto& found = spaces[name];
    const std::shared_lock lock(mutex_);
    if (found == nullptr) found = make_space(name, names.at(name), true, made);
    return found;
  };
  Result<void> prepared = take_up_hashes(store_->snapshot(), names, space_of);
  if (prepared.ok()) prepared = adopt_orphans(names, space_of);
  {
    const std::unique_lock lock(mutex_);
    spaces_.insert(spaces.begin(), spaces.end());
    shards_[shard] = made;
  }
  // From here on clients are served.

  RETURN_IF_ERROR(prepared);
  return resume(names);
}

// The log is another's, or in doubt. Called under the log's turn by who has just found that out.
void Engine::lose(uint32_t shard, const Error& why) {
  std::shared_ptr<Shard> whose;
  {
    const std::shared_lock lock(mutex_);
    whose = shards_[shard];
  }
  if (whose != nullptr) whose->stop(not_owner_error());
  if (options_.on_lost) options_.on_lost(shard, why);
}

void Engine::disown(uint32_t shard, const Error& why) {
  const Gate::Pass pass(gate_);
  if (!pass) return;
  const std::lock_guard changing(changing_[shard]);
  if (owns(shard)) give_up(shard, why);
}

void Engine::give_up(uint32_t shard, const Error& why) {
  std::shared_ptr<Shard> over;
  std::shared_ptr<ShardLog> log;
  std::vector<std::shared_ptr<NamespaceState>> spaces;
  {
    const std::unique_lock lock(mutex_);
    over = std::exchange(shards_[shard], nullptr);
    log = logs_.logs[shard];
    std::erase_if(spaces_, [&](const auto& one) {
      const bool is_of_shard = one.second->tree.number % shards_.size() == shard;
      if (is_of_shard) spaces.push_back(one.second);
      return is_of_shard;
    });
  }
  // From here on nobody comes in any more. Those inside are refused, each by the shard that they came for.

  drop_orphans(shard);
  if (over != nullptr) {
    over->stop(why);
    over->close();
  }
  {
    const auto turn = log->turn();  // rows beside go past the shard
    log->end(why);
  }
  // From here on nothing of this shard is written here but by who follows it.

  if (over != nullptr) over->end_all(spaces, why);
  {
    const std::unique_lock lock(mutex_);
    logs_.logs[shard] = nullptr;
    if (over != nullptr) over->add_to(past_);
    past_.forget_present();
  }
  // What can't be read now is read by the next apply().
  (void)followers_[shard]->follow_again();
}

Result<void> Engine::seed(uint32_t shard, const std::function<Result<void>(std::string_view piece)>& take) {
  std::optional<Frozen> frozen;
  {
    const Gate::Pass pass(gate_);
    if (!pass) return closed_error();
    ASSIGN_OR_RETURN(frozen, store_->checkpoint());
  }
  // Whoever takes the pieces may be slow: a close does not wait for that.
  return seed_shard(*frozen, shard, shards(), take);
}

namespace {

// Outlives no database.
class PlantingHere final : public Planting {
 public:
  PlantingHere(Gate& gate, Follower& follower) : gate_(gate), follower_(follower) {}
  ~PlantingHere() override { follower_.give_up_planting(); }
  Result<void> add(std::string_view piece) override {
    const Gate::Pass pass(gate_);
    return pass ? follower_.add(piece) : closed_error();
  }
  Result<LogPosition> finish() override {
    const Gate::Pass pass(gate_);
    return pass ? follower_.finish() : Result<LogPosition>(closed_error());
  }

 private:
  Gate& gate_;
  Follower& follower_;
};

}  // namespace

Result<std::unique_ptr<Planting>> Engine::plant(uint32_t shard) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  RETURN_IF_ERROR(followers_[shard]->plant());
  return std::unique_ptr<Planting>(std::make_unique<PlantingHere>(gate_, *followers_[shard]));
}

}  // namespace hearth::db
