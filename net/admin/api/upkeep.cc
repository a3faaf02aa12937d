// What admins do with a server over HTTP. Each function reads its parameters, has the work done and says what came of
// it.
//
//   serve_dump ─▶ Guard::dump ─ a checkpoint is made ─▶ respond_chunked: a worker makes each piece as the client reads
//   serve_restore ─▶ begin_upload ─▶ take_piece … take_piece ─▶ restore: one file, checked, then put in place
//
// A dump's source is a checkpoint and no snapshot, so a slow client may take hours (Pace::UntilStalled). An upload
// comes in pieces below the limit of bodies, each with its offset: a piece that is sent twice is noticed. Everything
// that blocks on the disk runs on workers or on threads of the database, never on an io thread. Rights are checked by
// the guard. serve_stats() asks itself too, before it tells whether a namespace exists.
#include "net/admin/api/upkeep.h"

#include <fmt/format.h>

#include "db/base/text.h"
#include "db/model/json.h"
#include "db/model/namespace_name.h"
#include "net/error_reply.h"
#include "net/http/target.h"
#include "net/io/log.h"
#include "net/rest/reply.h"

namespace hearth::net::admin {
namespace {

using db::Error;
using db::ErrorCode;
constexpr size_t kDumpNameBytesMax = 64;

using http::Target;
using rest::Method;
using rest::reply_head;
using rest::Surroundings;
using Exchange = std::shared_ptr<http::Exchange>;

void fail(const Exchange& exchange, const Error& error) {
  exchange->respond(http::error_response(error_reply(error.code).http_status, error.message));
}

void tell(const Exchange& exchange, std::string json) {
  http::Response reply = reply_head(200, "application/json; charset=utf-8");
  reply.body = std::move(json);
  exchange->respond(std::move(reply));
}

// The parameters of the request. Its target has been parsed before, so it parses.
Target target_of(const http::Exchange& exchange) {
  auto target = http::parse_target(exchange.request().target);
  return target.ok() ? std::move(target).value() : Target();
}

db::Result<std::optional<std::string>> space_of(const Target& target) {
  const auto name = target.parameter("ns");
  if (!name || name->empty()) return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string stored, db::check_namespace_name(*name));
  return std::optional(std::move(stored));
}

db::Result<db::DumpRequest> dump_request(const Target& target) {
  db::DumpRequest request;
  ASSIGN_OR_RETURN(request.space, space_of(target));
  ASSIGN_OR_RETURN(request.path, db::Path::parse(target.parameter("path").value_or("")));
  const std::string_view format = target.parameter("format").value_or("native");
  if (format != "native" && format != "json") return Error{ErrorCode::InvalidArgument, "format is native or json."};
  request.name = target.parameter("name").value_or("").substr(0, kDumpNameBytesMax);
  request.format = format == "json" ? db::DumpFormat::Json : db::DumpFormat::Native;
  return request;
}

// What an incremental dump continues, as the body of its request.
db::Result<std::shared_ptr<const db::DumpBase>> dump_base(std::string_view body) {
  ASSIGN_OR_RETURN(const db::JsonDocument document, db::JsonDocument::parse(body));
  const auto since = document.root().is_object() ? document.root().field("since") : std::nullopt;
  const auto spaces = since && since->is_object() ? since->field("positions") : std::nullopt;
  if (!spaces || !spaces->is_object()) {
    return Error{
        ErrorCode::InvalidArgument,
        R"(The body says what the dump continues: {"since": {"id": "…", "positions": {"NAMESPACE": "LIFE:SEQUENCE"}}}.)"};
  }
  auto base = std::make_shared<db::DumpBase>();
  base->id = since->text("id");
  if (const auto made = since->field("made")) base->made = db::Timestamp(made->integer().value_or(0));
  for (const auto& [name, position] : spaces->fields()) {
    const auto text = position.string();
    if (!text) return Error{ErrorCode::InvalidArgument, "A position is a text, LIFE:SEQUENCE."};
    base->positions.emplace(name, *text);
  }
  return std::shared_ptr<const db::DumpBase>(std::move(base));
}

db::Result<db::RestoreRequest> restore_request(const Target& target) {
  db::RestoreRequest request;
  ASSIGN_OR_RETURN(request.space, space_of(target));
  if (const auto into = target.parameter("into")) {
    ASSIGN_OR_RETURN(request.into, db::Path::parse(*into));
  }
  const std::string_view replace = target.parameter("replace").value_or("false");
  if (replace != "true" && replace != "false") return Error{ErrorCode::InvalidArgument, "replace is true or false."};
  request.existing = replace == "true" ? db::Existing::Replace : db::Existing::Refuse;
  return request;
}

std::string restored_text(const std::vector<db::RestoredTree>& trees) {
  std::string text = R"({"restored":[)";
  for (const db::RestoredTree& tree : trees) {
    text += text.back() == '[' ? R"({"ns":)" : R"(,{"ns":)";
    db::append_json_string(tree.space, text);
    text += R"(,"path":)";
    db::append_json_string(tree.path.slashed(), text);
    text += fmt::format(R"(,"leaves":{},"documents":{},"digest":"{}"}})", tree.leaves, tree.documents, tree.digest);
  }
  return text + "]}";
}

// Logs what an admin did, and which one. `space`: the namespace that it was done to; "": all or none.
void log_act(const http::Exchange& exchange, const rules::Auth& auth, std::string_view what,
             std::string_view space = "") {
  const http::Request& request = exchange.request();
  const http::LogField by{"by", auth.name}, connection{"connection", request.connection}, peer{"peer", request.peer};
  if (space.empty()) return http::log(http::LogLevel::Info, what, {by, connection, peer});
  http::log(http::LogLevel::Info, what, {by, connection, peer, {"ns", space}});
}

// Runs what blocks on the disk on a worker. When too much waits for workers, the request is refused with 503.
void work(const Surroundings& with, const Exchange& exchange, std::function<void()> task) {
  if (!with.workers.try_run(std::move(task)))
    fail(exchange, {ErrorCode::Unavailable, "The server is overloaded; try again soon."});
}

void take_piece(const Surroundings& with, const Exchange& exchange, const Target& target, const rules::Auth& auth) {
  const std::string_view at = target.parameter("at").value_or("");
  const auto offset = db::whole_number(at);
  if (!offset) {
    return fail(exchange, {ErrorCode::InvalidArgument, "at is the byte where this piece begins."});
  }
  const auto id = std::string(*target.parameter("upload"));
  work(with, exchange, [&guard = with.guard, exchange, auth, id, offset = *offset] {
    const db::Result<void> done = guard.upload(auth, id, offset, exchange->request().body);
    if (!done.ok()) return fail(exchange, done.error());
    tell(exchange, R"({"status":"ok"})");
  });
}

void tell_upload(const Surroundings& with, const Exchange& exchange, const Target& target, const rules::Auth& auth) {
  const auto state = with.guard.upload_state(auth, std::string(*target.parameter("upload")));
  if (!state.ok()) return fail(exchange, state.error());
  const auto& part = state.value().part;
  tell(exchange,
       fmt::format(R"({{"bytes":{},"part":{}}})", state.value().bytes, part ? fmt::format("{:.4f}", *part) : "null"));
}

// Whoever restores it is told on their own request, and logged there.
void give_up(const Surroundings& with, const Exchange& exchange, const Target& target, const rules::Auth& auth) {
  work(with, exchange, [&guard = with.guard, exchange, auth, id = std::string(*target.parameter("upload"))] {
    const db::Result<void> done = guard.give_up_upload(auth, id);
    if (!done.ok()) return fail(exchange, done.error());
    log_act(*exchange, auth, "upload given up");
    tell(exchange, R"({"status":"ok"})");
  });
}

void restore(const Surroundings& with, const Exchange& exchange, const Target& target, const rules::Auth& auth) {
  auto request = restore_request(target);
  if (!request.ok()) return fail(exchange, request.error());
  log_act(*exchange, auth, "restore begun");
  with.guard.restore(
      auth, std::string(*target.parameter("upload")), std::move(request).value(),
      with.waiting.expect_a<rules::Guard::Restored>([exchange, auth](const rules::Guard::Restored& restored) {
        if (!restored.ok()) {
          http::log(http::LogLevel::Warn, "restore refused",
                    {{"by", auth.name},
                     {"connection", exchange->request().connection},
                     {"reason", restored.error().message}});
          // Corruption here means the file that the client has sent, not our store.
          const bool is_theirs = restored.error().code == ErrorCode::Corruption;
          return fail(exchange, {is_theirs ? ErrorCode::InvalidData : restored.error().code, restored.error().message});
        }
        for (const db::RestoredTree& tree : restored.value()) {
          http::log(http::LogLevel::Info, "restored",
                    {{"ns", tree.space},
                     {"path", tree.path.slashed()},
                     {"leaves", tree.leaves},
                     {"documents", tree.documents},
                     {"by", auth.name},
                     {"connection", exchange->request().connection}});
        }
        tell(exchange, restored_text(restored.value()));
      }));
}

}  // namespace

