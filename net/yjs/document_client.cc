// A client's place in one document: coming and going, what the client says, what the session says.
//
//   client                     DocumentClient                                 session, shard
//   token ───────────────────▶ prove ─▶ HomeSession ── open_document ───────▶ may it be read? all its updates
//   step 1 (what I have) ────▶ early_                       on_open ◀──────── the updates, as they are now
//          ◀─ step 1 (what the server has) ─ state_vector      │ is_open_: from here on edits are told as they come
//          ◀─ step 2 (what you lack) ─────── diff(updates, step 1)
//   step 2, update ──────────▶ checked_update ── append ────────────────────▶ may it be written? on disk, then told to others
//          ◀─ update ─────────────────────────────────────────────────────── what others wrote
//
// The updates that came with the answer (document_) are kept for the client's first step 1, which stock clients send at
// once. A later one reads the document again, as a second listener that is ended when it has its answer.
//
// What is more than kInlineBytes is parsed, compared and converted by a worker (run). So the order of two edits of one
// client may change when the first is large. Yjs does not mind: an update that needs another waits for it.
//
// begin_work() and asked_ count what is under way, by bytes; the socket reads no further when it is much.
//
// Awareness. What the client says of itself and of others passes the room of the io thread (awareness_room.h) first. What
// is news there waits in announcements_, by client, the newest word of each, until the room says announce(); then the
// session tells the shard. speaks_for_ has the clients that this connection has spoken for, so that the first ones keep
// their room: a connection that names ever new clients is heard for kAnnouncementsMax of them.
//
// Tokens. A client may bring another token at any time, and several proofs may be under way, some at an issuer's. Each has
// a number (token_turn_), and only the last one counts: else an older token that is proven late would replace a newer one.
// After each proof still_good() is asked as well: a token may have been revoked while it was being proven, and a kick does
// not find a session that is not there yet.
//
// What comes late. Workers, issuers and the shard answer by posting to the home thread, with a weak pointer. is_over_ says
// that the place was left although somebody still holds it; whatever finds it set does nothing. leave() holds a pointer to
// the place itself, for the carrier forgets it within on_leaving().
//
// What all clients of a document hear alike, an update, is framed once (db/model/forms.h).
#include "net/yjs/document_client.h"

#include <utility>

#include "db/documents/awareness.h"
#include "db/documents/update_v2.h"
#include "net/websocket/frame.h"
#include "net/yjs/room.h"

