// Who brings this credential? Decided without waiting, within a budget that no stranger can use up for others.
//
//   credential ─▶ judge ─┬─ `owner` in development, the admin secret ───────────────▶ Accepted
//                        ├─ `sb_…`, a project's key ─ known? ────────────────────────▶ Accepted; else Refused: a guess
//                        ├─ no token at all ────────────────────────────────────────▶ Refused: a guess
//                        ├─ alg "none" ─ development: believe_claims; else ─────────▶ Refused: a guess
//                        └─ signed ─▶ issuer by iss ─▶ key by kid ─▶ signature_of ──▶ judge_claims
//                                                       │             ├ verified before (good_): costs a SHA-256
//                                                       │             ├ the address has no time left: Busy
//                                                       │             └ verified now; the time is counted
//                                                       └ not known: nothing is returned; verify_late() asks
//   verdict ─▶ conclude ─▶ signed out? guesses too often? counted ─▶ rules::Auth or Error
//
// The key decides, not the token. Its issuer's configuration gives the key, and the key its one algorithm; what a
// token's header offers (another algorithm, a key of its own) is compared or not read at all. The usual attacks on
// tokens ask a verifier to believe the header.
//
// The budget. A signature costs 20 to 60 µs of an io thread, and anybody can send tokens with the right `kid` and a
// wrong signature. Locking an address out would lock out all clients behind one NAT. So an address has thread time:
// verify_time_max in each second, ten seconds' worth at once. When it is used up, new tokens hear Busy and may try
// again; tokens that were verified before go on, since good_ knows them. A wrong signature is never remembered, for
// the next one may be right. Guesses at secrets have a count of their own (guesses_): past it wrong ones hear "too
// often", right ones are still right.
//
// verify_late() judges up to three times: before it was called, after the fetch, and at last (Last::Yes) with "no
// such key" as an answer. If the fetch failed, the answer is Unavailable and not a refusal: the key may be among
// those we could not get.
//
// Locks: mutex_ is shared while a token is judged, and exclusive for the moment in which replace() puts in a new map.
// Sources that are not used any more are destroyed after that, since their threads may have to give up a fetch.
#include "net/auth/verifier.h"

#include <time.h>

#include <mutex>
#include <utility>

#include "db/base/text.h"
#include "db/model/json.h"
#include "rules/guard.h"

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;

db::Result<Fetched> fetch_from_file(const std::string& path, const std::atomic<bool>&) { return fetch_file(path); }

// CPU time of this thread: time in which others had the core must not be charged to the address.
std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double microseconds(std::chrono::milliseconds time) { return static_cast<double>(time.count()) * 1e3; }

// Whether a refusal counts as a guess at a secret. A token that somebody once signed is no guess, also if it is out
// of date.
bool is_guess(Reason reason) { return reason == Reason::Malformed || reason == Reason::Unsigned; }

// Whether a refused credential is nobody's instead, as any key is in development. What is past its time, and what could not
// be looked at, is refused there too.
bool is_forgiven(const Refused& refused, const Asker& asker) {
  return asker.any_key && refused.error.code == ErrorCode::InvalidToken && refused.reason != Reason::Revoked;
}

Refused busy() {
  return {
      Reason::Busy,
      {ErrorCode::Unavailable, "Too many new auth tokens of this address had to be verified; try again in a second."}};
}

}  // namespace

Verifier::Verifier(const rules::Guard& guard) : Verifier(guard, Options()) {}

Verifier::Verifier(const rules::Guard& guard, Options options)
    : guard_(guard),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock_),
      steady_(options_.clock != nullptr ? *options_.clock : steady_clock_),
      guesses_(static_cast<double>(options_.failed_logins_per_minute),
               static_cast<double>(options_.failed_logins_per_minute), steady_),
      verifying_(60 * microseconds(options_.verify_time_max),
                 kVerifySecondsAtOnce * microseconds(options_.verify_time_max), steady_),
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
  // `next` holds the old map, whose sources end here, without the lock: each waits until its fetch gives up.
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
    // The fetch failed, so nobody can say that this key does not exist.
    if (!verdict && !fetched.ok()) verdict = Refused{Reason::Unavailable, fetched.error()};
    if (!verdict) verdict = judge(credential, space, asker, Last::Yes);
    done(conclude(std::move(*verdict), space, asker));
  };
  if (source == nullptr) return again({});
  source->refresh(again);
}

// Nothing: the token's key is not known. The cheap questions come first; a signature is looked at last, when all else
// fits.
std::optional<Verdict> Verifier::judge(std::string_view credential, std::string_view space, const Asker& asker,
                                       Last last) const {
  if (guard_.dev() && credential == kOwner && asker.dev_roles == DevRoles::Unread)
    return Accepted{rules::Auth::admin(std::string(kOwner))};
  if (!credential.empty() && guard_.is_admin_secret(credential)) {
    return Accepted{rules::Auth::admin("the admin secret")};
  }
  if (credential.starts_with(kProjectKeyStart)) return judge_project_key(credential, space);

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
  if (!token.is_unsigned() && !(guard_.dev() && known_.empty()))
    return judge_signed(token, credential, space, asker, last);
  const auto document = db::JsonDocument::parse(token.claims);
  if (!document.ok()) return Refused{Reason::Malformed, document.error()};
  return believe_claims(document.value().root(), asker.dev_roles);
}

