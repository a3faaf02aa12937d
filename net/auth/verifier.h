// A credential in, who asks out. Start reading here.
//
//   what it is                         development                        otherwise
//   the admin secret                   admin                              admin
//   `owner`                            admin                              refused
//   an unsigned token (alg "none")     the user it names                  refused
//   a signed token, no config          the user it names, not verified    refused
//   a signed token, with a config      verified: the user it names, until it expires (both)
//
// A token with an `iss` is judged as that issuer's; a legacy one {v, d, admin} without, as that of whose secret signed
// it. Its key decides by which algorithm it is verified. `jwk`, `jku`, `x5u` and `x5c` in a token's header mean nothing
// here.
//
// Unsigned tokens do not expire: those that tests make carry an `exp` of 1970 (wire-protocol.md §9.2). No credential is
// logged, nor quoted in an error. What was refused is not remembered: the next token may be right.
//
// Thread: any. verify() waits for nothing.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "net/auth/auth_config.h"
#include "net/auth/claims.h"
#include "net/auth/jwt.h"
#include "net/auth/key_source.h"
#include "net/auth/login_limit.h"
#include "rules/auth.h"

namespace hearth::rules {
class Guard;
}

namespace hearth::net {

class Verifier {
 public:
  struct Options {
    AuthConfig config{};
    Fetch fetch_url{};                 // for keys by URL
    const db::Clock* clock = nullptr;  // null: the system's
    KeySource::Times times{};
    KeySource::OnFetched on_fetched{};  // of any source
    size_t failed_logins_per_minute = kFailedLoginsPerMinute;  // of one address; 0: any number
  };
  struct Counts {
    std::atomic<uint64_t> accepted{0};
    std::array<std::atomic<uint64_t>, kReasons> refused{};  // by Reason
  };

  explicit Verifier(const rules::Guard& guard);
  Verifier(const rules::Guard& guard, Options options);
  ~Verifier();  // who waits is refused

  // `space`: the namespace that it is used in, as Guard::resolve gave it. Nothing: the key that signed it is not known
  // (yet); verify_late() asks where keys come from. `peer`: whose failures are counted; "": nobody's. Errors: InvalidToken,
  // ExpiredToken, Unavailable.
  std::optional<db::Result<rules::Auth>> verify(std::string_view credential, std::string_view space,
                                                std::string_view peer = {}) const;

  // The same after the keys have been fetched once more: `done` is called once, on any thread or at once, kFetchTimeMax
  // from now at the latest.
  using Done = std::function<void(db::Result<rules::Auth>)>;
  void verify_late(std::string credential, std::string space, std::string peer, Done done) const;

  // From here on these issuers. Keys that are fetched from the same place stay known.
  void replace(AuthConfig config);

  const Counts& counts() const { return counts_; }

 private:
  // An issuer and where its published keys are; null: it has a secret only.
  struct Known {
    Issuer issuer;
    std::shared_ptr<KeySource> source;
  };
  enum class Last : uint8_t { No, Yes };  // no keys will be fetched for this one: what is not known is refused

  std::optional<Verdict> judge(std::string_view credential, std::string_view space, Last last) const;
  std::optional<Verdict> judge_signed(const Jwt& token, std::string_view credential, std::string_view space,
                                      Last last) const;
  Verdict judge_legacy(const Jwt& token, const db::JsonNode& claims, std::string_view credential,
                       std::string_view space) const;
  db::Result<rules::Auth> conclude(Verdict verdict, std::string_view space, std::string_view peer) const;
  std::shared_ptr<KeySource> source_of(std::string_view credential) const;

  const rules::Guard& guard_;
  const db::SystemClock system_clock_;
  const db::SteadyClock steady_clock_;
  const Options options_;  // but for config
  const db::Clock& clock_;
  mutable std::shared_mutex mutex_;                  // Guards known_; held while a token is judged.
  std::map<std::string, Known, std::less<>> known_;  // by `iss`
  mutable Counts counts_;
  mutable LoginLimit limit_;
};

// What development believes of anyone, any site that a developer visits could say to this machine too: from pages of other
// machines it is refused before verify() is asked.
inline constexpr std::string_view kOwner = "owner";
db::Error foreign_owner();  // InvalidToken

// An admin may ask to be judged as another: as the auth variable of that JSON text, or for "null" as nobody. Whoever is
// no admin stays who they are (SDK: databaseAuthVariableOverride). Errors: InvalidArgument: neither object nor null.
db::Result<rules::Auth> act_as(rules::Auth proven, std::string_view variable);

}  // namespace hearth::net
