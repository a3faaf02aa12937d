#include "net/rest/backup.h"

#include <fmt/format.h>

#include <charconv>

#include "db/model/json.h"
#include "db/model/namespace_name.h"
#include "net/error_reply.h"
#include "net/http/log.h"
#include "net/rest/reply.h"
#include "net/rest/target.h"

namespace hearth::net::rest {
namespace {

using db::Error;
using db::ErrorCode;
using Exchange = std::shared_ptr<http::Exchange>;

void fail(const Exchange& exchange, const Error& error) {
  exchange->respond(http::error_response(error_reply(error.code).http_status, error.message));
}

void tell(const Exchange& exchange, std::string json) {
  http::Response reply = reply_head(200, "application/json; charset=utf-8");
  reply.body = std::move(json);
  exchange->respond(std::move(reply));
}

// The parameters of a request whose target has been parsed once already.
Target target_of(const http::Exchange& exchange) {
  auto target = parse_target(exchange.request().target);
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
  request.format = format == "json" ? db::DumpFormat::Json : db::DumpFormat::Native;
  return request;
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
    text += fmt::format(R"(,"leaves":{},"digest":"{}"}})", tree.leaves, tree.digest);
  }
  return text + "]}";
}

// What an admin did, and who it was.
void log_act(const http::Exchange& exchange, const rules::Auth& auth, std::string_view what) {
  http::log(http::LogLevel::Info, what,
            {{"by", auth.name}, {"connection", exchange.request().connection}, {"peer", exchange.request().peer}});
}

void take_piece(const Surroundings& with, const Exchange& exchange, const Target& target, const rules::Auth& auth) {
  const std::string_view at = target.parameter("at").value_or("");
  uint64_t offset = 0;
  const auto read = std::from_chars(at.data(), at.data() + at.size(), offset);
  if (at.empty() || read.ec != std::errc() || read.ptr != at.data() + at.size()) {
    return fail(exchange, {ErrorCode::InvalidArgument, "at is the byte where this piece begins."});
  }
  const auto id = std::string(*target.parameter("upload"));
  const bool accepted = with.workers.try_run([&guard = with.guard, exchange, auth, id, offset] {
    const db::Result<void> done = guard.upload(auth, id, offset, exchange->request().body);
    if (!done.ok()) return fail(exchange, done.error());
    tell(exchange, R"({"status":"ok"})");
  });
  if (!accepted) fail(exchange, {ErrorCode::Unavailable, "The server is overloaded; try again soon."});
}

void restore(const Surroundings& with, const Exchange& exchange, const Target& target, const rules::Auth& auth) {
  auto request = restore_request(target);
  if (!request.ok()) return fail(exchange, request.error());
  log_act(*exchange, auth, "restore begun");
  with.guard.restore(auth, std::string(*target.parameter("upload")), std::move(request).value(),
                     with.waiting.expect_a<rules::Guard::Restored>([exchange, auth](const rules::Guard::Restored& restored) {
                       if (!restored.ok()) {
                         http::log(http::LogLevel::Warn, "restore refused",
                                   {{"by", auth.name},
                                    {"connection", exchange->request().connection},
                                    {"reason", restored.error().message}});
                         // What is damaged is what the client has sent.
                         const bool is_theirs = restored.error().code == ErrorCode::Corruption;
                         return fail(exchange, {is_theirs ? ErrorCode::InvalidData : restored.error().code, restored.error().message});
                       }
                       for (const db::RestoredTree& tree : restored.value()) {
                         http::log(http::LogLevel::Info, "restored",
                                   {{"ns", tree.space},
                                    {"path", tree.path.slashed()},
                                    {"leaves", tree.leaves},
                                    {"by", auth.name},
                                    {"connection", exchange->request().connection}});
                       }
                       tell(exchange, restored_text(restored.value()));
                     }));
}

}  // namespace

void serve_dump(const Surroundings& with, const Exchange& exchange, const rules::Auth& auth) {
  auto request = dump_request(target_of(*exchange));
  if (!request.ok()) return fail(exchange, request.error());
  const bool is_native = request.value().format == db::DumpFormat::Native;
  with.guard.dump(
      auth, std::move(request).value(),
      with.waiting.expect_a<db::Result<db::DumpPieces>>([exchange, auth, is_native](const db::Result<db::DumpPieces>& begun) {
        if (!begun.ok()) return fail(exchange, begun.error());
        log_act(*exchange, auth, "dump begun");
        http::Response head = reply_head(200, is_native ? "application/octet-stream" : "application/json; charset=utf-8");
        if (is_native) head.compression = http::Compression::Never;
        head.pace = http::Pace::UntilStalled;  // its source is a checkpoint
        exchange->respond_chunked(std::move(head), [pieces = begun.value()](std::string& chunk) {
          const db::Result<bool> more = pieces(chunk);
          if (!more.ok()) http::log(http::LogLevel::Error, "dump failed", {{"reason", more.error().message}});
          return !more.ok() ? http::Pull::Failed : more.value() ? http::Pull::More : http::Pull::Last;
        });
      }));
}

void serve_restore(const Surroundings& with, const Exchange& exchange, Method method, const rules::Auth& auth) {
  const Target target = target_of(*exchange);
  if (target.has("upload")) {
    return method == Method::Put ? take_piece(with, exchange, target, auth) : restore(with, exchange, target, auth);
  }
  if (method == Method::Put) return fail(exchange, {ErrorCode::InvalidArgument, "POST here first, for the name of an upload."});
  const bool accepted = with.workers.try_run([&guard = with.guard, exchange, auth] {
    const db::Result<std::string> id = guard.begin_upload(auth);
    if (!id.ok()) return fail(exchange, id.error());
    tell(exchange, R"({"upload":")" + id.value() + R"("})");
  });
  if (!accepted) fail(exchange, {ErrorCode::Unavailable, "The server is overloaded; try again soon."});
}

}  // namespace hearth::net::rest
