// The protocol as a state machine. Nothing here waits, and nothing knows a socket.
//
//   Request{r: 7, listen} ─▶ on_request ─▶ pending_[id] = {7, how to answer} ─▶ rules::Session::listen(id, …)
//                                                                                     │
//                               one story: answers, events, the end, in sequence order│
//                                                                                     ▼
//   to ◀── {"r":7, …} ◀── on_answer  ◀─┐
//   to ◀── push       ◀── on_event   ◀─┼── on_items ◀── rules::Session::take()
//   to ◀── ac; over   ◀── Ended      ◀─┘
//
// Ids. Numbers of requests and tags of listens are the client's, and it may use one twice. Requests and listeners
// have ids of ours (last_id_), and pending_ and listenings_ say what they mean to the client. Answers come once for
// each id, in whatever order the story has them.
//
// Order. Everything that is said to a request goes through the story, refusals too: data_->reply() puts them into it
// behind what was asked before. A refusal that was sent at once would overtake the answers of earlier writes. The
// exceptions have no number: pongs, complaints, and `ac` when a credential expires.
//
// Listeners of a client are named by what the client will send and hear, a path without a tag or a tag, and by an id that
// events carry (Listenings). An untagged push names only its path, and the SDK finds all listeners it concerns. So when
// several of them are told the same body in a row, one push is enough (last_pushed_).
//
// Credentials. auth takes effect at once, for JavaScript does not wait for its answer. When the key of a token must
// be fetched, all that comes behind it is held (Verification), since it must be judged by that credential. The
// verdict comes from another thread into a mailbox of its own, and wakes the transport, whose on_items() looks there
// first. A user may be signed out between the verdict and the moment from which a kick finds this session;
// still_good() closes that gap.
#include "net/wire/session.h"

#include <fmt/format.h>

#include <utility>

#include "net/io/limit_log.h"
#include "net/io/log.h"
#include "net/wire/frame.h"
#include "net/wire/reply.h"

