// Who has a session, where, and with what rights. Sessions of people who are not signed in share one for each
// namespace, because there may be many thousands of them. Thread: any.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "rules/access.h"
#include "rules/auth.h"
#include "rules/rulebook.h"
#include "rules/space_settings.h"

namespace hearth::rules {

class Identities;

// Immutable.
struct Identity {
  const std::shared_ptr<Identities> among;
  const std::string space;  // the namespace
  const Auth auth;
  const std::optional<Asker> asker;  // nothing: an admin
};
using SharedIdentity = std::shared_ptr<const Identity>;

// As part of the identity, which lives as long as somebody has it.
inline SharedAsker asker_of(const SharedIdentity& who) { return who->asker ? SharedAsker(who, &*who->asker) : nullptr; }

class Identities : public std::enable_shared_from_this<Identities> {
 public:
  Identities(std::shared_ptr<Rulebook> book, std::shared_ptr<KnownSettings> settings)
      : book_(std::move(book)), settings_(std::move(settings)) {}
  Identities(const Identities&) = delete;
  Identities& operator=(const Identities&) = delete;

  SharedIdentity of(const std::string& space, Auth auth);

  const std::shared_ptr<Rulebook>& book() const { return book_; }
  const std::shared_ptr<KnownSettings>& settings() const { return settings_; }
  size_t known() const;  // namespaces of which it remembers who is not signed in

 private:
  static constexpr size_t kSweptMin = 16;
  SharedIdentity make(const std::string& space, Auth auth);

  const std::shared_ptr<Rulebook> book_;
  const std::shared_ptr<KnownSettings> settings_;
  mutable std::mutex mutex_;                                       // Guards what follows.
  std::map<std::string, std::weak_ptr<const Identity>> nobodies_;  // by namespace
  size_t swept_at_ = kSweptMin;                                    // so many, and those that are gone are taken out
};

}  // namespace hearth::rules
