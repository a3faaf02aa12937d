// A channel's life, in the order of the file: joining, what the client says, what the session says.
//
//   start ─▶ prove ─▶ on_proven ─▶ space_settings ─▶ on_settings ─▶ HomeSession: join, listen_rows
//                                                                     │ two answers (one without rows)
//   early_: what the client says meanwhile ◀── until on_joined() ──▶ held_: what the session says meanwhile
//
// prove() and space_settings() may answer at once, on this thread, or later on another: then their answer is posted to
// the home thread, with a weak pointer, as the socket may be gone by then. A token that comes during the join is kept
// (has_newer_token_) and proven as soon as there is a session. When several proofs are under way, token_turn_ makes the
// last one count.
//
// Each request of the client is in asked_ until the session has answered it, with its bytes, which the socket counts:
// when they are many, it reads no further. end() gives all of them back. Calls that end a channel hold a pointer to it
// first, since the carrier forgets it within them.
//
// What all members of a topic hear alike is framed once for all of them, in the form of the protocol's version
// (db/model/forms.h): a broadcast to 1,000 members is one frame that is shared. What is said again at a join is framed
// for the one who joins, as it has its own `meta`.
//
// How it ends. What a client does next follows from how it is told:
//   refuse()    an error as the reply to the join                the join has failed
//   close()     "system" with the reason, then phx_close         the client does not join again by itself
//   fail()      phx_error                                        the client joins again after a second
//   leave()     the client asked for it: reply and phx_close;    replace(): it has joined the same topic again
//
// Bindings to rows. The reply to the join numbers the client's bindings from 1, in their order. The session has
// bindings of its own, since one to all tables is several of them, and one that can match nothing is none:
//
//   client's    1: todos, user_id=eq.7      2: every table                    3: a schema that is not there
//   session's   bit 0: /todos               bit 1: children of the root       none; told by "system" after the join
//                                           bit 2: /shop/orders (an alias)
//   listened_   bit ─▶ the client's         0, 1, 1
//
// A RowEvent has the bits that match. Bindings that want the same columns are told by one message with all their
// numbers.
//
// Presence. `presence_state` is all who are there; each `presence_diff` says who joined and who left. Whoever says
// something of itself ("track") hears of the others from then on, so hear_entries() goes to the session before the
// announcement: the client learns first who is there. An entry's version is its phx_ref; one that replaces another
// names it as phx_ref_prev. When the session ends, its entries leave. So a client that joins again after phx_error
// comes back as a new entry.
#include "net/supabase/realtime_channel.h"

#include <algorithm>
#include <utility>

#include "db/base/random.h"
#include "net/supabase/channel_name.h"
#include "net/supabase/row_text.h"
#include "net/websocket/frame.h"

namespace hearth::net::supabase {
namespace {

constexpr uint64_t kTopicListener = 1, kRowListener = 2;
constexpr uint64_t kJoinRequest = 1, kListenRequest = 2;

constexpr db::Form kRowForm{"supabase row"}, kRowKeyForm{"supabase row, key only"};
constexpr db::Form kSaidBinary{"phoenix broadcast"}, kSaidText{"phoenix broadcast text"},
    kSaidOld{"phoenix broadcast 1.0"};
constexpr db::Form kDiffForm{"phoenix presence"}, kOldDiffForm{"phoenix presence 1.0"};

std::string token_trouble(const db::Error& error) {
  return (error.code == db::ErrorCode::Unavailable ? "RealtimeRestarting: " : "InvalidJWTToken: ") + error.message;
}

// {"key":{"metas":[{…,"phx_ref":"…"}]}}; entries of one key stand together.
std::string metas_of(const std::vector<db::TopicEntry>& entries) {
  std::map<std::string_view, std::string> by_key;
  for (const db::TopicEntry& entry : entries) {
    std::string& metas = by_key[entry.key];
    if (!metas.empty()) metas += ',';
    metas.append(entry.value, 0, entry.value.size() - 1);  // an object's text, but for its "}"
    if (metas.back() != '{') metas += ',';
    metas += R"("phx_ref":")" + std::to_string(entry.version) + '"';
    if (entry.replaces != 0) metas += R"(,"phx_ref_prev":")" + std::to_string(entry.replaces) + '"';
    metas += '}';
  }
  std::string text = "{";
  for (const auto& [key, metas] : by_key) {
    if (text.size() > 1) text += ',';
    db::append_json_string(key, text);
    text += R"(:{"metas":[)" + metas + "]}";
  }
  return text + "}";
}

