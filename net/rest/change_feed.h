// GET /.changes: what happened in a namespace, for admins, from the log (db/read/changes.h).
//
//   GET /.changes?since=ID&path=/a            JSON lines: what there is, then {"next":ID}; with wait=25s, once there is something
//   the same with Accept: text/event-stream   a stream that goes on; comes back with Last-Event-ID
//
//   line  := {"id":ID,"time":ms[,"by":uid],"changes":[place,…]} LF
//   place := {"path":"/a/b","value":…} | {"path":"/a/b/.priority","value":…} | {"path":"/a","restored":true}
//          | {"path":"/a","purged":true}                with before=true each, but the last: …,"before":value, where known
//
// An id that is not known any more is answered 410; a stream whose reader fell behind the log hears `event: gone` and ends.
// Thread: the home io thread of its connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "db/model/change.h"
#include "net/http/exchange.h"
#include "net/http/stream.h"
#include "net/io/io_pool.h"
#include "net/io/waker.h"
#include "net/rest/event_stream.h"
#include "net/rest/request.h"
#include "rules/guard.h"

namespace hearth::net::rest {

inline constexpr size_t kFeedBacklogBytes = 4u << 20;  // of one reader; above, the next page waits

// One change as a line without its end. Pure.
std::string change_line(const db::Change& change);

// Begins a line of JSON: {"id":ID,"time":ms[,"by":uid]
void append_commit(std::string_view id, db::Timestamp time, std::string_view by, std::string& to);

class ChangeFeed final : public std::enable_shared_from_this<ChangeFeed> {
 public:
  // `space`: a name as the guard resolved it.
  static void start(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request,
                    const std::string& space, rules::Auth auth);

  ChangeFeed(const Surroundings& with, std::shared_ptr<http::Exchange> exchange, RestRequest request, std::string space,
             rules::Auth auth);
  ~ChangeFeed();

 private:
  void begin();
  void ask();
  void take(db::Result<db::ChangesPage> page);
  bool is_expired() const;
  void tell(const db::ChangesPage& page);
  void go_on(const db::ChangesPage& page);
  void await_more(uint64_t sequence);
  void pump();
  void open();
  void refuse(const db::Error& error);
  void finish();
  void keep_alive();
  void on_closed();

  const Surroundings with_;
  const RestRequest request_;
  const std::string space_;
  const rules::Auth auth_;
  std::shared_ptr<http::Exchange> exchange_;  // until it is answered
  const size_t thread_;
  std::shared_ptr<http::Waker> waker_;
  std::unique_ptr<rules::Session> session_;  // null before begin and after the end
  std::shared_ptr<http::Stream> stream_;     // null before open and after the end
  uint64_t held_ = 0;                        // by PendingAnswers, until there is a stream
  std::string next_;                         // the id to go on with
  std::string told_;                         // the last id that a stream's client knows
  bool is_over_ = false;                     // `wait` has passed
  http::Timer next_keep_alive_;
  http::Timer later_;
  http::Timer over_;
};

}  // namespace hearth::net::rest
