// Rows in key order → JSON as Firebase exports it (`format=export`): objects only, `.value` and `.priority`, no arrays.
// Memory: of one row. Thread: one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::db {

class JsonText {
 public:
  void row(std::string_view key, std::string_view leaf, std::string& to);  // ascending, of one tree
  void finish(std::string& to);                                            // of no rows: null

 private:
  void leave_for(std::string_view path, std::string& to);
  void open(size_t prefix, std::string& to);
  void name(std::string_view segment, std::string& to);
  void write_held(std::string& to);

  struct Open {
    size_t prefix;  // bytes of path_ that lead to it
    bool has_members;
  };
  std::vector<Open> open_;  // objects around the place reached, outermost first
  std::string path_;        // that place
  std::string held_;        // a leaf there, until it is known whether it has a priority
  bool holds_ = false;
  bool begun_ = false;
  std::string name_;
};

}  // namespace hearth::db
