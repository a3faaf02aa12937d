// Addresses and networks of the Internet Protocol, both versions in one. Values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

namespace hearth::net::http {

// An IPv4 address is the same value as the IPv6 address that stands for it ("::ffff:10.0.0.1").
class IpAddress {
 public:
  using Bytes = std::array<uint8_t, 16>;

  IpAddress() = default;  // "::"
  explicit IpAddress(const Bytes& bytes) : bytes_(bytes) {}
  static IpAddress v4(const std::array<uint8_t, 4>& bytes);
  // Reads "127.0.0.1" or "::1", with nothing around it.
  static std::optional<IpAddress> parse(std::string_view text);
  // The other end of a connected socket; nothing when the client has gone.
  static std::optional<IpAddress> of_peer(int socket);

  const Bytes& bytes() const { return bytes_; }
  bool is_v4() const;
  bool is_loopback() const;  // 127.0.0.0/8 and ::1
  std::string text() const;

  bool operator==(const IpAddress&) const = default;

 private:
  Bytes bytes_{};
};

// Whether a host, as a flag or a URL names it, is this machine and no other: "localhost", or an address of its own, also in
// brackets. Other names are not looked up, whatever they begin with.
bool is_loopback_host(std::string_view host);

class IpNetwork {
 public:
  // "10.0.0.0/8", "fd00::/8", "::1": what stands behind the bits does not count. Errors: InvalidArgument.
  static db::Result<IpNetwork> parse(std::string_view text);

  bool contains(const IpAddress& address) const;

 private:
  IpNetwork(const IpAddress& address, unsigned bits) : address_(address), bits_(bits) {}

  IpAddress address_;
  unsigned bits_;  // of 128
};

using IpNetworks = std::vector<IpNetwork>;
bool contains(const IpNetworks& networks, const IpAddress& address);

}  // namespace hearth::net::http