std::string broadcast_payload(const db::TopicMessage& message, std::string_view meta) {
  std::string text = R"({"type":"broadcast","event":)";
  db::append_json_string(message.event, text);
  text += R"(,"payload":)";
  text += message.bytes;
  if (!meta.empty()) {
    text += R"(,"meta":)";
    text += meta;
  }
  return text + "}";
}

}  // namespace

RealtimeChannel::RealtimeChannel(RealtimeCarrier& carrier, Place place, Credentials credentials,
                                 const PhoenixMessage& join)
    : carrier_(carrier),
      place_(std::move(place)),
      credentials_(std::move(credentials)),
      topic_(join.topic),
      name_(join.topic.substr(std::min(join.topic.size(), kTopicStart.size()))),
      join_ref_(join.join_ref ? join.join_ref : join.ref),  // 1.0 clients of old name it in `ref` alone
      ref_(join.ref) {}

// ---- joining ----

void RealtimeChannel::start(const db::JsonNode& payload) {
  auto config = join_config_of(payload);
  if (!config.ok()) return refuse(config.error().message);
  config_ = std::move(config).value();
  if (config_.presence_key.empty()) config_.presence_key = db::random_hex(16);
  if (!config_.access_token.empty()) credentials_ = credentials_.with_token(config_.access_token);
  prove(place_.verifier, credentials_, place_.space,
        [weak = weak_from_this(), io = &place_.home.io, thread = place_.home.thread](db::Result<rules::Auth> auth) {
          if (io->is_home(thread)) {
            if (const auto self = weak.lock()) self->on_proven(std::move(auth));
            return;
          }
          io->post(thread, [weak, auth = std::move(auth)]() mutable {
            if (const auto self = weak.lock()) self->on_proven(std::move(auth));
          });
        });
}

void RealtimeChannel::on_proven(db::Result<rules::Auth> auth) {
  if (is_over_) return;
  if (!auth.ok()) return refuse(token_trouble(auth.error()));
  auth_ = std::move(auth).value();
  place_.home.guard.space_settings(place_.space,
                                   [weak = weak_from_this(), io = &place_.home.io, thread = place_.home.thread](
                                       const db::Result<std::shared_ptr<const rules::SpaceSettings>>& settings) {
                                     if (io->is_home(thread)) {
                                       if (const auto self = weak.lock()) self->on_settings(settings);
                                       return;
                                     }
                                     io->post(thread, [weak, settings] {
                                       if (const auto self = weak.lock()) self->on_settings(settings);
                                     });
                                   });
}

void RealtimeChannel::on_settings(const db::Result<std::shared_ptr<const rules::SpaceSettings>>& settings) {
  if (is_over_) return;
  if (!settings.ok()) return refuse("UnableToConnectToProject: " + settings.error().message);
  auto judged = judged_by(settings.value()->realtime, name_, config_.is_private);
  if (!judged.ok()) return refuse(judged.error().message);
  auto home = HomeSession::open(place_.home, place_.space, std::move(*auth_), *this);
  auth_.reset();
  if (!home.ok()) return refuse("UnableToConnectToProject: " + home.error().message);
  home_ = std::move(home).value();
  // A token that was verified late may have been revoked meanwhile; from here on a kick finds the session.
  if (const auto good = place_.verifier.still_good(home_->session().auth(), place_.space); !good.ok()) {
    return refuse(token_trouble(good.error()));
  }
  db::TopicJoin join;
  join.topic = topic_in_database(name_, config_.is_private);
  join.hears_entries = config_.has_presence;
  join.hears_itself = config_.hears_itself;
  join.is_kept = config_.is_private;
  join.since = config_.replay_since;
  join.since_max = config_.replay_max;
  db::RowListen rows = rows_to_listen(settings.value()->tables);
  last_request_ = kListenRequest;
  answers_due_ = 1 + (rows.bindings.empty() ? 0 : 1);
  const bool has_rows = !rows.bindings.empty();
  home_->session().join(kJoinRequest, kTopicListener, std::move(join), judged_at_any_time(settings.value()->tables));
  if (has_rows) {
    place_.fence.add(place_.space, place_.home.thread);
    hears_rows_ = true;
    home_->session().listen_rows(kListenRequest, kRowListener, std::move(rows));
  }
  if (std::exchange(has_newer_token_, false)) renew();
}

