// Sockets to listen on.
//
// Without a host we listen on 127.0.0.1 and on ::1, since "localhost" is either, depending on the client. Both must
// have the same port. With port 0 the kernel picks one for the first address; another program may have that port on
// the second address, so all of it is tried again, some times. ::1 is left out where the machine has no IPv6. Errors
// are sentences that say what to do.
#include "net/io/addresses.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace hearth::net::http {
namespace {

constexpr int kPortTriesMax = 16;  // with ports that the system picked for the first address
constexpr size_t kDescriptorsKeptMax = 1'000;
constexpr int kWaitingMax = 4096;  // connections that nobody has accepted yet

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  std::string text;
  bool is_v6 = false;
  bool is_optional = false;
};

void set_port(Address& address, uint16_t port) {
  if (address.is_v6) {
    reinterpret_cast<sockaddr_in6*>(&address.bytes)->sin6_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in*>(&address.bytes)->sin_port = htons(port);
  }
}

uint16_t port_of(int fd) {
  sockaddr_storage bytes{};
  socklen_t size = sizeof bytes;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bytes), &size) != 0) return 0;
  return ntohs(bytes.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bytes)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&bytes)->sin_port);
}

// All addresses of a host, each once: a name in /etc/hosts may have an address twice, and binding it twice would
// fail.
db::Result<std::vector<Address>> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int failed = getaddrinfo(host.c_str(), nullptr, &hints, &found); failed != 0) {
    return db::Error{db::ErrorCode::InvalidArgument,
                     fmt::format("cannot listen on {}: {}", host, gai_strerror(failed))};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    if (info->ai_family != AF_INET && info->ai_family != AF_INET6) continue;
    Address address;
    std::memcpy(&address.bytes, info->ai_addr, info->ai_addrlen);
    address.size = info->ai_addrlen;
    address.is_v6 = info->ai_family == AF_INET6;
    char text[INET6_ADDRSTRLEN] = "";
    const void* raw = address.is_v6
                          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(info->ai_addr)->sin6_addr)
                          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(info->ai_addr)->sin_addr);
    inet_ntop(info->ai_family, raw, text, sizeof text);
    address.text = text;
    bool is_known = false;
    for (const Address& other : addresses) is_known = is_known || other.text == address.text;
    if (!is_known) addresses.push_back(std::move(address));
  }
  if (addresses.empty()) {
    return db::Error{db::ErrorCode::InvalidArgument, fmt::format("cannot listen on {}: it has no address", host)};
  }
  return addresses;
}

// The socket, or the errno of what failed.
int bind_one(const Address& address, Fd& to) {
  Fd fd(::socket(address.is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return errno;
  const int on = 1;
  // A server that starts again must not wait for connections of the old one in TIME_WAIT.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.is_v6) {
    const int v6_only = address.text == "::" ? 0 : 1;  // "::" is everything, IPv4 too
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0) return errno;
  if (::listen(fd.get(), kWaitingMax) != 0) return errno;
  to = std::move(fd);
  return 0;
}

// The three mistakes that people make have sentences of their own.
db::Error bind_error(int error, const Address& address, uint16_t port) {
  if (error == EADDRINUSE) {
    return {db::ErrorCode::Unavailable,
            fmt::format("port {} on {} is taken by another program; choose another port", port, address.text)};
  }
  if (error == EACCES) {
    return {db::ErrorCode::Unavailable,
            fmt::format("port {} on {} is not ours to use; choose one above 1023", port, address.text)};
  }
  if (error == EADDRNOTAVAIL) {
    return {db::ErrorCode::Unavailable, fmt::format("this machine has no address {}", address.text)};
  }
  return {db::ErrorCode::Unavailable,
          fmt::format("cannot listen on port {} of {}: {}", port, address.text, std::strerror(error))};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

int Fd::release() { return std::exchange(fd_, -1); }

// The kernel gives the lowest number that is free, so as many descriptors are in use as the number says.
bool is_kept_for_files(const Fd& fd) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  const auto all = static_cast<size_t>(limit.rlim_cur);
  return static_cast<size_t>(fd.get()) >= all - std::min(all / 16, kDescriptorsKeptMax);
}

db::Result<Bound> bind_addresses(const std::string& host, uint16_t port) {
  std::vector<Address> addresses;
  if (host.empty()) {
    for (const char* text : {"127.0.0.1", "::1"}) {
      ASSIGN_OR_RETURN(const std::vector<Address> found, look_up(text));
      addresses.push_back(found.front());
      addresses.back().is_optional = addresses.back().is_v6;
    }
  } else {
    ASSIGN_OR_RETURN(addresses, look_up(host));
  }

  for (int attempt = 1;; ++attempt) {
    Bound bound;
    bound.port = port;
    bool again = false;
    for (Address& address : addresses) {
      set_port(address, bound.port);
      Fd fd;
      const int error = bind_one(address, fd);
      if (error == EADDRINUSE && port == 0 && !bound.sockets.empty() && attempt < kPortTriesMax) {
        again = true;  // the port that the system picked for the first address is taken on this one
        break;
      }
      const bool is_absent = error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
      if (is_absent && address.is_optional && !bound.sockets.empty()) continue;
      if (error != 0) return bind_error(error, address, bound.port);
      if (bound.port == 0) bound.port = port_of(fd.get());
      bound.sockets.push_back({std::move(fd), address.text, address.is_v6});
    }
    if (!again) return bound;
  }
}

}  // namespace hearth::net::http
