// `hearth dump` and `hearth dump verify`.
//
//   of a folder   db::dump_folder ─▶ pieces ─▶ NAME.part ─▶ NAME
//   of a server   GET /.settings/dump ─▶ NAME.part ─▶ read again and checked ─▶ NAME
//   incremental   the same, and what it continues is told: of a server, by the body of a POST
//
// A backup that nobody has read is a hope. What came over a network is therefore read again before it gets its name;
// the digest that is printed is of the rows, so it can be compared with what `restore` and `dump verify` print.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/random.h"
#include "db/dump/chain.h"
#include "db/dump/folder.h"
#include "db/model/json.h"
#include "db/model/namespace_name.h"
#include "db/model/past.h"
#include "tools/backup/index.h"
#include "tools/commands.h"
#include "tools/dump_file.h"
#include "tools/dump_lines.h"
#include "tools/or_throw.h"
#include "tools/progress.h"
#include "tools/rest_client.h"
#include "tools/take_dump.h"

namespace hearth::tools {
namespace {

struct DumpFlags {
  std::string out;  // "-": standard output
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::string path;
  db::DumpFormat format = db::DumpFormat::Native;
  std::string since;               // a file, or an id of a commit: what an incremental one continues
  std::vector<std::string> files;  // verify
};

std::optional<std::string> dumped_space(const std::string& flag) {
  if (flag.empty()) return {};
  return or_throw(db::check_namespace_name(flag), "--ns " + flag);
}

// Where words go: standard output, or standard error when the dump itself goes to standard output.
std::FILE* told_of(const DumpFlags& flags) { return flags.out == "-" ? stderr : stdout; }

// On standard error, whatever the output is: what is not in a backup is to be seen.
void warn_of_documents() {
  fmt::print(stderr, "Note: there are Yjs documents too, which JSON has no place for; --format native has them.\n");
}

void dump_of_folder(const DumpFlags& flags, const db::DumpRequest& request) {
  const auto dumper = or_throw(db::dump_folder(flags.data, request, db::SystemClock().now()), "cannot dump");
  if (dumper->leaves_documents_out()) warn_of_documents();
  OutputFile out(flags.out);
  Progress progress("dump");
  std::string piece;
  while (or_throw(dumper->next(piece), "cannot dump")) {
    out.write(piece);
    piece.clear();
    progress.show(out.byte_count(), dumper->part());
  }
  out.write(piece);
  out.finish();
  for (const auto& [name, rows] : dumper->spaces()) {
    // Of an incremental dump, one without rows may be as it was.
    const bool has_entries = request.since != nullptr && (rows.entries > 0 || rows.rows + rows.updates == 0);
    fmt::print(told_of(flags), "{}\n",
               has_entries ? entries_line(name, rows.entries) : line_of(name, request.path, rows));
  }
  fmt::print(told_of(flags), "{}: {}\n", flags.out, figures(out.byte_count(), dumper->leaf_count(), progress.time()));
}

// Reads the file again before it gets its name, and prints what is in it. Returns its number of leaves.
uint64_t check_and_tell(const DumpFlags& flags, const OutputFile& out) {
  InputFile file(out.part());
  Progress progress("check");
  const std::string folder = std::filesystem::temp_directory_path();
  const db::DumpContents contents = or_throw(db::verify_dump(file.source(progress), folder), "what came is no dump");
  uint64_t leaves = 0;
  for (const auto& [space, rows] : contents.spaces) {
    leaves += rows.leaves;
    fmt::print("{}\n", space.has_entries ? entries_line(space.name, rows.entries)
                                         : line_of(contents.is_native ? space.name : flags.space, space.path, rows));
    if (contents.info.is_incremental && !space.has_entries) {
      fmt::print("{}: it is there as a whole, for its log does not tell what came since\n", space.name);
    }
  }
  return leaves;
}

// Asks the server how far it is with a dump, once a second at most, on a second connection.
class DumpPart {
 public:
  DumpPart(Target server, std::string name) : server_(std::move(server)), name_(std::move(name)) {}
  std::optional<double> now() {
    if (asked_ && std::chrono::steady_clock::now() - *asked_ < kAskInterval) return part_;
    asked_ = std::chrono::steady_clock::now();
    try {
      const RestReply reply = ask(server_, {.path = "/.settings/dump.json", .query = {{"name", name_}}});
      const auto document = db::JsonDocument::parse(reply.body);
      const auto part = document.ok() ? document.value().root().field("part") : std::nullopt;
      if (part && part->number()) part_ = part->number();
    } catch (const std::runtime_error&) {
      // Progress is not worth a failure. If the server is gone, the dump itself says so.
    }
    return part_;
  }

