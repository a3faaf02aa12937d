#include "rules/guard.h"

#include <openssl/crypto.h>

#include "db/client.h"
#include "db/database.h"

namespace hearth::rules {
namespace {

// Without rules, nobody but an admin may do anything.
class Closed final : public db::Precondition {
 public:
  db::Result<void> check(const db::TreeView&, db::Timestamp) const override {
    return db::Error{db::ErrorCode::PermissionDenied, "Permission denied"};
  }
};

std::shared_ptr<const db::Precondition> check_of(const Auth& auth, bool open) {
  static const auto closed = std::make_shared<const Closed>();
  if (open || auth.kind == Auth::Kind::Admin) return nullptr;
  return closed;
}

}  // namespace

Session::Session(std::unique_ptr<db::Client> client, Auth auth, bool open)
    : client_(std::move(client)), auth_(std::move(auth)), open_(open) {}
Session::~Session() = default;

const std::string& Session::id() const { return client_->id(); }

void Session::set_auth(Auth auth) {
  auth_ = std::move(auth);
  for (const uint64_t listener : listeners_) client_->recheck(listener, check_of(auth_, open_));
  client_->recheck_disconnect(check_of(auth_, open_));
}

void Session::write(uint64_t request, db::Write write) {
  // Access first: who may not write learns nothing from what a condition says of the data.
  if (auto check = check_of(auth_, open_)) write.preconditions.insert(write.preconditions.begin(), std::move(check));
  client_->write(request, std::move(write));
}

void Session::read(uint64_t request, db::Read read) {
  read.check = check_of(auth_, open_);
  client_->read(request, std::move(read));
}

void Session::listen(uint64_t request, uint64_t listener, db::Listen listen) {
  listen.check = check_of(auth_, open_);
  listeners_.insert(listener);
  client_->listen(request, listener, std::move(listen));
}

void Session::unlisten(uint64_t request, uint64_t listener) {
  listeners_.erase(listener);
  client_->unlisten(request, listener);
}

void Session::on_disconnect(uint64_t request, db::Disconnect disconnect) {
  client_->on_disconnect(request, std::move(disconnect), check_of(auth_, open_));
}

void Session::reply(uint64_t request, db::Result<void> status) { client_->reply(request, std::move(status)); }
std::vector<db::Item> Session::take() { return client_->take(); }
void Session::end() { client_->end(); }

Guard::Guard(db::Database& database, Options options) : database_(database), options_(std::move(options)) {}

bool Guard::is_admin_secret(std::string_view text) const {
  const std::string& secret = options_.admin_secret;
  return !secret.empty() && text.size() == secret.size() && CRYPTO_memcmp(text.data(), secret.data(), secret.size()) == 0;
}

std::string_view Guard::sync_mode() const {
  switch (database_.sync()) {
    case db::SyncMode::Group:
      return "group";
    case db::SyncMode::Os:
      return "os";
  }
  return "";
}

db::Result<void> Guard::health() const { return database_.health(); }

db::Result<std::string> Guard::resolve(std::string_view name) const {
  ASSIGN_OR_RETURN(std::string stored, db::check_namespace_name(name.empty() ? options_.default_namespace : name));
  if (!options_.dev && !database_.exists(stored)) {
    return db::Error{db::ErrorCode::NotFound, "There is no namespace of that name on this server."};
  }
  return stored;
}

void Guard::read(const std::string& name, const Auth& auth, db::Read read, Done done) {
  read.check = check_of(auth, options_.dev);
  database_.read(name, std::move(read), std::move(done));
}

void Guard::write(const std::string& name, const Auth& auth, db::Write write, Done done) {
  if (auto check = check_of(auth, options_.dev)) {
    write.preconditions.insert(write.preconditions.begin(), std::move(check));
  }
  database_.write(name, std::move(write), std::move(done));
}

db::Result<std::unique_ptr<Session>> Guard::open(const std::string& name, Auth auth, std::string_view replaces,
                                                 std::function<void()> wake) {
  ASSIGN_OR_RETURN(auto client, database_.client(name, replaces, std::move(wake)));
  return std::make_unique<Session>(std::move(client), std::move(auth), options_.dev);
}

std::string Guard::event_id(uint64_t sequence) const { return database_.life() + ":" + std::to_string(sequence); }

db::Result<std::vector<std::string>> Guard::namespaces(const Auth& auth) const {
  if (!options_.dev && auth.kind != Auth::Kind::Admin) {
    return db::Error{db::ErrorCode::PermissionDenied, "Permission denied"};
  }
  return database_.namespaces();
}

}  // namespace hearth::rules