namespace hearth::net::wire {

namespace {

using db::Error;
using db::ErrorCode;

// Makes one visitor of several lambdas, for std::visit.
template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

// §9.1. No SDK reads it on success; people do.
std::string auth_data(const rules::Auth& auth) {
  std::string to = R"({"auth":)";
  to += auth.variable.empty() ? "null" : auth.variable;
  if (auth.expires) to += fmt::format(R"(,"expires":{})", auth.expires->count());
  to += "}";
  return to;
}

// Only requests count as held: other messages are small.
size_t bytes_of(const Incoming& message) {
  const auto* request = std::get_if<ClientRequest>(&message);
  return request != nullptr ? request->bytes : 0;
}

}  // namespace

size_t size_of(const Outgoing& message) {
  return std::visit(Overloaded{[](const Text& text) { return text.json.size(); },
                               [](const Push& push) { return push.body->byte_count(); },
                               [](const ValueReply& reply) { return reply.value.byte_count(); }},
                    message);
}

std::string text_of(const Outgoing& message) {
  return std::visit(Overloaded{[](const Text& text) { return text.json; },
                               [](const Push& push) {
                                 return push.known != nullptr ? first_text(*push.body, push.tag, *push.known)
                                                              : push_text(*push.body, push.tag);
                               },
                               [](const ValueReply& reply) { return value_text(reply.number, reply.value); }},
                    message);
}

db::Lease lease_of(const Outgoing& message) {
  if (const auto* push = std::get_if<Push>(&message)) return push->lease;
  if (const auto* reply = std::get_if<ValueReply>(&message)) return reply->lease;
  return nullptr;
}

namespace {

// An untagged push is the same for all who hear it, so its frame is kept in the body and shared. What carries a tag,
// or depends on what one client holds, is made for that client.
db::SharedBytes frames_of(const Outgoing& message, db::Counter* made, Packed packed) {
  if (const auto* push = std::get_if<Push>(&message)) {
    if (!push->tag && push->known == nullptr) return push_frame(*push->body, made, packed);
    if (made != nullptr) made->add();
  }
  if (const auto* text = std::get_if<Text>(&message)) {
    return std::make_shared<const std::string>(frame_message(text->json, packed));
  }
  return std::make_shared<const std::string>(frame_message(text_of(message), packed));
}

}  // namespace

db::SharedBytes frames_of(const Outgoing& message, db::Counter* made) { return frames_of(message, made, Packed::No); }
db::SharedBytes packed_frames_of(const Outgoing& message, db::Counter* made) {
  return frames_of(message, made, Packed::Yes);
}

Session::Session(std::unique_ptr<rules::Session> data, const Verifier& verifier, Client client, Limits limits,
                 LimitsReached* reached)
    : data_(std::move(data)),
      verifier_(verifier),
      client_(std::move(client)),
      listeners_max_(limits.listeners_max),
      reached_(reached) {}

void Session::on_message(Incoming&& message, std::vector<Outgoing>& to) {
  if (verification_ != nullptr) {
    verification_->held_bytes += bytes_of(message);
    verification_->held.push_back(std::move(message));
    return;
  }
  std::visit(Overloaded{[&](ClientRequest& request) { on_request(std::move(request)); },
                        [&](Ping&) { to.push_back(Text{pong_text()}); },  //
                        [](EndOfTransmission&) {}, [](Nothing&) {},
                        [&](Broken& broken) { to.push_back(Text{complaint_text(broken.reason)}); }},
             message);
}

void Session::on_request(ClientRequest&& request) {
  const int64_t number = request.number;
  const AtHand at_hand{
      request.bytes,
      std::visit(Overloaded{[](const Put&) { return "write"; }, [](const Listen&) { return "listen"; },
                            [](const Unlisten&) { return "unlisten"; }, [](const Get&) { return "read"; },
                            [](const OnDisconnect&) { return "onDisconnect"; }, [](const auto&) { return "other"; }},
                 request.action)};
  at_hand_ = &at_hand;
  std::visit(
      Overloaded{
          [&](Put& put) { data_->write(expect({.number = number}), std::move(put.write)); },
          [&](Listen& listen) { on_listen(number, std::move(listen)); },
          [&](Unlisten& unlisten) { on_unlisten(number, unlisten); },
          [&](Get& get) { data_->read(expect({.number = number, .form = Form::Value}), std::move(get.read)); },
          [&](OnDisconnect& later) { data_->on_disconnect(expect({.number = number}), std::move(later.disconnect)); },
          [&](Authenticate& authenticate) { on_authenticate(number, std::move(authenticate)); },
          [&](Unauthenticate&) {
            data_->set_auth(rules::Auth{});
            data_->reply(expect({.number = number}), {});
          },
          [&](Acknowledge&) { data_->reply(expect({.number = number}), {}); },
          [&](Refuse& refused) { refuse(number, std::move(refused.error)); },
      },
      request.action);
  at_hand_ = nullptr;
}

void Session::on_listen(int64_t number, Listen&& listen) {
  // No SDK listens twice to one place. If a client does, the old listener ends and the new one is told everything anew.
  if (const uint64_t old = listenings_.named(listen.listen.path, listen.tag); old != 0) drop(old);
  if (listenings_.size() >= listeners_max_) {
    if (reached_ != nullptr) reached_->listeners.add();
    http::tell_of_limit("listeners");
    return refuse(number, {ErrorCode::InvalidArgument,
                           fmt::format("Too many listeners on one connection (at most {}).", listeners_max_)});
  }
  const uint64_t listener = ++last_id_;
  // Memory that the listener costs here counts with what it costs the shard.
  listen.listen.bytes_beside = listen.query_json.size();
  listenings_.add(listener, listen.listen.path, listen.tag, std::move(listen.query_json));
  data_->listen(
      expect({.number = number, .form = Form::Listen, .listener = listener, .known = std::move(listen.known)}),
      listener, std::move(listen.listen));
}

// An unlisten of what nobody listens to is answered ok too.
void Session::on_unlisten(int64_t number, const Unlisten& unlisten) {
  const uint64_t request = expect({.number = number});
  const uint64_t listener = listenings_.named(unlisten.path, unlisten.tag);
  if (listener == 0) return data_->reply(request, {});
  // From here on events of this listener find nothing, and are not sent. The shard may still have some on their way.
  listenings_.erase(listener);
  data_->unlisten(request, listener);
}

void Session::on_authenticate(int64_t number, Authenticate&& authenticate) {
  if (client_.whence != http::Whence::Here && authenticate.credential == kOwner && verifier_.is_dev()) {
    const bool is_page = client_.whence == http::Whence::OtherPage;
    return on_verdict(number, is_page ? foreign_owner() : owner_by_name(), std::nullopt);
  }
  auto verdict = verifier_.verify(authenticate.credential, data_->space(), client_.asker);
  if (verdict) return on_verdict(number, std::move(*verdict), authenticate.act_as);
  verification_ = std::make_shared<Verification>();
  verification_->number = number;
  verification_->act_as = std::move(authenticate.act_as);
  verifier_.verify_late(std::move(authenticate.credential), data_->space(), client_.asker,
                        [verification = verification_, wake = data_->waker()](db::Result<rules::Auth> auth) {
                          {
                            const std::lock_guard lock(verification->mutex);
                            verification->verdict = std::move(auth);
                          }
                          wake();
                        });
}

// Takes the verdict if it is there, and then what was held behind it. When one of those is a credential that has to
// wait too, the rest is held again, behind that one.
void Session::accept_verdict(std::vector<Outgoing>& to) {
  if (verification_ == nullptr) return;
  const std::shared_ptr<Verification> done = verification_;
  {
    const std::lock_guard lock(done->mutex);
    if (!done->verdict) return;
  }
  verification_ = nullptr;
  on_verdict(done->number, std::move(*done->verdict), done->act_as);
  for (Incoming& next : done->held) on_message(std::move(next), to);
}

void Session::on_verdict(int64_t number, db::Result<rules::Auth> auth, const std::optional<std::string>& as) {
  if (auth.ok() && as) auth = act_as(std::move(auth).value(), *as);
  if (!auth.ok()) {
    http::log(http::LogLevel::Debug, "credential refused",
              {{"connection", client_.connection}, {"peer", client_.asker.address}, {"reason", auth.error().message}});
    return refuse(number, auth.error());
  }
  std::string data = auth_data(auth.value());
  const rules::Auth proven = auth.value();
  // All that follows on this connection is judged by it; JavaScript does not wait for the answer (§9.3).
  data_->set_auth(std::move(auth).value());
  // A user who was signed out after the verdict, and before a kick could find this session, is signed out now.
  if (const auto still = verifier_.still_good(proven, data_->space()); !still.ok()) {
    data_->set_auth(rules::Auth{});
    return refuse(number, still.error());
  }
  data_->reply(expect({.number = number, .data = std::move(data)}), {});
}

void Session::expire(std::vector<Outgoing>& to) {
  to.push_back(Text{expired_text()});
  data_->set_auth(rules::Auth{});
}

bool Session::on_items(std::vector<Outgoing>& to) {
  accept_verdict(to);
  for (db::Item& item : data_->take()) {
    if (const auto* ended = std::get_if<db::Ended>(&item)) {
      // An administrator has signed the user out (§9.4): the client forgets its token, and asks for another.
      if (ended->reason.code == ErrorCode::InvalidToken) to.push_back(Text{auth_revoked_text(ended->reason)});
      return false;
    }
    if (auto* answer = std::get_if<db::Answer>(&item)) {
      on_answer(std::move(*answer), to);
      last_pushed_.reset();
      continue;
    }
    // Untagged pushes name the path alone: what a listener here and one above it are both told is told once.
    auto& event = std::get<db::Event>(item);
    const std::shared_ptr<const db::Body> body = event.body;
    const Listenings::Listening* listening = listenings_.find(event.listener);
    // The client has ended this listener and the shard does not know yet: nothing is sent for it, so that a listener
    // below, which is told the same body, still has to be pushed.
    if (listening == nullptr) continue;
    const bool is_tagged = listening->tag().has_value();
    if (body == nullptr || is_tagged || body != last_pushed_.lock()) on_event(std::move(event), to);
    if (!is_tagged) last_pushed_ = body;
  }
  return true;
}

void Session::on_answer(db::Answer&& answer, std::vector<Outgoing>& to) {
  const auto found = pending_.find(answer.request);
  db::invariant(found != pending_.end(), "every answer is to a request, once");
  const Pending pending = std::move(found->value);
  pending_.erase(found);
  pending_bytes_ -= pending.bytes;
  tell_if_slow(pending);

  if (pending.form == Form::Silent) return;
  if (!answer.status.ok()) {
    if (pending.form == Form::Listen) drop(pending.listener);
    to.push_back(Text{failure_text(pending.number, answer.status.error())});
    return;
  }
  switch (pending.form) {
    case Form::Listen:
      // `ok` says that the view is complete, so the value goes first (§6.2).
      if (const auto* at = listenings_.find(pending.listener); at != nullptr && answer.first != nullptr) {
        to.push_back(Push{std::move(answer.first), at->tag(), std::move(answer.lease),
                          answer.resumed ? nullptr : pending.known});
      }
      to.push_back(Text{ok_text(pending.number, answer.no_index ? R"({"w":["no_index"]})" : "{}")});
      return;
    case Form::Value:
      to.push_back(ValueReply{pending.number, std::move(answer.value), std::move(answer.lease)});
      return;
    case Form::Plain:
      to.push_back(Text{ok_text(pending.number, pending.data)});
      return;
    case Form::Silent:
      return;
  }
}

void Session::tell_if_slow(const Pending& pending) const {
  const auto took = std::chrono::steady_clock::now() - pending.asked_at;
  if (took < http::kSlowRequestTime) return;
  http::log_seldom(http::LogLevel::Info, "slow request of an SDK", "slow request",
                   {{"at", "/.ws"},
                    {"did", pending.deed},
                    {"bytes", pending.bytes},
                    {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count()},
                    {"ns", data_->space()},
                    {"connection", client_.connection},
                    {"peer", client_.asker.address}});
}

void Session::on_event(db::Event&& event, std::vector<Outgoing>& to) {
  switch (event.kind) {
    case db::Event::Kind::Changed:
      if (const auto* at = listenings_.find(event.listener)) {
        to.push_back(Push{std::move(event.body), at->tag(), {}});
      }
      return;
    case db::Event::Kind::Revoked:
      // The credential's time has come before its timer: the client hears why first, and comes back with another.
      if (event.error->code == ErrorCode::ExpiredToken && expires()) expire(to);
      if (const auto* at = listenings_.find(event.listener)) {
        to.push_back(Text{revoked_text(at->path, at->query_json())});
        drop(event.listener);
      }
      return;
  }
}

// Remembers how to answer, and returns the id under which the answer will come.
uint64_t Session::expect(Pending pending) {
  if (at_hand_ != nullptr) {
    pending.bytes = at_hand_->bytes;
    pending.deed = at_hand_->deed;
  }
  pending.asked_at = std::chrono::steady_clock::now();
  pending_bytes_ += pending.bytes;
  pending_[++last_id_] = std::move(pending);
  return last_id_;
}

void Session::refuse(int64_t number, Error error) {
  data_->reply(expect({.number = number}), db::Result<void>(std::move(error)));
}

// Ends a listener that the client did not end.
void Session::drop(uint64_t listener) {
  listenings_.erase(listener);
  data_->unlisten(expect({.form = Form::Silent}), listener);
}

}  // namespace hearth::net::wire
