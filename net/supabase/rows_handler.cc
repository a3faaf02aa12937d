// The path of a request, and on which thread each step runs.
//
//   io thread (home)                                  workers              shard, readers, key source
//   ─────────────────────────────────────────────────────────────────────────────────────────────────
//   handle: request ─▶ refusal
//     prove ─ key not known ────────────────────────────────────────────▶ verify_late ──┐
//     settings ◀──────────── post ──────────────────────────────────────────────────────┘
//     begin ─ read ─────────────────────────────────────────────────────▶ read_rows ─▶ tell_found
//           ─ write: body > 64 kB ──────────────────▶ read_body
//                    read_body ─▶ look ─────────────────────────────────▶ read_rows ─▶ plan
//                                   ▲   a row was changed meanwhile                     │
//                                   └───────────────────────────────────────────── write_rows ─▶ tell_changed
//
// One Call holds everything of a request, and one step at a time has it. Callbacks that are given away go through
// waiting_, as in net/rest/handler.cc; what is large is planned and told by workers.
//
// A change relies on the rows that it was planned from (rules::ExpectedRows). When another write was faster, it is looked
// and planned again, a few times; an insert by itself needs no look, because it relies on there being no row.
#include "net/supabase/rows_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <variant>

#include "db/base/give_back.h"
#include "db/model/push_id.h"
#include "net/http/pending_answers.h"
#include "net/http/presence.h"
#include "net/io/log.h"
#include "net/supabase/credentials.h"
#include "net/supabase/pages.h"
#include "net/supabase/project.h"
#include "net/supabase/rows_body.h"
#include "net/supabase/rows_change.h"
#include "net/supabase/rows_error.h"
#include "net/supabase/rows_request.h"

namespace hearth::net::supabase {
namespace {

using db::Error;
using db::ErrorCode;
using Method = RowsRequest::Method;

constexpr size_t kInlineBytesMax = 64u << 10;  // workers parse, plan and tell what is larger
constexpr size_t kWholeBytesMax = 1u << 20;    // longer answers go out in pieces, their length unsaid
constexpr size_t kPieceBytes = 256u << 10;

struct Call {
  std::shared_ptr<http::Exchange> exchange;
  Project project;
  RowsRequest request;
  std::string space;
  rules::Auth auth;
  db::Path table;
  std::function<bool()> is_unwanted;

