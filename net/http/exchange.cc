#include "net/http/exchange.h"

#include "net/http/connection.h"
#include "net/http/gzip.h"

namespace hearth::net::http {
namespace {

constexpr size_t kGzipBytesMin = 1024;
constexpr size_t kPiecesWaitingMax = 1u << 20;  // bytes of a long body that wait for the socket before more are made

bool takes_gzip(const Request& request) {
  const auto accepts = request.header("Accept-Encoding");
  return accepts && accepts->find("gzip") != std::string_view::npos && accepts->find("gzip;q=0") == std::string_view::npos;
}

bool is_compressed_already(const Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (equal_ignoring_case(name, "Content-Encoding")) return true;
  }
  return false;
}

// A body on its way in pieces: made on workers, one at a time, sent by the home thread.
class PiecewiseBody final : public std::enable_shared_from_this<PiecewiseBody> {
 public:
  PiecewiseBody(std::shared_ptr<Connection> connection, std::function<bool(std::string&)> more, bool gzip, bool chunked,
                bool keep_alive)
      : connection_(std::move(connection)), more_(std::move(more)), chunked_(chunked), keep_alive_(keep_alive) {
    if (gzip) gzip_.emplace();
  }

  void start() {
    connection_->handlers.drained = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->make_next();
    };
    connection_->handlers.closed = [self = shared_from_this()] { self->done_ = true; };  // holds itself until the end
    make_next();
  }

 private:
  void make_next() {  // at home
    if (making_ || done_ || connection_->queued_bytes() > kPiecesWaitingMax) return;
    making_ = true;
    connection_->core().workers.run([self = shared_from_this()] {
      std::string piece;
      const bool more = self->more_(piece);
      std::string packed;
      if (self->gzip_) {
        self->gzip_->add(piece, packed);
        if (!more) self->gzip_->finish(packed);
        piece.swap(packed);
      }
      self->connection_->core().io.post(self->connection_->home(), [self, more, piece = std::move(piece)]() mutable {
        self->send(std::move(piece), more);
      });
    });
  }

  void send(std::string piece, bool more) {  // at home
    making_ = false;
    if (done_) return;
    if (!piece.empty()) {
      if (chunked_) {
        char head[20];
        connection_->send(std::string_view(head, static_cast<size_t>(std::snprintf(head, sizeof head, "%zx\r\n", piece.size()))));
      }
      connection_->send(std::make_shared<const std::string>(std::move(piece)));
      if (chunked_) connection_->send(std::string_view("\r\n"));
    }
    if (more) return make_next();
    done_ = true;
    if (chunked_) connection_->send(std::string_view("0\r\n\r\n"));
    const auto connection = connection_;
    const auto self = shared_from_this();
    connection->handlers = {};
    connection->finish_response(keep_alive_);
  }

  const std::shared_ptr<Connection> connection_;
  const std::function<bool(std::string&)> more_;
  std::optional<Gzip> gzip_;
  const bool chunked_;
  const bool keep_alive_;
  bool making_ = false;
  bool done_ = false;
};

}  // namespace

void EventStream::send(SharedBytes bytes) { connection_->send(std::move(bytes)); }
void EventStream::send(std::string_view bytes) { connection_->send(bytes); }
void EventStream::close() { connection_->close_when_sent(); }
void EventStream::on_close(std::function<void()> closed) { connection_->handlers.closed = std::move(closed); }
void EventStream::on_drained(std::function<void()> drained) { connection_->handlers.drained = std::move(drained); }
size_t EventStream::queued_bytes() const { return connection_->queued_bytes(); }

void WebSocket::on_message(std::function<void(std::string&&)> text_came) { connection_->handlers.message = std::move(text_came); }
void WebSocket::on_close(std::function<void()> closed) { connection_->handlers.closed = std::move(closed); }
void WebSocket::on_drained(std::function<void()> drained) { connection_->handlers.drained = std::move(drained); }
void WebSocket::send_framed(SharedBytes frames) { connection_->send(std::move(frames)); }
void WebSocket::send_text(std::string_view payload) { connection_->send(std::make_shared<const std::string>(frame_text(payload))); }
void WebSocket::close(uint16_t code, std::string_view reason) { connection_->close_websocket(code, reason); }
size_t WebSocket::queued_bytes() const { return connection_->queued_bytes(); }
void WebSocket::pause_reading() { connection_->pause_reading(); }
void WebSocket::resume_reading() { connection_->resume_reading(); }

