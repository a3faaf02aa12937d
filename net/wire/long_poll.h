// A dialogue by long polling, for browsers where no WebSocket gets through (net/wire/protocol.md §10): the client asks
// again and again, and is answered when there is something to hear.
//
//   pieces of messages ─▶ SegmentReader ─▶ Dialogue
//   the oldest poll's answer ◀─ what waits ◀─ Dialogue
//
// Requests of a session come on many connections and threads. They are posted to its home, the thread of the request
// that began it. A client may change over to a WebSocket (socket.h): all that it said by polls is handled before what
// it says there, and all that it shall hear by polls is on its way, with a last `n`, before the dialogue moves to the
// WebSocket's thread. The head of long_poll.cc draws both.
//
// Thread: its home, all but id().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/http/exchange.h"
#include "net/io/half_received.h"
#include "net/wire/dialogue.h"
#include "net/wire/poll_request.h"
#include "net/wire/poll_text.h"
#include "net/wire/segments.h"

namespace hearth::net::wire {

// An idle poll is answered before the client asks anew, which it does after 25 s. SDK: KEEPALIVE_REQUEST_INTERVAL.
inline constexpr std::chrono::seconds kPollTime{18};
// Without a poll that waits, the client counts as gone. A browser that is frozen, or left without a word, is known in 43 s.
inline constexpr std::chrono::seconds kPollAbsenceMax{25};
inline constexpr size_t kPollsHeldMax = 2;    // when so many wait, the oldest one is answered
inline constexpr size_t kPollsUnreadMax = 8;  // while its dialogue is behind; a client with more of them is cut off

class LongPoll final : public Transport, public std::enable_shared_from_this<LongPoll> {
 public:
  // Takes the dialogue over. Called once, on this poll's thread.
  using Taker = std::function<void(std::shared_ptr<Dialogue>)>;

  LongPoll(const Surroundings& with, size_t thread, std::function<void(const std::string& id)> on_end);
  ~LongPoll() override;

  // Begins, and answers `exchange`. Returns false when the session is over already; the answer says why.
  bool start(const std::shared_ptr<http::Exchange>& exchange, const PollRequest& request);
  const std::string& id() const { return id_; }
  const std::string& space() const { return space_; }

  void on_poll(std::shared_ptr<http::Exchange> exchange, PollRequest request);

  // A second transport wants to take over. Returns false when there is one already, or the client is gone.
  bool attach(Taker taker);
  void detach();  // the second transport is gone

  // The client is gone, or is sent away.
  void end();

  bool is_full() const override { return waiting_bytes_ > with_.backlog_bytes_pause; }
  void send(const Outgoing& message) override { add(script_bytes(message, with_.serialised)); }
  void send(db::SharedBytes made) override { add(std::move(made)); }
  Make maker() const override { return script_bytes; }
  void flush() override;
  void hold_back(bool held) override;
  void on_sent_all() override;
  void on_end_of_transmission() override;
  void close() override { end(); }

 private:
  // What is held of a message that is not whole, and of requests that wait to be read.
  struct Unfinished {
    http::HalfReceived::Share share;
    http::LeastPace pace;
    http::Timer timer{};
  };

  void add(db::SharedBytes message);
  bool watch_unfinished(size_t bytes_come);
  void check_pace();
  void give_up(http::HalfReceived::Refusal why);
  void read(PollRequest& request);
  void hold(std::shared_ptr<http::Exchange> exchange);
  void answer_oldest();
  void change_over();
  void watch();

  const Surroundings& with_;
  const size_t thread_;
  const std::function<void(const std::string&)> on_end_;
  std::string id_;
  std::string password_;
  std::string space_;
  std::shared_ptr<Dialogue> dialogue_;  // null when it has moved, or is over
  SegmentReader segments_;
  http::HalfReceived::Owner owner_;
  std::unique_ptr<Unfinished> unfinished_;  // null: there is none
  size_t unread_bytes_ = 0;
  std::deque<std::shared_ptr<http::Exchange>> polls_;                           // that wait, oldest first
  std::deque<std::pair<std::shared_ptr<http::Exchange>, PollRequest>> unread_;  // while it is behind
  std::vector<db::SharedBytes> waiting_;                                        // messages, for the next answer
  size_t waiting_bytes_ = 0;
  uint64_t next_number_ = 1;  // of the next answer; 0 was the start's
  uint64_t last_serial_ = 0;
  Taker taker_;
  http::Timer timer_;
  bool is_held_back_ = false;
  bool has_moved_ = false;     // the dialogue, to taker_; the client only has to hear the last answer
  bool says_no_more_ = false;  // the client, by polls
  bool is_over_ = false;
};

}  // namespace hearth::net::wire
