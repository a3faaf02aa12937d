#include "net/http/http_session.h"

#include <algorithm>
#include <utility>

#include "net/http/log.h"

namespace hearth::net::http {
namespace {
constexpr size_t kHeldBytesMax = 64u << 10;  // of requests that came before their turn

// Which one a refusal is for.
std::optional<Limit> limit_of(int status, bool has_head) {
  switch (status) {
    case 408:
      return has_head ? Limit::BodyTime : Limit::HeadTime;
    case 413:
      return Limit::BodySize;
    case 414:
    case 431:
      return Limit::HeadSize;
    case 503:
      return Limit::PendingSize;
    default:
      return std::nullopt;
  }
}

size_t counted_method(std::string_view method) {
  const auto found = std::find(kCountedMethods.begin(), kCountedMethods.end(), method);
  return std::min(static_cast<size_t>(found - kCountedMethods.begin()), kCountedMethods.size() - 1);
}
}  // namespace

// A body that is made while it is sent. Its source is called on a worker, one call at a time.
struct HttpSession::LongBody {
  Response head;
  ChunkSource source;
  std::unique_ptr<GzipWriter> gzip;
  bool is_pulling = false;
  bool has_head_left = false;
};

HttpSession::HttpSession(Connection& connection)
    : connection_(&connection), loop_(connection.loop()), deadline_(loop_, [this] { on_deadline(); }) {
  deadline_.set(connection.hub().limits.head_time_max);
}

HttpSession::~HttpSession() = default;

// ---- requests ----

void HttpSession::on_bytes(std::string_view bytes) {
  if (phase_ != Phase::Reading) return hold(bytes);
  read(bytes);
}

void HttpSession::hold(std::string_view bytes) {
  held_ += bytes;
  if (connection_ != nullptr && held_.size() > kHeldBytesMax) connection_->set_reading(false);
}

void HttpSession::read_held() {
  if (held_.empty()) return;
  const std::string bytes = std::exchange(held_, {});
  read(bytes);
}

// Phase::Reading. Goes on as long as requests are answered at once.
void HttpSession::read(std::string_view bytes) {
  const auto self = shared_from_this();
  is_reading_ = true;
  while (phase_ == Phase::Reading && !bytes.empty()) {
    const Limits& limits = connection_->hub().limits;
    if (!reader_) {
      reader_ = std::make_unique<RequestReader>(limits);
      deadline_.set(limits.head_time_max);
    }
    const RequestReader::Found found = reader_->next(bytes);
    if (found == RequestReader::Found::Error) {
      refuse(reader_->error_status(), reader_->error());
    } else if (reader_->has_head() && reader_->body_bytes() > body_bytes_ &&
               !take_body_bytes(reader_->body_bytes() - body_bytes_)) {
      refuse(503, "Too much is being sent to this server at once; try again.");
    } else if (found == RequestReader::Found::Head) {
      if (on_head()) deadline_.set(limits.body_stall_max);
      // A request without a body is whole with its head.
      std::string_view nothing;
      if (phase_ == Phase::Reading && reader_->next(nothing) == RequestReader::Found::Request) on_request();
    } else if (found == RequestReader::Found::Request) {
      on_request();
    } else if (reader_->has_head()) {
      deadline_.set(limits.body_stall_max);
    } else if (!reader_->has_begun()) {
      reader_.reset();  // empty lines
    }
  }
  is_reading_ = false;
  if (websocket_) {
    std::exchange(websocket_, nullptr)->start(bytes);
  } else if (phase_ == Phase::Reading && has_ended_) {
    connection_->close_after_sending();
  } else if (!bytes.empty() && phase_ != Phase::Over) {
    hold(bytes);
  }
}

// False when it has been refused.
bool HttpSession::on_head() {
  const Request& request = reader_->request();
  is_head_ = request.method == "HEAD";
  method_ = counted_method(request.method);
  is_http_1_0_ = reader_->is_http_1_0();
  keep_alive_ = reader_->keep_alive() && !is_closing_;
  const auto accepted = request.header("Accept-Encoding");
  accepts_gzip_ = accepted && accepts_gzip(*accepted);
  if (const auto length = reader_->content_length(); length && !take_body_bytes(*length)) {
    refuse(503, "Too much is being sent to this server at once; try again.");
    return false;
  }
  if (reader_->expects_continue()) connection_->send(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
  return true;
}

bool HttpSession::take_body_bytes(size_t count) {
  if (!connection_->hub().take_body_bytes(count)) return false;
  body_bytes_ += count;
  return true;
}

void HttpSession::give_back_body_bytes() {
  if (connection_ != nullptr) connection_->hub().body_bytes.fetch_sub(body_bytes_);
  body_bytes_ = 0;
}

void HttpSession::on_request() {
  Request request = reader_->take_request();
  reader_.reset();
  deadline_.clear();
  phase_ = Phase::Busy;
  Counters::add(connection_->counters().requests);
  connection_->count_request();
  set_in_flight(true);
  request.connection = connection_->id();
  request.is_secure = connection_->is_secure();
  set_origin(request, connection_->peer(), connection_->hub().trusted_proxies);

  std::string coding(request.header("Content-Encoding").value_or("identity"));
  if (request.body.empty() || equals_ignoring_case(coding, "identity")) return dispatch(std::move(request));
  const auto shared = std::make_shared<Request>(std::move(request));
  const size_t bytes_max = connection_->hub().limits.body_bytes_max;
  connection_->hub().workers.run([io = &connection_->hub().io, thread = loop_.index(), weak = weak_from_this(), shared,
                                  coding = std::move(coding), bytes_max] {
    const auto body = std::make_shared<db::Result<std::string>>(inflate_body(shared->body, coding, bytes_max));
    io->post(thread, [weak, shared, body] {
      if (const auto self = weak.lock()) self->on_inflated(std::move(*shared), std::move(*body));
    });
  });
}

void HttpSession::on_inflated(Request&& request, db::Result<std::string>&& body) {
  if (connection_ == nullptr) return;
  if (!body.ok()) {
    const db::ErrorCode code = body.error().code;
    return refuse(code == db::ErrorCode::TooLarge      ? 413
                  : code == db::ErrorCode::Unsupported ? 415
                                                       : 400,
                  body.error().message);
  }
  request.body = std::move(body).value();
  if (request.body.size() > body_bytes_ && !take_body_bytes(request.body.size() - body_bytes_)) {
    return refuse(503, "Too much is being sent to this server at once; try again.");
  }
  dispatch(std::move(request));
}

void HttpSession::dispatch(Request&& request) {
  Hub& hub = connection_->hub();
  hub.handler(std::make_shared<Exchange>(hub.io, loop_.index(), weak_from_this(), std::move(request)));
}

void HttpSession::refuse(int status, std::string_view message) {
  Counters::add(connection_->counters().bad_requests);
  if (const auto limit = limit_of(status, reader_ && reader_->has_head())) connection_->counters().reach(*limit);
  log(LogLevel::Debug, "bad request",
      {{"connection", connection_->id()}, {"peer", connection_->peer().text}, {"reason", message}});
  keep_alive_ = false;
  send_response(error_response(status, message), false);
}

void HttpSession::on_end() {
  has_ended_ = true;
  switch (phase_) {
    case Phase::Reading:
      connection_->close_after_sending();
      break;
    case Phase::Streaming:
      connection_->close();
      break;
    case Phase::Busy:  // it may still read the answer
      tell_leaving(Leaving::Client);
      break;
    case Phase::LongAnswer:
    case Phase::Over:
      break;
  }
}

void HttpSession::on_deadline() {
  if (connection_ == nullptr) return;
  // What it has sent we may not have wanted to read.
  if (phase_ == Phase::Reading && connection_->is_throttled()) return deadline_.set(connection_->hub().limits.idle_time_max);
  if (phase_ == Phase::Reading && reader_) return refuse(408, "The request took too long to come.");
  if (phase_ == Phase::LongAnswer) {
    connection_->tell_of_slowness(Limit::ReadTime);
    return connection_->reset();
  }
  connection_->counters().reach(Limit::IdleTime);
  connection_->close();
}

void HttpSession::on_server_closing() {
  is_closing_ = true;
  keep_alive_ = false;
  if (connection_ == nullptr) return;
  if (phase_ == Phase::Reading && !reader_) connection_->close_after_sending();
  if (phase_ == Phase::Streaming) end_stream();
  if (phase_ == Phase::Busy) tell_leaving(Leaving::Server);
}

void HttpSession::set_on_leaving(std::function<void(Leaving)>&& on_leaving) {
  if (connection_ != nullptr && phase_ != Phase::Busy) return;
  on_leaving_ = std::make_unique<std::function<void(Leaving)>>(std::move(on_leaving));
  if (connection_ == nullptr || has_ended_) return tell_leaving(Leaving::Client);
  if (is_closing_) tell_leaving(Leaving::Server);
}

void HttpSession::tell_leaving(Leaving who) {
  if (const std::shared_ptr<std::function<void(Leaving)>> told = std::move(on_leaving_)) {
    loop_.later([told, who] { (*told)(who); });
  }
}

void HttpSession::on_gone() {
  set_in_flight(false);
  if (stream_) Counters::take(connection_->counters().streams_open);
  give_back_body_bytes();
  connection_ = nullptr;
  deadline_.clear();
  phase_ = Phase::Over;
  reader_.reset();
  long_body_.reset();
  held_ = {};
  if (const auto stream = std::exchange(stream_, nullptr)) stream->closed();
  tell_leaving(Leaving::Client);
}

// ---- answers ----

void HttpSession::set_in_flight(bool is_in_flight) {
  if (is_in_flight == is_in_flight_) return;
  is_in_flight_ = is_in_flight;
  std::atomic<uint64_t>& open = connection_->counters().requests_open;
  is_in_flight ? Counters::add(open) : Counters::take(open);
}

// Its head is on its way.
void HttpSession::count_answer(int status) {
  const size_t status_class = std::clamp<size_t>(static_cast<size_t>(status) / 100, 1, kStatusClasses) - 1;
  Counters::add(connection_->counters().answers[method_][status_class]);
  if (!logs(LogLevel::Debug)) return;
  log(LogLevel::Debug, "answered",
      {{"connection", connection_->id()},
       {"peer", connection_->peer().text},
       {"method", kCountedMethods[method_]},
       {"status", status}});
}

bool HttpSession::wants_gzip(const Response& response, size_t body_bytes) const {
  return accepts_gzip_ && !is_head_ && body_bytes >= kGzipBytesMin && response.compression == Compression::IfAccepted &&
         !find_header(response.headers, "Content-Encoding");
}

void HttpSession::answer(Response&& response) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return;
  size_t body_bytes = response.body.size();
  for (const SharedBytes& bytes : response.shared_body) body_bytes += bytes->size();
  if (!wants_gzip(response, body_bytes)) return send_response(std::move(response), false);

  const auto shared = std::make_shared<Response>(std::move(response));
  connection_->hub().workers.run(
      [io = &connection_->hub().io, thread = loop_.index(), weak = weak_from_this(), shared] {
        std::string zipped;
        GzipWriter gzip;
        gzip.add(shared->body, GzipWriter::End::No, zipped);
        for (const SharedBytes& bytes : shared->shared_body) gzip.add(*bytes, GzipWriter::End::No, zipped);
        gzip.add({}, GzipWriter::End::Yes, zipped);
        shared->body = std::move(zipped);
        shared->shared_body.clear();
        io->post(thread, [weak, shared] {
          const auto self = weak.lock();
          if (self && self->connection_ != nullptr) self->send_response(std::move(*shared), true);
        });
      });
}

void HttpSession::send_response(Response&& response, bool is_gzipped) {
  HeadOptions options;
  options.keep_alive = keep_alive_;
  options.is_gzipped = is_gzipped;
  options.content_length = response.body.size();
  for (const SharedBytes& bytes : response.shared_body) options.content_length += bytes->size();
  if (response.status == 204) options.framing = Framing::None;
  count_answer(response.status);
  connection_->send(response_head(response.status, response.headers, options));
  if (!is_head_ && response.status != 204 && response.status != 304) {
    connection_->send(std::move(response.body));
    for (SharedBytes& bytes : response.shared_body) connection_->send(std::move(bytes));
  }
  answered();
}

// What was asked has been answered, as far as we are concerned.
void HttpSession::answered() {
  give_back_body_bytes();
  long_body_.reset();
  on_leaving_.reset();
  reader_.reset();
  set_in_flight(false);
  method_ = kCountedMethods.size() - 1;
  if (const auto stream = std::exchange(stream_, nullptr)) {
    Counters::take(connection_->counters().streams_open);
    stream->closed();
  }
  deadline_.clear();
  const bool nothing_comes = has_ended_ && held_.empty() && !is_reading_;
  if (!keep_alive_ || is_closing_ || nothing_comes) {
    phase_ = Phase::Over;
    held_ = {};
    return connection_->close_after_sending();
  }
  phase_ = Phase::Reading;
  deadline_.set(connection_->hub().limits.idle_time_max);
  connection_->set_reading(true);
  if (!is_reading_) read_held();
}

template <typename Bytes>
void HttpSession::send_chunk(Bytes&& chunk) {
  const size_t size = [&] {
    if constexpr (requires { chunk->size(); }) {
      return chunk->size();
    } else {
      return chunk.size();
    }
  }();
  if (is_head_ || size == 0) return;
  if (!is_http_1_0_) connection_->send(chunk_head(size));
  connection_->send(std::forward<Bytes>(chunk));
  if (!is_http_1_0_) connection_->send(kChunkEnd);
}

void HttpSession::send_end() {
  if (!is_head_ && !is_http_1_0_) connection_->send(kLastChunk);
  answered();
}

void HttpSession::answer_long(Response&& head, ChunkSource&& source) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return;
  if (is_http_1_0_) keep_alive_ = false;
  if (is_head_) {
    count_answer(head.status);
    connection_->send(
        response_head(head.status, head.headers, {.framing = unknown_length(), .keep_alive = keep_alive_}));
    return answered();
  }
  long_body_ = std::make_shared<LongBody>();
  if (wants_gzip(head, kGzipBytesMin)) long_body_->gzip = std::make_unique<GzipWriter>();
  const bool has_time = head.pace == Pace::WholeInTime;
  long_body_->head = std::move(head);
  long_body_->source = std::move(source);
  long_body_->has_head_left = true;
  phase_ = Phase::LongAnswer;
  if (has_time) {
    deadline_.set(connection_->hub().limits.long_body_time_max);
  } else {
    deadline_.clear();
  }
  pull();
}

