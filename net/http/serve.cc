#include "net/http/serve.h"

#include <utility>

#include "net/http/http_session.h"

namespace hearth::net::http {

namespace {

// The listener keeps the function, and so the service, as long as there are connections.
MakeProtocol sessions_of(Handler handler, HostNames names) {
  const auto service = std::make_shared<const HttpService>(HttpService{std::move(handler), std::move(names)});
  return [service](Connection& connection) -> std::shared_ptr<Protocol> {
    return std::make_shared<HttpSession>(connection, *service);
  };
}

}  // namespace

db::Result<std::unique_ptr<Listener>> serve(IoPool& io, db::ThreadPool& workers, const Listener::Options& options,
                                            Handler handler, const std::vector<std::string>& host_names) {
  ASSIGN_OR_RETURN(HostNames names, HostNames::parse(host_names));
  return Listener::open(io, workers, options, sessions_of(std::move(handler), std::move(names)));
}

std::unique_ptr<Listener> serve_adopted(IoPool& io, db::ThreadPool& workers, const Listener::Options& options,
                                        Handler handler) {
  return Listener::without_port(io, workers, options, sessions_of(std::move(handler), HostNames()));
}

}  // namespace hearth::net::http
