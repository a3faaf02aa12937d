// What an administrator asks, answered on the deliverer's thread, between two turns of its loop: so nothing here has to be
// locked, and nothing here may wait for more than rows of the store.
//
//   List, Dead, Pause, Resume, Remove, Rotate, Clear    at once: from memory, and rows beside the tree
//   Add      ─▶ Guard::changes: where does the log begin? ─▶ by the mailbox ─▶ conclude_add
//   Test     ─▶ Poster ─▶ its answer, some seconds later
//   Retry    ─▶ Poster ─▶ taken? the letter goes. It is looked for again first: it may have been cleared meanwhile
//
// Tests and retries have a number of their own beside the attempts of hooks (kAsksAtOnceMax), so that an administrator gets
// an answer when all that may be sent at once is under way.
#include "net/webhooks/asks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "db/model/json.h"
#include "net/webhooks/signature.h"

namespace hearth::net::webhooks {
namespace {

using db::Error;
using db::ErrorCode;

constexpr size_t kAsksAtOnceMax = 16;  // tests and retries beside the attempts of hooks

std::string json_string(std::string_view text) {
  std::string json;
  db::append_json_string(text, json);
  return json;
}

// {"status":200,"ms":12,"body":…}, or {"failure":…,"ms":…}
std::string told(const http::Posted& posted) {
  std::string json = posted.status > 0
                         ? fmt::format(R"({{"status":{},"ms":{},"body":)", posted.status, posted.took.count()) +
                               json_string(posted.body)
                         : fmt::format(R"({{"ms":{},"failure":)", posted.took.count()) + json_string(posted.failure);
  return json + R"(,"taken":)" + (is_taken(posted) ? "true}" : "false}");
}

struct FoundLetter {
  std::string key;
  uint64_t bytes = 0;
  DeadLetter letter;
};

// `id`: of its message; "": the oldest.
db::Result<FoundLetter> find_letter(const rules::Guard& guard, const HookLine& line, const std::string& id) {
  const size_t most = id.empty() ? 1 : SIZE_MAX;
  ASSIGN_OR_RETURN(const auto rows, guard.beside(line.space(), deliverer_auth(), {letters_row(line.id()), most}));
  for (const auto& [key, bytes] : rows) {
    ASSIGN_OR_RETURN(DeadLetter letter, DeadLetter::decode(bytes));
    if (id.empty() || letter.id == id) return FoundLetter{key, bytes.size(), std::move(letter)};
  }
  return Error{ErrorCode::NotFound, id.empty() ? "There are no dead letters." : "There is no dead letter " + id + "."};
}

}  // namespace

void Asks::answer(const Ask& ask, const Deliverer::Done& done) {
  if (ask.what == Ask::What::List) return done(list(ask.space));
  if (ask.what == Ask::What::Add) return add(ask, done);
  const auto found = lines_.find(ask.hook);
  if (found == lines_.end() || found->second->space() != ask.space || !found->second->is_still_there()) {
    return done(
        Error{ErrorCode::NotFound, fmt::format("There is no webhook {} in the namespace {}; `hearth webhook list` "
                                               "names those that are there.",
                                               ask.hook.substr(0, 64), ask.space)});
  }
  const std::shared_ptr<HookLine> line = found->second;
  const auto described = [&](const db::Result<void>& changed) {
    done(changed.ok() ? db::Result<std::string>(line->describe()) : db::Result<std::string>(changed.error()));
  };
  switch (ask.what) {
    case Ask::What::List:
    case Ask::What::Add:
      return;
    case Ask::What::Test:
      return test(*line, done);
    case Ask::What::Pause:
      return described(line->pause("An administrator has paused it."));
    case Ask::What::Resume:
      return described(line->resume());
    case Ask::What::Remove: {
      const auto removed = line->remove();
      return done(removed.ok() ? db::Result<std::string>(R"({"removed":)" + json_string(line->id()) + "}")
                               : removed.error());
    }
    case Ask::What::Rotate: {
      const auto secret = line->rotate();
      if (!secret.ok()) return done(secret.error());
      return done(R"({"id":)" + json_string(line->id()) + R"(,"secret":)" + json_string(secret.value()) + "}");
    }
    case Ask::What::Dead:
      return done(dead(*line));
    case Ask::What::Retry:
      return retry(line, ask.letter, done);
    case Ask::What::Clear:
      return done(clear(*line, ask.letter));
  }
}

db::Result<std::string> Asks::list(const std::string& space) const {
  std::string json = "[";
  for (const auto& [id, line] : lines_) {
    if (line->space() != space || !line->is_still_there()) continue;
    json += json.size() > 1 ? "," : "";
    json += line->describe();
  }
  return json + "]";
}

// The log is asked first: where it begins for this hook, and whether there is one.
void Asks::add(const Ask& ask, const Deliverer::Done& done) {
  if (with_.reach.is_off()) {
    const auto url = http::parse_url(ask.url);
    return done(
        Error{ErrorCode::InvalidArgument, fmt::format("Webhooks are off on this server; its operator allows them with "
                                                      "`hearth serve --webhook-host {}`.",
                                                      url.ok() ? url.value().host : "NAME")});
  }
  if (const auto allowed = with_.reach.check(ask.url); !allowed.ok()) {
    return done(Error{ErrorCode::InvalidArgument, allowed.error().message});
  }
  const auto path = db::Path::parse(ask.path);
  if (!path.ok()) return done(path.error());
  const auto count = std::count_if(lines_.begin(), lines_.end(), [&](const auto& one) {
    return one.second->space() == ask.space && one.second->is_still_there();
  });
  if (static_cast<size_t>(count) >= with_.options.hooks_max) {
    return done(Error{ErrorCode::InvalidArgument,
                      fmt::format("A namespace has at most {} webhooks; the operator allows more with "
                                  "`hearth serve --max-webhooks`.",
                                  with_.options.hooks_max)});
  }
  db::ChangesRead read;
  read.since = ask.since;
  read.path = path.value();
  read.before = ask.before;
  read.changes_max = 1;
  with_.guard.changes(ask.space, deliverer_auth(), std::move(read),
                      [this, mail = with_.mail, ask, done](db::Result<db::ChangesPage> page) {
                        mail->post([this, ask, done, page = std::move(page)] {
                          page.ok() ? conclude_add(ask, page.value(), done) : done(page.error());
                        });
                      });
}

void Asks::conclude_add(const Ask& ask, const db::ChangesPage& page, const Deliverer::Done& done) {
  HookConfig config;
  config.url = ask.url;
  config.path = db::Path::parse(ask.path).value();
  config.created = db::SystemClock().now();
  config.before = ask.before;
  config.secret = make_secret();
  HookState state;
  state.cursor = ask.since == db::kSinceNow ? page.next : ask.since;
  if (ask.since == db::kSinceNow && state.cursor == "0") state.sequence = page.sequence;
  const std::string id = make_hook_id();
  db::BesideWrite write;
  write.rows[config_row(id)] = config.encode();
  write.rows[state_row(id)] = state.encode();
  if (const auto kept = with_.guard.keep_beside(ask.space, deliverer_auth(), write); !kept.ok()) {
    if (kept.error().code != ErrorCode::NotFound) return done(kept.error());
    return done(Error{ErrorCode::NotFound, "There is no namespace " + ask.space +
                                               " yet: write something to it first, or "
                                               "make it with `hearth namespace create " +
                                               ask.space + "`."});
  }
  std::string json = R"({"id":)" + json_string(id) + R"(,"url":)" + json_string(config.url) + R"(,"path":)" +
                     json_string(config.path.slashed()) + R"(,"secret":)" + json_string(config.secret) + "}";
  lines_[id] = std::make_shared<HookLine>(with_, ask.space, id, std::move(config), std::move(state));
  done(std::move(json));
}

void Asks::test(HookLine& line, const Deliverer::Done& done) {
  if (const auto allowed = with_.reach.check(line.config().url); !allowed.ok()) {
    return done(Error{ErrorCode::InvalidArgument, allowed.error().message});
  }
  if (with_.poster.under_way() >= with_.options.at_once_max + kAsksAtOnceMax) {
    return done(Error{ErrorCode::Unavailable, "Too much is being sent; try again soon."});
  }
  with_.send(line.config(), test_message(line.id(), line.space(), db::SystemClock().now()),
             [done](const http::Posted& posted) { done(told(posted)); });
}

db::Result<std::string> Asks::dead(const HookLine& line) const {
  ASSIGN_OR_RETURN(const auto rows, with_.guard.beside(line.space(), deliverer_auth(), {letters_row(line.id())}));
  std::string json = fmt::format(R"({{"dropped":{},"letters":[)", line.state().dropped);
  for (const auto& [key, bytes] : rows) {
    ASSIGN_OR_RETURN(const DeadLetter letter, DeadLetter::decode(bytes));
    json += json.back() == '[' ? "{" : ",{";
    json += R"("message":)" + json_string(letter.id) + fmt::format(R"(,"time":{},"why":)", letter.time.count()) +
            json_string(letter.why);
    if (letter.is_missed()) {
      json += R"(,"missed":{"after":)" + json_string(letter.after) + R"(,"before":)" +
              (letter.before.empty() ? "null" : json_string(letter.before)) + "}}";
    } else {
      json += fmt::format(R"(,"attempts":{},"body":)", letter.attempts) + letter.body + "}";
    }
  }
  return json + "]}";
}

void Asks::retry(const std::shared_ptr<HookLine>& line, const std::string& letter, const Deliverer::Done& done) {
  const auto found = find_letter(with_.guard, *line, letter);
  if (!found.ok()) return done(found.error());
  const DeadLetter& what = found.value().letter;
  if (what.is_missed()) {
    return done(Error{
        ErrorCode::InvalidArgument,
        fmt::format("{} are changes that were cut from the log, from behind {} up to {}: read the data anew, "
                    "and clear it with `hearth webhook dead {} --clear --message {}`.",
                    what.id, what.after, what.before.empty() ? "the present" : what.before, line->id(), what.id)});
  }
  if (const auto allowed = with_.reach.check(line->config().url); !allowed.ok()) {
    return done(Error{ErrorCode::InvalidArgument, allowed.error().message});
  }
  if (with_.poster.under_way() >= with_.options.at_once_max + kAsksAtOnceMax) {
    return done(Error{ErrorCode::Unavailable, "Too much is being sent; try again soon."});
  }
  WebhookMessage message;
  message.id = what.id;
  message.body = what.body;
  with_.send(line->config(), message, [this, line, id = what.id, done](const http::Posted& posted) {
    if (is_taken(posted) && !line->is_gone()) {
      // It may have been cleared meanwhile.
      if (const auto again = find_letter(with_.guard, *line, id); again.ok()) {
        db::BesideWrite write;
        write.rows[again.value().key] = std::nullopt;
        line->forget_letter(again.value().bytes);
        if (const auto kept = line->keep(std::move(write)); !kept.ok()) return done(kept.error());
      }
    }
    std::string json = told(posted);
    json.pop_back();
    done(json + R"(,"message":)" + json_string(id) + fmt::format(R"(,"left":{}}})", line->state().dead));
  });
}

db::Result<std::string> Asks::clear(HookLine& line, const std::string& letter) {
  db::BesideWrite write;
  size_t count = 0;
  const auto forget = [&](const std::string& key, uint64_t bytes) {
    write.rows[key] = std::nullopt;
    line.forget_letter(bytes);
    ++count;
  };
  if (!letter.empty()) {
    ASSIGN_OR_RETURN(const FoundLetter found, find_letter(with_.guard, line, letter));
    forget(found.key, found.bytes);
  } else {
    ASSIGN_OR_RETURN(const auto rows, with_.guard.beside(line.space(), deliverer_auth(), {letters_row(line.id())}));
    for (const auto& [key, bytes] : rows) forget(key, bytes.size());
  }
  RETURN_IF_ERROR(line.keep(std::move(write)));
  return fmt::format(R"({{"cleared":{}}})", count);
}

}  // namespace hearth::net::webhooks
