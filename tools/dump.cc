// `hearth dump`, `hearth dump verify` and `hearth restore`.
//
//   of a folder   db::dump_folder ─▶ pieces ─▶ NAME.part ─▶ NAME
//   of a server   GET /.settings/dump ─▶ NAME.part ─▶ read again and checked ─▶ NAME
//   restore       pieces of 8 MB with their offset ─▶ PUT … PUT ─▶ POST: the server checks all and puts it in place
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

#include "db/base/clock.h"
#include "db/base/random.h"
#include "db/base/text.h"
#include "db/database.h"
#include "db/dump/folder.h"
#include "db/model/json.h"
#include "tools/commands.h"
#include "tools/dump_file.h"
#include "tools/or_throw.h"
#include "tools/progress.h"
#include "tools/rest_client.h"

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
  std::string file;  // verify
};

struct RestoreFlags {
  std::string file;  // "-": standard input
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::optional<std::string> into;
  bool replace = false;
};

constexpr size_t kUploadPieceBytes = 8u << 20;

std::optional<std::string> space_of(const std::string& flag) {
  if (flag.empty()) return {};
  return or_throw(db::check_namespace_name(flag), "--ns " + flag);
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string line_of(const std::string& name, const db::Path& path, uint64_t leaves, uint64_t documents,
                    const std::string& digest) {
  std::string line = name + (path.is_root() ? "" : path.slashed()) + ": " + counted(leaves, "leaf", "leaves");
  if (documents > 0) line += ", " + counted(documents, "Yjs document", "Yjs documents");
  return digest.empty() ? line : line + ", sha256 " + digest;
}

std::string line_of(const std::string& name, const db::Path& path, const db::DumpedRows& rows) {
  return line_of(name, path, rows.leaves, rows.documents, db::to_hex(rows.digest));
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
  for (const auto& [name, rows] : dumper->spaces())
    fmt::print(told_of(flags), "{}\n", line_of(name, request.path, rows));
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
    fmt::print("{}\n", line_of(contents.is_native ? space.name : flags.space, space.path, rows));
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
  RestRequest asked{.path = "/.settings/dump", .query = {{"format", is_native ? "native" : "json"}}};
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

// A folder that no server has open. The number of shards matters only when the folder is new.
std::vector<db::RestoredTree> restore_folder(const RestoreFlags& flags, InputFile& file,
                                             const db::RestoreRequest& request, Progress& progress) {
  db::TreeStore::Options options;
  options.shards = static_cast<uint32_t>(db::Database::Options().shards);
  options.free_bytes_min = db::Database::Options().free_bytes_min;
  std::vector<db::RestoredTree> trees;
  for (const db::RestoredSpace& space :
       or_throw(db::restore_folder(flags.data, file.source(progress), request, options, db::SystemClock().now()),
                "cannot restore " + flags.file)) {
    trees.push_back(space.said());
  }
  return trees;
}

// Reads what the server says it has restored. Text that is none of that ends the command: nobody should trust such a
// restore.
std::vector<db::RestoredTree> restored_of(const std::string& body) {
  std::vector<db::RestoredTree> trees;
  const auto document = or_throw(db::JsonDocument::parse(body), "the server's answer");
  const auto list = document.root().is_object() ? document.root().field("restored") : std::nullopt;
  if (!list) throw std::runtime_error("the server's answer makes no sense: " + body);
  for (const db::JsonNode& one : list->elements()) {
    db::RestoredTree tree;
    tree.space = one.text("ns");
    tree.path = or_throw(db::Path::parse(one.text("path")), "the server's answer");
    if (const auto leaves = one.field("leaves")) tree.leaves = static_cast<uint64_t>(leaves->integer().value_or(0));
    if (const auto documents = one.field("documents")) {
      tree.documents = static_cast<uint64_t>(documents->integer().value_or(0));
    }
    tree.digest = one.text("digest");
    trees.push_back(std::move(tree));
  }
  return trees;
}

// Pieces are sent one after the other, each an own request below the server's limit of bodies. Only the last request
// restores: until then nothing of the server's data has changed.
std::vector<db::RestoredTree> restore_server(const RestoreFlags& flags, InputFile& file,
                                             const db::RestoreRequest& request, Progress& progress) {
  const Target server{.url = flags.url, .space = request.space.value_or(""), .token = flags.token};
  const std::string path = "/.settings/restore.json";
  const std::string begun = ask_ok(server, {.method = "POST", .path = path});
  const auto document = or_throw(db::JsonDocument::parse(begun), "the server's answer");
  const std::string id(document.root().is_object() ? document.root().text("upload") : "");
  if (id.empty()) throw std::runtime_error(flags.url + " does not know of restores: " + begun);
  const db::ByteSource source = file.source(progress);
  std::string piece(kUploadPieceBytes, '\0');
  for (uint64_t at = 0;;) {
    const size_t got = or_throw(db::read_fully(source, piece.data(), piece.size()), "cannot restore " + flags.file);
    if (got == 0) break;
    ask_ok(server, {.method = "PUT",
                    .path = path,
                    .query = {{"upload", id}, {"at", std::to_string(at)}},
                    .body = piece.substr(0, got)});
    at += got;
  }
  RestRequest asked{.method = "POST", .path = path, .query = {{"upload", id}}};
  if (request.into) asked.query.emplace_back("into", request.into->text());
  if (request.existing == db::Existing::Replace) asked.query.emplace_back("replace", "true");
  return restored_of(ask_ok(server, asked));
}

int dump(const DumpFlags& flags) {
  if (flags.out.empty()) throw std::runtime_error("--out is required: the file to write, or - for standard output");
  db::DumpRequest request;
  request.space = space_of(flags.space);
  request.path = or_throw(db::Path::parse(flags.path), "--path " + flags.path);
  request.format = flags.format;
  if (!request.space && request.format == db::DumpFormat::Json)
    throw std::runtime_error("--ns is required: JSON is of one namespace");
  if (flags.data.empty()) {
    dump_of_server(flags, request);
  } else {
    dump_of_folder(flags, request);
  }
  return 0;
}

// Checks a file without any database: its blocks, its rows and its digests.
int verify_dump(const DumpFlags& flags) {
  InputFile file(flags.file);
  Progress progress("verify");
  const std::string folder = std::filesystem::temp_directory_path();
  const db::DumpContents contents = or_throw(db::verify_dump(file.source(progress), folder), flags.file);
  uint64_t leaves = 0;
  for (const auto& [space, rows] : contents.spaces) {
    leaves += rows.leaves;
    const std::string line = line_of(contents.is_native ? space.name : "JSON", space.path, rows);
    fmt::print("{}{}\n", line, contents.is_native ? fmt::format(", sequence {}", space.sequence) : "");
  }
  fmt::print("{} is whole: {}\n", flags.file, figures(file.byte_count(), leaves, progress.time()));
  return 0;
}

int restore(const RestoreFlags& flags) {
  db::RestoreRequest request;
  request.space = space_of(flags.space);
  if (flags.into) request.into = or_throw(db::Path::parse(*flags.into), "--into " + *flags.into);
  request.existing = flags.replace ? db::Existing::Replace : db::Existing::Refuse;
  InputFile file(flags.file);
  Progress progress("restore");
  const auto trees = flags.data.empty() ? restore_server(flags, file, request, progress)
                                        : restore_folder(flags, file, request, progress);
  uint64_t leaves = 0;
  for (const db::RestoredTree& tree : trees) {
    leaves += tree.leaves;
    fmt::print("{}\n", line_of(tree.space, tree.path, tree.leaves, tree.documents, tree.digest));
  }
  fmt::print("{} is restored: {}\n", flags.file, figures(file.byte_count(), leaves, progress.time()));
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
  CLI::App* verify = command->add_subcommand("verify", "Reads a dump to its end and says what is in it");
  verify->add_option("file", flags->file, "The dump, native or JSON; '-': standard input")->required();
  command->footer(
      R"(The file appears under its name when it is whole; until then it is FILE.part.

Exit status: 0, or 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen, command] {
    const bool verifies = !command->get_subcommands().empty();
    chosen.run = [flags, verifies] { return verifies ? verify_dump(*flags) : dump(*flags); };
  });
  add_chapter(*command, "dump");
}

void add_restore(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<RestoreFlags>();
  CLI::App* command =
      program.add_subcommand("restore", "Fills namespaces from a dump or a JSON file: all of it, or nothing");
  command->add_option("file", flags->file, "The dump, or JSON as Firebase exports it; '-': standard input")->required();
  add_server(*command, flags->url, flags->token);
  command->add_option("--data", flags->data,
                      "A data folder that no server has open, made when missing; instead of --url");
  command->add_option("--ns", flags->space,
                      "Of JSON or a dump of one namespace: its name from now on. Of a dump of several: which one");
  command->add_option("--into", flags->into, "The path where the tree goes; without it, where it was taken from");
  command->add_flag("--replace", flags->replace, "Replace the data that is there; without it, that is refused");
  command->footer(
      R"(The file is read to its end and checked before anyone sees anything of it. A native dump of a whole namespace brings its
rules and indexes with it; JSON and the dump of a path do not.

Exit status: 0, or 1 with one line that says what is wrong, and nothing is changed.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return restore(*flags); }; });
  add_chapter(*command, "dump");
}

}  // namespace hearth::tools