std::optional<Verdict> Verifier::judge_signed(const Jwt& token, std::string_view credential, std::string_view space,
                                              const Asker& asker, Last last) const {
  if (known_.empty()) {
    return refuse(Reason::Issuer, "This server verifies no signed auth tokens: it was started without --auth-config.");
  }
  if (token.is_ambiguous) return refuse(Reason::Malformed, "Auth token says something twice.");
  // RFC 7515 §4.1.11: extensions that a token names as critical must be understood. We know none.
  if (token.has_critical)
    return refuse(Reason::Malformed, "Auth token needs extensions (crit) that are not known here.");
  const auto document = db::JsonDocument::parse(token.claims);
  if (!document.ok()) return Refused{Reason::Malformed, document.error()};
  const db::JsonNode claims = document.value().root();
  const auto named = claims.field("iss");
  if (!named && is_legacy(claims)) return judge_legacy(token, claims, credential, space, asker);
  const auto found = named && named->string() ? known_.find(*named->string()) : known_.end();
  if (found == known_.end() && named && named->string() && is_of_project_key(*named->string()))
    return judge_project_token(token, claims, credential, space, asker);
  if (found == known_.end()) return refuse(Reason::Issuer, "Auth token is of an issuer (iss) that is not known here.");
  const auto& [issuer, source] = found->second;

  std::shared_ptr<const KeySet> published;  // holds what `key` points to
  const Key* key = nullptr;
  if (issuer.secret && (source == nullptr || token.algorithm == name_of(Algorithm::HS256))) {
    key = &*issuer.secret;
  } else {
    published = source->keys();
    if (published != nullptr) key = published->find(token.key_id);
    // The issuer may have published this key since the last fetch. A token without a key id means the only key there
    // is; a new fetch would change nothing for it.
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

// A token that this key has verified before is right. All others are verified while the address has time left.
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

// A legacy token names no issuer. The issuer whose secret verifies it has made it; each try costs the address time.
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

// All projects' old keys have one issuer, so the project whose secret verifies it has made it. Of two projects with one
// secret, which differ in their namespaces, each has made it.
Verdict Verifier::judge_project_token(const Jwt& token, const db::JsonNode& claims, std::string_view credential,
                                      std::string_view space, const Asker& asker) const {
  if (token.algorithm != name_of(Algorithm::HS256)) {
    return refuse(Reason::Algorithm, "A key of a Supabase project must be signed with HS256, by its secret.");
  }
  Refused refused = refuse(Reason::Signature, "Auth token has a wrong signature.");
  for (const auto& [name, one] : known_) {
    if (one.issuer.shape != Shape::Supabase || !one.issuer.secret) continue;
    const Signature signature = signature_of(*one.issuer.secret, credential, asker);
    if (signature == Signature::Busy) return busy();
    if (signature == Signature::Wrong) continue;
    Verdict verdict = judge_claims(one.issuer, claims, space, clock_.now());
    const auto* const why = std::get_if<Refused>(&verdict);
    if (why == nullptr || why->reason != Reason::Namespace) return verdict;
    refused = *why;
  }
  return refused;
}

// Every key that is known is compared with, whichever of them fits: how long it takes tells nothing of them. Digests
// are compared, so that it tells nothing of their beginnings either.
Verdict Verifier::judge_project_key(std::string_view key, std::string_view space) const {
  const GoodTokens::Digest digest = GoodTokens::digest_of(key);
  const auto text = [](const GoodTokens::Digest& bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const std::shared_lock lock(mutex_);
  std::optional<Verdict> verdict;
  for (const auto& [name, one] : known_) {
    for (const ProjectKey& known : one.issuer.project_keys) {
      if (db::equal_in_constant_time(text(known.digest), text(digest))) verdict = bearer_of(one.issuer, known, space);
    }
  }
  if (verdict) return std::move(*verdict);
  return refuse(Reason::Malformed, "This key (apikey) is not known here.");
}

// Asks last whether the user has been signed out, so that every way to be accepted leads through that question.
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
  if (const auto* refused = std::get_if<Refused>(&verdict); refused != nullptr && guard_.dev()) {
    if (is_forgiven(*refused, asker)) verdict = Accepted{rules::Auth{}};
  }
  if (auto* refused = std::get_if<Refused>(&verdict)) {
    if (is_guess(refused->reason) && guesses_.is_over(asker.address)) {
      *refused = {
          Reason::Blocked,
          {ErrorCode::Unavailable, "Too many wrong credentials came from this address; try again in a minute."}};
    }
    count_failure(refused->reason, asker);
    if (guard_.activity().is_on()) {
      rules::ActivityEntry entry;
      entry.time = clock_.now();
      entry.space = space;
      entry.peer = asker.address;
      entry.kind = rules::ActivityEntry::Kind::SignIn;
      guard_.activity().add(std::move(entry), refused->error);
    }
    return refused->error;
  }
  counts_.accepted.fetch_add(1, std::memory_order_relaxed);
  return std::move(std::get<Accepted>(verdict).auth);
}

// Failures behind a proxy that is not trusted all count for the proxy's address. The operator is told once to name
// the proxy.
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

// The key source of the issuer that the token names; null: there is nothing to be fetched. Nothing is verified yet,
// so the name only chooses among sources that are configured.
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
  return {
      db::ErrorCode::InvalidToken,
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