// Makes the question that the shard asks at the join, and again with each change of the settings. Where a binding's
// table lies is settled at the join; when the settings move the table, the channel ends with Stale, and the client
// joins again.
rules::JudgedBy RealtimeChannel::judged_at_any_time(const rules::TableSettings& tables) const {
  bool names_every_table = false;
  std::map<std::string, db::Path> named;
  for (const ChangesBinding& binding : config_.changes) {
    if (!binding.wrong.empty()) continue;
    names_every_table = names_every_table || binding.table.empty();
    if (const auto path = tables.path_of(binding.table); path.ok()) named.emplace(binding.table, path.value());
  }
  auto every = names_every_table ? std::optional(tables.aliases) : std::nullopt;
  return [name = name_, is_private = config_.is_private, named = std::move(named),
          every = std::move(every)](const rules::SpaceSettings& settings) -> db::Result<std::optional<db::Path>> {
    const auto is_moved = [&](const auto& table) {
      const auto now = settings.tables.path_of(table.first);
      return !now.ok() || now.value() != table.second;
    };
    if ((every && *every != settings.tables.aliases) || std::any_of(named.begin(), named.end(), is_moved)) {
      return db::Error{db::ErrorCode::Stale, "The project's tables are others now: join again."};
    }
    return judged_by(settings.realtime, name, is_private);
  };
}

// Makes the session's bindings from the client's. A binding to every table is one to the children of the root, and one
// to each table that has a name of its own (an alias), for such a table may lie deeper.
db::RowListen RealtimeChannel::rows_to_listen(const rules::TableSettings& tables) {
  db::RowListen rows;
  const auto add = [&](unsigned index, db::Path table, bool is_every_table) {
    const ChangesBinding& binding = config_.changes[index];
    rows.bindings.push_back({std::move(table), is_every_table, binding.kinds, binding.filter});
    listened_.push_back(index);
  };
  for (const auto& [name, path] : tables.aliases) aliases_[path.text()] = name;
  for (unsigned i = 0; i < config_.changes.size(); ++i) {
    ChangesBinding& binding = config_.changes[i];
    if (!binding.wrong.empty()) continue;
    if (binding.table.empty()) {
      if (rows.bindings.size() + tables.aliases.size() >= db::kRowBindingsMax) {
        binding.wrong = "There are too many tables for a binding to all of them.";
        continue;
      }
      add(i, {}, true);
      for (const auto& [name, path] : tables.aliases) add(i, path, false);
      continue;
    }
    const auto table = tables.path_of(binding.table);
    if (!table.ok() || rows.bindings.size() == db::kRowBindingsMax) {
      binding.wrong = "There is no table `" + binding.table +
                      "`: " + (table.ok() ? "the channel has too many bindings." : table.error().message);
      continue;
    }
    add(i, table.value(), false);
  }
  return rows;
}

void RealtimeChannel::refuse(std::string_view reason) {
  reply(ref_, "error", phoenix_reason(reason));
  const auto self = shared_from_this();
  end();
  carrier_.remove(topic_);
}

void RealtimeChannel::on_joined() {
  is_joined_ = true;
  std::string response = R"({"postgres_changes":[)";
  for (size_t i = 0; i < config_.changes.size(); ++i) {
    if (i > 0) response += ',';
    response += config_.changes[i].echo;
    if (response.back() != '{') response += ',';
    response += R"("id":)" + std::to_string(i + 1) + '}';
    config_.changes[i].echo = {};
  }
  reply(ref_, "ok", response + "]}");
  std::string wrong;
  for (const ChangesBinding& binding : config_.changes) {
    if (wrong.empty()) wrong = binding.wrong;
  }
  if (!wrong.empty()) {
    system("postgres_changes", "error", wrong);
  } else if (!config_.changes.empty()) {
    system("postgres_changes", "ok", "Subscribed to PostgreSQL");
  }
}

// ---- what the client says ----

uint64_t RealtimeChannel::ask(const PhoenixMessage& message, bool is_told, size_t bytes, bool is_plain) {
  asked_[++last_request_] = {message.ref, is_told, is_plain, bytes};
  carrier_.on_asked(bytes);
  return last_request_;
}