void HttpSession::on_sent() {
  if (phase_ == Phase::LongAnswer) pull();
}

// Asks for the next piece, unless enough waits.
void HttpSession::pull() {
  if (long_body_->is_pulling || connection_->backlog_bytes() > connection_->hub().limits.backlog_bytes_ahead) return;
  long_body_->is_pulling = true;
  connection_->hub().workers.run(
      [io = &connection_->hub().io, thread = loop_.index(), weak = weak_from_this(), body = long_body_] {
        const auto chunk = std::make_shared<std::string>();
        const Pull pulled = body->source(*chunk);
        if (body->gzip && pulled != Pull::Failed) {
          std::string zipped;
          body->gzip->add(*chunk, pulled == Pull::Last ? GzipWriter::End::Yes : GzipWriter::End::No, zipped);
          *chunk = std::move(zipped);
        }
        io->post(thread, [weak, body, chunk, pulled] {
          if (const auto self = weak.lock()) self->on_pulled(body, std::move(*chunk), pulled);
        });
      });
}

void HttpSession::on_pulled(const std::shared_ptr<LongBody>& body, std::string&& chunk, Pull pulled) {
  if (long_body_ != body || connection_ == nullptr) return;
  body->is_pulling = false;
  const bool is_gzipped = body->gzip != nullptr;
  if (body->has_head_left) {
    // Nothing has been said yet: a short body has a length, and a failure a status.
    if (pulled == Pull::Failed) {
      return send_response(error_response(500, "The answer could not be read to its end."), false);
    }
    if (pulled == Pull::Last) {
      body->head.body = std::move(chunk);
      return send_response(std::move(body->head), is_gzipped);
    }
    body->has_head_left = false;
    count_answer(body->head.status);
    connection_->send(
        response_head(body->head.status, body->head.headers,
                      {.framing = unknown_length(), .keep_alive = keep_alive_, .is_gzipped = is_gzipped}));
  }
  if (pulled == Pull::Failed) return connection_->reset();
  send_chunk(std::move(chunk));
  if (pulled == Pull::Last) return send_end();
  pull();
}

