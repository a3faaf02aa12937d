#include "net/auth/verifier.h"

#include <time.h>

#include <mutex>
#include <utility>

#include "db/model/json.h"
#include "rules/guard.h"

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;

db::Result<Fetched> fetch_from_file(const std::string& path, const std::atomic<bool>&) { return fetch_file(path); }

std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double microseconds(std::chrono::milliseconds time) { return static_cast<double>(time.count()) * 1e3; }

// What is said to who guesses, not to who brings what somebody once signed.
bool is_guess(Reason reason) { return reason == Reason::Malformed || reason == Reason::Unsigned; }

Refused busy() {
  return {Reason::Busy,
          {ErrorCode::Unavailable, "Too many new auth tokens of this address had to be verified; try again in a second."}};
}

}  // namespace

Verifier::Verifier(const rules::Guard& guard) : Verifier(guard, Options()) {}

Verifier::Verifier(const rules::Guard& guard, Options options)
    : guard_(guard), options_(std::move(options)), clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
      steady_(options_.clock != nullptr ? *options_.clock : steady_clock_),
      guesses_(static_cast<double>(options_.failed_logins_per_minute), static_cast<double>(options_.failed_logins_per_minute), steady_),
      verifying_(60 * microseconds(options_.verify_time_max), kVerifySecondsAtOnce * microseconds(options_.verify_time_max), steady_),
      proxied_(kProxyFailuresMin, kProxyFailuresMin, steady_) {
  replace(options_.config);
}

Verifier::~Verifier() { replace({}); }

void Verifier::replace(AuthConfig config) {
  std::map<std::string, Known, std::less<>> next;
  {
    const std::unique_lock lock(mutex_);
    std::map<std::string, std::shared_ptr<KeySource>> sources;
    for (const auto& [name, one] : known_) {
      if (one.source != nullptr) sources.emplace(one.issuer.keys_at, one.source);
    }
    for (Issuer& issuer : config.issuers) {
      std::shared_ptr<KeySource> source;
      if (!issuer.keys_at.empty()) {
        std::shared_ptr<KeySource>& known = sources[issuer.keys_at];
        if (known == nullptr) {
          known =
              std::make_shared<KeySource>(issuer.keys_at, is_url(issuer.keys_at) ? options_.fetch_url : fetch_from_file,
                                          options_.times, options_.on_fetched);
        }
        source = known;
      }
      std::string name = issuer.issuer;
      next.emplace(std::move(name), Known{std::move(issuer), std::move(source)});
    }
    known_.swap(next);
  }
  // What is not used any more ends here, without the lock: it waits for a fetch to give up.
}

std::optional<db::Result<rules::Auth>> Verifier::verify(std::string_view credential, std::string_view space,
                                                        const Asker& asker) const {
  std::optional<Verdict> verdict = judge(credential, space, asker, Last::No);
  if (!verdict) return std::nullopt;
  return conclude(std::move(*verdict), space, asker);
}

bool Verifier::is_dev() const { return guard_.dev(); }

db::Result<void> Verifier::still_good(const rules::Auth& auth, std::string_view space) const {
  if (!guard_.is_revoked(space, auth)) return {};
  counts_.refused[static_cast<size_t>(Reason::Revoked)].fetch_add(1, std::memory_order_relaxed);
  return refuse(Reason::Revoked, "Auth token was revoked: its user has been signed out since.").error;
}

void Verifier::verify_late(std::string credential, std::string space, Asker asker, Done done) const {
  const std::shared_ptr<KeySource> source = source_of(credential);
  const auto again = [this, credential = std::move(credential), space = std::move(space), asker = std::move(asker),
                      done = std::move(done)](const db::Result<void>& fetched) {
    std::optional<Verdict> verdict = judge(credential, space, asker, Last::No);
    // A key that is not among the known ones may be among those that could not be had.
    if (!verdict && !fetched.ok()) verdict = Refused{Reason::Unavailable, fetched.error()};
    if (!verdict) verdict = judge(credential, space, asker, Last::Yes);
    done(conclude(std::move(*verdict), space, asker));
  };
  if (source == nullptr) return again({});
  source->refresh(again);
}

