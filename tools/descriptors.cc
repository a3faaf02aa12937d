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
