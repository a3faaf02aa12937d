// One client's stream of server-sent events: a listener of its own session, told over an HTTP answer without an end.
//
//   request ─▶ Session::listen ─▶ its answer: refused ─▶ 401 as to any read
//                                             allowed ─▶ 200, put /
//   wake (any thread) ─▶ pump ─▶ [worker: large data as text] ─▶ Stream
//
// The stream ends when the client goes, when its right to read is revoked (`cancel`) or its credential expires
// (`auth_revoked`). How a client comes back with Last-Event-ID is told at the head of event_stream.cc.
// Thread: the home io thread of its connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/thread_pool.h"
#include "net/http/exchange.h"
#include "net/http/pending_answers.h"
#include "net/http/stream.h"
#include "net/io/io_pool.h"
#include "net/io/waker.h"
#include "net/rest/request.h"
#include "rules/guard.h"

namespace hearth::net::rest {

inline constexpr size_t kInlineBytesMax = 64u << 10;  // workers parse and serialise what is larger

// What all requests of a server share. Outlives the requests.
struct Surroundings {
  rules::Guard& guard;
  http::IoPool& io;
  db::ThreadPool& workers;
  const db::Clock& clock;
  http::PendingAnswers& waiting;
  std::chrono::milliseconds keep_alive;  // between two keep-alive events
  db::Counter* serialised = nullptr;     // counts events that were turned into text; null: nobody counts
};

class EventStream final : public std::enable_shared_from_this<EventStream> {
 public:
  // Answers `exchange` with a stream, or with the reason why there is none. `space`: a name as the guard resolved it.
  static void start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request,
                    const std::string& space, rules::Auth auth);

  EventStream(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request);
  ~EventStream();

 private:
  void begin(const std::string& space, rules::Auth auth);
  void pump();
  void tell_queued();
  void encode(const std::shared_ptr<const db::Body>& body);
  void take(const db::Item& item);
  void refuse(const db::Error& error);
  void open();
  void tell(const std::shared_ptr<const db::Body>& whole, uint64_t sequence);
  void watch_expiry();
  void keep_alive();
  void end(std::string_view last_words);
  void on_closed();

  const Surroundings with_;
  const RestRequest request_;
  std::shared_ptr<http::Exchange> exchange_;  // until it is answered
  const size_t thread_;
  std::shared_ptr<http::Waker> waker_;
  std::unique_ptr<rules::Session> session_;  // null before begin and after the end
  std::shared_ptr<http::Stream> stream_;     // null before open and after the end
  uint64_t held_ = 0;           // the number under which PendingAnswers holds this, until there is a stream
  std::deque<db::Item> queue_;  // items that wait, the first perhaps for a worker to make its text
  std::shared_ptr<const db::Body> encoded_;  // the body whose text a worker has just made
  db::Lease lease_;                          // of a large first value, until it is read
  bool is_encoding_ = false;
  http::Timer next_keep_alive_;
  http::Timer expiry_;
};

}  // namespace hearth::net::rest
