// The admin secret. The folder's owner can read the data anyway, so a file in the folder is the right place: nobody
// else can read it (mode 0600 from the moment it exists), and a backup of the folder has it too.
#include "tools/secret.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "db/base/random.h"

namespace hearth::tools {
namespace {

db::Error io_error(const std::string& path) {
  return {db::ErrorCode::Io, fmt::format("{}: {}", path, std::strerror(errno))};
}

std::string make_secret() {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  static_assert(alphabet.size() == 64, "six bits of each byte choose without bias");
  std::array<uint8_t, kSecretLength> bytes;
  db::random_bytes(bytes.data(), bytes.size());
  std::string secret;
  for (const uint8_t byte : bytes) secret += alphabet[byte % alphabet.size()];
  return secret;
}

// Writes a draft, syncs it and renames it, and syncs the folder: a crash leaves a whole secret or none. O_EXCL after
// unlink(): the draft is ours, whoever else may write to the folder.
db::Result<void> write_durably(const std::string& folder, const std::string& path, const std::string& text) {
  const std::string draft = path + ".new";
  unlink(draft.c_str());
  const int file = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return io_error(draft);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(file) == 0;
  if (close(file) != 0 || !written) return io_error(draft);
  if (rename(draft.c_str(), path.c_str()) != 0) return io_error(path);
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return io_error(folder);
  const bool synced = fsync(directory) == 0;
  if (close(directory) != 0 || !synced) return io_error(folder);
  return {};
}

}  // namespace

// A short secret is refused and not replaced: a file that somebody has spoiled should be noticed.
db::Result<AdminSecret> load_admin_secret(const std::string& folder) {
  AdminSecret secret{"", folder + "/admin-secret", false};
  std::ifstream file(secret.path);
  if (!file) {
    if (errno != ENOENT) return io_error(secret.path);
    secret.text = make_secret();
    secret.is_new = true;
    RETURN_IF_ERROR(write_durably(folder, secret.path, secret.text + "\n"));
    return secret;
  }
  secret.text.assign(std::istreambuf_iterator<char>(file), {});
  while (!secret.text.empty() && std::strchr(" \t\r\n", secret.text.back()) != nullptr) secret.text.pop_back();
  if (secret.text.size() < kSecretLength) {
    return db::Error{db::ErrorCode::InvalidData,
                     fmt::format("{} holds no secret of {} characters; remove it and a new one is made", secret.path,
                                 kSecretLength)};
  }
  return secret;
}

}  // namespace hearth::tools
