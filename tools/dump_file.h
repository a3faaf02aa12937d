// Files of dumps as the commands read and write them. Thread: one. Blocks on disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/dump/block.h"
#include "tools/progress.h"

namespace hearth::tools {

// A file that appears under its name when it is whole and on disk. Until then it is NAME.part. "-": standard output.
// Functions throw std::runtime_error with what is wrong.
class OutputFile {
 public:
  explicit OutputFile(const std::string& name);
  ~OutputFile();  // removes NAME.part if finish() was not reached
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  void write(std::string_view bytes);
  void finish();
  uint64_t byte_count() const { return bytes_; }
  const std::string& part() const { return part_; }

 private:
  const std::string name_;
  const std::string part_;  // empty: standard output
  int file_;
  uint64_t bytes_ = 0;
};

// "-": standard input.
class InputFile {
 public:
  explicit InputFile(const std::string& name);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  db::ByteSource source(Progress& progress);
  uint64_t size() const { return size_; }  // 0: not known
  uint64_t byte_count() const { return bytes_; }

 private:
  const std::string name_;
  int file_;
  uint64_t size_ = 0;
  uint64_t bytes_ = 0;  // read
};

}  // namespace hearth::tools
