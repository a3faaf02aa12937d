// The published keys of an issuer, kept fresh by one thread.
//
//   fetch ────────────────── 9/10 of max-age, within limits ────────────────── fetch ─ fails ─ 2 s ─ 4 s ─ … 1 min
//     │                            ▲                                                     the last keys stay for age_max
//     └ keys_                      └ refresh(): a token names a key that is not in keys_
//                                    - a fetch is under way: waits for its outcome
//                                    - the last one began 10 s ago or more: one begins now
//                                    - else: the last outcome is the answer
//
// keys() never waits; tokens whose key is known are judged without any of this. An issuer that publishes a new key
// well before it signs with it is served by the scheduled fetches; refresh() is for those that do not.
//
// Anybody can invent key ids. demand_interval keeps such tokens from making us ask the issuer more than once in ten
// seconds, and kKeyWaitersMax bounds what waits for one fetch. All who wait share the outcome.
//
// The thread fetches without the lock. waiting_ is taken out under the lock and told after it, since callbacks judge
// tokens, and those call keys(). The destructor waits for the thread; `stop_` makes a fetch give up within a second.
#include "net/auth/key_source.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;
using std::chrono::steady_clock;

Error unavailable() {
  return {ErrorCode::Unavailable,
          "The keys that this auth token could be verified by can't be had now; try again soon."};
}

}  // namespace

KeySource::KeySource(std::string location, Fetch fetch, Times times, OnFetched on_fetched)
    : location_(std::move(location)),
      fetch_(std::move(fetch)),
      times_(times),
      on_fetched_(std::move(on_fetched)),
      begun_at_(steady_clock::now()),
      thread_([this] { run(); }) {}

KeySource::~KeySource() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
  for (const Done& done : std::exchange(waiting_, {})) done(unavailable());
}

std::shared_ptr<const KeySet> KeySource::keys() const {
  const std::lock_guard lock(mutex_);
  if (keys_ == nullptr || steady_clock::now() - fetched_at_ > times_.age_max) return nullptr;
  return keys_;
}

void KeySource::refresh(Done done) {
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= kKeyWaitersMax) {
    lock.unlock();
    return done(unavailable());
  }
  if (!is_fetching_ && steady_clock::now() < begun_at_ + times_.demand_interval) {
    // What is there is new enough. Tokens with made-up key ids do not make us ask the issuer again and again.
    const db::Result<void> last = last_;
    lock.unlock();
    return done(last);
  }
  waiting_.push_back(std::move(done));
  changed_.notify_all();
}

void KeySource::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    is_fetching_ = true;
    begun_at_ = steady_clock::now();
    fetches_.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    conclude(fetch_(location_, stop_));
    lock.lock();
    changed_.wait_until(lock, due_, [this] { return stop_ || !waiting_.empty(); });
  }
}

// A set that does not parse counts as a failed fetch: a web page of an outage must not replace good keys.
void KeySource::conclude(db::Result<Fetched> fetched) {
  db::Result<KeySet> set = fetched.ok() ? KeySet::parse(fetched.value().body) : fetched.error();
  std::vector<Done> waiting;
  bool is_news = false;
  {
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    const Time now = steady_clock::now();
    is_news = !set.ok() || !last_.ok();
    if (set.ok()) {
      keys_ = std::make_shared<const KeySet>(set.value());
      fetched_at_ = now;
      last_ = {};
      retry_ = std::chrono::milliseconds(0);
      const auto said = fetched.value().max_age.count() > 0 ? fetched.value().max_age : times_.lifetime;
      due_ = now + std::clamp(said, times_.lifetime_min, times_.lifetime_max) * 9 / 10;
    } else {
      last_ = unavailable();
      retry_ = std::clamp(retry_ * 2, times_.retry_min, times_.retry_max);
      due_ = now + retry_;
    }
    is_fetching_ = false;
    waiting = std::exchange(waiting_, {});
  }
  if (is_news && on_fetched_) on_fetched_(location_, set.ok() ? "" : set.error().message);
  for (const Done& done : waiting) done(set.ok() ? db::Result<void>() : unavailable());
}

db::Result<Fetched> fetch_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorCode::Io, "cannot read " + path};
  Fetched fetched;
  fetched.max_age = std::chrono::milliseconds(1);  // a file may be read as often as anything
  fetched.body.resize(kKeySetBytesMax + 1);
  file.read(fetched.body.data(), static_cast<std::streamsize>(fetched.body.size()));
  fetched.body.resize(static_cast<size_t>(file.gcount()));
  if (file.bad()) return Error{ErrorCode::Io, "cannot read " + path};
  return fetched;
}

}  // namespace hearth::net