  std::vector<SentRow> sent;
  RowsChange change;
  int tries = 0;
};

size_t byte_count(const std::vector<db::FoundRow>& rows) {
  size_t bytes = 0;
  for (const db::FoundRow& row : rows) bytes += row.row.byte_count();
  return bytes;
}

void refuse(const Call& call, const RowsError& error) { call.exchange->respond(reply_of(error)); }

void fail(const Call& call, const Error& error) {
  if (error.code == ErrorCode::Io || error.code == ErrorCode::Corruption) {
    http::log(http::LogLevel::Error, "request failed",
              {{"connection", call.exchange->request().connection},
               {"peer", call.exchange->request().peer},
               {"ns", call.space},
               {"path", call.table.slashed()},
               {"error", error.message}});
  }
  refuse(call, error_of(error, call.request.table, call.auth));
}

http::Response head_of(const Call& call, int status, const std::string& content_range) {
  http::Response head;
  head.status = status;
  allow_pages(head);
  head.headers.emplace_back("Cache-Control", "no-cache");
  head.headers.emplace_back("Content-Range", content_range);
  if (!call.request.applied.empty()) head.headers.emplace_back("Preference-Applied", call.request.applied);
  return head;
}

// "0-9/42", "*/0", "3-3/*". `total`: "*" where nobody asked.
std::string range_of(uint64_t offset, uint64_t shown, const std::string& total) {
  if (shown == 0) return "*/" + total;
  return fmt::format("{}-{}/{}", offset, offset + shown - 1, total);
}

void tell_rows(const Call& call, http::Response head, std::vector<db::FoundRow> rows, db::Lease lease) {
  const RowsRequest& request = call.request;
  const bool is_single = request.form == RowsText::Form::Single;
  head.headers.emplace_back("Content-Type", is_single ? "application/vnd.pgrst.object+json; charset=utf-8"
                                                      : "application/json; charset=utf-8");
  const auto text =
      std::make_shared<RowsText>(std::move(rows), request.selection, request.nulls, request.form, std::move(lease));
  std::string begin;
  bool more = true;
  while (more && begin.size() <= kWholeBytesMax) more = text->next(begin, kPieceBytes);
  if (!more) {
    head.body = std::move(begin);
    return call.exchange->respond(std::move(head));
  }
  call.exchange->respond_chunked(std::move(head), [text, begin = std::move(begin)](std::string& chunk) mutable {
    if (!begin.empty()) {
      chunk += begin;
      db::give_back(begin);
      return http::Pull::More;
    }
    return text->next(chunk, kPieceBytes) ? http::Pull::More : http::Pull::Last;
  });
}

void tell_found(const Call& call, db::FoundRows found, db::Lease lease) {
  const RowsRequest& request = call.request;
  const uint64_t offset = request.query.offset;
  uint64_t shown = found.rows.size();
  const uint64_t total = found.total.value_or(0);
  if (!request.wants_body) {
    const uint64_t rest = total - std::min(total, offset);
    shown = std::min(rest, request.query.limit.value_or(rest));
  }
  if (request.counts && offset > total) {
    return refuse(call, {416, "PGRST103", "Requested range not satisfiable",
                         fmt::format("An offset of {} was requested, but there are only {} rows.", offset, total)});
  }
  if (request.form == RowsText::Form::Single && shown != 1) return refuse(call, not_single(shown));
  const bool is_part = request.counts && shown < total;
  http::Response head =
      head_of(call, is_part ? 206 : 200, range_of(offset, shown, request.counts ? std::to_string(total) : "*"));
  if (!request.wants_body) {
    head.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
    return call.exchange->respond(std::move(head));
  }
  tell_rows(call, std::move(head), std::move(found.rows), std::move(lease));
}

int status_of(const Call& call) {
  const bool shows = call.request.shows_rows();
  switch (call.request.method) {
    case Method::Insert:
      // PostgREST: 200 when all rows of an upsert were there.
      return call.change.makes_rows || call.request.duplicates == RowsRequest::Duplicates::Refused ? 201 : 200;
    case Method::Update:
    case Method::Delete:
      return shows ? 200 : 204;
    case Method::Read:
      break;
  }
  return 200;
}

// Where the row is, if nothing in its key has to be escaped.
std::optional<std::string> location_of(const Call& call) {
  if (call.request.method != Method::Insert || call.change.rows.size() != 1) return {};
  const std::string& key = call.change.rows.front().key;
  const bool is_plain = std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!is_plain) return {};
  return "/" + call.request.table + "?id=eq." + key;
}

void tell_changed(const Call& call, std::vector<db::FoundRow> rows) {
  const RowsRequest& request = call.request;
  const std::string total = request.counts ? std::to_string(rows.size()) : "*";
  const uint64_t shown = request.method == Method::Update ? rows.size() : 0;
  http::Response head = head_of(call, status_of(call), range_of(0, shown, total));
  if (request.returns == RowsRequest::Return::HeadersOnly) {
    if (auto location = location_of(call)) head.headers.emplace_back("Location", std::move(*location));
  }
  if (!request.shows_rows()) return call.exchange->respond(std::move(head));
  tell_rows(call, std::move(head), std::move(rows), {});
}

}  // namespace

class RowsHandler::Core {
 public:
  Core(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers, RowFence& fence,
       const db::Clock* clock)
      : guard_(guard),
        verifier_(verifier),
        io_(io),
        workers_(workers),
        fence_(fence),
        clock_(clock != nullptr ? *clock : system_clock_) {}

  void handle(const std::shared_ptr<http::Exchange>& exchange, Project project);

 private:
  using SharedCall = std::shared_ptr<Call>;
  void authenticate(const SharedCall& call);
  void on_verdict(const SharedCall& call, db::Result<rules::Auth> auth);
  void begin(const SharedCall& call);
  void read(const SharedCall& call);
  void read_body(const SharedCall& call);
  void look(const SharedCall& call);
  void plan(const SharedCall& call, std::vector<db::FoundRow> seen);
  void commit(const SharedCall& call);
  void on_written(const SharedCall& call, const db::Answer& answer);
  void on_denied(const SharedCall& call);
  void find(const SharedCall& call, db::RowQuery query, std::function<void(db::Answer)> then);
  void answer(size_t bytes, std::function<void()> task);

  rules::Guard& guard_;
  const Verifier& verifier_;
  http::IoPool& io_;
  db::ThreadPool& workers_;
  RowFence& fence_;
  const db::SystemClock system_clock_;
  const db::Clock& clock_;
  db::PushIdGenerator push_ids_;
  http::PendingAnswers waiting_;
};