void RealtimeChannel::on_message(PhoenixMessage&& message) {
  if (is_over_) return;
  if (message.event == "access_token" && message.payload) return on_token(*message.payload);
  if (!is_joined_) {
    if (early_.size() < kEarlyMessagesMax) return early_.push_back(std::move(message));
    return reply(message.ref, "error", phoenix_reason("The channel is not joined yet."));
  }
  if (message.event == "broadcast") return on_broadcast(std::move(message));
  if (message.event == "presence") return on_presence(message);
  reply(message.ref, "error", phoenix_reason("There is no event " + message.event + " of a channel."));
}

void RealtimeChannel::on_token(const db::JsonNode& payload) {
  const std::string token(payload.text("access_token"));
  if (!is_token(token) || token == credentials_.token) return;
  credentials_ = credentials_.with_token(token);
  if (home_ == nullptr) {
    has_newer_token_ = true;
    return;
  }
  renew();
}

void RealtimeChannel::renew() {
  const uint64_t turn = ++token_turn_;
  prove(
      place_.verifier, credentials_, place_.space,
      [weak = weak_from_this(), turn, io = &place_.home.io, thread = place_.home.thread](db::Result<rules::Auth> auth) {
        io->post(thread, [weak, turn, auth = std::move(auth)]() mutable {
          const auto self = weak.lock();
          if (self == nullptr || self->home_ == nullptr || turn != self->token_turn_) return;
          if (!auth.ok()) return self->close(auth.error().message);
          self->home_->set_auth(std::move(auth).value());
          const auto good = self->place_.verifier.still_good(self->home_->session().auth(), self->place_.space);
          if (!good.ok()) self->close(good.error().message);
        });
      });
}

void RealtimeChannel::on_broadcast(PhoenixMessage&& message) {
  auto said = std::make_shared<db::TopicMessage>();
  if (message.payload) {
    said->event = message.payload->text("event");
    const auto payload = message.payload->field("payload");
    said->bytes = payload ? payload->to_text() : "{}";
  } else {
    said->event = std::move(message.broadcast_event);
    said->bytes = std::move(message.bytes);
    said->is_binary = !message.is_json;
  }
  const uint64_t request = ask(message, config_.acks, said->byte_count());
  home_->session().say(request, kTopicListener, std::move(said));
}

void RealtimeChannel::on_presence(const PhoenixMessage& message) {
  if (!message.payload) return;
  std::string event(message.payload->text("event"));
  for (char& c : event) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  db::TopicAnnouncement announcement;
  announcement.key = config_.presence_key;
  if (event == "track") {
    const auto payload = message.payload->field("payload");
    if (payload && !payload->is_null() && !payload->is_object()) {
      return reply(message.ref, "error", phoenix_reason("Presence track payload must be a map"));
    }
    announcement.value = payload && payload->is_object() ? payload->to_text() : "{}";
    if (announcement.value.size() > kPresenceBytesMax) {
      return reply(message.ref, "error", phoenix_reason("Presence track payload is larger than 65,536 bytes"));
    }
    // As upstream, whoever tracks itself sees the others from then on. The client has to hear who is there before it
    // hears of its own joining, so this comes before the announcement.
    if (!std::exchange(config_.has_presence, true)) home_->session().hear_entries(kTopicListener);
  } else if (event == "untrack") {
    announcement.is_gone = true;
  } else {
    return reply(message.ref, "error", phoenix_reason("Unknown presence event: " + event));
  }
  const uint64_t request = ask(message, true, announcement.value.size(), true);
  home_->session().announce(request, kTopicListener, {std::move(announcement)});
}

void RealtimeChannel::leave(const std::optional<std::string>& ref) {
  reply(ref, "ok", "{}");
  carrier_.send({.join_ref = join_ref_, .ref = join_ref_, .topic = topic_, .event = "phx_close", .payload = "{}"});
  end();
}

void RealtimeChannel::replace() {
  carrier_.send({.join_ref = join_ref_, .ref = join_ref_, .topic = topic_, .event = "phx_close", .payload = "{}"});
  end();
}

void RealtimeChannel::pump() {
  if (home_ != nullptr) home_->pump();
}

