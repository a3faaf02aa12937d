#include "net/peer/tls_pump.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace hearth::net::peer {
namespace {

// Bytes on their way in one direction.
struct Flow {
  std::array<char, kPumpBytes> bytes;
  size_t begin = 0, end = 0;
  bool is_ended = false;  // the source says no more
  bool is_told = false;   // and so was the other side
  bool empty() const { return begin == end; }
};

class Pipe {
 public:
  Pipe(SSL* session, int net, int local) : session_(session), net_(net), local_(local) {}
  ~Pipe() {
    SSL_free(session_);
    close(net_);
    close(local_);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int net() const { return net_; }
  int local() const { return local_; }

  // Moves what can be moved. False: it is over.
  bool step() {
    net_wants_write_ = false;
    for (bool has_moved = true; has_moved;) has_moved = move_in() | move_out();
    return !is_broken_ && !(in_.is_told && out_.is_told);
  }
  uint32_t net_events() const {
    return (in_.empty() && !in_.is_ended ? EPOLLIN : 0u) | (net_wants_write_ ? EPOLLOUT : 0u);
  }
  uint32_t local_events() const {
    return (out_.empty() && !out_.is_ended ? EPOLLIN : 0u) | (in_.empty() ? 0u : EPOLLOUT);
  }

 private:
  void failed(int result) {
    switch (SSL_get_error(session_, result)) {
      case SSL_ERROR_WANT_READ:
        break;
      case SSL_ERROR_WANT_WRITE:
        net_wants_write_ = true;
        break;
      case SSL_ERROR_ZERO_RETURN:
        in_.is_ended = true;
        break;
      default:
        is_broken_ = true;
    }
    ERR_clear_error();
  }
  bool move_in() {
    bool has_moved = false;
    if (in_.empty() && !in_.is_ended && !is_broken_) {
      ERR_clear_error();
      size_t count = 0;
      const int result = SSL_read_ex(session_, in_.bytes.data(), in_.bytes.size(), &count);
      if (result == 1) {
        in_.begin = 0;
        in_.end = count;
        has_moved = true;
      } else {
        failed(result);
      }
    }
    if (!in_.empty()) {
      const ssize_t count =
          send(local_, in_.bytes.data() + in_.begin, in_.end - in_.begin, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) {
        in_.begin += static_cast<size_t>(count);
        has_moved = true;
      } else if (errno != EAGAIN && errno != EINTR) {
        is_broken_ = true;
      }
    }
    if (in_.is_ended && in_.empty() && !in_.is_told) {
      shutdown(local_, SHUT_WR);
      in_.is_told = true;
    }
    return has_moved;
  }
  bool move_out() {
    bool has_moved = false;
    if (out_.empty() && !out_.is_ended && !is_broken_) {
      const ssize_t count = recv(local_, out_.bytes.data(), out_.bytes.size(), MSG_DONTWAIT);
      if (count > 0) {
        out_.begin = 0;
        out_.end = static_cast<size_t>(count);
        has_moved = true;
      } else if (count == 0) {
        out_.is_ended = true;
      } else if (errno != EAGAIN && errno != EINTR) {
        is_broken_ = true;
      }
    }
    if (!out_.empty() && !is_broken_) {
      ERR_clear_error();
      size_t count = 0;
      const int result = SSL_write_ex(session_, out_.bytes.data() + out_.begin, out_.end - out_.begin, &count);
      if (result == 1) {
        out_.begin += count;
        has_moved = true;
      } else {
        failed(result);
      }
    }
    if (out_.is_ended && out_.empty() && !out_.is_told && !is_broken_) {
      ERR_clear_error();
      SSL_shutdown(session_);
      ERR_clear_error();
      out_.is_told = true;
    }
    return has_moved;
  }

  SSL* const session_;
  const int net_, local_;
  Flow in_, out_;
  bool net_wants_write_ = false, is_broken_ = false;
};

void set_blocking(int fd, bool is_blocking) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

}  // namespace

struct TlsPump::Parts {
  int poll = epoll_create1(EPOLL_CLOEXEC);
  int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::mutex mutex;                            // Guards all below.
  std::map<int, std::shared_ptr<Pipe>> by_fd;  // of both ends
  bool is_stopped = false;
  std::thread thread;

  void run();
  void watch(const Pipe& pipe, int what) const {
    for (const auto& [fd, events] :
         {std::pair(pipe.net(), pipe.net_events()), std::pair(pipe.local(), pipe.local_events())}) {
      epoll_event event{};
      event.events = events;
      event.data.fd = fd;
      epoll_ctl(poll, what, fd, &event);
    }
  }
};

void TlsPump::Parts::run() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    const std::lock_guard lock(mutex);
    if (is_stopped) return;
    for (int i = 0; i < count; ++i) {
      const auto found = by_fd.find(events[static_cast<size_t>(i)].data.fd);
      if (found == by_fd.end()) continue;
      const std::shared_ptr<Pipe> pipe = found->second;
      if (pipe->step()) {
        // Hang-ups are told whether they are asked for or not; a flow that waits for its other side must not spin on one.
        const bool is_gone = (events[static_cast<size_t>(i)].events & (EPOLLHUP | EPOLLERR)) != 0 &&
                             (events[static_cast<size_t>(i)].events & (EPOLLIN | EPOLLOUT)) == 0;
        if (!is_gone) {
          watch(*pipe, EPOLL_CTL_MOD);
          continue;
        }
      }
      by_fd.erase(pipe->net());
      by_fd.erase(pipe->local());
    }
  }
}

TlsPump::TlsPump() : parts_(std::make_unique<Parts>()) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = parts_->wake;
  epoll_ctl(parts_->poll, EPOLL_CTL_ADD, parts_->wake, &event);
  parts_->thread = std::thread([parts = parts_.get()] { parts->run(); });
}

TlsPump::~TlsPump() {
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->is_stopped = true;
  }
  const uint64_t one = 1;
  (void)!write(parts_->wake, &one, sizeof one);
  parts_->thread.join();
  parts_->by_fd.clear();
  close(parts_->poll);
  close(parts_->wake);
}

db::Result<int> TlsPump::take(ssl_st* session, int socket) {
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    SSL_free(session);
    close(socket);
    return db::Error{db::ErrorCode::Unavailable, "There are no file descriptors left for a connection between nodes."};
  }
  set_blocking(socket, false);
  set_blocking(ends[1], false);
  SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const auto pipe = std::make_shared<Pipe>(session, socket, ends[1]);
  const std::lock_guard lock(parts_->mutex);
  // TLS may have decrypted something already that no event will tell of.
  if (pipe->step()) {
    parts_->by_fd[socket] = parts_->by_fd[ends[1]] = pipe;
    parts_->watch(*pipe, EPOLL_CTL_ADD);
  }
  return ends[0];
}

}  // namespace hearth::net::peer