void serve_namespace(const Surroundings& with, const AdminCall& call) {
  const Exchange& exchange = call->exchange;
  const Method method = call->request.method;
  const rules::Auth& auth = call->auth;
  std::string name(target_of(*exchange).parameter("ns").value_or(""));
  if (name.empty()) return fail(exchange, {ErrorCode::InvalidArgument, "ns is the name of the namespace."});
  work(with, exchange, [&guard = with.guard, exchange, method, auth, name = std::move(name)] {
    if (method == Method::Put) {
      const db::Result<bool> created = guard.create(auth, name);
      if (!created.ok()) return fail(exchange, created.error());
      if (created.value()) log_act(*exchange, auth, "namespace created", name);
      return tell(exchange, created.value() ? R"({"created":true})" : R"({"created":false})");
    }
    const db::Result<void> removed = guard.remove(auth, name);
    if (!removed.ok()) return fail(exchange, removed.error());
    log_act(*exchange, auth, "namespace removed", name);
    tell(exchange, R"({"status":"ok"})");
  });
}

void serve_stats(const Surroundings& with, const AdminCall& call) {
  const Exchange& exchange = call->exchange;
  const rules::Auth& auth = call->auth;
  if (auth.kind != rules::Auth::Kind::Admin) return fail(exchange, {ErrorCode::PermissionDenied, "Permission denied"});
  const Target target = target_of(*exchange);
  const auto space = with.guard.resolve(target.parameter("ns").value_or(""));
  if (!space.ok()) return fail(exchange, space.error());
  auto path = db::Path::parse(target.parameter("path").value_or(""));
  if (!path.ok()) return fail(exchange, path.error());
  with.guard.stats(space.value(), auth, std::move(path).value(),
                   with.waiting.expect_a<db::Result<db::Stats>>([exchange](const db::Result<db::Stats>& found) {
                     if (!found.ok()) return fail(exchange, found.error());
                     tell(exchange, db::to_json(found.value()));
                   }));
}

