// HTTP/1.1 on one connection: one request after the other, each with its answer. Thread: the connection's home.
//
//            whole request        answer(): all of it is in the outbox
//   Reading ───────────────▶ Busy ─────────────────────────────────────────▶ Reading; or Over: the connection closes
//      ▲ held_                ├─ answer_long() ──▶ LongAnswer ─ last piece ─▶
//      │                      ├─ answer_stream() ▶ Streaming ── end_stream() ▶
//      │                      ├─ answer_passed() ▶ Passing ─── end_passing() ▶
//   bytes that come meanwhile └─ answer_websocket() ▶ Over: a WebSocketSession takes the connection;
//                                                        or hand_over(): another protocol does
//
// One request is out at a time. Pipelined requests wait in held_ until the one before is answered, so they take
// effect in the order sent, and answers need no queue. Beyond 64 kB of them the connection is not read any more.
//
// Who holds what: the connection owns the session (connection.cc). The Exchange that a handler was given, and the
// Stream that became of it, hold the session weakly: they may outlive the client by minutes, and their calls are then
// no-ops. A handler may answer at once, within dispatch(), or later from any thread; is_reading_ tells the two apart,
// so that read() goes on in its own loop and is not entered twice.
//
// A request that asks for another thread takes its connection along (move_to): the session ends here, and one there begins
// as Busy with that request.
//
// Long bodies are made by a worker, a piece at a time and never two at once: pull() asks for the next piece when less
// than backlog_bytes_ahead waits. So a download of any size costs about a megabyte, and a client that does not read
// stops its source.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "net/http/exchange.h"
#include "net/http/gzip.h"
#include "net/http/origin.h"
#include "net/http/passed_answer.h"
#include "net/http/request_reader.h"
#include "net/http/response_head.h"
#include "net/io/connection.h"
#include "net/io/half_received.h"
#include "net/websocket/session.h"

namespace hearth::net::http {

class HttpStream;

// What the requests of a port are for. Outlives its sessions; nothing in it changes.
struct HttpService {
  Handler handler;
  HostNames host_names;  // of this machine
};

class HttpSession : public Protocol, public Timed, public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(Connection& connection, const HttpService& service);
  ~HttpSession() override;

  const char* kind() const override {
    return phase_ == Phase::Streaming ? "event stream" : phase_ == Phase::Passing ? "relayed HTTP" : "HTTP";
  }
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_sent() override;
  void on_drained() override {
    if (phase_ == Phase::Reading && !is_reading_) read_held();
    if (const auto source = source_) source->on_drained();
  }
  void on_server_closing() override;
  void on_gone() override;

  // The exchange that is being answered calls one of these, once. They do nothing when the client has gone.
  void answer(Response&& response);
  void answer_long(Response&& head, ChunkSource&& source);
  void set_on_leaving(std::function<void(Leaving)>&& on_leaving);
  // Null when the client has gone.
  std::shared_ptr<HttpStream> answer_stream(int status, const Headers& headers);
  std::shared_ptr<WebSocket> answer_websocket(std::string_view key, std::shared_ptr<WebSocketHandler> handler,
                                              const WebSocketOptions& options);
  std::shared_ptr<PassedAnswer> answer_passed(int status, const Headers& headers, std::shared_ptr<AnswerSource> source);
  // False when the client has gone.
  bool hand_over(std::string&& head, const MakeProtocol& make);

  // The request that is being answered is given to `then`, on that thread if the connection can move there, else here. Not
  // from within this call. Nothing is when the client has gone.
  void move_to(size_t thread, Request&& request, Handler&& then);

  // Says in a word or two what the request does that is being answered, for the log of slow requests. A literal.
  void set_deed(const char* deed) { deed_ = deed; }

  // For the stream.
  template <typename Bytes>
  void send_piece(Bytes&& bytes) {
    if (phase_ != Phase::Streaming) return;
    if constexpr (std::is_convertible_v<Bytes, std::string_view>) {
      if (bytes.size() <= kSmallChunkBytes) return send_small_chunk(bytes);
    }
    send_chunk(std::forward<Bytes>(bytes));
  }
  void end_stream();
  // For the passed answer.
  void pass(std::string_view bytes);
  void end_passing();
  void cut_passing();
  bool is_behind() const { return connection_ != nullptr && connection_->is_behind(); }