// Ends the channel for good: phx_close tells the client not to join again by itself.
void RealtimeChannel::close(std::string_view why) {
  if (is_over_) return;
  if (!is_joined_) return refuse(why);
  system("system", "error", why);
  carrier_.send({.join_ref = join_ref_, .topic = topic_, .event = "phx_close", .payload = "{}"});
  const auto self = shared_from_this();
  end();
  carrier_.remove(topic_);
}

// Ends the channel for now: the client joins again after a second, and its app reads anew what it shows.
void RealtimeChannel::fail() {
  if (is_over_) return;
  carrier_.send({.join_ref = join_ref_, .topic = topic_, .event = "phx_error", .payload = "{}"});
  const auto self = shared_from_this();
  end();
  carrier_.remove(topic_);
}

void RealtimeChannel::end() {
  is_over_ = true;
  for (const auto& [request, asked] : std::exchange(asked_, {})) carrier_.on_answered(asked.bytes);
  if (const auto home = std::exchange(home_, nullptr)) home->end();
  if (std::exchange(hears_rows_, false)) place_.fence.remove(place_.space, place_.home.thread);
  held_.clear();
  early_.clear();
}

// ---- what the session says ----

void RealtimeChannel::reply(const std::optional<std::string>& ref, std::string_view status, std::string_view response) {
  carrier_.send({.join_ref = join_ref_,
                 .ref = ref,
                 .topic = topic_,
                 .event = "phx_reply",
                 .payload = phoenix_status(status, response)});
}

void RealtimeChannel::system(std::string_view extension, std::string_view status, std::string_view message) {
  std::string payload =
      R"({"extension":")" + std::string(extension) + R"(","status":")" + std::string(status) + R"(","message":)";
  db::append_json_string(message, payload);
  payload += R"(,"channel":)";
  db::append_json_string(name_, payload);
  carrier_.send({.join_ref = join_ref_, .topic = topic_, .event = "system", .payload = payload + "}"});
}

void RealtimeChannel::on_items(std::vector<db::Item>&& items) {
  const auto self = shared_from_this();
  for (db::Item& item : items) {
    if (is_over_) return;
    const auto* answer = std::get_if<db::Answer>(&item);
    if (!is_joined_ && answer == nullptr && !std::holds_alternative<db::Ended>(item)) {
      held_.push_back(std::move(item));
      continue;
    }
    if (const auto* ended = std::get_if<db::Ended>(&item)) {
      // A namespace that went is not to be joined again; a client that read too slowly may try.
      if (ended->reason.code == db::ErrorCode::NotFound || ended->reason.code == db::ErrorCode::InvalidToken) {
        return close(ended->reason.message);
      }
      return is_joined_ ? fail() : refuse(ended->reason.message);
    }
    std::visit(
        [this](const auto& one) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(one)>, db::Ended>) tell(one);
        },
        item);
  }
}

void RealtimeChannel::tell(const db::Answer& answer) {
  if (answer.request <= kListenRequest) {
    if (!answer.status.ok()) {
      const bool is_denied = answer.status.error().code == db::ErrorCode::PermissionDenied;
      return refuse(is_denied ? refusal_of_private(name_) : answer.status.error().message);
    }
    if (--answers_due_ > 0) return;
    on_joined();
    std::vector<db::Item> held = std::exchange(held_, {});
    if (!held.empty()) on_items(std::move(held));
    for (PhoenixMessage& early : std::exchange(early_, {})) on_message(std::move(early));
    return;
  }
  const auto found = asked_.find(answer.request);
  if (found == asked_.end()) return;
  const Asked asked = std::move(found->second);
  asked_.erase(found);
  carrier_.on_answered(asked.bytes);
  if (!asked.is_told) return;
  if (answer.status.ok()) return reply(asked.ref, "ok", "{}");
  const bool is_denied = answer.status.error().code == db::ErrorCode::PermissionDenied;
  reply(asked.ref, "error", asked.is_plain && is_denied ? "{}" : phoenix_reason(answer.status.error().message));
}

// The channel has lost its right: by the rules, by the settings, by the end of a token, or because a table was moved.
void RealtimeChannel::tell(const db::Event& event) {
  if (event.kind != db::Event::Kind::Revoked) return;
  const db::Error& why = *event.error;
  if (why.code == db::ErrorCode::PermissionDenied) return close(refusal_of_private(name_));
  if (why.code == db::ErrorCode::ExpiredToken) return on_expired();
  if (why.code != db::ErrorCode::Stale) return close(why.message);
  system("postgres_changes", "error", why.message);
  fail();
}

