#include "net/rest/desk.h"

#include "net/io/log.h"
#include "net/rest/reply.h"

namespace hearth::net::rest {

void refuse(const DeskCall& call, const db::Error& error) {
  if (error.code == db::ErrorCode::Io || error.code == db::ErrorCode::Corruption) {
    http::log(http::LogLevel::Error, "request failed",
              {{"connection", call.exchange->request().connection},
               {"peer", call.exchange->request().peer},
               {"ns", call.space},
               {"path", call.request.path.slashed()},
               {"error", error.message}});
  }
  call.exchange->respond(error_reply_of(error, call.request.callback));
}

}  // namespace hearth::net::rest
