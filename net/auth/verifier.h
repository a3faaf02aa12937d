// Verifies credentials: a credential goes in, the user or admin comes out, or a refusal. Start reading here.
//
//   what it is                         development                        otherwise
//   the admin secret                   admin                              admin
//   `owner`                            admin                              refused
//   a key of a Supabase project        its role                           its role
//   an unsigned token (alg "none")     the user it names                  refused
//   a signed token, no config          the user it names, not verified    refused
//   a signed token, with a config      verified: the user it names, until it expires (both)
//
// A Supabase client's door asks a little more of development (Asker): any key is nobody's there.
//
// A token with an `iss` is judged as that issuer's. A legacy token {v, d, admin} has none: it belongs to the issuer
// whose secret signed it. The key decides by which algorithm a token is verified. `jwk`, `jku`, `x5u` and `x5c` in a
// token's header mean nothing here.
//
// Unsigned tokens do not expire: those that tests make carry an `exp` of 1970 (net/wire/protocol.md §9.2). No
// credential is logged, nor quoted in an error. What was refused is not remembered: the next token may be right.
//
// Nobody is locked out. The right admin secret makes an admin, however many wrong ones its address has sent before.
// An address that sends too many wrong ones hears that it guesses too often. Each address has a budget of time for
// verifying signatures; when it is used up, only tokens that were verified before are accepted. A count of wrong
// tokens would not do: to find out that a token is wrong costs as much as to find out that it is right. verifier.cc
// draws the whole way.
//
// Thread: any. verify() waits for nothing.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "net/auth/address_limit.h"
#include "net/auth/auth_config.h"
#include "net/auth/claims.h"
#include "net/auth/good_tokens.h"
#include "net/auth/jwt.h"
#include "net/auth/key_source.h"
#include "rules/auth.h"

namespace hearth::rules {
class Guard;
}

namespace hearth::net {

inline constexpr size_t kFailedLoginsPerMinute = 100;  // guesses of one address, and at once; the default
// Thread time that one address may use in each second for verifying; at once it may use ten seconds' worth.
inline constexpr std::chrono::milliseconds kVerifyTimeMax{100};
inline constexpr int kVerifySecondsAtOnce = 10;
inline constexpr size_t kProxyFailuresMin = 20;  // a minute, until a proxy that nobody named is told of

// Where a credential comes from.
struct Asker {
  Asker() = default;
  Asker(std::string_view the_address, bool behind_proxy = false)
      : address(the_address), is_behind_proxy(behind_proxy) {}
  Asker(const char* the_address) : address(the_address) {}

  std::string address{};         // as text; "": nobody's
  bool is_behind_proxy = false;  // behind a proxy that is not trusted: the address is the proxy's

  // Of a Supabase client's door; they mean something in development alone. What an unverified role is worth. With
  // anything but Unread, `owner` is no word there.
  DevRoles dev_roles = DevRoles::Unread;
  bool any_key = false;  // a credential that proves nothing is nobody's, and no mistake
};

class Verifier {
 public:
  // Why an address is slowed down.
  enum class Slowed : uint8_t { Guessing, Verifying };
  struct Options {
    AuthConfig config{};
    Fetch fetch_url{};                 // for keys by URL
    const db::Clock* clock = nullptr;  // null: the system's
    KeySource::Times times{};
    KeySource::OnFetched on_fetched{};                           // of any source
    size_t failed_logins_per_minute = kFailedLoginsPerMinute;    // guesses of one address; 0: any number
    std::chrono::milliseconds verify_time_max = kVerifyTimeMax;  // a second, of one address; 0: any
    // How much time this thread has worked; null: the system's. For tests.
    std::chrono::nanoseconds (*thread_time)() = nullptr;
    // Are told, each time. Any thread.
    std::function<void(Slowed, const std::string& address)> on_slowed{};
    std::function<void(const std::string& address)> on_unnamed_proxy{};  // once
  };
  struct Counts {
    std::atomic<uint64_t> accepted{0};
    std::array<std::atomic<uint64_t>, kReasons> refused{};  // by Reason
    std::atomic<uint64_t> verify_nanoseconds{0};            // of threads, for signatures
    std::atomic<uint64_t> signatures{0};                    // verified now
    std::atomic<uint64_t> known_good{0};                    // known from before (good_tokens.h)
  };

