// A verifier over a guard of an empty database, with a clock of the test's. Thread: the test's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/host.h"
#include "net/auth/verifier.h"
#include "rules/guard.h"
#include "tests/net/http/http_fixture.h"
#include "tests/support/temp_folder.h"

namespace hearth::test {

inline const std::string kAdminSecret = "0123456789abcdef0123456789abcdef01234567";
inline const std::string kTokenSecret = "the secret that test tokens are signed with";

// Of the text of its issuers. Each file is kTokenSecret.
inline net::AuthConfig config_of(const std::string& issuers) {
  return net::parse_auth_config(R"({"issuers": [)" + issuers + "]}",
                                [](const std::string&) -> db::Result<std::string> { return kTokenSecret; })
      .value();
}

inline net::Verifier::Options issuers(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& one : texts) all += (all.empty() ? "" : ",") + one;
  net::Verifier::Options options;
  options.config = config_of(all);
  return options;
}

class Door {
 public:
  enum class Mode { Dev, Closed };
  explicit Door(Mode mode, net::Verifier::Options options = {}) {
    db::Database::Options database;
    database.folder = folder_.path() + "/data";
    database.sync = db::SyncMode::Os;
    database_ = db::Host::open(std::move(database)).value();
    rules::Guard::Options guard;
    guard.dev = mode == Mode::Dev;
    guard.admin_secret = kAdminSecret;
    guard.default_namespace = "demo";
    guard_.emplace(*database_, std::move(guard));
    options.clock = &clock;
    verifier_.emplace(*guard_, std::move(options));
  }

  rules::Guard& guard() { return *guard_; }
  net::Verifier& verifier() { return *verifier_; }
  const net::Verifier& verifier() const { return *verifier_; }
  uint64_t refused(net::Reason reason) const { return verifier_->counts().refused[static_cast<size_t>(reason)]; }

  // What can be said at once.
  db::Result<rules::Auth> verify(std::string_view credential, std::string_view space = "demo") const {
    auto verdict = verifier_->verify(credential, space);
    if (!verdict) return db::Error{db::ErrorCode::Timeout, "it would ask for keys"};
    return std::move(*verdict);
  }

  db::ManualClock clock{std::chrono::seconds(1'700'000'000)};

 private:
  TempFolder folder_;
  std::unique_ptr<db::Host> database_;
  std::optional<rules::Guard> guard_;
  std::optional<net::Verifier> verifier_;
};

// A verdict that may take its time.
class Late {
 public:
  Late(const Door& door, std::string credential) : state_(std::make_shared<State>()) {
    door.verifier().verify_late(std::move(credential), "demo", "", [state = state_](db::Result<rules::Auth> auth) {
      state->auth = std::move(auth);
      state->is_there = true;
      state->came.set();
    });
  }
  bool has_come() const { return state_->is_there; }
  db::Result<rules::Auth> wait() {
    if (!state_->came.wait()) return db::Error{db::ErrorCode::Timeout, "no verdict came"};
    return *state_->auth;
  }

 private:
  struct State {
    Signal came;
    std::atomic<bool> is_there = false;
    std::optional<db::Result<rules::Auth>> auth;
  };
  std::shared_ptr<State> state_;
};

}  // namespace hearth::test
