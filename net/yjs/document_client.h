// A client's place in one document, whatever it speaks: who it is, what it may, the steps of a sync, edits and awareness.
//
//   start ─▶ prove the credential ─▶ session: open_document
//            nothing is said before    │ answered: documents may be there, it may be read, it is loaded
//   early messages wait ───────────────▶ step 1, awareness of who is there
//   the client's step 1 ─▶ the difference, as step 2      edits ─▶ Session::append ─▶ on disk ─▶ told to all
//
// Thread: the home of its socket.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/thread_pool.h"
#include "db/documents/update.h"
#include "db/model/event.h"
#include "net/auth/verifier.h"
#include "net/http/origin.h"
#include "net/session/home_session.h"
#include "net/yjs/awareness_room.h"
#include "net/yjs/message.h"
#include "rules/guard.h"

namespace hearth::net::yjs {

inline constexpr size_t kInlineBytes = 64u << 10;   // larger updates, and documents, are a worker's work
inline constexpr size_t kEarlyBytesMax = 5u << 20;  // that a client says before its document is open
inline constexpr size_t kEarlyMessagesMax = 1'000;  // the same in messages
inline constexpr size_t kReadKeptMax = 1u << 20;    // of a document that is kept for a first step 1 yet to come
// What a step 1 counts for until it is answered: the socket reads no further, so one at a time is under way.
inline constexpr size_t kStep1Bytes = (4u << 20) + 1;
inline constexpr size_t kAnnouncementsMax = 64;  // clients that one connection speaks for

// Why a client is in a document no more.
enum class Leaving : uint8_t {
  Denied,     // no right, or no document may be there
  Expired,    // the credential is past its time, or none
  Removed,    // the document, or its namespace
  TooLarge,   // the document
  Malformed,  // what the client said
  TryAgain,   // it may come back
};

enum class Dialect : uint8_t { YWebsocket, Hocuspocus };

// What a place needs of its socket.
class DocumentCarrier {
 public:
  virtual ~DocumentCarrier() = default;
  virtual bool is_full() const = 0;
  virtual void send(std::string_view message) = 0;  // a message with its head
  virtual void send(http::SharedBytes frame) = 0;   // a whole frame
  // What waits for its answer; the socket reads no further when it is much.
  virtual void on_asked(size_t bytes) = 0;
  virtual void on_answered(size_t bytes) = 0;
  virtual void hear_through(http::Gate* gate) = 0;
  virtual void on_leaving(std::string_view name, Leaving why, const std::string& words) = 0;
};

struct DocumentPlace {
  HomeSession::Place home;
  const Verifier& verifier;
  db::ThreadPool& workers;
  AwarenessRooms& rooms;  // of the home thread
  std::string space;
  Asker asker;
  http::Whence whence;
};

class DocumentClient final : public HomeSession::Owner,
                             public AwarenessRoom::Member,
                             public std::enable_shared_from_this<DocumentClient> {
 public:
  // `name`: as the client says it; behind it Hocuspocus may have put a zero and a session of its own.
  DocumentClient(DocumentCarrier& carrier, DocumentPlace place, Dialect dialect, std::string name);
  ~DocumentClient() override { end(); }

  void start(std::string credential);
  void on_message(const Message& message);
  void on_token(std::string credential);  // another one
  void pump();
  void end();
  bool is_open() const { return is_open_; }

  bool is_full() const override { return carrier_.is_full(); }
  void on_items(std::vector<db::Item>&& items) override;
  void on_expired() override;
  void be_ear() override;
  void announce() override;
  void tell_awareness(const AwarenessTold& told) override;
  void hear_through(http::Gate* gate) override { carrier_.hear_through(gate); }

 private:
  struct Asked {
    bool is_edit = true;
    size_t bytes = 0;
    std::optional<db::documents::StateVector> from{};  // of a step 1 that waits for the document
  };
  void prove(std::string credential);
  void on_proven(db::Result<rules::Auth> auth);
  void leave(Leaving why, const std::string& words);
  void leave(const db::Error& error);
  void on_answer(const db::Answer& answer);
  void on_open(const db::Answer& answer);
  void on_step1(std::string_view state_vector);
  void answer_step1(std::shared_ptr<const db::DocumentUpdates> document, db::documents::StateVector from);
  void begin_work(size_t bytes);  // of a worker: it counts as what was asked, until end_work
  void end_work(size_t bytes);    // nothing, if it had not begun
  void on_update(std::string update);
  void append(std::string update);
  void on_awareness(std::string_view awareness);
  void refuse_edit(const db::Error& error);
  void tell(const db::TopicEvent& event);
  template <typename Work, typename Then>
  void run(size_t bytes, Work work, Then then);  // `work` here, or by a worker when it is much

  DocumentCarrier& carrier_;
  const DocumentPlace place_;
  const Dialect dialect_;
  const std::string name_;
  const std::string head_;     // of messages
  bool has_own_head_ = false;  // another than others of the same document
  db::Path path_{};
  std::shared_ptr<HomeSession> home_{};
  std::shared_ptr<AwarenessRoom> room_{};
  std::shared_ptr<const db::DocumentUpdates> document_{};  // as it was when it was opened, for the first step 1
  std::vector<std::pair<Message::Kind, std::string>> early_{};
  size_t early_bytes_ = 0;
  std::set<uint64_t> speaks_for_{};                            // clients; kAnnouncementsMax
  std::map<uint64_t, db::TopicAnnouncement> announcements_{};  // that wait, of those
  bool waits_to_announce_ = false;
  bool has_started_ = false;
  bool is_open_ = false;
  bool is_over_ = false;
  bool was_denied_ = false;  // it has been told that it may not write
  uint64_t last_request_ = 1;
  uint64_t token_turn_ = 0;
  std::map<uint64_t, Asked> asked_{};
  std::multiset<size_t> work_{};  // bytes of what workers have
};

}  // namespace hearth::net::yjs
