// Every call of the asker may end this line: so they are made with a copy of the pointer, and what is ours is looked at anew.
#include "net/peer/relay_line.h"

#include <utility>

#include "db/base/invariant.h"

namespace hearth::net::peer {

void RelayLine::ask(std::string head, http::SharedBytes body, Body answers, std::shared_ptr<RelayAsker> asker) {
  db::invariant(is_idle(), "a line is asked one thing at a time");
  asker_ = std::move(asker);
  answer_ = std::make_unique<RelayAnswer>(answers == Body::None);
  connection_->set_reading(true);
  connection_->send(std::move(head));
  if (body != nullptr && !body->empty()) connection_->send(std::move(body));
}

void RelayLine::end_sending() {
  if (connection_ == nullptr || std::exchange(has_ended_, true)) return;
  connection_->end_sending();
}

void RelayLine::forget() {
  asker_ = nullptr;
  if (connection_ != nullptr) connection_->close();
}

void RelayLine::hand_over(const http::MakeProtocol& make) {
  http::Connection& connection = *std::exchange(connection_, nullptr);
  next_ = make(connection);
  connection.switch_to(next_);
}

void RelayLine::on_bytes(std::string_view bytes) {
  const auto self = shared_from_this();
  if (asker_ == nullptr && connection_ != nullptr) return connection_->close();  // nobody has asked anything
  while (const auto asker = asker_) {
    switch (answer_->next(bytes)) {
      case RelayAnswer::Found::Nothing:
        return;
      case RelayAnswer::Found::Head:
        asker->on_head(*answer_);
        if (next_ != nullptr) {
          asker_ = nullptr;
          if (!bytes.empty()) next_->on_bytes(bytes);
          next_ = nullptr;
          return;
        }
        break;
      case RelayAnswer::Found::Body:
        asker->on_piece(answer_->piece());
        break;
      case RelayAnswer::Found::Whole:
        return finish(answer_->keeps_alive() && bytes.empty());
      case RelayAnswer::Found::Broken:
        return connection_->close();
    }
  }
}

void RelayLine::finish(bool is_reusable) {
  const auto asker = std::exchange(asker_, nullptr);
  answer_.reset();
  idle_since_ = std::chrono::steady_clock::now();
  const bool stays = is_reusable && !has_ended_ && !is_closing_ && connection_ != nullptr && !connection_->is_closed();
  if (!stays && connection_ != nullptr) connection_->close();
  asker->on_whole(stays);
}

void RelayLine::on_end() {
  const auto self = shared_from_this();
  if (asker_ != nullptr && answer_->has_head() && answer_->ends_with_connection()) return finish(false);
  if (connection_ != nullptr) connection_->close();
}

void RelayLine::on_server_closing() {
  is_closing_ = true;
  if (asker_ == nullptr && connection_ != nullptr) connection_->close();
}

void RelayLine::on_gone() {
  connection_ = nullptr;
  if (const auto asker = std::exchange(asker_, nullptr)) asker->on_lost(answer_->has_begun());
}

}  // namespace hearth::net::peer
