// Requests of one conversation, each submitted to the namespace's home shard, where they take effect in their order.
#include "db/client.h"

#include "db/base/step.h"
#include "db/shard/shard.h"

namespace hearth::db {
namespace {

template <typename What>
void submit(const std::shared_ptr<Conversation>& conversation, uint64_t request, What what) {
  conversation->space->shard.submit(
      {.space = conversation->space, .conversation = conversation, .id = request, .what = std::move(what)});
}

}  // namespace

Client::Client(std::shared_ptr<Conversation> conversation) : conversation_(std::move(conversation)) {}
Client::~Client() { end(); }

std::string Client::id() const { return std::string(conversation_->id); }
void Client::write(uint64_t request, Write write) { submit(conversation_, request, WriteRequest{std::move(write)}); }
void Client::read(uint64_t request, Read read) { submit(conversation_, request, ReadRequest{std::move(read)}); }
void Client::listen(uint64_t request, uint64_t listener, Listen listen) {
  submit(conversation_, request, ListenRequest{listener, std::move(listen)});
}
void Client::unlisten(uint64_t request, uint64_t listener) {
  submit(conversation_, request, UnlistenRequest{listener});
}
void Client::recheck(uint64_t listener, std::shared_ptr<const Precondition> check) {
  submit(conversation_, 0, RecheckRequest{listener, std::move(check)});
}
void Client::listen_rows(uint64_t request, uint64_t listener, RowListen listen) {
  submit(conversation_, request, ListenRowsRequest{listener, std::move(listen)});
}
void Client::recheck_rows(uint64_t listener, std::shared_ptr<const RowCheck> check) {
  submit(conversation_, 0, RecheckRowsRequest{listener, std::move(check)});
}
void Client::join(uint64_t request, uint64_t listener, TopicJoin join) {
  submit(conversation_, request, JoinRequest{listener, std::move(join)});
}
void Client::recheck_topic(uint64_t listener, std::shared_ptr<const Precondition> may_be,
                           std::shared_ptr<const Precondition> may_speak) {
  submit(conversation_, 0, RecheckTopicRequest{listener, std::move(may_be), std::move(may_speak)});
}
void Client::say(uint64_t request, uint64_t listener, std::shared_ptr<TopicMessage> message) {
  submit(conversation_, request, SayRequest{listener, std::move(message)});
}
void Client::hear_entries(uint64_t listener) { submit(conversation_, 0, HearEntriesRequest{listener}); }
void Client::announce(uint64_t request, uint64_t listener, std::vector<TopicAnnouncement> announcements) {
  submit(conversation_, request, AnnounceRequest{listener, std::move(announcements)});
}
void Client::open_document(uint64_t request, uint64_t listener, DocumentOpen open) {
  submit(conversation_, request, OpenDocumentRequest{listener, std::move(open)});
}
void Client::append(uint64_t request, uint64_t listener, std::string update) {
  submit(conversation_, request, AppendRequest{listener, std::move(update)});
}
void Client::on_disconnect(uint64_t request, Disconnect disconnect, std::shared_ptr<const Precondition> check) {
  submit(conversation_, request, DisconnectRequest{std::move(disconnect), std::move(check)});
}
void Client::recheck_disconnect(std::shared_ptr<const Precondition> check) {
  submit(conversation_, 0, RecheckDisconnectRequest{std::move(check)});
}
void Client::reply(uint64_t request, Result<void> status) {
  submit(conversation_, request, ReplyRequest{std::move(status)});
}
void Client::await_commit(uint64_t request, uint64_t since) {
  submit(conversation_, request, AwaitCommitRequest{since});
}
void Client::set_label(std::string label) { submit(conversation_, 0, LabelRequest{std::move(label)}); }
void Client::set_origin(const Origin& origin) {
  conversation_->connection.store(origin.connection, std::memory_order_relaxed);
  conversation_->protocol.store(origin.protocol, std::memory_order_relaxed);
}
Origin Client::origin() const { return conversation_->origin(); }
void Client::set_admin(bool is_admin) { conversation_->is_admin.store(is_admin, std::memory_order_relaxed); }
// Weak: whoever holds a waker must not keep a conversation alive whose client has gone.
Wake Client::waker() const {
  return [weak = std::weak_ptr(conversation_)] {
    if (const auto conversation = weak.lock()) conversation->story.nudge();
  };
}
std::vector<Item> Client::take() {
  std::vector<Item> items = conversation_->story.take();
  Step::here().count({items.size(), 0, 0});
  return items;
}

void Client::end() {
  if (ended_) return;
  ended_ = true;
  // First of all: from here on nothing wakes the owner, and is_gone lets readers drop what they read for it.
  conversation_->story.close();
  conversation_->is_gone = true;
  submit(conversation_, 0, EndRequest{});
}

}  // namespace hearth::db
