// The long polls of a server, by the id that their clients send. Thread: any, but for clear().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "net/http/exchange.h"
#include "net/wire/dialogue.h"
#include "net/wire/poll_request.h"

namespace hearth::net::wire {

class LongPoll;

class Polls {
 public:
  // `with` outlives the polls.
  explicit Polls(const Surroundings& with) : with_(with) {}
  ~Polls() { clear(); }
  Polls(const Polls&) = delete;
  Polls& operator=(const Polls&) = delete;

  // A request for `/.lp`, on the exchange's home thread. It is answered, now or later.
  void handle(const std::shared_ptr<http::Exchange>& exchange);

  // The home of a session that began by long polling.
  struct Place {
    size_t thread;
    std::shared_ptr<LongPoll> poll;  // called on that thread
  };
  std::optional<Place> find(const std::string& id) const;

  struct Stats {
    uint64_t open = 0;
    uint64_t opened = 0;  // ever
  };
  Stats stats() const;

  // Ends all of them. No io thread runs.
  void clear();

 private:
  void start(const std::shared_ptr<http::Exchange>& exchange, const PollRequest& request);

  const Surroundings& with_;
  mutable std::mutex mutex_;  // Guards what is below.
  std::unordered_map<std::string, Place> places_;
  uint64_t opened_ = 0;
};

}  // namespace hearth::net::wire
