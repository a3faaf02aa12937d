// Where webhooks may lead: hosts that the operator names, and addresses of the public Internet, or of others with his leave.
//
//   host := NAME | NAME:PORT | ADDRESS | [IPV6]:PORT      without a port: that of the URL's scheme
//
// A name is compared as it is written, and says nothing of where it leads. So each address that it resolves to is judged
// again when it is connected to. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "net/io/ip_address.h"
#include "net/outgoing/poster.h"

namespace hearth::net::webhooks {

class Reach {
 public:
  // Errors: InvalidArgument, naming the host that is none.
  static db::Result<Reach> parse(const std::vector<std::string>& hosts, bool private_too);

  bool is_off() const { return hosts_.empty(); }
  // Errors: InvalidArgument, PermissionDenied: with the flag that would allow it.
  db::Result<void> check(const std::string& url) const;
  // Of the address that is about to be connected to. Errors: PermissionDenied.
  db::Result<void> may_connect(const http::IpAddress& address, bool is_secure) const;

 private:
  struct Host {
    std::string name;
    std::optional<uint16_t> port;
  };
  std::vector<Host> hosts_;
  bool private_too_ = false;
};

}  // namespace hearth::net::webhooks
