// A connection is a descriptor, and usual soft limits are 1,024 while hard ones are far higher. A program may raise its
// own soft limit up to the hard one, so nobody has to know `ulimit`. The soft limit is low for programs that use
// select(), of which this is none; but children inherit it, so what starts others (a pager) asks for the old one
// (Chosen::keeps_descriptor_limit).
#include "tools/descriptors.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <stdexcept>

#include "db/base/store_descriptors.h"

namespace hearth::tools {
namespace {

constexpr size_t kOtherDescriptors = 100;  // of a client, beside its connections

}  // namespace

size_t descriptor_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

size_t connections_within(size_t descriptors) { return descriptors - db::store_descriptors(descriptors); }

size_t raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return descriptor_limit();
}

void need_descriptors(size_t connections) {
  const size_t limit = raise_descriptor_limit();
  if (limit >= connections + kOtherDescriptors) return;
  throw std::runtime_error(
      fmt::format("bench: {} connections need as many open files and {} more, and this process may have {} "
                  "(ulimit -Hn)",
                  connections, kOtherDescriptors, limit));
}

}  // namespace hearth::tools
