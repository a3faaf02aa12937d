// What administrators ask of webhooks: to list and to change them, to send something now, to see and to clear dead letters.
// Thread: the deliverer's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "net/webhooks/deliverer.h"
#include "net/webhooks/hook_line.h"

namespace hearth::net::webhooks {

using HookLines = std::map<std::string, std::shared_ptr<HookLine>>;  // by id

class Asks {
 public:
  Asks(Shared& shared, HookLines& lines) : with_(shared), lines_(lines) {}

  void answer(const Ask& ask, const Deliverer::Done& done);

 private:
  db::Result<std::string> list(const std::string& space) const;
  void add(const Ask& ask, const Deliverer::Done& done);
  void conclude_add(const Ask& ask, const db::ChangesPage& page, const Deliverer::Done& done);
  void test(HookLine& line, const Deliverer::Done& done);
  db::Result<std::string> dead(const HookLine& line) const;
  void retry(const std::shared_ptr<HookLine>& line, const std::string& letter, const Deliverer::Done& done);
  db::Result<std::string> clear(HookLine& line, const std::string& letter);

  Shared& with_;
  HookLines& lines_;
};

}  // namespace hearth::net::webhooks