  explicit Verifier(const rules::Guard& guard);
  Verifier(const rules::Guard& guard, Options options);
  ~Verifier();  // credentials that wait for a key are refused

  // `space`: the namespace that it is used in, as Guard::resolve gave it. Nothing: the key that signed it is not known
  // (yet); verify_late() asks where keys come from. `asker`: whose failures are counted. Errors: InvalidToken,
  // ExpiredToken, Unavailable.
  std::optional<db::Result<rules::Auth>> verify(std::string_view credential, std::string_view space,
                                                const Asker& asker = {}) const;

  // Verifies after the keys have been fetched once more. `done` is called once, on any thread or at once,
  // kFetchTimeMax from now at the latest.
  using Done = std::function<void(db::Result<rules::Auth>)>;
  void verify_late(std::string credential, std::string space, Asker asker, Done done) const;

  // Whether the user of a verified credential has been signed out since. Ask once more where a late verdict is used,
  // and after a session has begun with one: only from then on a kick finds the session.
  db::Result<void> still_good(const rules::Auth& auth, std::string_view space) const;

  bool is_dev() const;  // `owner` means something

  // Whether `address` has guessed at secrets too often.
  bool is_guessing(std::string_view address) const { return guesses_.is_over(address); }
  // Whether that is why `address` was refused so: then the answer is 429.
  bool is_guessing(std::string_view address, const db::Error& refusal) const {
    return refusal.code == db::ErrorCode::Unavailable && is_guessing(address);
  }

  // From here on tokens of these issuers are believed. Keys stay known where the place that they come from stays the
  // same.
  void replace(AuthConfig config);

  const Counts& counts() const { return counts_; }

 private:
  // An issuer and where its published keys are; null: it has a secret only.
  struct Known {
    Issuer issuer;
    std::shared_ptr<KeySource> source;
  };
  enum class Last : uint8_t { No, Yes };  // no keys will be fetched for this one: what is not known is refused

  enum class Signature : uint8_t { Right, Wrong, Busy };  // Busy: nobody looked

  std::optional<Verdict> judge(std::string_view credential, std::string_view space, const Asker& asker,
                               Last last) const;
  std::optional<Verdict> judge_signed(const Jwt& token, std::string_view credential, std::string_view space,
                                      const Asker& asker, Last last) const;
  Verdict judge_legacy(const Jwt& token, const db::JsonNode& claims, std::string_view credential,
                       std::string_view space, const Asker& asker) const;
  Verdict judge_project_token(const Jwt& token, const db::JsonNode& claims, std::string_view credential,
                              std::string_view space, const Asker& asker) const;
  Verdict judge_project_key(std::string_view key, std::string_view space) const;
  Signature signature_of(const Key& key, std::string_view credential, const Asker& asker) const;
  db::Result<rules::Auth> conclude(Verdict verdict, std::string_view space, const Asker& asker) const;
  void count_failure(Reason reason, const Asker& asker) const;
  std::shared_ptr<KeySource> source_of(std::string_view credential) const;

  const rules::Guard& guard_;
  const db::SystemClock system_clock_;
  const db::SteadyClock steady_clock_;
  const Options options_;  // but for config
  const db::Clock& clock_;
  const db::Clock& steady_;                          // for how long something was; a test moves both by one
  mutable std::shared_mutex mutex_;                  // Guards known_; held while a token is judged.
  std::map<std::string, Known, std::less<>> known_;  // by `iss`
  mutable Counts counts_;
  mutable AddressLimit guesses_;
  mutable AddressLimit verifying_;  // in microseconds
  mutable AddressLimit proxied_;    // failures behind proxies that nobody named
  mutable std::atomic<bool> has_told_of_proxy_{false};
  mutable GoodTokens good_;
};

// Development believes `owner` of anyone. But any site that a developer visits could send it to this machine too. So
// callers refuse it before verify(): from pages of other machines, and under a host name that is not known to be this
// machine's, since a site can make its own name mean this machine.
inline constexpr std::string_view kOwner = "owner";
db::Error foreign_owner();  // InvalidToken
db::Error owner_by_name();  // InvalidToken

// An admin may ask to be judged as a user: with the auth variable of the JSON text `variable`, or for "null" as
// nobody. For others `variable` means nothing (SDK: databaseAuthVariableOverride). Errors: InvalidArgument: neither
// object nor null.
db::Result<rules::Auth> act_as(rules::Auth proven, std::string_view variable);

}  // namespace hearth::net
