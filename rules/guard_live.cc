// What those ask who run a server and look at it: what lives in a namespace beside its tree, and what is asked of it just
// now (activity.h).
#include <utility>

#include "db/host.h"
#include "rules/guard.h"

namespace hearth::rules {

// While somebody looks at what is asked: `done`, and an entry of what came of it.
Guard::Done Guard::watched(const std::string& name, const Auth& auth, const SharedAsker& asker,
                           ActivityEntry::Kind kind, std::string path, Done done) const {
  ActivityEntry entry;
  entry.time = database_.clock().now();
  entry.space = name;
  entry.protocol = kind == ActivityEntry::Kind::Rows || kind == ActivityEntry::Kind::Topic ? "supabase" : "rest";
  entry.user = asker != nullptr ? asker->uid() : "";
  entry.is_admin = auth.kind == Auth::Kind::Admin;
  entry.kind = kind;
  entry.path = std::move(path);
  return [book = book_, entry = std::move(entry), since = std::chrono::steady_clock::now(),
          done = std::move(done)](db::Answer answer) {
    ActivityEntry told = entry;
    told.took = std::chrono::steady_clock::now() - since;
    book->activity().add(std::move(told), answer.status);
    done(std::move(answer));
  };
}

std::vector<std::string> Guard::names_in_use(const Auth& auth, size_t most) const {
  return auth.kind == Auth::Kind::Admin ? database_.names_in_use(most) : std::vector<std::string>();
}

void Guard::live(const std::string& name, const Auth& auth, db::LiveAsk ask,
                 std::function<void(db::Result<db::Live>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.live(name, std::move(ask), std::move(done));
}

void Guard::documents(const std::string& name, const Auth& auth, db::Path after, size_t most,
                      std::function<void(db::Result<db::DocumentsPage>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.documents(name, std::move(after), most, std::move(done));
}

void Guard::document(const std::string& name, const Auth& auth, db::Path path,
                     std::function<void(db::Result<db::DocumentContent>)> done) {
  if (auth.kind != Auth::Kind::Admin) return done(denied());
  database_.document(name, std::move(path), std::move(done));
}

}  // namespace hearth::rules
