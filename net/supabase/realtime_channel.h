// One channel of a client's socket: a session with the rights of its token, that is in a topic (broadcast, presence) and
// listens to rows (postgres_changes).
//
//   phx_join ─▶ prove the token ─▶ settings: may there be such a channel? ─▶ session: join, listen_rows
//                                                                           │ both answered
//   reply ok ◀────────────────────────────────────────────────────────────┘  and everything is live from here on
//   presence_state, system, then whatever happens ◀── items of the session
//
// Nothing of the channel is said before the reply: the client would lose it, or match it with its bindings of before.
// What ends a channel for good (rights, an expired token) is said by a system message and phx_close, after which the
// client does not come back; what may be mended by joining again is said by phx_error.
//
// Thread: the home of the socket.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/model/event.h"
#include "net/session/home_session.h"
#include "net/supabase/credentials.h"
#include "net/supabase/join_config.h"
#include "net/supabase/phoenix.h"
#include "net/supabase/row_fence.h"
#include "rules/guard.h"

namespace hearth::net::supabase {

inline constexpr size_t kPresenceBytesMax = 64u << 10;  // of what one client says of itself
inline constexpr size_t kEarlyMessagesMax = 16;         // that a client says while it joins
inline constexpr std::string_view kTopicStart = "realtime:";

// What a channel needs of its socket.
class RealtimeCarrier {
 public:
  virtual ~RealtimeCarrier() = default;
  virtual PhoenixVersion version() const = 0;
  virtual bool is_full() const = 0;
  virtual void send(const PhoenixReply& reply) = 0;
  virtual void send(http::SharedBytes frames) = 0;
  // What waits for its answer; the socket reads no further when it is much.
  virtual void on_asked(size_t bytes) = 0;
  virtual void on_answered(size_t bytes) = 0;
  virtual void remove(std::string_view topic) = 0;  // the channel of that topic; it is destroyed later
};

class RealtimeChannel final : public HomeSession::Owner, public std::enable_shared_from_this<RealtimeChannel> {
 public:
  struct Place {
    HomeSession::Place home;
    const Verifier& verifier;
    RowFence& fence;
    std::string space;
  };
  RealtimeChannel(RealtimeCarrier& carrier, Place place, Credentials credentials, const PhoenixMessage& join);
  ~RealtimeChannel() override { end(); }

  void start(const db::JsonNode& payload);
  void on_message(PhoenixMessage&& message);  // of this channel, but for phx_join and phx_leave
  void leave(const std::optional<std::string>& ref);
  void replace();  // another join of the topic takes its place
  void pump();
  void end();

  bool is_full() const override { return carrier_.is_full(); }
  void on_items(std::vector<db::Item>&& items) override;
  void on_expired() override { close("Token has expired"); }

 private:
  struct Asked {
    std::optional<std::string> ref;
    bool is_told = true;    // the answer, also when it is an error
    bool is_plain = false;  // an error is told without its reason: presence
    size_t bytes = 0;
  };
  void on_proven(db::Result<rules::Auth> auth);
  void on_settings(const db::Result<std::shared_ptr<const rules::SpaceSettings>>& settings);
  rules::JudgedBy judged_at_any_time(const rules::TableSettings& tables) const;
  db::RowListen rows_to_listen(const rules::TableSettings& tables);
  void refuse(std::string_view reason);
  void on_joined();
  void close(std::string_view why);
  void fail();
  void on_token(const db::JsonNode& payload);
  void renew();
  void on_broadcast(PhoenixMessage&& message);
  void on_presence(const PhoenixMessage& message);
  uint64_t ask(const PhoenixMessage& message, bool is_told, size_t bytes, bool is_plain = false);
  void reply(const std::optional<std::string>& ref, std::string_view status, std::string_view response);
  void system(std::string_view extension, std::string_view status, std::string_view message);
  void tell(const db::Answer& answer);
  void tell(const db::Event& event);
  void tell(const db::RowEvent& event);
  void tell(const db::TopicEvent& event);
  void tell_rows(const db::RowChange& change, bool shows_before, const std::vector<std::string>& columns,
                 const std::string& ids);
  void tell_said(const db::TopicEvent& event);
  void tell_entries(const db::TopicMessage& message);
  std::string table_name(const db::Path& table) const;

  RealtimeCarrier& carrier_;
  const Place place_;
  Credentials credentials_;
  const std::string topic_;
  const std::string name_;  // without kTopicStart
  const std::optional<std::string> join_ref_;
  const std::optional<std::string> ref_;  // of the join
  JoinConfig config_{};
  std::optional<rules::Auth> auth_{};             // proven, until the session has it
  std::shared_ptr<HomeSession> home_{};           // null before and after
  std::vector<unsigned> listened_{};              // which of config_.changes the session's bindings are
  std::map<std::string, std::string> aliases_{};  // names of tables that lie elsewhere, by path text
  bool hears_rows_ = false;                       // as place_.fence knows it
  bool is_joined_ = false;
  bool is_over_ = false;
  size_t answers_due_ = 0;               // of the two that make a join
  std::vector<db::Item> held_{};         // that came before the reply
  std::vector<PhoenixMessage> early_{};  // that the client said before the reply
  uint64_t last_request_ = 0;
  uint64_t token_turn_ = 0;       // of the latest access_token
  bool has_newer_token_ = false;  // it came while the one before was being proven
  std::map<uint64_t, Asked> asked_{};
};

}  // namespace hearth::net::supabase
