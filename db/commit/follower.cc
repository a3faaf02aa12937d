#include "db/commit/follower.h"

#include <utility>

namespace hearth::db {

Result<void> Follower::start() {
  const std::lock_guard lock(mutex_);
  ASSIGN_OR_RETURN(const bool is_half, is_half_planted(*store_.snapshot(), shard_));
  if (is_half) {
    why_stopped_ = "when the process ended it was being planted, or restored and not yet in the log";
    state_ = State::MustBePlanted;
  }
  return read_position();
}

Result<void> Follower::read_position() {
  ASSIGN_OR_RETURN(LogPosition found, applied_in(*store_.snapshot(), shard_));
  const std::lock_guard lock(position_mutex_);
  applied_ = std::move(found);
  return {};
}

LogPosition Follower::applied() const {
  const std::lock_guard lock(position_mutex_);
  return applied_;
}

Error Follower::not_now() const {
  const std::string shard = "the shard " + std::to_string(shard_);
  switch (state_.load()) {
    case State::Owned:
      return {ErrorCode::Unavailable, shard + " is owned by this node: nobody else's batches are applied to it"};
    case State::Planting:
      return {ErrorCode::Unavailable, shard + " is being planted on this node"};
    case State::MustBePlanted:
      return {ErrorCode::Unavailable,
              shard + " has to be planted anew on this node, from another one: " + why_stopped_};
    case State::Follows:
      break;
  }
  return {ErrorCode::Unavailable, shard + " follows its log on this node"};
}

// What it learns while it applies is thrown away with it, and read from the store again.
Result<void> Follower::begin_applying() {
  if (applier_ != nullptr) return {};
  committer_ = std::make_unique<Committer>(store_, TreeStore::Durability::Os, Quota{}, Usage::InBackground{}, nullptr,
                                           0, plans_.history, plans_.answers_bytes_max);
  applier_ = std::make_unique<LogApplier>(
      store_, *committer_, shard_,
      [this](const std::string& file, const auto& part) { return (*reads_files_)(file, part); }, names_.number_of,
      names_.on);
  return applier_->start(names_.of_shard());
}

void Follower::stop_applying() {
  applier_.reset();
  committer_.reset();
}

Result<void> Follower::apply(std::string_view batch, const LogApplier::ReadFile& read_file) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Follows) return not_now();
  ASSIGN_OR_RETURN(const BatchHead head, read_batch_head(batch));
  const LogPosition last = applied();
  const bool is_ours = head.shard == shard_;
  if (is_ours && head.sequence < last.sequence) return {};
  if (is_ours && head.sequence > last.sequence + 1) {
    return Error{ErrorCode::Unavailable, "the batch " + std::to_string(head.sequence) + " of shard " +
                                             std::to_string(shard_) + " comes too early: the last that is applied is " +
                                             std::to_string(last.sequence)};
  }
  Result<void> done = begin_applying();
  if (done.ok()) {
    reads_files_ = &read_file;
    done = applier_->apply(batch);
    reads_files_ = nullptr;
  }
  if (done.ok()) {
    const std::lock_guard position(position_mutex_);
    applied_ = applier_->last();
    return {};
  }
  stop_applying();
  if (done.error().code != ErrorCode::Corruption) return done;
  why_stopped_ = done.error().message;
  state_ = State::MustBePlanted;
  return done;
}

Result<void> Follower::own(const LogPosition& last) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Follows) return not_now();
  const LogPosition applied = this->applied();
  if (applied.sequence != last.sequence || applied.id != last.id) {
    return Error{ErrorCode::Unavailable,
                 "the log of shard " + std::to_string(shard_) + " is at batch " + std::to_string(last.sequence) +
                     ", and this store has applied batch " + std::to_string(applied.sequence) +
                     (applied.sequence < last.sequence ? "; it has to apply what is missing before it takes writes"
                                                       : "; they are not of one history")};
  }
  stop_applying();
  state_ = State::Owned;
  return {};
}

Result<void> Follower::follow_again() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Owned) return {};
  RETURN_IF_ERROR(read_position());
  ASSIGN_OR_RETURN(const bool is_half, is_half_planted(*store_.snapshot(), shard_));
  if (is_half) why_stopped_ = "a restore was done here that the log has not";
  state_ = is_half ? State::MustBePlanted : State::Follows;
  return {};
}

Result<void> Follower::plant() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::Owned || state_ == State::Planting) return not_now();
  RETURN_IF_ERROR(store_.room());
  stop_applying();
  state_ = State::Planting;
  why_stopped_ = "its planting was not finished";
  planter_ = std::make_unique<Planter>(store_, shard_, names_.number_of);
  const auto begin = [&]() -> Result<void> {
    RETURN_IF_ERROR(planter_->begin());
    names_.replace({}, {});
    return read_position();
  };
  Result<void> begun = begin();
  if (!begun.ok()) state_ = State::MustBePlanted;
  return begun;
}

Result<void> Follower::add(std::string_view piece) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Planting) return not_now();
  return planter_->add(piece);
}

Result<LogPosition> Follower::finish() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Planting) return not_now();
  ASSIGN_OR_RETURN(LogPosition last, planter_->finish());
  names_.replace(planter_->names(), planter_->removed());
  planter_.reset();
  RETURN_IF_ERROR(read_position());
  state_ = State::Follows;
  return last;
}

void Follower::close() {
  const std::lock_guard lock(mutex_);
  stop_applying();
  planter_.reset();
}

void Follower::give_up_planting() {
  const std::lock_guard lock(mutex_);
  planter_.reset();
  if (state_ == State::Planting) state_ = State::MustBePlanted;
}

}  // namespace hearth::db
