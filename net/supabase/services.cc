#include "net/supabase/services.h"

namespace hearth::net::supabase {

void Services::handle(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  auto project = project_of(request.target, request.host());
  if (!project.ok()) return exchange->respond(refusal(project.error(), Service::Rest));
  switch (project.value().service) {
    case Service::Realtime:
      return realtime_.handle(exchange, std::move(project).value());
    case Service::Rest:
      return rows_.handle(exchange, std::move(project).value());
  }
}

}  // namespace hearth::net::supabase
