// Whole namespaces as files, and back: for admins alone, whoever of them. No rule is asked, since a dump has what rules would
// hide, and a restore what they would refuse.
#include <utility>

#include "db/host.h"
#include "rules/guard.h"

namespace hearth::rules {

void Guard::dump(const Auth& auth, db::DumpRequest request, std::function<void(db::Result<db::DumpPieces>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.dump(std::move(request), std::move(done));
}

db::Result<double> Guard::dump_part(const Auth& auth, const std::string& name) const {
  if (auth.kind != Auth::Kind::Admin) return denied();
  if (const auto part = database_.dump_part(name)) return *part;
  return db::Error{db::ErrorCode::NotFound, "No dump of that name is under way."};
}

db::Result<std::string> Guard::begin_upload(const Auth& auth) {
  if (auth.kind != Auth::Kind::Admin) return denied();
  return database_.begin_upload();
}

db::Result<void> Guard::upload(const Auth& auth, const std::string& id, uint64_t at, std::string_view bytes) {
  if (auth.kind != Auth::Kind::Admin) return denied();
  return database_.upload(id, at, bytes);
}

db::Result<db::UploadState> Guard::upload_state(const Auth& auth, const std::string& id) const {
  if (auth.kind != Auth::Kind::Admin) return denied();
  if (const auto state = database_.upload_state(id)) return *state;
  return db::Error{db::ErrorCode::NotFound, "There is no such upload; it is restored, or it was given up."};
}

db::Result<void> Guard::give_up_upload(const Auth& auth, const std::string& id) {
  if (auth.kind != Auth::Kind::Admin) return denied();
  return database_.give_up_upload(id);
}

void Guard::restore(const Auth& auth, const std::string& id, db::RestoreRequest request,
                    std::function<void(Restored)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.restore(id, std::move(request), [this, done = std::move(done)](Restored restored) {
    if (!restored.ok()) return done(std::move(restored));
    // A new namespace brings along who was signed out of it. This thread is of restores alone, and may wait.
    std::vector<std::string> names;
    for (const db::RestoredTree& tree : restored.value()) {
      names.push_back(tree.space);
      settings_->forget(tree.space);
    }
    const db::Result<void> loaded = load_revoked(names);
    done(loaded.ok() ? std::move(restored) : Restored(loaded.error()));
  });
}

}  // namespace hearth::rules
