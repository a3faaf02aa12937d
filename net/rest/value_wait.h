// A GET that waits for news: `?wait=25s` with `If-None-Match` is answered when the value has another ETag, or with
// 304 when the time is over. It is a plain long poll, for clients that have neither WebSockets nor event streams.
// Thread: its exchange's home.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "db/model/event.h"
#include "net/http/exchange.h"
#include "net/io/io_pool.h"
#include "net/io/waker.h"
#include "net/rest/event_stream.h"
#include "net/rest/request.h"
#include "rules/guard.h"

namespace hearth::net::rest {

class ValueWait final : public std::enable_shared_from_this<ValueWait> {
 public:
  // Told the answer: a read with another hash, a refusal, or an answer with the client's own hash when nothing is new.
  using Tell = std::function<void(db::Answer)>;

  // `request` has `wait` and `if_none_match`; `read` is what it asks for. `tell` is called once, on any thread.
  static void start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, const RestRequest& request,
                    db::Read read, const std::string& space, rules::Auth auth, Tell tell);

  ValueWait(const Surroundings& with, const http::Exchange& exchange, const RestRequest& request, db::Read read,
            Tell tell);
  ~ValueWait();

 private:
  void begin(const std::string& space, rules::Auth auth);
  void pump();
  void take(db::Item&& item);
  void look();
  void finish(db::Answer answer);
  void finish_unchanged();

  const Surroundings with_;
  const size_t thread_;
  const uint64_t connection_;  // its number
  const RestRequest request_;
  const db::Read read_;
  const Tell tell_;
  std::shared_ptr<http::Waker> waker_;
  std::unique_ptr<rules::Session> session_;  // null before begin and after the end
  uint64_t held_ = 0;                        // by `waiting`, until the end
  http::Timer over_;
  bool is_looking_ = false;
  bool is_stale_ = false;  // the value changed while it was read
};

}  // namespace hearth::net::rest
