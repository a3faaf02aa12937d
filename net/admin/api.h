// What admins ask of the server itself, and not of its data:
//
//   GET  /.inspect/connections.json                      → {"yours":7,"connections":[{"number","peer","kind","seconds",
//                                                           "waiting","secure"}…]}: who is connected, at most
//                                                           kSeenConnectionsMax of each io thread
//   POST /.settings/cut.json {"connection":NUMBER}       → {"cut":true}; false: there is none of that number
//
// By an admin's credential in Authorization; in development for this machine, as /.metrics. Thread: any.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/io/listener.h"
#include "rules/guard.h"

namespace hearth::net::admin {

inline constexpr std::string_view kConnectionsPath = "/.inspect/connections.json";
inline constexpr std::string_view kCutPath = "/.settings/cut.json";

class Api {
 public:
  // All outlive it. `listener`: of clients; null until it is open.
  Api(const rules::Guard& guard, const Verifier& verifier, std::function<const http::Listener*()> listener)
      : guard_(guard), verifier_(verifier), listener_(std::move(listener)) {}

  // Answers it, now or later. False when the request is for something else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange) const;

 private:
  void tell_connections(const std::shared_ptr<http::Exchange>& exchange) const;
  void cut(const std::shared_ptr<http::Exchange>& exchange) const;

  const rules::Guard& guard_;
  const Verifier& verifier_;
  const std::function<const http::Listener*()> listener_;
};

}  // namespace hearth::net::admin
