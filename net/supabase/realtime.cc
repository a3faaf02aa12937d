// A request of the realtime service: proven first, then a socket or a broadcast.
//
//   handle ─▶ resolve the namespace ─▶ prove the key ─▶ websocket: accept
//                                        │ no: 401       api/broadcast: settings ─▶ Guard::say for each message ─▶ 202
//                                        ▼
//                                   {"error": …} before any upgrade, so that a client reads why
//
// A broadcast of several messages is no transaction. All of them are parsed, and judged by the settings, before the
// first one is said; then each is judged by the rules of its own topic. The first refusal is the answer, while others
// may have been said. Progress sees to it that there is one answer: `left` counts what is under way, and whoever finds
// is_refused set is silent.
#include "net/supabase/realtime.h"

#include <utility>
#include <vector>

#include "net/error_reply.h"
#include "net/supabase/channel_name.h"
#include "net/supabase/pages.h"

namespace hearth::net::supabase {
namespace {

constexpr std::chrono::seconds kSilenceMax{60};  // as upstream

http::Response refused(const db::Error& error, bool is_guessing = false) {
  http::Response response = refusal(error, Service::Realtime, is_guessing);
  allow_pages(response);
  return response;
}

http::Response refused(int status, std::string_view why) {
  http::Response response = http::error_response(status, "");
  response.body = R"({"error":)";
  db::append_json_string(why, response.body);
  response.body += "}";
  allow_pages(response);
  return response;
}

struct Broadcast {
  std::string topic;
  bool is_private = false;
  std::shared_ptr<db::TopicMessage> message = std::make_shared<db::TopicMessage>();
};

// Clients name a topic with or without the start "realtime:" that it has on the socket.
std::string topic_name(std::string_view topic) {
  return std::string(topic.starts_with(kTopicStart) ? topic.substr(kTopicStart.size()) : topic);
}

db::Result<std::vector<Broadcast>> broadcasts_of(const Project& project, http::Request& request) {
  using db::Error;
  using db::ErrorCode;
  std::vector<Broadcast> all;
  if (project.rest.size() == 5) {
    Broadcast one;
    one.topic = topic_name(project.rest[2]);
    one.is_private = project.target.parameter("private") == "true";
    one.message->event = project.rest[4];
    const std::string_view type = request.header("Content-Type").value_or("application/json");
    one.message->is_binary = type.starts_with("application/octet-stream");
    one.message->bytes = std::move(request.body);
    if (!one.message->is_binary) {
      RETURN_IF_ERROR(db::JsonDocument::parse(std::string_view(one.message->bytes)));
    }
    all.push_back(std::move(one));
  } else {
    ASSIGN_OR_RETURN(const auto document, db::JsonDocument::parse(std::move(request.body)));
    const auto messages = document.root().field("messages");
    const auto elements = messages ? messages->elements() : std::vector<db::JsonNode>();
    if (elements.empty())
      return Error{ErrorCode::InvalidData, "The body is {\"messages\": [{topic, event, payload}]}."};
    if (elements.size() > kBroadcastMessagesMax) {
      return Error{ErrorCode::InvalidData, "A request has at most 100 messages."};
    }
    for (const db::JsonNode& node : elements) {
      Broadcast one;
      one.topic = topic_name(node.text("topic"));
      one.message->event = node.text("event");
      const auto payload = node.field("payload");
      one.message->bytes = payload ? payload->to_text() : "{}";
      const auto is_private = node.field("private");
      one.is_private = is_private && is_private->boolean().value_or(false);
      all.push_back(std::move(one));
    }
  }
  for (const Broadcast& one : all) {
    if (one.topic.empty() || one.message->event.empty()) {
      return Error{ErrorCode::InvalidData, "Each message has a topic and an event."};
    }
  }
  return all;
}

// Answers when all messages have been said, or one was refused.
struct Progress {
  std::shared_ptr<http::Exchange> exchange;
  std::atomic<size_t> left;
  std::atomic<bool> is_refused = false;
};

}  // namespace

struct Realtime::Ask {
  Project project;
  std::string space;
  Credentials credentials;
};

void Realtime::handle(const std::shared_ptr<http::Exchange>& exchange, Project project) {
  const http::Request& request = exchange->request();
  if (request.method == "OPTIONS") return exchange->respond(page_permission());
  const bool is_socket = project.rest.size() == 1 && project.rest[0] == "websocket";
  const bool is_broadcast = project.rest.size() >= 2 && project.rest[0] == "api" && project.rest[1] == "broadcast" &&
                            (project.rest.size() == 2 || (project.rest.size() == 5 && project.rest[3] == "events"));
  if (!is_socket && !is_broadcast) {
    return exchange->respond(
        refused(404, "There is no such endpoint: the realtime service has /websocket and /api/broadcast."));
  }
  if (is_broadcast && request.method != "POST") return exchange->respond(refused(405, "A broadcast is a POST."));
  const auto space = with_.guard.resolve(project.space);
  if (!space.ok()) return exchange->respond(refused(space.error()));
  const auto ask = std::make_shared<Ask>();
  ask->space = space.value();
  ask->credentials = credentials_of(request, project.target);
  ask->project = std::move(project);
  prove(with_.verifier, ask->credentials, ask->space, [this, exchange, ask, is_socket](db::Result<rules::Auth> auth) {
    const auto go_on = [this, exchange, ask, is_socket, auth = std::move(auth)] {
      if (!auth.ok()) {
        const bool is_guessing = with_.verifier.is_guessing(exchange->request().peer, auth.error());
        return exchange->respond(refused(auth.error(), is_guessing));
      }
      if (const auto good = with_.verifier.still_good(auth.value(), ask->space); !good.ok()) {
        return exchange->respond(refused(good.error()));
      }
      if (is_socket) return open_socket(exchange, *ask);
      with_.guard.space_settings(ask->space, [this, exchange, ask, auth](const auto& settings) {
        const auto say = [this, exchange, ask, auth, settings] {
          if (!settings.ok()) return exchange->respond(refused(settings.error()));
          broadcast(exchange, *ask, auth.value(), settings.value()->realtime);
        };
        if (with_.io.is_home(exchange->thread())) return say();
        with_.io.post(exchange->thread(), say);
      });
    };
    if (with_.io.is_home(exchange->thread())) return go_on();
    with_.io.post(exchange->thread(), go_on);
  });
}

void Realtime::open_socket(const std::shared_ptr<http::Exchange>& exchange, const Ask& ask) {
  const std::string_view vsn = ask.project.target.parameter("vsn").value_or("1.0.0");
  const PhoenixVersion version = vsn.starts_with("1.") ? PhoenixVersion::One : PhoenixVersion::Two;
  if (!vsn.starts_with("1.") && !vsn.starts_with("2.")) {
    return exchange->respond(refused(400, "This server speaks versions 1.0.0 and 2.0.0 of the protocol (vsn)."));
  }
  http::WebSocketOptions options;
  options.message_bytes_max = with_.message_bytes_max;
  options.idle_time_max = kSilenceMax;
  options.word_interval = kHeartbeatInterval;
  options.may_deflate = may_deflate_;
  const auto handler = std::make_shared<RealtimeSocket>(with_, exchange->thread(), ask.space, version, ask.credentials,
                                                        exchange->request().peer, exchange->request().connection);
  if (auto socket = exchange->accept_websocket(handler, options)) handler->start(std::move(socket));
}

void Realtime::broadcast(const std::shared_ptr<http::Exchange>& exchange, const Ask& ask, const rules::Auth& auth,
                         const rules::RealtimeSettings& settings) {
  auto parsed = broadcasts_of(ask.project, exchange->request());
  if (!parsed.ok())
    return exchange->respond(refused(error_reply(parsed.error().code).http_status, parsed.error().message));
  std::vector<Broadcast> all = std::move(parsed).value();
  std::vector<std::optional<db::Path>> paths;
  for (const Broadcast& one : all) {
    auto path = judged_by(settings, one.topic, one.is_private);
    if (!path.ok()) return exchange->respond(refused(403, path.error().message));
    paths.push_back(std::move(path).value());
  }
  const auto progress = std::make_shared<Progress>();
  progress->exchange = exchange;
  progress->left = all.size();
  for (size_t i = 0; i < all.size(); ++i) {
    with_.guard.say(ask.space, auth, topic_in_database(all[i].topic, all[i].is_private), std::move(paths[i]),
                    std::move(all[i].message), all[i].is_private, [progress](const db::Answer& answer) {
                      if (!answer.status.ok() && !progress->is_refused.exchange(true)) {
                        const int status = answer.status.error().code == db::ErrorCode::PermissionDenied
                                               ? 403
                                               : error_reply(answer.status.error().code).http_status;
                        progress->exchange->respond(refused(status, answer.status.error().message));
                      }
                      if (--progress->left > 0 || progress->is_refused) return;
                      http::Response response;
                      response.status = 202;
                      allow_pages(response);
                      progress->exchange->respond(std::move(response));
                    });
  }
}

}  // namespace hearth::net::supabase