void serve_compact(const Surroundings& with, const AdminCall& call) {
  const Exchange& exchange = call->exchange;
  const rules::Auth& auth = call->auth;
  with.guard.compact(
      auth, with.waiting.expect_a<db::Result<db::Compacted>>([exchange, auth](const db::Result<db::Compacted>& done) {
        if (!done.ok()) return fail(exchange, done.error());
        log_act(*exchange, auth, "compacted");
        tell(exchange, fmt::format(R"({{"bytesBefore":{},"bytesAfter":{}}})", done.value().bytes_before,
                                   done.value().bytes_after));
      }));
}

void serve_dump(const Surroundings& with, const AdminCall& call) {
  const Exchange& exchange = call->exchange;
  const rules::Auth& auth = call->auth;
  auto request = dump_request(target_of(*exchange));
  if (!request.ok()) return fail(exchange, request.error());
  // A body says that the dump is an incremental one.
  if (exchange->request().method == "POST") {
    auto since = dump_base(exchange->request().body);
    if (!since.ok()) return fail(exchange, since.error());
    request.value().since = std::move(since).value();
  }
  const bool is_native = request.value().format == db::DumpFormat::Native;
  with.guard.dump(auth, std::move(request).value(),
                  with.waiting.expect_a<db::Result<db::DumpPieces>>(
                      [exchange, auth, is_native](const db::Result<db::DumpPieces>& begun) {
                        if (!begun.ok()) return fail(exchange, begun.error());
                        log_act(*exchange, auth, "dump begun");
                        http::Response head =
                            reply_head(200, is_native ? "application/octet-stream" : "application/json; charset=utf-8");
                        if (is_native) head.compression = http::Compression::Never;
                        head.pace = http::Pace::UntilStalled;  // its source is a checkpoint
                        exchange->respond_chunked(std::move(head), [pieces = begun.value()](std::string& chunk) {
                          const db::Result<bool> more = pieces(chunk);
                          if (!more.ok())
                            http::log(http::LogLevel::Error, "dump failed", {{"reason", more.error().message}});
                          return !more.ok() ? http::Pull::Failed : more.value() ? http::Pull::More : http::Pull::Last;
                        });
                      }));
}

void tell_dump_part(const Surroundings& with, const AdminCall& call) {
  const Exchange& exchange = call->exchange;
  const rules::Auth& auth = call->auth;
  const db::Result<double> part =
      with.guard.dump_part(auth, std::string(target_of(*exchange).parameter("name").value_or("")));
  if (!part.ok()) return fail(exchange, part.error());
  tell(exchange, fmt::format(R"({{"part":{:.4f}}})", part.value()));
}

void serve_restore(const Surroundings& with, const AdminCall& call) {
  const Exchange& exchange = call->exchange;
  const Method method = call->request.method;
  const rules::Auth& auth = call->auth;
  const Target target = target_of(*exchange);
  if (target.has("upload")) {
    switch (method) {
      case Method::Get:
        return tell_upload(with, exchange, target, auth);
      case Method::Put:
        return take_piece(with, exchange, target, auth);
      case Method::Delete:
        return give_up(with, exchange, target, auth);
      case Method::Post:
      case Method::Patch:
        return restore(with, exchange, target, auth);
    }
  }
  if (method != Method::Post)
    return fail(exchange, {ErrorCode::InvalidArgument, "POST here first, for the name of an upload."});
  work(with, exchange, [&guard = with.guard, exchange, auth] {
    const db::Result<std::string> id = guard.begin_upload(auth);
    if (!id.ok()) return fail(exchange, id.error());
    tell(exchange, R"({"upload":")" + id.value() + R"("})");
  });
}

}  // namespace hearth::net::admin
