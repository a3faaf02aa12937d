// One request that waits for its answer. A handler answers it exactly once, from any thread; the destructor answers
// 500 if no handler did. Requests of a connection come one at a time: the next one is handed out when this one has
// been answered, so they take effect in order.
//
// Thread: request() belongs to the handler that was given the exchange; answers may come from any thread, unless it
// says
// otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "net/http/passed_answer.h"
#include "net/http/request.h"
#include "net/http/stream.h"
#include "net/io/protocol.h"
#include "net/websocket/websocket.h"

namespace hearth::net::http {

class HttpSession;
class IoPool;

// Where a long body comes from. Appends the next piece, some 64 kB to 1 MB, to `chunk`. Called on a worker thread,
// never twice at once, as the socket drains. Failed cuts the connection, so that the client sees that the body is not
// whole.
enum class Pull : unsigned char { More, Last, Failed };
using ChunkSource = std::function<Pull(std::string& chunk)>;

enum class Leaving : unsigned char { Client, Server };

class Exchange;

// Called on the connection's home thread with a request that is complete, its body included and inflated. Must not
// block. Bad requests never get here: they are answered with 4xx and {"error": "…"}.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  // For net/http itself.
  Exchange(IoPool& pool, size_t thread, std::weak_ptr<HttpSession> session, Request&& request);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Request& request() { return request_; }
  const Request& request() const { return request_; }

  // The io thread that is home to the connection, and to the Stream or WebSocket that may become of this.
  size_t thread() const { return thread_; }

  void respond(Response response);

  // A field of its own in whatever answer there is, but for a WebSocket's. Before the handler is given the exchange.
  void add_field(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

  // Home thread. Answers in the place of a handler that does not; what the handler says afterwards is not heard. False: there is
  // an answer already.
  bool give_up(Response response);

  // What happens instead of an answer with this status, once, on the home thread: the request was for somebody else, and
  // nothing was done. Set before the handler is given the exchange.
  static constexpr int kMisdirected = 421;
  void set_on_misdirected(std::function<void(const std::shared_ptr<Exchange>&)> again) {
    misdirected_ = std::move(again);
  }

  // Says in a word or two what the request does, for the log of slow requests. Home thread. `deed` is a literal: no
  // path, no data.
  void set_deed(const char* deed);

  // For an answer that waits for something to happen. Home thread. `on_leaving` is called there once, never from within this
  // call, if the client hangs up or the server closes before there is an answer: give one now, whatever it is.
  void set_on_leaving(std::function<void(Leaving)> on_leaving);

  // A body whose length nobody knows yet, in bounded memory; `head.body` is not used.
  void respond_chunked(Response head, ChunkSource source);

  // Home thread; answers this exchange. The connection moves to that io thread if it can: not while an answer is still being
  // sent, or its client or the server is leaving. There, or else here, `then` is given the same request as another exchange,
  // not from within this call. It is dropped when the client has gone.
  void move_to(size_t thread, Handler then);

  // Home thread. Sends the head; what follows is up to the stream. Never null: when the client has gone meanwhile, the
  // stream is closed and says so soon.
  std::shared_ptr<Stream> open_stream(int status, const Headers& headers);

  // Home thread. The answer is another server's, and passed on as it comes. Null when the client has gone: then nothing more
  // is to be done.
  std::shared_ptr<PassedAnswer> pass(int status, const Headers& headers, std::shared_ptr<AnswerSource> source);
  // Home thread. Sends `head`, whole as it is, and gives the connection to another protocol. False when the client has gone.
  bool hand_over(std::string head, const MakeProtocol& make);

  // Whether the request asks for a WebSocket (well or not).
  bool wants_websocket() const;

  // Hears of the WebSocket that this becomes, if it does. Home thread.
  void set_on_websocket(std::function<void(const std::shared_ptr<WebSocket>&)> opened) { opened_ = std::move(opened); }

  // Home thread. Null when there can be none: then the request has been answered (400, 426), or the client has gone.
  // The handler lives until its on_close has returned, and hears nothing before this returns.
  std::shared_ptr<WebSocket> accept_websocket(std::shared_ptr<WebSocketHandler> handler, WebSocketOptions options = {});

 private:
  enum class State : uint8_t { Open, Answered, GivenUp };
  bool take_answer();  // false: given up, and nothing is to be done
  std::shared_ptr<HttpSession> session_at_home();

  IoPool& pool_;
  const size_t thread_;
  std::weak_ptr<HttpSession> session_;  // locked on its home thread only, so that it is destroyed there
  Request request_;
  std::function<void(const std::shared_ptr<Exchange>&)> misdirected_;  // null: such an answer is one like others
  std::function<void(const std::shared_ptr<WebSocket>&)> opened_;
  Headers fields_{};
  std::atomic<State> state_ = State::Open;
};

}  // namespace hearth::net::http
