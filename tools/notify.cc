// A name that begins with '@' is an abstract socket: in the address its first byte is 0, and its length is that of the
// name, with no 0 behind it. Failures are not told: a server that nobody manages, or whose manager has gone, serves all
// the same.
#include "tools/notify.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace hearth::tools {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

bool has_service_manager() { return !variable("NOTIFY_SOCKET").empty(); }

void notify(std::string_view state) {
  const std::string_view path = variable("NOTIFY_SOCKET");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path.data(), path.size());
  if (path.front() == '@') to.sun_path[0] = '\0';  // an abstract one
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return;
  ::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  ::close(socket);
}

// $JOURNAL_STREAM alone would not do: a process whose standard error was redirected since has inherited it as well. The
// file that it names, by device and inode, has to be the one that standard error is.
bool logs_to_journal() {
  struct stat errors {};
  if (::fstat(STDERR_FILENO, &errors) != 0) return false;
  return variable("JOURNAL_STREAM") == fmt::format("{}:{}", errors.st_dev, errors.st_ino);
}

}  // namespace hearth::tools