std::optional<Verdict> Verifier::judge(std::string_view credential, std::string_view space, const Asker& asker,
                                       Last last) const {
  if (guard_.dev() && credential == kOwner) return Accepted{rules::Auth::admin(std::string(kOwner))};
  if (!credential.empty() && guard_.is_admin_secret(credential)) {
    return Accepted{rules::Auth::admin("the admin secret")};
  }

  const db::Result<Jwt> decoded = decode_jwt(credential);
  if (!decoded.ok()) return Refused{Reason::Malformed, decoded.error()};
  const Jwt& token = decoded.value();
  if (token.algorithm == "none" && !guard_.dev()) {
    return refuse(Reason::Unsigned, "Unsigned auth tokens are accepted in development only.");
  }
  if (token.algorithm == "none" && !token.is_unsigned()) {
    return refuse(Reason::Malformed, "Auth token says that it is unsigned and carries a signature.");
  }
  const std::shared_lock lock(mutex_);
  if (!token.is_unsigned() && !(guard_.dev() && known_.empty())) return judge_signed(token, credential, space, asker, last);
  const auto document = db::JsonDocument::parse(token.claims);
  if (!document.ok()) return Refused{Reason::Malformed, document.error()};
  return believe_claims(document.value().root());
}

std::optional<Verdict> Verifier::judge_signed(const Jwt& token, std::string_view credential, std::string_view space,
                                              const Asker& asker, Last last) const {
  if (known_.empty()) {
    return refuse(Reason::Issuer, "This server verifies no signed auth tokens: it was started without --auth-config.");
  }
  if (token.is_ambiguous) return refuse(Reason::Malformed, "Auth token says something twice.");
  // RFC 7515 §4.1.11: what is critical must be understood.
  if (token.has_critical)
    return refuse(Reason::Malformed, "Auth token needs extensions (crit) that are not known here.");
  const auto document = db::JsonDocument::parse(token.claims);
  if (!document.ok()) return Refused{Reason::Malformed, document.error()};
  const db::JsonNode claims = document.value().root();
  const auto named = claims.field("iss");
  if (!named && is_legacy(claims)) return judge_legacy(token, claims, credential, space, asker);
  const auto found = named && named->string() ? known_.find(*named->string()) : known_.end();
  if (found == known_.end()) return refuse(Reason::Issuer, "Auth token is of an issuer (iss) that is not known here.");
  const auto& [issuer, source] = found->second;

  std::shared_ptr<const KeySet> published;  // holds what `key` points to
  const Key* key = nullptr;
  if (issuer.secret && (source == nullptr || token.algorithm == name_of(Algorithm::HS256))) {
    key = &*issuer.secret;
  } else {
    published = source->keys();
    if (published != nullptr) key = published->find(token.key_id);
    // A key id that is not there may be there by now. Who names none means the only key there is.
    if (key == nullptr && last == Last::No && (published == nullptr || token.key_id)) return std::nullopt;
    if (key == nullptr) {
      return refuse(Reason::Key, token.key_id ? "Auth token is signed by a key (kid) that its issuer does not have."
                                              : "Missing claim 'kid' in auth header.");
    }
  }
  // From here on the key decides: the algorithm is its own.
  if (token.algorithm != name_of(key->algorithm())) {
    return refuse(Reason::Algorithm, "Auth token has an algorithm (alg) that its key is not for.");
  }
  switch (signature_of(*key, credential, asker)) {
    case Signature::Right:
      return judge_claims(issuer, claims, space, clock_.now());
    case Signature::Wrong:
      break;
    case Signature::Busy:
      return busy();
  }
  return refuse(Reason::Signature, "Auth token has a wrong signature.");
}

// One that was verified before is right; of all others an address may have so many verified as the time for it allows.
Verifier::Signature Verifier::signature_of(const Key& key, std::string_view credential, const Asker& asker) const {
  const GoodTokens::Digest digest = GoodTokens::digest_of(credential);
  if (good_.knows(digest, key.identity())) {
    counts_.known_good.fetch_add(1, std::memory_order_relaxed);
    return Signature::Right;
  }
  if (verifying_.is_over(asker.address)) return Signature::Busy;
  const auto now = options_.thread_time != nullptr ? options_.thread_time : thread_time;
  const std::chrono::nanoseconds begun = now();
  const bool is_right = key.verifies(credential);
  const std::chrono::nanoseconds took = now() - begun;
  verifying_.add(asker.address, static_cast<double>(took.count()) / 1e3);
  counts_.signatures.fetch_add(1, std::memory_order_relaxed);
  counts_.verify_nanoseconds.fetch_add(static_cast<uint64_t>(took.count()), std::memory_order_relaxed);
  if (!is_right) return Signature::Wrong;
  good_.add(digest, key.identity());
  return Signature::Right;
}

