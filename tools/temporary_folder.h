// A new folder that is removed with everything in it at the end. Thread: one.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace hearth::tools {

class TemporaryFolder {
 public:
  // `parent` "": the system's folder for such. Throws when none can be made there.
  explicit TemporaryFolder(const std::string& parent = "") {
    const auto under = parent.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(parent);
    path_ = (under / "hearth-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error(fmt::format("no folder can be made in {}: {}", under.string(), std::strerror(errno)));
    }
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace hearth::tools