std::string RealtimeChannel::table_name(const db::Path& table) const {
  if (const auto alias = aliases_.find(table.text()); alias != aliases_.end()) return alias->second;
  return table.is_root() ? std::string() : std::string(table.keys().back());
}

void RealtimeChannel::tell(const db::RowEvent& event) {
  if (event.is_missed) return fail();
  // Bindings that want the same columns are told by one message.
  std::map<const std::vector<std::string>*, std::string> ids;
  std::vector<const std::vector<std::string>*> order;
  for (unsigned bit = 0; bit < listened_.size(); ++bit) {
    if ((event.bindings >> bit & 1) == 0) continue;
    const std::vector<std::string>* columns = &config_.changes[listened_[bit]].columns;
    for (const auto* known : order) {
      if (*known == *columns) columns = known;
    }
    std::string& list = ids[columns];
    if (list.empty()) {
      order.push_back(columns);
    } else {
      list += ',';
    }
    list += std::to_string(listened_[bit] + 1);
  }
  for (const auto* columns : order) tell_rows(*event.change, event.shows_before, *columns, ids[columns]);
}

void RealtimeChannel::tell_rows(const db::RowChange& change, bool shows_before, const std::vector<std::string>& columns,
                                const std::string& ids) {
  db::SharedBytes data;
  if (columns.empty()) {
    data = change.forms.bytes(shows_before ? kRowForm : kRowKeyForm,
                              [&] { return row_change_text(change, shows_before, {}); });
  } else {
    data = std::make_shared<const std::string>(row_change_text(change, shows_before, columns));
  }
  std::string payload = R"({"ids":[)";
  payload.reserve(96 + ids.size() + data->size());
  payload += ids;
  payload += R"(],"data":{"schema":"public","table":)";
  db::append_json_string(table_name(change.table), payload);
  payload += ',';
  payload += *data;
  payload += "}}";
  carrier_.send({.topic = topic_, .event = "postgres_changes", .payload = payload});
}

void RealtimeChannel::tell(const db::TopicEvent& event) {
  if (event.message->kind == db::TopicMessage::Kind::Said) return tell_said(event);
  tell_entries(*event.message);
}

void RealtimeChannel::tell_said(const db::TopicEvent& event) {
  const db::TopicMessage& message = *event.message;
  const bool fits = topic_.size() <= kPhoenixNameMax && message.event.size() <= kPhoenixNameMax;
  const bool is_binary = carrier_.version() == PhoenixVersion::Two && fits;
  if (!is_binary && message.is_binary) return;  // there is no way to say it
  std::string meta;
  if (event.is_replayed) meta = R"({"replayed":true,"id":")" + std::to_string(message.number) + R"("})";
  const auto make = [&] {
    if (is_binary) {
      return http::frame_binary(phoenix_broadcast(topic_, message.event, meta, !message.is_binary, message.bytes));
    }
    return http::frame_text(phoenix_text(
        {.topic = topic_, .event = "broadcast", .payload = broadcast_payload(message, meta)}, carrier_.version()));
  };
  if (event.is_replayed) return carrier_.send(std::make_shared<const std::string>(make()));
  const db::Form& form = is_binary ? kSaidBinary : carrier_.version() == PhoenixVersion::Two ? kSaidText : kSaidOld;
  carrier_.send(message.forms.bytes(form, make));
}

void RealtimeChannel::tell_entries(const db::TopicMessage& message) {
  if (message.kind == db::TopicMessage::Kind::Present) {
    return carrier_.send(
        {.join_ref = join_ref_, .topic = topic_, .event = "presence_state", .payload = metas_of(message.joined)});
  }
  const db::Form& form = carrier_.version() == PhoenixVersion::Two ? kDiffForm : kOldDiffForm;
  carrier_.send(message.forms.bytes(form, [&] {
    const std::string payload =
        R"({"joins":)" + metas_of(message.joined) + R"(,"leaves":)" + metas_of(message.left) + "}";
    return http::frame_text(
        phoenix_text({.topic = topic_, .event = "presence_diff", .payload = payload}, carrier_.version()));
  }));
}

}  // namespace hearth::net::supabase