namespace hearth::net::yjs {
namespace {

constexpr uint64_t kListener = 1, kReadListener = 2;
constexpr uint64_t kOpenRequest = 1;
constexpr db::Form kUpdateForm{"yjs update"}, kNamedUpdateForm{"hocuspocus update"};

// The most that an update of format 2 may become in format 1.
constexpr size_t kUpdateBytesMax = 64u << 20;

std::string document_name(std::string_view name) { return std::string(name.substr(0, name.find('\0'))); }

// Returns an update as it is stored, in format 1. Some clients write format 2, and nothing in a message says which one
// it is: so what can't be read as format 1 is tried as format 2, and the error that is told is that of format 1.
db::Result<std::string> checked_update(std::string update) {
  const auto parsed = db::documents::Update::parse(update);
  if (parsed.ok()) return update;
  auto converted = db::documents::from_v2(update, kUpdateBytesMax);
  if (!converted.ok()) return parsed.error();
  RETURN_IF_ERROR(db::documents::Update::parse(converted.value()));
  return converted;
}

db::Result<std::vector<db::documents::Update>> parsed(const db::DocumentUpdates& document) {
  std::vector<db::documents::Update> all;
  all.reserve(document.updates.size());
  for (const std::string& update : document.updates) {
    ASSIGN_OR_RETURN(db::documents::Update one, db::documents::Update::parse_own(update));
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

DocumentClient::DocumentClient(DocumentCarrier& carrier, DocumentPlace place, Dialect dialect, std::string name)
    : carrier_(carrier),
      place_(std::move(place)),
      dialect_(dialect),
      name_(std::move(name)),
      head_(dialect == Dialect::Hocuspocus ? hocuspocus_head(name_) : std::string()),
      has_own_head_(name_.find('\0') != std::string::npos) {}

// Runs `work` on this thread, or on a worker when it has many bytes to go through. `then` is called on this thread with
// the outcome, unless the place was left meanwhile.
template <typename Work, typename Then>
void DocumentClient::run(size_t bytes, Work work, Then then) {
  if (bytes <= kInlineBytes) return then(*this, work());
  place_.workers.run([weak = weak_from_this(), io = &place_.home.io, thread = place_.home.thread,
                      work = std::move(work), then = std::move(then)]() mutable {
    auto done = std::make_shared<decltype(work())>(work());
    io->post(thread, [weak, done, then = std::move(then)] {
      const auto self = weak.lock();
      if (self != nullptr && !self->is_over_) then(*self, std::move(*done));
    });
  });
}

void DocumentClient::begin_work(size_t bytes) {
  work_.insert(bytes);
  carrier_.on_asked(bytes);
}

void DocumentClient::end_work(size_t bytes) {
  const auto found = work_.find(bytes);
  if (found == work_.end()) return;
  work_.erase(found);
  carrier_.on_answered(bytes);
}

// ---- coming and going ----

void DocumentClient::start(std::string credential) {
  has_started_ = true;
  const auto path = path_of_room(document_name(name_));
  if (!path.ok()) return leave(Leaving::Denied, "A document's name is a path of keys: " + path.error().message);
  path_ = path.value();
  prove(std::move(credential));
}

void DocumentClient::prove(std::string credential) {
  const uint64_t turn = ++token_turn_;
  const auto take = [weak = weak_from_this(), turn, io = &place_.home.io,
                     thread = place_.home.thread](db::Result<rules::Auth> auth) {
    const auto go_on = [weak, turn](db::Result<rules::Auth> proven) {
      const auto self = weak.lock();
      if (self != nullptr && turn == self->token_turn_) self->on_proven(std::move(proven));
    };
    if (io->is_home(thread)) return go_on(std::move(auth));
    io->post(thread, [go_on, auth = std::move(auth)]() mutable { go_on(std::move(auth)); });
  };
  if (credential.empty()) return take(rules::Auth());
  if (credential == kOwner && place_.verifier.is_dev() && place_.whence != http::Whence::Here) {
    return take(place_.whence == http::Whence::OtherPage ? foreign_owner() : owner_by_name());
  }
  if (auto verdict = place_.verifier.verify(credential, place_.space, place_.asker)) return take(std::move(*verdict));
  place_.verifier.verify_late(std::move(credential), place_.space, place_.asker, take);
}

void DocumentClient::on_proven(db::Result<rules::Auth> auth) {
  if (is_over_) return;
  if (!auth.ok()) return leave(auth.error());
  if (home_ != nullptr) {
    home_->set_auth(std::move(auth).value());
    const auto good = place_.verifier.still_good(home_->session().auth(), place_.space);
    if (!good.ok()) leave(good.error());
    return;
  }
  auto home = HomeSession::open(place_.home, place_.space, std::move(auth).value(), *this);
  if (!home.ok()) return leave(home.error());
  home_ = std::move(home).value();
  const auto good = place_.verifier.still_good(home_->session().auth(), place_.space);
  if (!good.ok()) return leave(good.error());
  home_->session().open_document(kOpenRequest, kListener, path_);
}

void DocumentClient::on_token(std::string credential) {
  if (!has_started_) return start(std::move(credential));
  if (!is_over_) prove(std::move(credential));
}

void DocumentClient::on_expired() { leave(Leaving::Expired, "Auth token is expired."); }

void DocumentClient::leave(const db::Error& error) {
  using db::ErrorCode;
  switch (error.code) {
    case ErrorCode::InvalidToken:
    case ErrorCode::ExpiredToken:
      return leave(Leaving::Expired, error.message);
    case ErrorCode::NotFound:
      return leave(Leaving::Removed, error.message);
    case ErrorCode::PermissionDenied:
    case ErrorCode::InvalidArgument:
    case ErrorCode::InvalidPath:
      return leave(Leaving::Denied, error.message);
    case ErrorCode::InvalidData:
      return leave(Leaving::Malformed, error.message);
    case ErrorCode::TooLarge:
      return leave(Leaving::TooLarge, error.message);
    case ErrorCode::KeyReused:
    case ErrorCode::Stale:
    case ErrorCode::Unsupported:
    case ErrorCode::Timeout:
    case ErrorCode::Unavailable:
    case ErrorCode::Locked:
    case ErrorCode::NotOwner:
    case ErrorCode::Io:
    case ErrorCode::Corruption:
      return leave(Leaving::TryAgain, "The server can't serve the document now.");
  }
}

void DocumentClient::leave(Leaving why, const std::string& words) {
  if (is_over_) return;
  const auto self = shared_from_this();
  end();
  carrier_.on_leaving(name_, why, words);
}

void DocumentClient::end() {
  is_over_ = true;
  is_open_ = false;
  if (const auto room = std::exchange(room_, nullptr)) room->leave(*this);
  for (const auto& [request, asked] : std::exchange(asked_, {})) carrier_.on_answered(asked.bytes);
  for (const size_t bytes : std::exchange(work_, {})) carrier_.on_answered(bytes);
  if (const auto home = std::exchange(home_, nullptr)) home->end();
  document_.reset();
  early_.clear();
}

void DocumentClient::pump() {
  if (home_ != nullptr) home_->pump();
}

// ---- what the client says ----

void DocumentClient::on_message(const Message& message) {
  if (is_over_) return;
  if (!is_open_) {
    early_bytes_ += message.body.size();
    if (early_bytes_ > kEarlyBytesMax || early_.size() >= kEarlyMessagesMax) {
      return leave(Leaving::TryAgain, "Too much was said before the document was open.");
    }
    early_.emplace_back(message.kind, message.body);
    begin_work(message.body.size());
    return;
  }
  switch (message.kind) {
    case Message::Kind::Step1:
      return on_step1(message.body);
    case Message::Kind::Update:
      return on_update(std::string(message.body));
    case Message::Kind::Awareness:
      return on_awareness(message.body);
    case Message::Kind::QueryAwareness:
    case Message::Kind::Token:
    case Message::Kind::Close:
    case Message::Kind::Other:
      return;
  }
}

void DocumentClient::on_step1(std::string_view state_vector) {
  auto from = db::documents::StateVector::parse(state_vector);
  if (!from.ok()) return leave(from.error());
  if (const auto document = std::exchange(document_, nullptr)) {
    return answer_step1(document, std::move(from).value());
  }
  // Asked again: the document is read again, as another listener of the same session.
  const uint64_t request = ++last_request_;
  asked_[request] = {false, kStep1Bytes, std::move(from).value()};
  carrier_.on_asked(kStep1Bytes);
  home_->session().open_document(request, kReadListener, path_);
}

void DocumentClient::answer_step1(std::shared_ptr<const db::DocumentUpdates> document,
                                  db::documents::StateVector from) {
  if (document->bytes > kInlineBytes) begin_work(kStep1Bytes);
  run(
      document->bytes,
      [document, from = std::move(from)]() -> db::Result<std::string> {
        ASSIGN_OR_RETURN(const auto updates, parsed(*document));
        return db::documents::diff(updates, from);
      },
      [](DocumentClient& self, db::Result<std::string> update) {
        if (!update.ok()) return self.leave(update.error());
        self.carrier_.send(step2_message(self.head_, update.value()));
        self.end_work(kStep1Bytes);
      });
}

void DocumentClient::on_update(std::string update) {
  const size_t bytes = update.size();
  if (bytes > kInlineBytes) begin_work(bytes);
  run(
      bytes, [update = std::move(update)]() mutable { return checked_update(std::move(update)); },
      [bytes](DocumentClient& self, db::Result<std::string> checked) {
        if (!checked.ok()) return self.leave(Leaving::Malformed, "This is no update: " + checked.error().message);
        self.append(std::move(checked).value());
        self.end_work(bytes);
      });
}

// An update that has nothing in it is what a client sends when the server has everything. It is not written; Hocuspocus
// waits for a word all the same.
void DocumentClient::append(std::string update) {
  if (update == db::documents::kEmptyUpdate) {
    if (dialect_ == Dialect::Hocuspocus) carrier_.send(status_message(head_, true));
    return;
  }
  const uint64_t request = ++last_request_;
  asked_[request] = {true, update.size(), {}};
  carrier_.on_asked(update.size());
  home_->session().append(request, kListener, std::move(update));
}

void DocumentClient::on_awareness(std::string_view awareness) {
  if (!room_->has_news(awareness)) return;  // as most of what stock clients say
  const auto entries = db::documents::parse_awareness(awareness);
  if (!entries.ok()) return leave(Leaving::Malformed, "This is no awareness: " + entries.error().message);
  for (const db::documents::AwarenessEntry& entry : entries.value()) {
    if (!room_->is_news(entry.client, entry.clock, entry.is_gone())) continue;
    // The first kAnnouncementsMax clients that this connection speaks for keep their places until it ends.
    if (!speaks_for_.contains(entry.client)) {
      if (entry.is_gone() || speaks_for_.size() >= kAnnouncementsMax) continue;
      speaks_for_.insert(entry.client);
    }
    db::TopicAnnouncement one;
    one.key = std::to_string(entry.client);
    one.is_gone = entry.is_gone();
    if (!one.is_gone) one.value = entry.state;
    one.clock = entry.clock;
    announcements_[entry.client] = std::move(one);
  }
  if (!announcements_.empty() && !std::exchange(waits_to_announce_, true)) room_->speak(*this);
}

void DocumentClient::announce() {
  waits_to_announce_ = false;
  std::vector<db::TopicAnnouncement> all;
  for (auto& [client, one] : std::exchange(announcements_, {})) all.push_back(std::move(one));
  if (home_ != nullptr) home_->session().announce(0, kListener, std::move(all));
}

// ---- what the session says ----

void DocumentClient::on_items(std::vector<db::Item>&& items) {
  const auto self = shared_from_this();
  for (const db::Item& item : items) {
    if (is_over_) return;
    if (const auto* answer = std::get_if<db::Answer>(&item)) {
      on_answer(*answer);
    } else if (const auto* told = std::get_if<db::TopicEvent>(&item)) {
      tell(*told);
    } else if (const auto* event = std::get_if<db::Event>(&item)) {
      if (event->kind == db::Event::Kind::Revoked && event->listener == kListener) leave(*event->error);
    } else if (const auto* ended = std::get_if<db::Ended>(&item)) {
      // TooLarge is about what the client has not read, and not about the document: the client may come back.
      if (ended->reason.code == db::ErrorCode::TooLarge) return leave(Leaving::TryAgain, ended->reason.message);
      leave(ended->reason);
    }
  }
}

void DocumentClient::on_answer(const db::Answer& answer) {
  if (answer.request == kOpenRequest) return on_open(answer);
  const auto found = asked_.find(answer.request);
  if (found == asked_.end()) return;
  Asked asked = std::move(found->second);
  asked_.erase(found);
  carrier_.on_answered(asked.bytes);
  if (!asked.is_edit) {
    if (!answer.status.ok()) return leave(answer.status.error());
    home_->session().unlisten(0, kReadListener);
    return answer_step1(answer.document, std::move(*asked.from));
  }
  if (!answer.status.ok()) return refuse_edit(answer.status.error());
  if (dialect_ == Dialect::Hocuspocus) carrier_.send(status_message(head_, true));
}

void DocumentClient::on_open(const db::Answer& answer) {
  if (!answer.status.ok()) return leave(answer.status.error());
  document_ = answer.document;
  if (dialect_ == Dialect::Hocuspocus) carrier_.send(authenticated_message(head_, answer.may_speak));
  run(
      document_->bytes,
      [document = document_]() -> db::Result<std::string> {
        ASSIGN_OR_RETURN(const auto updates, parsed(*document));
        return db::documents::state_vector(updates).encode();
      },
      [](DocumentClient& self, db::Result<std::string> vector) {
        if (!vector.ok()) return self.leave(vector.error());
        self.carrier_.send(step1_message(self.head_, vector.value()));
        self.is_open_ = true;
        self.room_ = self.place_.rooms.room(self.place_.space, self.path_.text());
        self.room_->join(self);
        for (const auto& [kind, body] : std::exchange(self.early_, {})) {
          self.end_work(body.size());
          self.on_message({kind, body});
        }
        // A client may never send its step 1. So a large document is not kept for it, and is read again when the step
        // comes.
        if (self.document_ != nullptr && self.document_->bytes > kReadKeptMax) self.document_.reset();
      });
}

// Tells the client that an edit was not taken. The client's own document has the edit, so it would not find out by
// itself.
void DocumentClient::refuse_edit(const db::Error& error) {
  if (dialect_ == Dialect::Hocuspocus) carrier_.send(status_message(head_, false));
  if (error.code == db::ErrorCode::PermissionDenied) {
    if (dialect_ == Dialect::YWebsocket && !std::exchange(was_denied_, true)) {
      carrier_.send(denied_message(head_, "permission denied", false));
    }
    return;
  }
  if (error.code == db::ErrorCode::NotFound) return;  // it hears by itself that the document is gone
  leave(error);
}

void DocumentClient::tell(const db::TopicEvent& event) {
  if (event.listener != kListener) return;
  const db::TopicMessage& message = *event.message;
  if (message.kind == db::TopicMessage::Kind::Said) {
    const auto make = [&] { return http::frame_binary(update_message(head_, message.bytes)); };
    if (has_own_head_) return carrier_.send(std::make_shared<const std::string>(make()));
    const db::Form& form = dialect_ == Dialect::Hocuspocus ? kNamedUpdateForm : kUpdateForm;
    return carrier_.send(message.forms.bytes(form, make));
  }
  if (const auto room = room_) room->note(message);
}

void DocumentClient::be_ear() {
  if (home_ != nullptr) home_->session().hear_entries(kListener);
}

void DocumentClient::tell_awareness(const AwarenessTold& told) {
  if (is_over_) return;
  if (has_own_head_) return carrier_.send(awareness_message(head_, told.bytes()));
  carrier_.send(told.frame(head_));
}

}  // namespace hearth::net::yjs
