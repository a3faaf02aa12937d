// The addresses a server listens on: names looked up, sockets bound. Thread: one; a name may block on a look-up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/base/result.h"

namespace hearth::net::http {

// A file descriptor, closed at the end.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

// Whether so many descriptors are in use that this one is not for connections: a sixteenth of all that the process may have,
// 1,000 at most, is kept for files.
bool is_kept_for_files(const Fd& fd);

struct BoundSocket {
  Fd fd;                // listening, non-blocking
  std::string address;  // "127.0.0.1"
  bool is_v6 = false;
};

struct Bound {
  std::vector<BoundSocket> sockets;
  uint16_t port = 0;  // the same for all
};

// `host` "": 127.0.0.1, and ::1 where there is IPv6. `port` 0: picks one that is free on all of them.
// Errors: InvalidArgument (no such host), Unavailable (the port is taken, or not ours to use).
db::Result<Bound> bind_addresses(const std::string& host, uint16_t port);

}  // namespace hearth::net::http
