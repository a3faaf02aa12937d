// A map of weak pointers by namespace. Whoever asks for somebody who is not signed in gets the one that is there, or
// makes it. Entries of namespaces that nobody has a session with any more go when there are twice as many as were left
// the last time, so the map is never much larger than what is in use.
#include "rules/identity.h"

#include <algorithm>
#include <utility>

namespace hearth::rules {
namespace {

// Nothing in it tells one from another.
bool is_nobody(const Auth& auth) { return auth == Auth() && auth.name.empty() && !auth.issued; }

}  // namespace

SharedIdentity Identities::make(const std::string& space, Auth auth) {
  std::optional<Asker> asker;
  if (is_asked(auth)) asker.emplace(book_, space, auth);
  return std::make_shared<const Identity>(Identity{shared_from_this(), space, std::move(auth), std::move(asker)});
}

SharedIdentity Identities::of(const std::string& space, Auth auth) {
  if (!is_nobody(auth)) return make(space, std::move(auth));
  const std::lock_guard lock(mutex_);
  std::weak_ptr<const Identity>& known = nobodies_[space];
  if (SharedIdentity there = known.lock()) return there;
  SharedIdentity made = make(space, std::move(auth));
  known = made;
  if (nobodies_.size() >= swept_at_) {
    std::erase_if(nobodies_, [](const auto& one) { return one.second.expired(); });
    swept_at_ = std::max(kSweptMin, 2 * nobodies_.size());
  }
  return made;
}

size_t Identities::known() const {
  const std::lock_guard lock(mutex_);
  return nobodies_.size();
}

}  // namespace hearth::rules
