// GET / of a browser: a page that says what this server is, with three commands to go on with. A browser that may
// read the metrics is shown the names of the namespaces too. Programs, which do not accept HTML, get the REST API's
// answer as for any path.
//
// Thread: any.
#pragma once

#include <memory>
#include <string>

#include "db/base/thread_pool.h"
#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "rules/guard.h"

namespace hearth::net::admin {

inline constexpr size_t kNamesShownMax = 100;

class FrontPage {
 public:
  // All outlive the page.
  FrontPage(const rules::Guard& guard, const Verifier& verifier, db::ThreadPool& workers, bool has_console)
      : guard_(guard), verifier_(verifier), workers_(workers), has_console_(has_console) {}

  // Answers it, now or later. False when the request is for something else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange) const;

 private:
  std::string html(const http::Request& request, bool shows_names) const;

  const rules::Guard& guard_;
  const Verifier& verifier_;
  db::ThreadPool& workers_;
  const bool has_console_;
};

// What a client calls the server, as it may stand in a command and in HTML: "chat.example.com:9000". Any other is replaced.
std::string host_in_commands(const http::Request& request);

}  // namespace hearth::net::admin
