// One ordered conversation with one namespace: requests take effect in the order of the calls, and what comes back
// (answers, events) is one story in commit order. The base of the embedded API and of rules::Session.
//
// A first value or a read is made off the shard; everything behind it waits, so that the story stays in order.
//
// Thread: requests and take() from one thread at a time, the owner's. `wake` is called on any thread when there is
// something to take, and by a take() that has left something; it must only pass the word on. Destruction ends the
// conversation, and waits for nothing. When the database is closed, the story's last item is Ended, and later
// requests are dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "db/base/wake.h"
#include "db/model/event.h"
#include "db/model/live.h"
#include "db/model/read.h"
#include "db/model/write.h"

namespace hearth::db {

struct Conversation;  // db/shard/namespace_state.h

class Client {
 public:
  explicit Client(std::shared_ptr<Conversation> conversation);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::string id() const;

  void write(uint64_t request, Write write);
  void read(uint64_t request, Read read);
  void listen(uint64_t request, uint64_t listener, Listen listen);
  void unlisten(uint64_t request, uint64_t listener);
  void recheck(uint64_t listener, std::shared_ptr<const Precondition> check);  // its new check
  // Rows and topics have listeners' ids, and end by unlisten().
  void listen_rows(uint64_t request, uint64_t listener, RowListen listen);
  void recheck_rows(uint64_t listener, std::shared_ptr<const RowCheck> check);
  void join(uint64_t request, uint64_t listener, TopicJoin join);
  void recheck_topic(uint64_t listener, std::shared_ptr<const Precondition> may_be,
                     std::shared_ptr<const Precondition> may_speak);
  // Entries are heard from here on: first Present, then Changed. No answer.
  void hear_entries(uint64_t listener);
  // Errors of both answers: NotFound (not in the topic), PermissionDenied, TooLarge. The message is its topic's from
  // here on.
  void say(uint64_t request, uint64_t listener, std::shared_ptr<TopicMessage> message);
  void announce(uint64_t request, uint64_t listener, std::vector<TopicAnnouncement> announcements);
  // A Yjs document: its updates are the answer's `document`, and what comes later is said in its topic (kUpdateSaid).
  // Revoked, when it was removed: NotFound. Errors: PermissionDenied; InvalidArgument, data stands there; TooLarge.
  void open_document(uint64_t request, uint64_t listener, DocumentOpen open);
  // Answered once it is on disk; what the document has already is answered too, and told to nobody. Precondition: the
  // update is well-formed (db/documents/update.h). Errors: PermissionDenied, NotFound, TooLarge, InvalidArgument.
  void append(uint64_t request, uint64_t listener, std::string update);
  void on_disconnect(uint64_t request, Disconnect disconnect, std::shared_ptr<const Precondition> check);
  void recheck_disconnect(std::shared_ptr<const Precondition> check);  // the new check of what is queued
  void reply(uint64_t request, Result<void> status);
  // Answered, with its sequence, once a commit of the namespace after `since` is durable. What comes behind it waits: a
  // conversation that waits does nothing else. Errors: Unavailable, too many wait.
  void await_commit(uint64_t request, uint64_t since);
  // A word by which Host::end_conversations finds this one; "" for none. In its turn, as requests are.
  void set_label(std::string label);

  // How it came and whether an admin has it, for those who run the server. No request: it may be said at any time, and costs
  // a store.
  void set_origin(const Origin& origin);
  void set_admin(bool is_admin);
  Origin origin() const;

  // Calls `wake`, from any thread and as long as the conversation lasts, for an owner that hears from elsewhere too.
  Wake waker() const;

  // What has come, in order, as far as it is ready, some at a time (Story::take).
  std::vector<Item> take();
  void end();

 private:
  std::shared_ptr<Conversation> conversation_;
  bool ended_ = false;
};

}  // namespace hearth::db