Exchange::Exchange(std::shared_ptr<Connection> connection, Request request)
    : connection_(std::move(connection)), request_(std::move(request)) {}

Exchange::~Exchange() {
  if (!answered_) respond(error_response(500, "An internal error occurred"));
}

size_t Exchange::home() const { return connection_->home(); }

void Exchange::respond(Response response) {
  if (answered_.exchange(true)) return;
  const bool head_only = request_.method == "HEAD";
  const bool gzip = !head_only && takes_gzip(request_) && response.body.size() >= kGzipBytesMin && !is_compressed_already(response);
  auto send = [connection = connection_, head_only, gzip, keep_alive = request_.keep_alive, old = request_.is_http_1_0](
                  const Response& whole) {
    connection->send_response(whole, gzip, head_only, keep_alive, old);
    connection->finish_response(keep_alive);
  };
  IoPool& io = connection_->core().io;
  const size_t home = connection_->home();
  if (gzip) {
    connection_->core().workers.run([&io, home, send, response = std::move(response)]() mutable {
      response.body = gzipped(response.body);
      io.post(home, [send, response = std::move(response)] { send(response); });
    });
    return;
  }
  io.post_or_run(home, [send, response = std::move(response)] { send(response); });
}

void Exchange::respond_in_pieces(Response head, std::function<bool(std::string&)> more) {
  if (answered_.exchange(true)) return;
  if (request_.method == "HEAD") {
    answered_ = false;
    head.body.clear();
    return respond(std::move(head));
  }
  connection_->core().io.post_or_run(
      connection_->home(), [connection = connection_, head = std::move(head), more = std::move(more), gzip = takes_gzip(request_),
                            old = request_.is_http_1_0, keep_alive = request_.keep_alive] {
        if (!connection->is_open()) return;
        std::string framing = old ? "" : "Transfer-Encoding: chunked\r\n";
        if (gzip) framing += "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n";
        const bool stays = keep_alive && !old;
        connection->send_head(head, framing, stays, old);
        std::make_shared<PiecewiseBody>(connection, more, gzip, !old, stays)->start();
      });
}

std::shared_ptr<EventStream> Exchange::open_stream(Response head) {
  if (answered_.exchange(true) || !connection_->begin_stream()) return nullptr;
  connection_->send_head(head, "", true, request_.is_http_1_0);
  return std::make_shared<EventStream>(connection_);
}

bool Exchange::wants_websocket() const {
  const auto upgrade = request_.header("Upgrade");
  return upgrade && equal_ignoring_case(*upgrade, "websocket");
}

std::shared_ptr<WebSocket> Exchange::accept_websocket() {
  if (!wants_websocket()) {
    Response response = error_response(426, "This address speaks WebSocket; ask for an upgrade.");
    response.headers.emplace_back("Upgrade", "websocket");
    respond(std::move(response));
    return nullptr;
  }
  if (!connection_->is_open()) {
    answered_ = true;
    return nullptr;
  }
  if (const std::string wrong = connection_->accept_websocket(request_); !wrong.empty()) {
    respond(error_response(400, wrong));
    return nullptr;
  }
  answered_ = true;
  return std::make_shared<WebSocket>(connection_);
}

void ServerCore::unpack_and_handle(std::shared_ptr<Exchange> exchange) {
  const auto encoding = exchange->request().header("Content-Encoding");
  if (!encoding || (!equal_ignoring_case(*encoding, "gzip") && !equal_ignoring_case(*encoding, "deflate"))) {
    return exchange->respond(error_response(415, "Only gzip and deflate are understood as Content-Encoding."));
  }
  workers.run([this, exchange = std::move(exchange)] {
    db::Result<std::string> body = gunzipped(exchange->request().body, limits.body_bytes_max);
    if (!body.ok()) {
      return exchange->respond(error_response(body.error().code == db::ErrorCode::TooLarge ? 413 : 400, body.error().message));
    }
    exchange->set_body(std::move(body).value());
    io.post(exchange->home(), [this, exchange] { handler(exchange); });
  });
}

}  // namespace hearth::net::http
