// IPv4 and IPv6 as one kind of value. A dual-stack socket reports an IPv4 client as ::ffff:a.b.c.d; limits by address
// and lists of trusted proxies must not see two clients in one. So IPv4 is kept in that form, and is_v4() asks for
// the prefix.
#include "net/io/ip_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

namespace hearth::net::http {
namespace {
constexpr size_t kMappedBytes = 12;  // the prefix that makes an IPv4 address an IPv6 one (RFC 4291 §2.5.5.2)
constexpr std::array<uint8_t, kMappedBytes> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
}  // namespace

IpAddress IpAddress::v4(const std::array<uint8_t, 4>& bytes) {
  IpAddress address;
  std::copy(kMapped.begin(), kMapped.end(), address.bytes_.begin());
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin() + kMappedBytes);
  return address;
}

// inet_pton() reads up to a zero byte; text with one inside would be another address than it looks.
std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != text.npos) return {};
  const std::string ended(text);
  std::array<uint8_t, 4> four;
  if (inet_pton(AF_INET, ended.c_str(), four.data()) == 1) return v4(four);
  IpAddress address;
  if (inet_pton(AF_INET6, ended.c_str(), address.bytes_.data()) == 1) return address;
  return {};
}

std::optional<IpAddress> IpAddress::of_peer(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  if (storage.ss_family == AF_INET) {
    std::array<uint8_t, 4> four;
    const auto* from = reinterpret_cast<const uint8_t*>(&reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr);
    std::copy_n(from, four.size(), four.begin());
    return v4(four);
  }
  if (storage.ss_family != AF_INET6) return {};
  IpAddress address;
  const auto& from = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
  std::copy_n(from.s6_addr, address.bytes_.size(), address.bytes_.begin());
  return address;
}

bool IpAddress::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes_.begin()); }

bool IpAddress::is_loopback() const {
  static const IpAddress kLoopback6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  return is_v4() ? bytes_[kMappedBytes] == 127 : *this == kLoopback6;
}

bool is_loopback_host(std::string_view host) {
  if (host == "localhost") return true;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  return address && address->is_loopback();
}

std::string IpAddress::text() const {
  if (is_v4()) {  // inet_ntop() would print it by sprintf()
    const uint8_t* four = bytes_.data() + kMappedBytes;
    return fmt::format("{}.{}.{}.{}", four[0], four[1], four[2], four[3]);
  }
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
  return text;
}

// "10.0.0.0/8" counts its bits in 32, so 96 are added; "::ffff:10.0.0.0/104" is written as IPv6 and counts in 128.
db::Result<IpNetwork> IpNetwork::parse(std::string_view text) {
  const db::Error error{db::ErrorCode::InvalidArgument,
                        fmt::format("{}: not an address, and not ADDRESS/BITS like 10.0.0.0/8 or fd00::/8", text)};
  const size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return error;
  const bool is_v4 = address->is_v4() && text.find(':') == text.npos;
  const unsigned bits_max = is_v4 ? 32 : 128;
  unsigned bits = bits_max;
  if (slash != text.npos) {
    const char* end = text.data() + text.size();
    const auto [last, failed] = std::from_chars(text.data() + slash + 1, end, bits);
    if (failed != std::errc() || last != end || bits > bits_max) return error;
  }
  return IpNetwork(*address, bits + (128 - bits_max));
}

// Compares whole bytes first, and then the bits of the one that the network ends in.
bool IpNetwork::contains(const IpAddress& address) const {
  const size_t whole = bits_ / 8;
  const IpAddress::Bytes& ours = address_.bytes();
  const IpAddress::Bytes& theirs = address.bytes();
  if (!std::equal(ours.begin(), ours.begin() + static_cast<ptrdiff_t>(whole), theirs.begin())) return false;
  const unsigned rest = bits_ % 8;
  return rest == 0 || (ours[whole] ^ theirs[whole]) >> (8 - rest) == 0;
}

bool contains(const IpNetworks& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace hearth::net::http