 private:
  static constexpr std::chrono::seconds kAskInterval{1};
  const Target server_;
  const std::string name_;
  std::optional<std::chrono::steady_clock::time_point> asked_;
  std::optional<double> part_;  // nothing: an older server, or the dump has not begun
};

bool has_documents(const Target& server, const db::Path& path) {
  const std::string body = ask_ok(server, {.path = "/.inspect/stats.json", .query = {{"path", path.text()}}});
  const auto stats = or_throw(db::JsonDocument::parse(body), "the server's answer");
  const auto documents = stats.root().is_object() ? stats.root().field("documents") : std::nullopt;
  return documents && !documents->elements().empty();
}

void dump_of_server(const DumpFlags& flags, const db::DumpRequest& request) {
  const bool is_native = request.format == db::DumpFormat::Native;
  RestRequest asked = dump_request_of(request.since);
  if (!is_native) asked.query = {{"format", "json"}};
  if (!request.path.is_root()) asked.query.emplace_back("path", request.path.text());
  const Target server{.url = flags.url, .space = request.space.value_or(""), .token = flags.token};
  const std::string name = db::random_hex(8);
  asked.query.emplace_back("name", name);
  OutputFile out(flags.out);
  Progress progress("dump");
  DumpPart part(server, name);
  ask_ok(server, asked, [&](std::string_view piece) {
    out.write(piece);
    if (progress.is_due()) progress.show(out.byte_count(), part.now());
    return true;
  });
  const auto time = progress.time();
  const uint64_t leaves = flags.out == "-" ? 0 : check_and_tell(flags, out);
  out.finish();
  fmt::print(told_of(flags), "{}: {}\n", flags.out, figures(out.byte_count(), leaves, time));
  if (!is_native && has_documents(server, request.path)) warn_of_documents();
}

// What `--incremental-since` names: the positions in the head of a dump, or a commit of one namespace.
std::shared_ptr<const db::DumpBase> base_named(const DumpFlags& flags) {
  if (flags.since.empty()) return nullptr;
  if (const auto id = db::parse_event_id(flags.since)) {
    if (flags.space.empty()) throw std::runtime_error("--ns is required: an id is of a commit of one namespace");
    auto base = std::make_shared<db::DumpBase>();
    base->positions[*dumped_space(flags.space)] = flags.since;
    return base;
  }
  InputFile file(flags.since);
  Progress progress("read");
  const db::DumpInfo info = or_throw(db::read_dump_info(file.source(progress)), flags.since);
  if (info.id.empty()) {
    throw std::runtime_error(
        flags.since + ": it was made by a Hearth without incremental dumps, so none continues it; make a full one");
  }
  return base_of(info, flags.space);
}

int dump(const DumpFlags& flags) {
  if (flags.out.empty()) throw std::runtime_error("--out is required: the file to write, or - for standard output");
  db::DumpRequest request;
  request.space = dumped_space(flags.space);
  request.path = or_throw(db::Path::parse(flags.path), "--path " + flags.path);
  request.format = flags.format;
  request.since = base_named(flags);
  if (!request.space && request.format == db::DumpFormat::Json)
    throw std::runtime_error("--ns is required: JSON is of one namespace");
  if (flags.data.empty()) {
    dump_of_server(flags, request);
  } else {
    dump_of_folder(flags, request);
  }
  return 0;
}

// Checks files without any database: their blocks, rows and digests; and of several, that each continues the one before
// it.
int verify_dumps(const DumpFlags& flags) {
  const std::string folder = std::filesystem::temp_directory_path();
  std::vector<db::ChainFile> chain;
  std::map<std::string, std::string> positions;  // at the end of the last file
  for (const std::string& name : flags.files) {
    InputFile file(name);
    Progress progress("verify");
    const db::DumpContents contents = or_throw(db::verify_dump(file.source(progress), folder), name);
    uint64_t leaves = 0;
    std::map<std::string, std::string> reached;
    for (const auto& [space, rows] : contents.spaces) {
      leaves += rows.leaves;
      const std::string line = space.has_entries ? entries_line(space.name, rows.entries)
                                                 : line_of(contents.is_native ? space.name : "JSON", space.path, rows);
      fmt::print("{}{}\n", line, contents.is_native ? fmt::format(", sequence {}", space.sequence) : "");
      if (!chain.empty() && space.has_entries && positions[space.name] != space.base) {
        throw std::runtime_error(fmt::format("{} continues {} at {}, and {} ends at {}; give the dump between them too",
                                             name, space.name, space.base.empty() ? "its begin" : space.base,
                                             chain.back().name,
                                             positions[space.name].empty() ? "none" : positions[space.name]));
      }
      reached[space.name] = space.position;
    }
    positions = std::move(reached);
    chain.push_back({name, contents.info});
    if (flags.files.size() > 1) or_throw(db::check_chain(chain), "the dumps do not fit together");
    const std::string since =
        contents.info.is_incremental ? fmt::format(", and continues the dump {}", contents.info.base) : "";
    fmt::print("{} is whole{}: {}\n", name, since, figures(file.byte_count(), leaves, progress.time()));
  }
  return 0;
}

}  // namespace

void add_dump(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<DumpFlags>();
  CLI::App* command = program.add_subcommand("dump", "Writes namespaces to a file, as they are at one moment");
  command->add_option("--out", flags->out, "The file; '-': standard output");
  add_server(*command, flags->url, flags->token);
  command->add_option("--data", flags->data, "A data folder that no server has open, instead of --url");
  command->add_option("--ns", flags->space, "The namespace; without it, all");
  command->add_option("--path", flags->path, "Of the namespace the tree at this path alone");
  static const std::map<std::string, db::DumpFormat> formats = {{"native", db::DumpFormat::Native},
                                                                {"json", db::DumpFormat::Json}};
  command
      ->add_option("--format", flags->format,
                   "'native': compressed and checked, with settings; 'json': of one namespace, as Firebase exports it")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case).description("native|json"))
      ->default_str("native");
  command
      ->add_option("--incremental-since", flags->since,
                   "Only what came since that dump, or that commit of --ns: what the log tells (serve --history)")
      ->type_name("FILE|ID");
  CLI::App* verify = command->add_subcommand(
      "verify", "Reads a dump to its end and says what is in it; of several, whether each continues the one before it");
  verify->add_option("file", flags->files, "The dumps, native or JSON; '-': standard input")->required();
  command->footer(
      R"(The file appears under its name when it is whole; until then it is FILE.part.

Exit status: 0, or 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen, command] {
    const bool verifies = !command->get_subcommands().empty();
    chosen.run = [flags, verifies] { return verifies ? verify_dumps(*flags) : dump(*flags); };
  });
  add_chapter(*command, "dump");
}

}  // namespace hearth::tools