void RowsHandler::Core::handle(const std::shared_ptr<http::Exchange>& exchange, Project project) {
  const http::Request& from = exchange->request();
  if (from.method == "OPTIONS") return exchange->respond(page_permission());
  const auto call = std::make_shared<Call>();
  call->exchange = exchange;
  call->project = std::move(project);
  auto parsed = parse_rows_request(from, call->project);
  if (const auto* error = std::get_if<RowsError>(&parsed)) return refuse(*call, *error);
  call->request = std::move(std::get<RowsRequest>(parsed));
  exchange->set_deed(deed_of(call->request));
  auto space = guard_.resolve(call->project.space);
  if (!space.ok()) return exchange->respond(refusal(space.error(), Service::Rest));
  call->space = std::move(space).value();
  if (call->request.method == Method::Read) {
    const auto presence = std::make_shared<http::Presence>(std::chrono::steady_clock::now());
    exchange->set_on_leaving([presence](http::Leaving who) {
      if (who == http::Leaving::Client) presence->leave();
    });
    call->is_unwanted = [presence] { return presence->is_over(std::chrono::steady_clock::now()); };
  }
  authenticate(call);
}

void RowsHandler::Core::authenticate(const SharedCall& call) {
  const Credentials credentials = credentials_of(call->exchange->request(), call->project.target);
  prove(verifier_, credentials, call->space,
        waiting_.expect_a<db::Result<rules::Auth>>([this, call](db::Result<rules::Auth> auth) {
          if (io_.is_home(call->exchange->thread())) return on_verdict(call, std::move(auth));
          io_.post(call->exchange->thread(), [this, call, auth = std::move(auth)]() mutable {
            // The user may have been signed out while the verdict was on its way.
            if (auth.ok()) {
              if (const auto still = verifier_.still_good(auth.value(), call->space); !still.ok()) auth = still.error();
            }
            on_verdict(call, std::move(auth));
          });
        }));
}

void RowsHandler::Core::on_verdict(const SharedCall& call, db::Result<rules::Auth> auth) {
  if (!auth.ok()) {
    const http::Request& from = call->exchange->request();
    http::log(http::LogLevel::Debug, "credential refused",
              {{"connection", from.connection}, {"peer", from.peer}, {"reason", auth.error().message}});
    return call->exchange->respond(
        refusal(auth.error(), Service::Rest, verifier_.is_guessing(from.peer, auth.error())));
  }
  call->auth = std::move(auth).value();
  guard_.space_settings(call->space,
                        waiting_.expect_a<db::Result<std::shared_ptr<const rules::SpaceSettings>>>(
                            [this, call](const db::Result<std::shared_ptr<const rules::SpaceSettings>>& settings) {
                              if (!settings.ok()) return fail(*call, settings.error());
                              auto table = settings.value()->tables.path_of(call->request.table);
                              if (!table.ok()) {
                                return refuse(
                                    *call, {404, "PGRST205",
                                            fmt::format("Could not find the table 'public.{:.100}' in the schema cache",
                                                        call->request.table)});
                              }
                              call->table = std::move(table).value();
                              begin(call);
                            }));
}

void RowsHandler::Core::begin(const SharedCall& call) {
  if (call->request.method == Method::Read) return read(call);
  if (call->request.method == Method::Delete) return look(call);
  if (call->exchange->request().body.size() <= kInlineBytesMax) return read_body(call);
  if (!workers_.try_run([this, call] { read_body(call); })) {
    fail(*call, {ErrorCode::Unavailable, "The server is overloaded; try again soon."});
  }
}

// Runs `task` on this thread, or on a worker when it has much to do. The guard's answers come on threads of shards and
// readers, for which other requests wait.
void RowsHandler::Core::answer(size_t bytes, std::function<void()> task) {
  if (bytes <= kInlineBytesMax) return task();
  workers_.run(std::move(task));
}

void RowsHandler::Core::find(const SharedCall& call, db::RowQuery query, std::function<void(db::Answer)> then) {
  db::Read read;
  read.path = call->table;
  read.is_here_if_short = true;
  // All connections of one address are one client (net/rest/handler.cc).
  read.client = std::hash<std::string>()(call->exchange->request().peer);
  read.is_unwanted = call->is_unwanted;
  guard_.read_rows(call->space, call->auth, std::move(read), std::move(query), waiting_.expect(std::move(then)));
}

void RowsHandler::Core::read(const SharedCall& call) {
  db::RowQuery query = call->request.query;
  if (!call->request.wants_body) {
    query.wants_rows = false;
    query.counts = true;
  }
  find(call, std::move(query), [this, call](db::Answer found) {
    if (!found.status.ok()) return fail(*call, found.status.error());
    const size_t bytes = found.value.byte_count();
    answer(bytes, [call, found = std::move(found)] { tell_found(*call, db::found_rows_of(found.value), found.lease); });
  });
}

// Parses the body and frees it at once, because the request itself stays until it is answered.
void RowsHandler::Core::read_body(const SharedCall& call) {
  http::Request& from = call->exchange->request();
  auto rows = read_rows(call->request, std::move(from.body), from.header("Content-Type").value_or(""));
  db::give_back(from.body);
  if (const auto* error = std::get_if<RowsError>(&rows)) return refuse(*call, *error);
  call->sent = std::move(std::get<std::vector<SentRow>>(rows));
  look(call);
}

