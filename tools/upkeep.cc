// `hearth stats` and `hearth compact`: of a running server, or of a data folder that no server has open.
//
// Both ways give the same JSON (db/model/stats.h): a server sends it, a folder is measured here. So there is one text
// for people. What was estimated has "~" before it; "+" behind a number of children says that there are more.
//
// Keys are written by clients and shown on an operator's terminal. shown() escapes what a terminal would obey or what
// would turn the text around it: control characters of C1 and marks of direction.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "db/model/json.h"
#include "db/model/namespace_name.h"
#include "db/read/stats.h"
#include "db/upkeep/fsck.h"
#include "tools/commands.h"
#include "tools/or_throw.h"
#include "tools/progress.h"
#include "tools/rest_client.h"

namespace hearth::tools {
namespace {

struct UpkeepFlags {
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::string path = "/";
  bool json = false;
};

constexpr size_t kShareWidth = 20;

// "1.2 MB" for 1234567.
std::string bytes_text(uint64_t bytes) {
  static constexpr std::array<std::string_view, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto shown = static_cast<double>(bytes);
  size_t unit = 0;
  for (; shown >= 999.5 && unit + 1 < kUnits.size(); ++unit) shown /= 1000;
  return unit == 0 || shown >= 99.5 ? fmt::format("{:.0f} {}", shown, kUnits[unit])
                                    : fmt::format("{:.1f} {}", shown, kUnits[unit]);
}

// "1,234,567" for 1234567.
std::string count_text(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

// Escapes what a terminal would obey. A C1 character has two bytes in UTF-8, a mark of direction three.
std::string shown(std::string_view text) {
  std::string to;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
    const unsigned at_two = byte(i) << 8 | byte(i + 1), at_three = at_two << 8 | byte(i + 2);
    const bool is_c1 = at_two >= 0xc280 && at_two <= 0xc29f;
    const bool is_bidi = (at_three >= 0xe2808e && at_three <= 0xe2808f) ||
                         (at_three >= 0xe280aa && at_three <= 0xe280ae) ||
                         (at_three >= 0xe281a6 && at_three <= 0xe281a9);
    if (!is_c1 && !is_bidi) {
      to += text[i];
      continue;
    }
    const unsigned code = is_c1 ? at_two & 0xff : 0x2000 | (at_three >> 2 & 0xfc0) | (at_three & 0x3f);
    to += fmt::format("\\u{:04x}", code);
    i += is_c1 ? 1 : 2;
  }
  return to;
}

std::string count_text(uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count_text(count), count == 1 ? one : many);
}

uint64_t number_in(const db::JsonNode& node, std::string_view name) {
  const auto field = node.field(name);
  return field ? static_cast<uint64_t>(field->integer().value_or(0)) : 0;
}

db::Path path_in(const db::JsonNode& node) {
  return or_throw(db::Path::parse(node.text("path")), "the server's answer");
}

bool is_true_in(const db::JsonNode& node, std::string_view name) {
  const auto field = node.field(name);
  return field && field->boolean().value_or(false);
}

// Opens the folder, so it fails while a server has it open.
std::string json_of_folder(const UpkeepFlags& flags) {
  if (flags.space.empty()) throw std::runtime_error("--ns is required: a folder has no default namespace");
  const std::string name = or_throw(db::check_namespace_name(flags.space), "--ns " + flags.space);
  const db::Path path = or_throw(db::Path::parse(flags.path), flags.path);
  return db::to_json(or_throw(db::measure_folder(flags.data, name, path), flags.data));
}

std::string json_of_server(const UpkeepFlags& flags) {
  return ask_ok({.url = flags.url, .space = flags.space, .token = flags.token},
                {.path = "/.inspect/stats.json", .query = {{"path", path_of(flags.path)}}});
}

// A line for the place itself and one for each place below it. The first line is the whole, of which the others are
// shares; bars are for terminals, since scripts take --json.
void tell_sizes(const db::JsonNode& sizes, std::string_view counted) {
  const bool has_bars = ::isatty(STDOUT_FILENO) == 1;
  uint64_t all = 0;
  db::Path top;
  fmt::print("{:>10} {:>6} {:>14} {:>12}  path\n", "bytes", "share", counted, "children");
  for (const db::JsonNode& one : sizes.elements()) {
    const db::Path path = path_in(one);
    const uint64_t bytes = number_in(one, "bytes");
    if (all == 0) {
      all = std::max<uint64_t>(bytes, 1);
      top = path;
    }
    const double share = static_cast<double>(bytes) / static_cast<double>(all);
    const std::string_view about = is_true_in(one, "exact") ? "" : "~";
    const std::string_view more = is_true_in(one, "allChildren") ? "" : "+";
    const bool is_top = path == top;
    const std::string name =
        is_top ? path.slashed() : std::string(2 * (path.depth() - top.depth()), ' ') + std::string(path.last());
    std::string bar = has_bars && !is_top ? " " : "";
    for (size_t i = 0; has_bars && !is_top && i < static_cast<size_t>(share * kShareWidth + 0.5); ++i) bar += "█";
    const uint64_t children = number_in(one, "children");
    fmt::print("{:>10} {:>4.0f} % {:>14} {:>12}  {}{}\n", fmt::format("{}{}", about, bytes_text(bytes)), share * 100,
               fmt::format("{}{}", about, count_text(number_in(one, counted))),
               children == 0 ? "" : fmt::format("{}{}", count_text(children), more), shown(name), bar);
  }
}

int stats(const UpkeepFlags& flags) {
  const bool is_online = flags.data.empty();
  const std::string json = is_online ? json_of_server(flags) : json_of_folder(flags);
  if (flags.json) {
    fmt::print("{}\n", json);
    return 0;
  }
  const db::JsonDocument document = or_throw(db::JsonDocument::parse(json), "the server's answer");
  const db::JsonNode root = document.root();
  if (!root.is_object()) throw std::runtime_error("the server's answer makes no sense: " + json);
  const auto sizes = root.field("sizes");
  if (!sizes) throw std::runtime_error("the server's answer has no sizes");
  tell_sizes(*sizes, "leaves");
  const auto documents = root.field("documents");  // an older server says nothing of them
  if (documents && !documents->elements().empty()) {
    fmt::print("\n");
    tell_sizes(*documents, "documents");
    fmt::print("\n{} of documents on disk.", bytes_text(number_in(root, "documentDiskBytes")));
  }
  fmt::print("\n{} of it on disk. The namespace: indexes {} on disk, sequence {}",
             bytes_text(number_in(root, "diskBytes")), bytes_text(number_in(root, "indexDiskBytes")),
             number_in(root, "sequence"));
  if (const auto history = number_in(root, "historyDiskBytes"); history > 0) {
    fmt::print(", history {} on disk", bytes_text(history));
  }
  if (!is_online) {
    fmt::print("\n");
    return 0;
  }
  fmt::print(", {}, {}\n", count_text(number_in(root, "connections"), "connection", "connections"),
             count_text(number_in(root, "listeners"), "listener", "listeners"));
  if (const auto listened = root.field("listened")) {
    for (const db::JsonNode& one : listened->elements()) {
      fmt::print("{:>10}  {}\n", count_text(number_in(one, "listeners")), shown(path_in(one).slashed()));
    }
  }
  return 0;
}

// Takes as long as rewriting the store does. The answer comes when it is done.
int compact(const UpkeepFlags& flags) {
  uint64_t before = 0, after = 0;
  const Progress progress("compact");
  if (flags.data.empty()) {
    const std::string reply =
        ask_ok({.url = flags.url, .token = flags.token}, {.method = "POST", .path = "/.settings/compact.json"});
    const db::JsonDocument document = or_throw(db::JsonDocument::parse(reply), "the server's answer");
    if (!document.root().is_object()) throw std::runtime_error("the server's answer makes no sense: " + reply);
    before = number_in(document.root(), "bytesBefore");
    after = number_in(document.root(), "bytesAfter");
  } else {
    const db::Compacted done = or_throw(db::compact_folder(flags.data), "cannot compact " + flags.data);
    before = done.bytes_before;
    after = done.bytes_after;
  }
  if (flags.json) {
    fmt::print("{{\"bytesBefore\":{},\"bytesAfter\":{}}}\n", before, after);
  } else {
    fmt::print("{} are {} now, after {:.1f} s\n", bytes_text(before), bytes_text(after), progress.time().count());
  }
  return 0;
}

CLI::App* add_upkeep(CLI::App& program, const char* name, const char* text, UpkeepFlags& flags) {
  CLI::App* command = program.add_subcommand(name, text);
  CLI::Option* url = add_server(*command, flags.url, flags.token);
  command->add_option("--data", flags.data, "A data folder that no server has open, instead of --url")->excludes(url);
  command->add_flag("--json", flags.json, "For scripts");
  return command;
}

}  // namespace

