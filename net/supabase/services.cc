#include "net/supabase/services.h"

namespace hearth::net::supabase {

bool Services::accept(const std::shared_ptr<http::Exchange>& exchange) {
  const http::Request& request = exchange->request();
  if (!is_for_project(request.target)) return false;
  auto project = project_of(request.target, request.host());
  if (!project.ok()) {
    exchange->respond(refusal(project.error(), Service::Rest));
    return true;
  }
  switch (project.value().service) {
    case Service::Realtime:
      realtime_.handle(exchange, std::move(project).value());
      return true;
    case Service::Rest:
      rows_.handle(exchange, std::move(project).value());
      return true;
  }
  return false;
}

}  // namespace hearth::net::supabase
