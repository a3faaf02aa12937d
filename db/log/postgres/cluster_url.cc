// An argument, a file or a variable.
#include "db/log/postgres/cluster_url.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

namespace hearth::db {
namespace {

constexpr std::string_view kFile = "file:";

Error unusable(const std::string& why) { return {ErrorCode::InvalidArgument, why}; }

}  // namespace

Result<ClusterUrl> read_cluster_url(const std::string& given) {
  std::string from = given;
  if (from.empty()) {
    const char* variable = std::getenv(kClusterVariable);
    if (variable == nullptr || *variable == '\0') {
      return unusable(std::string("no cluster is named: give postgresql://HOST,HOST/DATABASE, file:PATH, or set ") +
                      kClusterVariable);
    }
    from = variable;
  }
  ClusterUrl read;
  if (!from.starts_with(kFile)) {
    read.url = from;
  } else {
    const std::string path = from.substr(kFile.size());
    std::ifstream file(path);
    if (!file) return unusable("the file " + path + ", which has the cluster's URL, cannot be read");
    std::getline(file, read.url);
    while (!read.url.empty() && (read.url.back() == '\r' || read.url.back() == ' ')) read.url.pop_back();
    struct stat about {};
    if (stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      read.warning = "others than its owner may read or write " + path + ", which has the cluster's URL: chmod 600 it";
    }
    if (read.url.empty()) return unusable("the first line of " + path + " is empty; it has to be the cluster's URL");
  }
  if (!read.url.starts_with("postgresql://") && !read.url.starts_with("postgres://")) {
    return unusable("a cluster's URL begins with postgresql://");  // and is not shown: it may have a password
  }
  return read;
}

}  // namespace hearth::db
