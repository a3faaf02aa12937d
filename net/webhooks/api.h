// Webhooks over HTTP, for admins.
//
//   GET  /.webhooks.json                                          [hook,…]
//   POST /.webhooks.json         {"url","path"[,"since","before"]} {"id","url","path","secret"}: the secret is told here alone
//   POST /.webhooks/ACTION.json  {"id"[,"message"]}               test, pause, resume, rotate, remove, retry, clear
//   GET  /.webhooks/dead.json?id=ID                               {"dropped","letters":[letter,…]}
//
// Each with `ns`, and a credential as REST takes it. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/http/pending_answers.h"
#include "net/io/io_pool.h"
#include "net/webhooks/deliverer.h"
#include "rules/guard.h"

namespace hearth::net::webhooks {

class Api {
 public:
  // All outlive it.
  Api(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, Deliverer& deliverer)
      : guard_(guard), verifier_(verifier), io_(io), deliverer_(deliverer) {}

  // Answers it, now or later. False: the request is for something else. On the exchange's home thread.
  bool accept(const std::shared_ptr<http::Exchange>& exchange);
  void close() { waiting_.close(); }  // answers that are still to come go nowhere

 private:
  struct Call;
  void on_verdict(const std::shared_ptr<Call>& call, const db::Result<rules::Auth>& auth);

  rules::Guard& guard_;
  const Verifier& verifier_;
  http::IoPool& io_;
  Deliverer& deliverer_;
  http::PendingAnswers waiting_;
};

}  // namespace hearth::net::webhooks
