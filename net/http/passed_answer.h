// An answer that another server has made, passed on as it comes: head, framing and body. The relay of a cluster uses it
// (net/peer/relay.h).
//
//   other server ─▶ whoever asks it ─ begin(head), send(bytes)…, end() | cut() ─▶ PassedAnswer ┄ weak ┄▶ HttpSession ─▶ client
//                   AnswerSource   ◀─ on_drained, on_client_end, on_client_gone ──────────────────────────┘
//
// What is between head and end is not looked at: it has come with its Content-Length or its chunks, and leaves with them. Our
// own are `Date` and `Connection`, for those are of one connection. Thread: the client's connection's home.
#pragma once

#include <memory>
#include <string_view>

namespace hearth::net::http {

class HttpSession;

// Who passes an answer on. Called on the client's home thread.
class AnswerSource {
 public:
  virtual ~AnswerSource() = default;
  virtual void on_drained() = 0;      // the client has taken most of what waited, after is_behind()
  virtual void on_client_end() = 0;   // it sends no more, or this server closes; what is under way may end of itself
  virtual void on_client_gone() = 0;  // the last call
};

class PassedAnswer {
 public:
  explicit PassedAnswer(std::weak_ptr<HttpSession> session) : session_(std::move(session)) {}

  void send(std::string_view bytes);
  bool is_behind() const;  // the client has so much to read that nothing more shall be sent until on_drained()
  void end();              // the answer is whole: the client may ask again
  void cut();              // the client sees that the answer was cut off

 private:
  std::weak_ptr<HttpSession> session_;
};

}  // namespace hearth::net::http
