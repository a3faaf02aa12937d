// Where REST hands over what is for administrators: net/rest parses such a request and settles who asks, and the desk
// (net/admin/api) does it. So the protocol knows nothing of dumps, rules and settings but their addresses.
//
//   RestHandler ─ parse, authenticate ─▶ Desk::serve ─▶ Guard
//
// Thread: the home of the exchange.
#pragma once

#include <memory>
#include <string>

#include "net/http/exchange.h"
#include "net/rest/event_stream.h"
#include "net/rest/request.h"
#include "rules/auth.h"

namespace hearth::net::rest {

struct DeskCall {
  std::shared_ptr<http::Exchange> exchange;
  RestRequest request;
  std::string space;  // as the guard resolved it; "": the request is not about one namespace
  rules::Auth auth;   // proven; whether it is enough is for the desk to say
};

// Answers that it failed, in the words of REST. What is a fault of the server's is logged.
void refuse(const DeskCall& call, const db::Error& error);

class Desk {
 public:
  virtual ~Desk() = default;
  virtual bool serves(Endpoint endpoint) const = 0;
  // Answers, now or later. Precondition: it serves the endpoint.
  virtual void serve(const Surroundings& with, const std::shared_ptr<DeskCall>& call) = 0;
};

// Whether the request is about one namespace, whose name has to be one that there is.
inline bool is_of_one_namespace(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::Preflight:
    case Endpoint::Health:
    case Endpoint::Info:
    case Endpoint::Databases:
    case Endpoint::Dump:
    case Endpoint::DumpPart:
    case Endpoint::Restore:
    case Endpoint::Namespace:
    case Endpoint::Stats:  // it asks for rights before it looks at the name
    case Endpoint::Compact:
      return false;
    case Endpoint::Data:
    case Endpoint::Upload:
    case Endpoint::Rules:
    case Endpoint::OwnIndexes:
    case Endpoint::Setting:
    case Endpoint::Kick:
    case Endpoint::Explain:
    case Endpoint::Coverage:
    case Endpoint::Indexes:
    case Endpoint::Changes:
    case Endpoint::Undo:
    case Endpoint::Purge:
      return true;
  }
  return true;
}

}  // namespace hearth::net::rest
