// `hearth fsck`: for a data folder that no server has open. What is looked at, and in which order, is in
// db/upkeep/fsck.h; here are the flags, the progress on a terminal, and what is printed. The exit status says whether
// all was well before any repair.
#include "db/upkeep/fsck.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "db/model/json.h"
#include "tools/commands.h"

namespace hearth::tools {
namespace {

struct FsckFlags {
  std::string data = "hearth-data";
  bool repair = false;
  bool json = false;
};

std::string json_list(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    if (list.size() > 1) list += ',';
    db::append_json_string(text, list);
  }
  return list + "]";
}

int fsck(const FsckFlags& flags) {
  const bool shows = ::isatty(STDERR_FILENO) == 1 && !flags.json;
  const auto progress = [&](uint64_t rows) {
    if (shows) fmt::print(stderr, "\r{} rows", rows);
  };
  auto done = db::fsck(flags.data, flags.repair ? db::Repair::Yes : db::Repair::No, progress);
  if (shows) fmt::print(stderr, "\r\033[K");
  if (!done.ok()) throw std::runtime_error(fmt::format("{}: {}", flags.data, done.error().message));
  const db::FsckReport& report = done.value();
  const bool is_well = report.problems == 0;
  if (flags.json) {
    fmt::print(
        R"({{"namespaces":{},"rows":{},"index_rows":{},"documents":{},"updates":{},"problems":{},"told":{},"repaired":{}}})"
        "\n",
        report.namespaces, report.rows, report.index_rows, report.documents, report.updates, report.problems,
        json_list(report.told), json_list(report.repaired));
    return is_well ? 0 : 1;
  }
  for (const std::string& one : report.told) fmt::print("{}\n", one);
  if (report.problems > report.told.size()) fmt::print("and {} more\n", report.problems - report.told.size());
  for (const std::string& name : report.repaired) {
    fmt::print("{}: its indexes are removed; they are built again when it is next used\n", name);
  }
  const std::string documents = report.documents > 0 ? fmt::format(", {} Yjs documents", report.documents) : "";
  fmt::print("{} namespaces, {} rows, {} rows of indexes{}: {}\n", report.namespaces, report.rows, report.index_rows,
             documents, is_well ? "all is well" : fmt::format("{} problems", report.problems));
  if (!is_well && report.repaired.empty()) {
    fmt::print("{}\n", flags.repair ? "Data cannot be made up: restore a backup." : "--repair makes indexes again.");
  }
  return is_well ? 0 : 1;
}

}  // namespace

void add_fsck(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<FsckFlags>();
  CLI::App* command = program.add_subcommand("fsck", "Goes through a data folder, and says what in it cannot be");
  command->add_option("--data", flags->data, "The folder; no server has it open")->capture_default_str();
  command->add_flag("--repair", flags->repair, "Removes indexes that are wrong; they are built again when next used");
  command->add_flag("--json", flags->json, "For scripts");
  command->footer(
      R"(Reads every row: keys are paths, values are values, none has children, each index has what follows from the data and nothing
else, and counts what there is; what is kept of the ages of children (chapter paths) is right; Yjs documents are
well-formed, and where one is there are no data. Data that is wrong is told by its path and left as it is: restore a
backup.

Exit status: 0 when all is well, 1 when not, also when it has been repaired.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return fsck(*flags); }; });
  add_chapter(*command, "service");
}

}  // namespace hearth::tools
