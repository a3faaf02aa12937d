// Frames to documents, and what becomes of a socket whose document ends.
//
//   why it ends    y-websocket is closed with     Hocuspocus hears, and its socket stays
//   Denied         4403, it does not come back    denied
//   Expired        4401, likewise                 denied
//   Removed        4404, likewise                 close
//   TooLarge       4413, likewise                 close
//   Malformed      4400, likewise                 the socket is closed with 1007
//   TryAgain       1013, it comes back            the socket is closed with 1013
//
// A y-websocket client stops at 4400 to 4499 from 3.1.0 on; older ones come back every 2.5 s. A refused upgrade would be
// tried again by all of them, so the socket is accepted first and closed then.
#include "net/yjs/sockets.h"

#include <utility>

#include "db/documents/coding.h"
#include "net/io/limit_log.h"

namespace hearth::net::yjs {
namespace {

uint16_t close_code(Leaving why) {
  switch (why) {
    case Leaving::Denied:
      return 4403;
    case Leaving::Expired:
      return 4401;
    case Leaving::Removed:
      return 4404;
    case Leaving::TooLarge:
      return 4413;
    case Leaving::Malformed:
      return 4400;
    case Leaving::TryAgain:
      return static_cast<uint16_t>(http::CloseCode::TryAgainLater);
  }
  return static_cast<uint16_t>(http::CloseCode::Internal);
}

// A close frame has room for little, and a character is not to be cut.
std::string_view cut(std::string_view words) {
  if (words.size() <= kWordsMax) return words;
  size_t end = kWordsMax;
  while (end > 0 && (static_cast<unsigned char>(words[end]) & 0xc0) == 0x80) --end;
  return words.substr(0, end);
}

}  // namespace

YjsSocket::YjsSocket(const YjsSurroundings& with, DocumentPlace place, std::string_view peer)
    : with_(with), place_(std::move(place)) {
  if (with_.half_received != nullptr) share_.emplace(with_.half_received, http::HalfReceived::owner_of(peer));
}

void YjsSocket::start(std::shared_ptr<http::WebSocket> socket) {
  socket_ = std::move(socket);
  watch_silence();
}

// Looks each half of kSilenceMax whether anything was sent since the last look. So no client hears nothing for longer
// than two intervals.
void YjsSocket::watch_silence() {
  has_spoken_ = false;
  silence_ = http::IoPool::schedule(kSilenceMax / 2, [this] {
    if (socket_ == nullptr) return;
    if (!has_spoken_) keep_alive();
    watch_silence();
  });
}

void YjsSocket::on_message(std::string&& frame, http::MessageKind kind) {
  if (socket_ == nullptr) return;
  if (kind != http::MessageKind::Binary) {
    return socket_->close(http::CloseCode::Unsupported, "This protocol is spoken in binary frames.");
  }
  // A small message always finds room, and is not counted while little is under way.
  const bool is_small = frame.size() <= 1'024;
  if (share_ && (!is_small || asked_bytes_ > 65'536) && share_->hold(asked_bytes_ + frame.size()) && !is_small) {
    http::tell_of_limit("pending_size");
    return socket_->close(http::CloseCode::TryAgainLater, "The server has no room for this message now.");
  }
  const auto self = shared_from_this();
  on_frame(frame);
  share_what_is_asked();
}

// Gives back the room of messages that have been answered, or need no answer.
void YjsSocket::share_what_is_asked() {
  if (share_) (void)share_->hold(asked_bytes_);
}

void YjsSocket::send(std::string_view message) {
  has_spoken_ = true;
  if (socket_ != nullptr) socket_->send_binary(message);
}

void YjsSocket::send(http::SharedBytes frame) {
  has_spoken_ = true;
  if (socket_ != nullptr) socket_->send(std::move(frame));
}

void YjsSocket::on_asked(size_t bytes) {
  ++asked_count_;
  asked_bytes_ += bytes;
  hold_back();
}

void YjsSocket::on_answered(size_t bytes) {
  --asked_count_;
  asked_bytes_ -= bytes;
  share_what_is_asked();
  hold_back();
}

void YjsSocket::hold_back() {
  if (socket_ == nullptr) return;
  const bool is_wanted = asked_count_ > kAskedMax || asked_bytes_ > kAskedBytesMax;
  if (is_wanted == std::exchange(is_held_, is_wanted)) return;
  if (is_wanted) {
    socket_->pause();
  } else {
    socket_->resume();
  }
}

void YjsSocket::close(uint16_t code, std::string_view words) {
  if (socket_ != nullptr) socket_->close(static_cast<http::CloseCode>(code), cut(words));
}

std::shared_ptr<DocumentClient> YjsSocket::open(Dialect dialect, std::string name) {
  with_.counts.documents.add();
  return std::make_shared<DocumentClient>(*this, place_, dialect, std::move(name));
}

void YjsSocket::on_close(http::CloseCode) {
  silence_.cancel();
  socket_.reset();
  end_documents();
  share_.reset();
}

// ---- y-websocket ----

void YWebsocketSocket::start(std::shared_ptr<http::WebSocket> socket) {
  YjsSocket::start(std::move(socket));
  document_ = open(Dialect::YWebsocket, name_);
  const auto document = document_;
  document->start(std::move(credential_));
}

void YWebsocketSocket::on_frame(std::string_view frame) {
  const auto document = document_;
  if (document == nullptr) return;
  const auto message = parse_message(frame);
  if (!message.ok()) return on_leaving(name_, Leaving::Malformed, "This is no message: " + message.error().message);
  if (message.value().kind == Message::Kind::Token) return;
  document->on_message(message.value());
}

void YWebsocketSocket::on_drained() {
  if (const auto document = document_) document->pump();
}

void YWebsocketSocket::on_leaving(std::string_view, Leaving why, const std::string& words) {
  if (why != Leaving::TryAgain) with_.counts.refused.add();
  if (why == Leaving::Denied || why == Leaving::Expired) send(denied_message("", words, false));
  end_documents();
  close(close_code(why), words);
}

void YWebsocketSocket::end_documents() {
  const auto document = std::exchange(document_, nullptr);
  seat_.reset();
  if (document == nullptr) return;
  with_.counts.documents.add(-1);
  document->end();
}

// ---- Hocuspocus ----

void HocuspocusSocket::on_frame(std::string_view frame) {
  if (frame == kPing) return send(kPong);
  if (frame == kPong) return;
  db::documents::Reader from(frame);
  const std::string name(from.var_string());
  if (from.ok() && name.size() > kNameBytesMax) from.fail("a document's name has at most 16 kB");
  if (!from.ok()) return close(static_cast<uint16_t>(http::CloseCode::InvalidData), from.error().message);
  const auto message = parse_message(frame.substr(from.offset()));
  if (!message.ok()) return close(static_cast<uint16_t>(http::CloseCode::InvalidData), message.error().message);
  const auto found = documents_.find(name);
  if (message.value().kind == Message::Kind::Token) {
    std::string credential(message.value().body);
    if (found != documents_.end()) {
      const auto document = found->second;
      return document->on_token(std::move(credential));
    }
    if (documents_.size() >= kDocumentsMax) {
      return send(denied_message(hocuspocus_head(name), "A socket has at most 100 documents.", true));
    }
    const auto document = open(Dialect::Hocuspocus, name);
    documents_[name] = document;
    return document->start(std::move(credential));
  }
  if (found == documents_.end()) return;  // it was refused, or left; the client does not know it yet
  const auto document = found->second;
  if (message.value().kind != Message::Kind::Close) return document->on_message(message.value());
  documents_.erase(found);
  with_.counts.documents.add(-1);
  document->end();
  send(close_message(hocuspocus_head(name), "provider_initiated"));
}

void HocuspocusSocket::on_drained() {
  std::vector<std::shared_ptr<DocumentClient>> all;
  for (const auto& [name, document] : documents_) all.push_back(document);
  for (const auto& document : all) {
    if (is_full()) return;
    document->pump();
  }
}

void HocuspocusSocket::on_leaving(std::string_view name, Leaving why, const std::string& words) {
  if (const auto found = documents_.find(name); found != documents_.end()) {
    documents_.erase(found);
    with_.counts.documents.add(-1);
  }
  const std::string head = hocuspocus_head(name);
  switch (why) {
    case Leaving::Denied:
    case Leaving::Expired:
      with_.counts.refused.add();
      return send(denied_message(head, "permission-denied", true));
    case Leaving::Removed:
    case Leaving::TooLarge:
      with_.counts.refused.add();
      return send(close_message(head, words));
    case Leaving::Malformed:
      return close(static_cast<uint16_t>(http::CloseCode::InvalidData), words);
    case Leaving::TryAgain:
      return close(static_cast<uint16_t>(http::CloseCode::TryAgainLater), words);
  }
}

void HocuspocusSocket::end_documents() {
  const auto documents = std::exchange(documents_, {});
  with_.counts.documents.add(-static_cast<int64_t>(documents.size()));
  for (const auto& [name, document] : documents) document->end();
}

}  // namespace hearth::net::yjs
