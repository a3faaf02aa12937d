// Where the keys of an issuer come from: a file or a URL, read now and again by a thread of its own, so that keys may
// be replaced while the server runs.
//
//   keys()      the keys that are known now, at once: a token whose key is among them never waits
//   refresh()   for a token whose key is not: the outcome of the one fetch that is under way or begins now
//
// A source that fails keeps its last keys for `age_max`. There is one fetch at a time. Fetches that tokens ask for
// are at least `demand_interval` apart. Thread: any; refresh()'s callbacks are called on its own thread, or at once.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "db/base/result.h"
#include "net/auth/key_set.h"

namespace hearth::net {

struct Fetched {
  std::string body;
  std::chrono::milliseconds max_age{0};  // as the answer says; 0: it says nothing
};
// Reads a file or asks a URL; blocks, for kFetchTimeMax at most, and gives up soon once `stop` is set. Errors: any.
using Fetch = std::function<db::Result<Fetched>(const std::string& location, const std::atomic<bool>& stop)>;

inline constexpr std::chrono::seconds kFetchTimeMax{5};  // also the time that an unknown key id can take
inline constexpr size_t kKeyWaitersMax = 1000;           // requests that wait for one fetch

class KeySource {
 public:
  struct Times {
    std::chrono::milliseconds lifetime_min{std::chrono::minutes(1)};  // of keys until they are fetched again,
    std::chrono::milliseconds lifetime_max{std::chrono::hours(6)};    // whatever the answer says; a tenth ahead of that
    std::chrono::milliseconds lifetime{std::chrono::minutes(10)};     // when it says nothing
    std::chrono::milliseconds retry_min{std::chrono::seconds(2)};     // after a failure, doubled each time
    std::chrono::milliseconds retry_max{std::chrono::minutes(1)};
    std::chrono::milliseconds demand_interval{std::chrono::seconds(10)};
    std::chrono::milliseconds age_max{std::chrono::hours(24)};  // of keys that could not be fetched again
  };

  // Told the outcome, for the log, on the source's own thread: "" when keys came after a failure, else why no keys
  // came.
  using OnFetched = std::function<void(const std::string& location, const std::string& failure)>;

  // Fetches at once.
  KeySource(std::string location, Fetch fetch, Times times, OnFetched on_fetched = {});
  ~KeySource();  // callbacks that wait are told Unavailable
  KeySource(const KeySource&) = delete;
  KeySource& operator=(const KeySource&) = delete;

  // Null: there are none, or they are too old.
  std::shared_ptr<const KeySet> keys() const;

  // The error is the last fetch's, when it failed. Ok: keys() is as new as may be asked for.
  using Done = std::function<void(db::Result<void>)>;
  void refresh(Done done);

  uint64_t fetches() const { return fetches_.load(std::memory_order_relaxed); }  // begun

 private:
  using Time = std::chrono::steady_clock::time_point;

  void run();
  void conclude(db::Result<Fetched> fetched);

  const std::string location_;
  const Fetch fetch_;
  const Times times_;
  const OnFetched on_fetched_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> fetches_ = 0;
  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::shared_ptr<const KeySet> keys_;
  Time fetched_at_{};  // keys_
  Time due_{};         // the next fetch
  Time begun_at_{};    // the last one
  std::chrono::milliseconds retry_{0};
  bool is_fetching_ = true;
  db::Result<void> last_;
  std::vector<Done> waiting_;
  std::thread thread_;
};

// A Fetch for files. Errors: Io.
db::Result<Fetched> fetch_file(const std::string& path);

}  // namespace hearth::net
