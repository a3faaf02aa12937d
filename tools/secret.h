// The admin secret: whoever can read one file of the data folder is an admin. Thread: any. Blocks on disk.
#pragma once

#include <string>

#include "db/base/result.h"

namespace hearth::tools {

inline constexpr size_t kSecretLength = 40;  // characters of A-Z a-z 0-9 - _

struct AdminSecret {
  std::string text;  // never to be logged
  std::string path;  // of its file
  bool is_new;
};

// What stands in the folder's file `admin-secret`; made when there is none: random, readable by its owner alone, and
// there as a whole or not at all. Errors: Io; InvalidData: the file holds no secret.
db::Result<AdminSecret> load_admin_secret(const std::string& folder);

}  // namespace hearth::tools
