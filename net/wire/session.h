// The Firebase protocol of one client: a state machine without a socket. Messages of the client become calls of a
// rules::Session; answers and events of that become messages to send, in their order. Start reading at on_message.
//
// Every request is answered exactly once, in the order in which requests came, also a request that makes no sense:
// its refusal stands in the same story as the answers (rules::Session::reply). Only a message without a number can
// have no answer; the client is sent a control `e`, and the connection goes on.
//
// Decoding (parse_message) and serialising (frames_of, text_of) may take long and are not done here: Dialogue does
// both, by workers where they are large.
//
// A credential may need a key that is still to be fetched. Messages behind it are held until it is verified, for they
// must be judged by it (net/wire/protocol.md §9.3): the verdict comes into a mailbox, from any thread, and wakes the
// transport, whose on_items() looks there first. A client that goes while its messages are held has said nothing.
//
// Thread: its home io thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/base/clock.h"
#include "db/base/id_map.h"
#include "db/base/metrics.h"
#include "db/model/event.h"
#include "net/auth/verifier.h"
#include "net/http/origin.h"
#include "net/wire/frame.h"
#include "net/wire/limits.h"
#include "net/wire/listenings.h"
#include "net/wire/message.h"
#include "net/wire/reply.h"
#include "rules/guard.h"

namespace hearth::net::wire {

// How often the Limits of this protocol were reached, by all clients of a server.
struct LimitsReached {
  db::Counter listeners;
  db::Counter message_size;
  db::Counter long_polls;
};

// Requests of one connection that wait for their answers; a transport reads no further while there are more.
inline constexpr size_t kUnansweredMax = 4'096;
inline constexpr size_t kUnansweredBytesMax = 32u << 20;

// One message to send. What takes long to serialise is kept as a value.
struct Text {
  std::string json;
};
struct Push {
  std::shared_ptr<const db::Body> body;
  std::optional<int64_t> tag{};  // of a filtered listen
  db::Lease lease{};             // of a large first value; held until the transport has room again (Dialogue)
  std::shared_ptr<const CompoundHash> known{};  // of a first value: what the client holds of it; null: not told
};
struct ValueReply {
  int64_t number;
  db::Value value;
  db::Lease lease{};  // as Push's
};
using Outgoing = std::variant<Text, Push, ValueReply>;

size_t size_of(const Outgoing& message);  // about, in bytes
db::Lease lease_of(const Outgoing& message);
std::string text_of(const Outgoing& message);
// WebSocket bytes. `made`: counts the pushes that were serialised for it; may be null.
db::SharedBytes frames_of(const Outgoing& message, db::Counter* made = nullptr);
db::SharedBytes packed_frames_of(const Outgoing& message, db::Counter* made = nullptr);  // see Packed

class Session {
 public:
  // The client of a session. A program counts as Here, as a page of this machine does (foreign_owner()).
  struct Client {
    Asker asker{};
    uint64_t connection = 0;  // its number, for the log
    http::Whence whence = http::Whence::Here;
  };
  Session(std::unique_ptr<rules::Session> data, const Verifier& verifier, Client client, Limits limits = {},
          LimitsReached* reached = nullptr);

  std::string id() const { return data_->id(); }
  // The number of the connection that carries it; 0: polls do, each by one of its own.
  void carried_by(uint64_t connection) { data_->came_by({connection, "firebase"}); }

  // The first message to a client. `host`: the address that the client shall come back to.
  std::string hello(db::Timestamp now, std::string_view host) const { return hello_text(now, host, data_->id()); }

  void on_message(Incoming&& message, std::vector<Outgoing>& to);

  // Adds to `to` what the namespace has for this client. Returns false when the conversation is over: the transport
  // then sends what was added, and closes.
  [[nodiscard]] bool on_items(std::vector<Outgoing>& to);

  // When the client's credential expires; nothing: never.
  std::optional<std::chrono::seconds> expires() const { return data_->auth().expires; }
  // The credential has expired. Signs the client out; listeners that it may no longer have are revoked after that.
  void expire(std::vector<Outgoing>& to);

  // The client is gone. Its onDisconnect writes are written.
  void end() { data_->end(); }

  const std::string& address() const { return client_.asker.address; }  // the client's, as text

  size_t unanswered() const { return pending_.size() + (verification_ != nullptr ? verification_->held.size() : 0); }
  size_t unanswered_bytes() const {
    return pending_bytes_ + (verification_ != nullptr ? verification_->held_bytes : 0);
  }
  bool is_behind() const { return unanswered() > kUnansweredMax || unanswered_bytes() > kUnansweredBytesMax; }

 private:
  // The form that an answer must have.
  enum class Form : uint8_t { Plain, Listen, Value, Silent };
  struct Pending {
    int64_t number = 0;
    Form form = Form::Plain;
    uint64_t listener = 0;                        // Form::Listen
    std::string data = R"("")";                   // Form::Plain: JSON
    size_t bytes = 0;                             // of the request
    const char* deed = "other";                   // what it does, for the log
    std::shared_ptr<const CompoundHash> known{};  // Form::Listen; null: not told
    std::chrono::steady_clock::time_point asked_at{};
  };
  // A credential that is being verified, and what came behind it.
  struct Verification {
    int64_t number = 0;
    std::optional<std::string> act_as{};
    std::deque<Incoming> held{};
    size_t held_bytes = 0;
    std::mutex mutex{};  // Guards verdict, which comes from any thread; the rest is the session's.
    std::optional<db::Result<rules::Auth>> verdict{};
  };

  void on_request(ClientRequest&& request);
  void on_listen(int64_t number, Listen&& listen);
  void on_unlisten(int64_t number, const Unlisten& unlisten);
  void on_authenticate(int64_t number, Authenticate&& authenticate);
  void on_verdict(int64_t number, db::Result<rules::Auth> auth, const std::optional<std::string>& act_as);
  void accept_verdict(std::vector<Outgoing>& to);
  void on_answer(db::Answer&& answer, std::vector<Outgoing>& to);
  void tell_if_slow(const Pending& pending) const;
  void on_event(db::Event&& event, std::vector<Outgoing>& to);

  uint64_t expect(Pending pending);
  void refuse(int64_t number, db::Error error);
  void drop(uint64_t listener);

  std::unique_ptr<rules::Session> data_;
  const Verifier& verifier_;
  const Client client_;
  const size_t listeners_max_;
  LimitsReached* const reached_;                // null: nobody counts
  std::shared_ptr<Verification> verification_;  // null: none is under way, and nothing is held
  uint64_t last_id_ = 0;                        // of requests and listeners alike
  db::IdMap<Pending> pending_;
  size_t pending_bytes_ = 0;
  std::weak_ptr<const db::Body> last_pushed_;  // by the item before this one
  // The request that is looked at.
  struct AtHand {
    size_t bytes = 0;
    const char* deed = "other";  // what it does, for the log
  };
  const AtHand* at_hand_ = nullptr;  // null: none is
  Listenings listenings_;
};

}  // namespace hearth::net::wire