// Reads the rows that a change is about, as they are now. An insert that refuses duplicates needs no look: it relies on
// there being no such row, and the commit checks that.
void RowsHandler::Core::look(const SharedCall& call) {
  const RowsRequest& request = call->request;
  db::RowQuery query = request.query;
  if (request.method == Method::Insert) {
    const auto keys =
        request.duplicates == RowsRequest::Duplicates::Refused ? std::vector<std::string>() : keys_of(call->sent);
    if (keys.empty()) return plan(call, {});
    query = query_of(keys);
  }
  query.counts = false;
  ++call->tries;
  find(call, std::move(query), [this, call](db::Answer found) {
    if (!found.status.ok()) return fail(*call, found.status.error());
    const size_t bytes = found.value.byte_count();
    answer(bytes, [this, call, found = std::move(found)] { plan(call, db::found_rows_of(found.value).rows); });
  });
}

void RowsHandler::Core::plan(const SharedCall& call, std::vector<db::FoundRow> seen) {
  const RowsRequest& request = call->request;
  const auto next_key = [this] { return push_ids_.next(clock_.now()); };
  auto planned = request.method == Method::Insert ? plan_insert(request, call->table, call->sent, seen, next_key)
                 : request.method == Method::Update
                     ? plan_update(request, call->table, call->sent.front(), std::move(seen))
                     : plan_delete(request, call->table, std::move(seen));
  if (const auto* error = std::get_if<RowsError>(&planned)) return refuse(*call, *error);
  call->change = std::move(std::get<RowsChange>(planned));
  const uint64_t affected = call->change.rows.size();
  if (request.form == RowsText::Form::Single && affected != 1) return refuse(*call, not_single(affected));
  if (request.affected_max && affected > *request.affected_max && request.method != Method::Insert) {
    return refuse(*call, {400, "PGRST124", "Query result exceeds max-affected preference constraint",
                          fmt::format("The query affects {} rows", affected)});
  }
  commit(call);
}

void RowsHandler::Core::commit(const SharedCall& call) {
  if (call->change.write.overwrites.empty()) return tell_changed(*call, std::move(call->change.rows));
  guard_.write_rows(call->space, call->auth, call->change.write, std::move(call->change.expected),
                    waiting_.expect([this, call](const db::Answer& written) { on_written(call, written); }));
}

void RowsHandler::Core::on_written(const SharedCall& call, const db::Answer& answer) {
  if (answer.status.ok()) {
    return fence_.pass(call->space, call->exchange->thread(), [this, call, value = answer.value] {
      const size_t bytes = call->request.shows_rows() ? byte_count(call->change.rows) : 0;
      this->answer(bytes, [call, value] {
        settle(call->change, value);
        tell_changed(*call, std::move(call->change.rows));
      });
    });
  }
  const Error& error = answer.status.error();
  const bool is_plain_insert =
      call->request.method == Method::Insert && call->request.duplicates == RowsRequest::Duplicates::Refused;
  if (error.code == ErrorCode::Stale) {
    if (is_plain_insert) return refuse(*call, exists_already(call->request.table, error.message));
    if (call->tries < kChangeTriesMax) return look(call);
  }
  if (error.code == ErrorCode::PermissionDenied && is_plain_insert) return on_denied(call);
  fail(*call, error);
}

// An insert was denied. Many rules let nobody write where a row is already, and then "it exists already" helps the
// client more than "denied". That is told only of a row that the client may read.
void RowsHandler::Core::on_denied(const SharedCall& call) {
  const auto keys = keys_of(call->sent);
  if (keys.empty()) return refuse(*call, denied(call->request.table, call->auth));
  db::RowQuery query = query_of(keys);
  query.limit = 1;
  find(call, std::move(query), [call](const db::Answer& found) {
    const auto rows = found.status.ok() ? db::found_rows_of(found.value).rows : std::vector<db::FoundRow>();
    if (rows.empty()) return refuse(*call, denied(call->request.table, call->auth));
    refuse(*call, exists_already(call->request.table, "Key (id)=(" + rows.front().key + ") already exists."));
  });
}

RowsHandler::RowsHandler(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
                         RowFence& fence, const db::Clock* clock)
    : core_(std::make_unique<Core>(guard, verifier, io, workers, fence, clock)) {}
RowsHandler::~RowsHandler() = default;

void RowsHandler::handle(const std::shared_ptr<http::Exchange>& exchange, Project project) {
  core_->handle(exchange, std::move(project));
}

}  // namespace hearth::net::supabase
