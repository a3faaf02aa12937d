// `hearth dump`, `hearth dump verify` and `hearth restore`.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>

#include "db/base/clock.h"
#include "db/database.h"
#include "db/dump/folder.h"
#include "tools/dump_file.h"
#include "tools/flags.h"
#include "tools/progress.h"

namespace hearth::tools {
namespace {

template <typename T>
T or_throw(db::Result<T> result, const std::string& doing) {
  if (!result.ok()) throw std::runtime_error(fmt::format("{}: {}", doing, result.error().message));
  return std::move(result).value();
}

std::optional<std::string> space_of(const std::string& flag) {
  if (flag.empty()) return {};
  return or_throw(db::check_namespace_name(flag), "--ns " + flag);
}

std::string counted(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string line_of(const std::string& name, const db::Path& path, const db::DumpedRows& rows) {
  std::string line = name + (path.is_root() ? "" : path.slashed()) + ": " + counted(rows.leaves, "leaf", "leaves");
  if (!rows.digest.empty()) line += ", sha256 " + db::to_hex(rows.digest);
  return line;
}

void dump_of_folder(const DumpFlags& flags, const db::DumpRequest& request) {
  const auto dumper = or_throw(db::dump_folder(flags.data, request, db::SystemClock().now()), "cannot dump");
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
  std::FILE* const to = flags.out == "-" ? stderr : stdout;
  for (const auto& [name, rows] : dumper->spaces()) fmt::print(to, "{}\n", line_of(name, request.path, rows));
  fmt::print(to, "{}: {}\n", flags.out, figures(out.byte_count(), dumper->leaf_count(), progress.time()));
}

}  // namespace

int dump(const DumpFlags& flags) {
  db::DumpRequest request;
  request.space = space_of(flags.space);
  request.path = or_throw(db::Path::parse(flags.path), "--path " + flags.path);
  request.format = flags.format;
  dump_of_folder(flags, request);
  return 0;
}

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
  db::TreeStore::Options options;
  options.shards = static_cast<uint32_t>(db::Database::Options().shards);
  options.free_bytes_min = db::Database::Options().free_bytes_min;
  const auto spaces = or_throw(
      db::restore_folder(flags.data, file.source(progress), request, options, db::SystemClock().now()),
      "cannot restore " + flags.file);
  uint64_t leaves = 0;
  for (const db::RestoredSpace& space : spaces) {
    leaves += space.rows.leaves;
    fmt::print("{}\n", line_of(space.name, space.at, space.rows));
  }
  fmt::print("{} is restored: {}\n", flags.file, figures(file.byte_count(), leaves, progress.time()));
  return 0;
}

}  // namespace hearth::tools