void add_stats(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<UpkeepFlags>();
  CLI::App* command = add_upkeep(program, "stats", "Says how large a tree is and where, and who listens", *flags);
  command->add_option("path", flags->path, "Of the tree at this path alone")->capture_default_str();
  command->add_option("--ns", flags->space, "The namespace; without it, the server's default one");
  command->footer(
      R"(Below each path its largest children, down to 1 % of the whole. Bytes are those of keys and values, as the limit of a namespace
counts them. What is small is read; of what is large the store is asked, and '~' marks what is about right. At most 200,000
rows are read, at whatever size, beside the reads of others. '+' marks a number of children that was not counted to its end.
Yjs documents have a table of their own, if there are any.

  hearth stats --ns chat
  hearth stats /rooms --ns chat
  hearth stats --data hearth-data --ns chat --json

Listeners and connections are of the whole namespace, and of a running server only.

Exit status: 0, or 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return stats(*flags); }; });
  add_chapter(*command, "service");
}

void add_compact(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<UpkeepFlags>();
  CLI::App* command = add_upkeep(program, "compact", "Gives back the room of what was overwritten and removed", *flags);
  command->footer(
      R"(All files are written anew, one after the other; until the old ones go, that takes as much room again as the largest part. The
store does this by and by itself: after much was removed, here it is done now. A running server goes on meanwhile, and shares
its disk. Of all namespaces. One that is under way goes on when this command ends, and ends when the server is stopped.

Exit status: 0, or 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return compact(*flags); }; });
  add_chapter(*command, "service");
}

}  // namespace hearth::tools