// It names no issuer: whose secret verifies it made it.
Verdict Verifier::judge_legacy(const Jwt& token, const db::JsonNode& claims, std::string_view credential,
                               std::string_view space, const Asker& asker) const {
  if (token.algorithm != name_of(Algorithm::HS256)) {
    return refuse(Reason::Algorithm, "A legacy auth token must be signed with HS256, by a secret.");
  }
  for (const auto& [name, one] : known_) {
    if (one.issuer.shape != Shape::Plain || !one.issuer.secret) continue;
    const Signature signature = signature_of(*one.issuer.secret, credential, asker);
    if (signature == Signature::Busy) return busy();
    if (signature == Signature::Right) return judge_claims(one.issuer, claims, space, clock_.now());
  }
  return refuse(Reason::Signature, "Auth token has a wrong signature.");
}

db::Result<rules::Auth> Verifier::conclude(Verdict verdict, std::string_view space, const Asker& asker) const {
  if (auto* accepted = std::get_if<Accepted>(&verdict); accepted != nullptr && !accepted->uid.empty()) {
    if (accepted->auth.kind == rules::Auth::Kind::User) {
      accepted->auth.name = accepted->uid;
      accepted->auth.issued = accepted->issued;
    }
    if (guard_.is_revoked(space, accepted->uid, accepted->issued)) {
      verdict = refuse(Reason::Revoked, "Auth token was revoked: its user has been signed out since.");
    }
  }
  if (auto* refused = std::get_if<Refused>(&verdict)) {
    if (is_guess(refused->reason) && guesses_.is_over(asker.address)) {
      *refused = {Reason::Blocked,
                  {ErrorCode::Unavailable, "Too many wrong credentials came from this address; try again in a minute."}};
    }
    count_failure(refused->reason, asker);
    return refused->error;
  }
  counts_.accepted.fetch_add(1, std::memory_order_relaxed);
  return std::move(std::get<Accepted>(verdict).auth);
}

void Verifier::count_failure(Reason reason, const Asker& asker) const {
  counts_.refused[static_cast<size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
  if (is_guess(reason)) guesses_.add(asker.address);
  if (options_.on_slowed && reason == Reason::Blocked) options_.on_slowed(Slowed::Guessing, asker.address);
  if (options_.on_slowed && reason == Reason::Busy) options_.on_slowed(Slowed::Verifying, asker.address);
  if (!asker.is_behind_proxy || has_told_of_proxy_.load(std::memory_order_relaxed)) return;
  proxied_.add(asker.address);
  if (!proxied_.is_over(asker.address) || has_told_of_proxy_.exchange(true)) return;
  if (options_.on_unnamed_proxy) options_.on_unnamed_proxy(asker.address);
}

// Of the issuer that it names; null: there is nothing to be fetched.
std::shared_ptr<KeySource> Verifier::source_of(std::string_view credential) const {
  const db::Result<Jwt> token = decode_jwt(credential);
  if (!token.ok()) return nullptr;
  const auto document = db::JsonDocument::parse(token.value().claims);
  const auto named = document.ok() ? document.value().root().field("iss") : std::nullopt;
  if (!named || !named->string()) return nullptr;
  const std::shared_lock lock(mutex_);
  const auto found = known_.find(*named->string());
  return found != known_.end() ? found->second.source : nullptr;
}

db::Error foreign_owner() {
  return {db::ErrorCode::InvalidToken, "`owner` is believed from this machine's own pages, and from programs, alone."};
}

db::Error owner_by_name() {
  return {db::ErrorCode::InvalidToken,
          "`owner` is believed by an IP address or localhost alone, as any other name may be a web site's: if it is this "
          "server's, start it with --dev-host NAME (or HEARTH_DEV_HOST)."};
}

db::Result<rules::Auth> act_as(rules::Auth proven, std::string_view variable) {
  const auto document = db::JsonDocument::parse(variable);
  const bool usable = document.ok() && (document.value().root().is_null() || document.value().root().is_object());
  if (!usable) return Error{ErrorCode::InvalidArgument, "An auth variable must be an object or null."};
  if (proven.kind != rules::Auth::Kind::Admin) return proven;
  if (document.value().root().is_null()) return rules::Auth{};
  return rules::Auth{rules::Auth::Kind::User, document.value().root().to_text(), proven.expires};
}

}  // namespace hearth::net