std::shared_ptr<HttpStream> HttpSession::answer_stream(int status, const Headers& headers) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return nullptr;
  Counters::add(connection_->counters().streams);
  Counters::add(connection_->counters().streams_open);
  count_answer(status);
  set_in_flight(false);
  if (is_http_1_0_) keep_alive_ = false;
  phase_ = Phase::Streaming;
  stream_ = std::make_shared<HttpStream>(loop_, weak_from_this());
  connection_->send(response_head(status, headers, {.framing = unknown_length(), .keep_alive = keep_alive_}));
  auto stream = stream_;
  if (is_head_ || is_closing_ || has_ended_) end_stream();
  return stream;
}

void HttpSession::end_stream() {
  if (phase_ == Phase::Streaming) send_end();
}

std::shared_ptr<WebSocket> HttpSession::answer_websocket(std::string_view key,
                                                         std::shared_ptr<WebSocketHandler> handler,
                                                         const WebSocketOptions& options) {
  if (connection_ == nullptr || phase_ != Phase::Busy) return nullptr;
  Counters::add(connection_->counters().websockets);
  count_answer(101);
  set_in_flight(false);
  connection_->send(websocket_head(key, options.may_deflate));
  connection_->set_reading(false);
  websocket_ = std::make_shared<WebSocketSession>(*connection_, std::move(handler), options);
  const auto websocket = websocket_;
  give_back_body_bytes();
  phase_ = Phase::Over;
  deadline_.clear();
  const bool was_closing = is_closing_;
  Connection& connection = *connection_;
  connection_ = nullptr;
  connection.switch_to(websocket);
  if (!is_reading_) {
    loop_.later([self = shared_from_this()] { std::exchange(self->websocket_, nullptr)->start(self->held_); });
  }
  if (was_closing) loop_.later([websocket] { websocket->on_server_closing(); });
  return websocket;
}

// ---- the stream ----

HttpStream::HttpStream(IoLoop& loop, std::weak_ptr<HttpSession> session)
    : loop_(loop), session_(std::move(session)), is_closed_(session_.expired()) {}

void HttpStream::send(SharedBytes bytes) {
  if (const auto session = session_.lock()) session->send_piece(std::move(bytes));
}

void HttpStream::send(std::string_view bytes) {
  if (const auto session = session_.lock()) session->send_piece(bytes);
}

void HttpStream::close() {
  if (const auto session = session_.lock()) session->end_stream();
}

size_t HttpStream::backlog_bytes() const {
  const auto session = session_.lock();
  return session ? session->backlog_bytes() : 0;
}

void HttpStream::set_on_closed(std::function<void()> on_closed) {
  on_closed_ = std::move(on_closed);
  if (is_closed_ && on_closed_) loop_.later(std::exchange(on_closed_, nullptr));
}

void HttpStream::closed() {
  is_closed_ = true;
  session_.reset();
  if (on_closed_) loop_.later(std::exchange(on_closed_, nullptr));
}

}  // namespace hearth::net::http
