// HTTP/1.1 on one connection. The states, and who holds whom, are drawn in http_session.h. Two parts: requests (bytes
// to a whole request, handed out) and answers (whole, long or as a stream). Those of other servers: passed_answer.cc. A request
// goes to another thread in http_session_move.cc.
//
// Any call into the connection may end it, and an answer may begin the next request at once (answered() reads what is
// held). So after such a call a function returns, or looks at phase_ and connection_ again.
#include "net/http/http_session.h"

#include <utility>

#include "db/base/give_back.h"
#include "net/http/forwarded.h"
#include "net/io/log.h"

namespace hearth::net::http {
namespace {
constexpr size_t kHeldBytesMax = 64u << 10;  // of requests that came before their turn

// The limit that a refusal with this status was for, if any.
std::optional<Limit> limit_of(int status, bool has_head) {
  switch (status) {
    case 408:
      return has_head ? Limit::BodyTime : Limit::HeadTime;
    case 413:
      return Limit::BodySize;
    case 414:
    case 431:
      return Limit::HeadSize;
    default:
      return std::nullopt;
  }
}

// For the log, which never shows a path of data: the endpoint, or "data".
const char* place_of(std::string_view target) {
  for (const char* place : {"/.settings/", "/.inspect/", "/.info", "/.metrics", "/.health", "/.lp", "/.ws"}) {
    if (target.starts_with(place)) return place;
  }
  return "data";
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

HttpSession::HttpSession(Connection& connection, const HttpService& service)
    : connection_(&connection),
      loop_(connection.loop()),
      service_(service),
      deadline_(loop_, *this),
      share_(connection.hub().half_received),
      pace_(connection.hub().limits.body_stall_max, connection.hub().limits.receive_pace_min) {
  deadline_.set(connection.hub().limits.head_time_max);
}

HttpSession::~HttpSession() = default;

// ---- requests ----

void HttpSession::on_bytes(std::string_view bytes) {
  if (phase_ != Phase::Reading || !held_.empty()) return keep(bytes);
  read(bytes);
}

// Keeps bytes until the request before them is answered.
void HttpSession::keep(std::string_view bytes) {
  held_ += bytes;
  if (connection_ == nullptr) return;
  if (held_.size() > kHeldBytesMax) connection_->set_reading(false);
  if (count_held()) connection_->close();  // an answer is under way, so there is no other
}

void HttpSession::read_held() {
  if (held_.empty()) return;
  const std::string bytes = std::exchange(held_, {});
  read(bytes);
}

// Phase::Reading. Goes on while requests are answered at once and the client reads the answers; else on_drained() does.
void HttpSession::read(std::string_view bytes) {
  const auto self = shared_from_this();
  is_reading_ = true;
  while (phase_ == Phase::Reading && !bytes.empty() && !connection_->is_behind()) {
    const Limits& limits = connection_->hub().limits;
    if (!reader_) {
      reader_ = std::make_unique<RequestReader>(limits);
      deadline_.set(limits.head_time_max);
    }
    const size_t before = bytes.size();
    const RequestReader::Found found = reader_->next(bytes);
    const auto now = std::chrono::steady_clock::now();
    if (found == RequestReader::Found::Error) {
      refuse(reader_->error_status(), reader_->error(), limit_of(reader_->error_status(), reader_->has_head()));
    } else if (const auto refused = count_held()) {
      refuse(*refused);
    } else if (found == RequestReader::Found::Head) {
      pace_.begin(now);
      if (on_head()) deadline_.set(pace_.left(now));
      // A request without a body is whole with its head.
      std::string_view nothing;
      if (phase_ == Phase::Reading && reader_->next(nothing) == RequestReader::Found::Request) on_request();
    } else if (found == RequestReader::Found::Request) {
      on_request();
    } else if (reader_->has_head()) {
      pace_.came(before - bytes.size(), now);
      deadline_.set(pace_.left(now));
    } else if (!reader_->has_begun()) {
      reader_.reset();  // empty lines
    }
  }
  is_reading_ = false;
  if (websocket_) {
    std::exchange(websocket_, nullptr)->start(bytes);
  } else if (phase_ == Phase::Reading && has_ended_ && bytes.empty()) {
    connection_->close_after_sending();
  } else if (!bytes.empty() && phase_ != Phase::Over) {
    keep(bytes);
  }
}

// Returns false when the request has been refused.
bool HttpSession::on_head() {
  Request& request = reader_->request();
  set_origin(request, connection_->peer(), connection_->hub().trusted_proxies);
  if (connection_->hub().of_nodes) set_relayed(request);
  // A trusted proxy passes on its client's bytes: they are charged to that client, if the proxy names it.
  const Peer& peer = connection_->peer();
  if (peer.is_trusted)
    share_.give_to(request.peer == peer.text() ? std::nullopt : HalfReceived::owner_of(request.peer));
  request.host_is_here = service_.host_names.are_of(request);
  request.page_is_listed = service_.host_names.list_page_of(request);
  is_head_ = request.method == "HEAD";
  method_ = counted_method(request.method);
  request.is_http_1_0 = is_http_1_0_ = reader_->is_http_1_0();
  keep_alive_ = reader_->keep_alive() && !is_closing_;
  const auto accepted = request.header("Accept-Encoding");
  accepts_gzip_ = accepted && accepts_gzip(*accepted);
  HalfReceived& budget = *connection_->hub().half_received;
  if (const auto length = reader_->content_length(); length && !budget.could_hold(*length, share_.owner())) {
    budget.count(HalfReceived::Refusal::AddressFull);
    refuse(HalfReceived::Refusal::AddressFull);
    return false;
  }
  if (reader_->expects_continue()) connection_->send(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
  return true;
}

// Tells the budget what this session holds now: of the request that comes or is answered, and of those behind it.
std::optional<HalfReceived::Refusal> HttpSession::count_held() {
  const Peer& peer = connection_->peer();
  if (!share_.owner() && !peer.is_trusted) share_.give_to(HalfReceived::owner_of(peer.address));
  return share_.hold((reader_ ? reader_->held_bytes() : request_bytes_) + held_.capacity());
}

void HttpSession::on_request() {
  request_bytes_ = reader_->held_bytes();
  asked_at_ = std::chrono::steady_clock::now();
  place_ = place_of(reader_->request().target);
  deed_ = "";
  waits_ = false;
  Request request = reader_->take_request();
  reader_.reset();
  deadline_.clear();
  phase_ = Phase::Busy;
  Counters::add(connection_->counters().requests);
  connection_->count_request();
  set_in_flight(true);
  request.connection = connection_->id();
  request.is_secure = connection_->is_secure();

  std::string coding(request.header("Content-Encoding").value_or("identity"));
  if (request.body.empty() || equals_ignoring_case(coding, "identity")) return dispatch(std::move(request));
  inflate(std::move(request), std::move(coding));
}

// A compressed body on a worker: what comes out counts as it grows, beside what came in.
struct HttpSession::Inflating {
  Inflating(Request&& the_request, std::shared_ptr<HalfReceived> budget, HalfReceived::Owner owner)
      : request(std::move(the_request)), share(std::move(budget), owner) {}

  mutable Request request;
  mutable HalfReceived::Share share;
  std::optional<HalfReceived::Refusal> refused{};
  mutable db::Result<std::string> body{std::string()};
};

void HttpSession::inflate(Request&& request, std::string coding) {
  Hub& hub = connection_->hub();
  const auto work = std::make_shared<Inflating>(std::move(request), hub.half_received, share_.owner());
  hub.workers.run([io = &hub.io, thread = loop_.index(), weak = weak_from_this(), work, coding = std::move(coding),
                   bytes_max = hub.limits.body_bytes_max] {
    const auto may_hold = [&work](size_t bytes) { return !(work->refused = work->share.hold(bytes)); };
    work->body = inflate_body(work->request.body, coding, bytes_max, may_hold);
    io->post(thread, [weak, work] {
      if (const auto self = weak.lock()) self->on_inflated(*work);
    });
  });
}

void HttpSession::on_inflated(const Inflating& done) {
  if (connection_ == nullptr) return;
  if (done.refused) return refuse(*done.refused);
  if (!done.body.ok()) {
    const db::ErrorCode code = done.body.error().code;
    const int status = code == db::ErrorCode::TooLarge ? 413 : code == db::ErrorCode::Unsupported ? 415 : 400;
    return refuse(status, done.body.error().message, limit_of(status, true));
  }
  Request request = std::move(done.request);
  request.body = std::move(done.body).value();
  done.share.let_go();
  request_bytes_ = request.body.capacity();
  if (const auto refused = count_held()) return refuse(*refused);
  dispatch(std::move(request));
}

void HttpSession::dispatch(Request&& request) {
  Hub& hub = connection_->hub();
  service_.handler(std::make_shared<Exchange>(hub.io, loop_.index(), weak_from_this(), std::move(request)));
}

// The budget has no room, or the client was too slow. Either has been counted.
void HttpSession::refuse(HalfReceived::Refusal refusal) {
  refuse(refusal == HalfReceived::Refusal::TooSlow ? 408 : 503, HalfReceived::text_of(refusal));
}

void HttpSession::refuse(int status, std::string_view message, std::optional<Limit> limit) {
  Counters::add(connection_->counters().bad_requests);
  if (limit) connection_->counters().reach(*limit);
  log(LogLevel::Debug, "bad request",
      {{"connection", connection_->id()}, {"peer", connection_->peer().text()}, {"reason", message}});
  keep_alive_ = false;
  send_response(error_response(status, message), false);
}

void HttpSession::on_end() {
  has_ended_ = true;
  switch (phase_) {
    case Phase::Reading:
      if (held_.empty()) connection_->close_after_sending();  // else read() does, when it has answered those
      break;
    case Phase::Streaming:
      connection_->close();
      break;
    case Phase::Busy:  // the client may still read the answer
      tell_leaving(Leaving::Client);
      break;
    case Phase::Passing: {
      const auto source = source_;
      source->on_client_end();
      break;
    }
    case Phase::LongAnswer:
    case Phase::Over:
      break;
  }
}

void HttpSession::on_deadline() {
  if (connection_ == nullptr) return;
  // A throttled client is not read from: what it has sent may wait in the kernel, so it is not to blame.
  if (phase_ == Phase::Reading && connection_->is_throttled()) {
    pace_.begin(std::chrono::steady_clock::now());
    return deadline_.set(connection_->hub().limits.idle_time_max);
  }
  if (phase_ == Phase::Reading && reader_ && reader_->has_head()) return give_up_on_body();
  if (phase_ == Phase::Reading && reader_) return refuse(408, "The request took too long to come.", Limit::HeadTime);
  if (phase_ == Phase::LongAnswer) {
    connection_->tell_of_slowness(Limit::ReadTime);
    return connection_->reset();
  }
  connection_->counters().reach(Limit::IdleTime);
  connection_->close();
}

void HttpSession::give_up_on_body() {
  const bool is_silent = pace_.is_silent(std::chrono::steady_clock::now());
  if (is_silent) return refuse(408, "The request took too long to come.", Limit::BodyTime);
  connection_->hub().half_received->count(HalfReceived::Refusal::TooSlow);
  refuse(HalfReceived::Refusal::TooSlow);
}

void HttpSession::on_server_closing() {
  is_closing_ = true;
  keep_alive_ = false;
  if (connection_ == nullptr) return;
  if (phase_ == Phase::Reading && !reader_) connection_->close_after_sending();
  if (phase_ == Phase::Streaming) end_stream();
  if (phase_ == Phase::Busy) tell_leaving(Leaving::Server);
  if (const auto source = source_) source->on_client_end();
}

void HttpSession::set_on_leaving(std::function<void(Leaving)>&& on_leaving) {
  if (connection_ != nullptr && phase_ != Phase::Busy) return;
  waits_ = true;
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
  connection_ = nullptr;
  deadline_.clear();
  phase_ = Phase::Over;
  reader_.reset();
  share_.let_go();
  long_body_.reset();
  db::give_back(held_);
  if (const auto stream = std::exchange(stream_, nullptr)) stream->closed();
  if (const auto source = std::exchange(source_, nullptr)) source->on_client_gone();
  tell_leaving(Leaving::Client);
}

// ---- answers ----

void HttpSession::set_in_flight(bool is_in_flight) {
  if (is_in_flight == is_in_flight_) return;
  is_in_flight_ = is_in_flight;
  std::atomic<uint64_t>& open = connection_->counters().requests_open;
  is_in_flight ? Counters::add(open) : Counters::take(open);
}

// Called when the head of the answer is sent.
void HttpSession::count_answer(int status) {
  const size_t status_class = std::clamp<size_t>(static_cast<size_t>(status) / 100, 1, kStatusClasses) - 1;
  Counters::add(connection_->counters().answers[method_][status_class]);
  if (phase_ == Phase::Busy || phase_ == Phase::LongAnswer) tell_if_slow(status);
  if (!logs(LogLevel::Debug)) return;
  log(LogLevel::Debug, "answered",
      {{"connection", connection_->id()},
       {"peer", connection_->peer().text()},
       {"method", kCountedMethods[method_]},
       {"status", status}});
}

void HttpSession::tell_if_slow(int status) const {
  const auto took = std::chrono::steady_clock::now() - asked_at_;
  if (waits_ || took < kSlowRequestTime) return;
  log_seldom(LogLevel::Info, "slow request", "slow request",
             {{"method", kCountedMethods[method_]},
              {"at", place_},
              {"did", deed_},
              {"status", status},
              {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
              {"connection", connection_->id()},
              {"peer", connection_->peer().text()}});
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

// The whole answer is in the outbox: gets ready for the next request.
void HttpSession::answered() {
  long_body_.reset();
  on_leaving_.reset();
  reader_.reset();
  request_bytes_ = 0;
  share_.let_go();
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
    db::give_back(held_);
    return connection_->close_after_sending();
  }
  phase_ = Phase::Reading;
  deadline_.set(connection_->hub().limits.idle_time_max);
  connection_->set_reading(true);
  if (!is_reading_) read_held();
}

void HttpSession::send_small_chunk(std::string_view chunk) {
  if (is_head_ || chunk.empty()) return;
  connection_->send(is_http_1_0_ ? std::string(chunk) : small_chunk(chunk));
}

template <typename Bytes>
void HttpSession::send_chunk(Bytes&& chunk) {
  size_t size = 0;
  if constexpr (requires { chunk->size(); }) {
    size = chunk->size();
  } else {
    size = chunk.size();
  }
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

// Asks a worker for the next piece, unless one is being made or enough waits to be sent.
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
    // The head waits for the first piece: a body of one piece gets a Content-Length, and a failure a status of its own.
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
  request_bytes_ = 0;
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
  websocket_ = std::make_shared<WebSocketSession>(*connection_, std::move(handler), options, share_.owner());
  const auto websocket = websocket_;
  share_.let_go();
  phase_ = Phase::Over;
  deadline_.clear();
  const bool was_closing = is_closing_;
  Connection& connection = *connection_;
  connection_ = nullptr;
  connection.switch_to(websocket);
  if (!is_reading_) {  // else read() starts it. Later: accept_websocket() returns before the handler hears anything
    loop_.later([self = shared_from_this()] { std::exchange(self->websocket_, nullptr)->start(self->held_); });
  }
  if (was_closing) loop_.later([websocket] { websocket->on_server_closing(); });
  return websocket;
}

}  // namespace hearth::net::http
