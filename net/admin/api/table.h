// The admin API: every address that is for those who run a server, in one table. The chapter Admin API
// (tools/manual/admin-api.md) documents each row, and a test compares the two.
//
//   a request ─▶ net/rest, where its endpoint is one of REST's ─▶ Desk::serve ─▶ Row::serve
//             └▶ Api::accept, where the address is a row's    ─▶ Api          ─▶ Row::answer
//
// Rows of REST's endpoints take a credential wherever REST takes one; the others by Authorization alone, and in development
// they are open to this machine. Values. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "net/admin/api/upkeep.h"
#include "net/http/target.h"
#include "net/rest/desk.h"

namespace hearth::net::admin {

// Of whom it is asked: an admin of the whole server; or one for whom `ns` is enough, where somebody is an admin there alone.
enum class Right : uint8_t { Server, Namespace };
std::string_view name_of(Right right);  // "server", "namespace"

class Api;
struct ApiCall;

struct Row {
  std::string_view method, path;
  Right right;
  std::string_view about;  // a sentence
  // One of the two.
  std::optional<rest::Endpoint> endpoint{};
  void (*serve)(const rest::Surroundings& with, const AdminCall& call) = nullptr;
  void (Api::*answer)(const std::shared_ptr<ApiCall>& call) = nullptr;

  // By a function, where REST parses the request; by the API itself, where it does not.
  constexpr Row served(rest::Endpoint of, void (*by)(const rest::Surroundings& with, const AdminCall& call)) const {
    Row row = *this;
    row.endpoint = of;
    row.serve = by;
    return row;
  }
  constexpr Row answered(void (Api::*by)(const std::shared_ptr<ApiCall>& call)) const {
    Row row = *this;
    row.answer = by;
    return row;
  }
};

std::span<const Row> admin_table();
std::string table_text();  // as JSON: [{"method","path","right","about"}…]

}  // namespace hearth::net::admin
