// The commands for the data of a running server: get, set, update, push, remove, watch, import, export, namespace.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/rest_client.h"

namespace CLI {
class App;
}

namespace hearth::tools {

// Adds the commands to a program; run() runs the one that was asked for.
class DataCommands {
 public:
  explicit DataCommands(CLI::App& program);

  bool has_one() const { return static_cast<bool>(chosen_); }
  int run() const { return chosen_(); }  // the exit status. Throws std::runtime_error with what is wrong

 private:
  CLI::App* add(CLI::App& parent, const std::string& name, const std::string& text, std::function<int()> run);
  void add_reads(CLI::App& program);
  void add_writes(CLI::App& program);
  void add_files(CLI::App& program);
  void add_namespaces(CLI::App& program);

  int get() const;
  int write(const std::string& method) const;
  int remove() const;
  int watch() const;
  int import_file() const;
  int export_file() const;
  int list_namespaces() const;
  int create_namespace() const;
  int delete_namespace() const;

  std::function<int()> chosen_;
  Target target_;
  std::string path_ = "/";
  bool json_ = false;
  // get
  bool shallow_ = false, export_ = false, pretty_ = false;
  std::string order_by_, start_at_, end_at_, equal_to_;
  size_t limit_to_first_ = 0, limit_to_last_ = 0;
  // set, update, push
  std::string value_, file_;
  // watch
  size_t count_ = 0;
  // namespace
  std::string name_;
  bool yes_ = false;
  // import, export
  bool replace_ = false;
  std::string out_;
};

// A value of the command line: JSON, or else a string.
std::string json_of(const std::string& text);

// Events of a stream, from bytes as they come (SSE). Pure.
class EventLines {
 public:
  struct Event {
    std::string name, data, id;
  };
  std::vector<Event> add(std::string_view bytes);

 private:
  std::string held_;
  Event event_;
};

}  // namespace hearth::tools
