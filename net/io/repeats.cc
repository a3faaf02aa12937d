// Keys may come from clients, so their number is limited. When the table is full, keys that are due again are
// forgotten, and what does not fit even then shares the key "": it is told of seldom, but not lost.
#include "net/io/repeats.h"

namespace hearth::net::http {

std::optional<uint64_t> Repeats::tell(std::string key, Time now) {
  const std::lock_guard lock(mutex_);
  if (told_.size() >= kRepeatKeysMax && !told_.contains(key)) {
    std::erase_if(told_, [&](const auto& told) { return now - told.second.at >= interval_; });
    if (told_.size() >= kRepeatKeysMax) key.clear();
  }
  const auto [found, is_new] = told_.try_emplace(std::move(key));
  Told& told = found->second;
  if (!is_new && now - told.at < interval_) {
    ++told.untold;
    return {};
  }
  const uint64_t untold = told.untold;
  told = {now, 0};
  return untold;
}

void Repeats::forget() {
  const std::lock_guard lock(mutex_);
  told_.clear();
}

}  // namespace hearth::net::http