  size_t backlog_bytes() const { return connection_ == nullptr ? 0 : connection_->backlog_bytes(); }

 private:
  struct LongBody;
  static constexpr size_t kSmallChunkBytes = 8u << 10;

  // Reading: between requests or within one. Busy: a request is being inflated or handled, or its answer compressed.
  enum class Phase : unsigned char { Reading, Busy, LongAnswer, Streaming, Passing, Over };

  struct Moved;
  void move(size_t thread, const std::shared_ptr<Moved>& moved);
  static void arrive(Connection& connection, const HttpService& service, const std::shared_ptr<Moved>& moved);

  void read(std::string_view bytes);
  void read_held();
  bool on_head();
  void on_request();
  struct Inflating;
  void inflate(Request&& request, std::string coding);
  void on_inflated(const Inflating& done);
  void dispatch(Request&& request);
  void refuse(int status, std::string_view message, std::optional<Limit> limit = {});
  void refuse(HalfReceived::Refusal refusal);
  void keep(std::string_view bytes);
  std::optional<HalfReceived::Refusal> count_held();
  void give_up_on_body();

  bool wants_gzip(const Response& response, size_t body_bytes) const;
  void send_response(Response&& response, bool is_gzipped);
  void answered();
  void pull();
  void on_pulled(const std::shared_ptr<LongBody>& body, std::string&& chunk, Pull pulled);
  template <typename Bytes>
  void send_chunk(Bytes&& chunk);
  void send_small_chunk(std::string_view chunk);
  void send_end();
  Framing unknown_length() const { return is_http_1_0_ ? Framing::UntilClose : Framing::Chunked; }
  void on_deadline() override;
  void tell_leaving(Leaving who);
  void set_in_flight(bool is_in_flight);
  void count_answer(int status);
  void tell_if_slow(int status) const;

  Connection* connection_;  // null when it is gone
  IoLoop& loop_;
  const HttpService& service_;
  std::unique_ptr<RequestReader> reader_;  // null between requests
  std::string held_;                       // of requests to come
  Deadline deadline_;                      // for what the client must do next, or for a long answer as a whole
  std::shared_ptr<LongBody> long_body_;
  std::shared_ptr<HttpStream> stream_;
  std::shared_ptr<AnswerSource> source_;                      // of an answer that is passed on
  std::unique_ptr<std::function<void(Leaving)>> on_leaving_;  // of the exchange that is being answered
  std::shared_ptr<WebSocketSession> websocket_;               // until start() has given it the bytes behind the request
  HalfReceived::Share share_;                                 // of what has come, until it is answered
  size_t request_bytes_ = 0;                                  // of the request that is being answered
  LeastPace pace_;                                            // of a body
  size_t method_ = kCountedMethods.size() - 1;                // of the request; the last: not known
  IoLoop::Time asked_at_{};                                   // when the request that is being answered was whole
  const char* place_ = "";                                    // a kind of path (place_of), never the path itself
  const char* deed_ = "";
  Phase phase_ = Phase::Reading;
  bool waits_ = false;         // the request waits for something to happen, so a late answer is not slow
  bool is_reading_ = false;    // read() is on the stack
  bool has_ended_ = false;     // the client sends no more
  bool is_closing_ = false;    // the server is
  bool keep_alive_ = true;     // this and the next: of the request being answered
  bool is_in_flight_ = false;  // counted as being answered
  bool is_head_ = false;
  bool is_http_1_0_ = false;
  bool accepts_gzip_ = false;
};

// What Exchange::open_stream returns. Its user may keep it longer than the session lives.
class HttpStream : public Stream {
 public:
  // An expired `session` makes a stream that is closed from the start.
  HttpStream(IoLoop& loop, std::weak_ptr<HttpSession> session);

  void send(SharedBytes bytes) override;
  void send(std::string_view bytes) override;
  void close() override;
  bool is_closed() const override { return is_closed_; }
  size_t backlog_bytes() const override;
  void set_on_closed(std::function<void()> on_closed) override;

  // Called by the session when the answer is over.
  void closed();

 private:
  IoLoop& loop_;
  std::weak_ptr<HttpSession> session_;
  std::function<void()> on_closed_;
  bool is_closed_ = false;
};

}  // namespace hearth::net::http
