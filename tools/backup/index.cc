// The index is the only thing that says what a target has: a list of files would show dumps that were never finished.
// It is read and written whole, and is small: names, moments and digests, without the namespaces and positions that are
// in each dump.
//
// Names come back from a place where others may write, and are put behind a folder's path. So a name with "/" is
// refused in `files`, and passed over in `trash`: a backup must never remove what lies elsewhere.
//
// read_info() reads a dump's first 64 kB, which mostly have all of its info, and up to 17 MB when they have not.
#include "tools/backup/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "db/model/json.h"
#include "tools/or_throw.h"

namespace hearth::tools {
namespace {

constexpr int64_t kIndexFormat = 1;

void add_field(std::string_view name, std::string_view text, std::string& to) {
  to += fmt::format(R"("{}":)", name);
  db::append_json_string(text, to);
  to += ',';
}

int64_t integer_in(const db::JsonNode& node, std::string_view name) {
  const auto field = node.field(name);
  return field ? field->integer().value_or(0) : 0;
}

}  // namespace

const BackupFile* BackupIndex::find(std::string_view name) const {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const BackupFile& file) { return file.name == name; });
  return found == files.end() ? nullptr : &*found;
}

std::vector<db::ChainFile> BackupIndex::chain_files() const {
  std::vector<db::ChainFile> all;
  for (const BackupFile& file : files) all.push_back({file.name, file.info});
  return all;
}

std::string BackupIndex::to_json() const {
  std::string text = fmt::format(R"({{"format":{},)", kIndexFormat);
  add_field("tip", tip, text);
  text += R"("files":[)";
  for (size_t i = 0; i < files.size(); ++i) {
    const BackupFile& file = files[i];
    text += i == 0 ? "\n{" : ",\n{";
    add_field("name", file.name, text);
    add_field("id", file.info.id, text);
    add_field("base", file.info.base, text);
    add_field("store", file.info.store, text);
    text +=
        fmt::format(R"("made":{},"baseMade":{},"incremental":{},"bytes":{},"sha256":"{}"}})", file.info.made.count(),
                    file.info.base_made.count(), file.info.is_incremental, file.bytes, file.sha256);
  }
  text += "],\n\"trash\":[";
  for (size_t i = 0; i < trash.size(); ++i) {
    if (i > 0) text += ',';
    db::append_json_string(trash[i], text);
  }
  return text + "]}\n";
}

BackupIndex BackupIndex::parse(std::string_view text, const std::string& where) {
  const std::string what = fmt::format("{}/{}", where, kIndexName);
  const db::JsonDocument document = or_throw(db::JsonDocument::parse(text), what);
  const db::JsonNode root = document.root();
  if (!root.is_object() || integer_in(root, "format") != kIndexFormat) {
    throw std::runtime_error(what + ": it is damaged, or of a newer Hearth");
  }
  BackupIndex index;
  index.tip = root.text("tip");
  if (const auto list = root.field("files")) {
    for (const db::JsonNode& one : list->elements()) {
      BackupFile file;
      file.name = one.text("name");
      file.info.id = one.text("id");
      file.info.base = one.text("base");
      file.info.store = one.text("store");
      file.info.made = db::Timestamp(integer_in(one, "made"));
      file.info.base_made = db::Timestamp(integer_in(one, "baseMade"));
      const auto incremental = one.field("incremental");
      file.info.is_incremental = incremental && incremental->boolean().value_or(false);
      file.bytes = static_cast<uint64_t>(integer_in(one, "bytes"));
      file.sha256 = one.text("sha256");
      // Names are made here (run.cc), and are part of paths.
      if (file.name.empty() || file.name.find('/') != std::string::npos) {
        throw std::runtime_error(what + ": a file has a name that no backup has");
      }
      index.files.push_back(std::move(file));
    }
  }
  if (const auto list = root.field("trash")) {
    for (const db::JsonNode& one : list->elements()) {
      const std::string name(one.string().value_or(""));
      if (!name.empty() && name.find('/') == std::string::npos) index.trash.push_back(name);
    }
  }
  return index;
}

BackupIndex load_index(BackupTarget& target, const std::string& where) {
  const auto text = target.read(std::string(kIndexName), kIndexBytesMax);
  return text ? BackupIndex::parse(*text, where) : BackupIndex();
}

void save_index(BackupTarget& target, const BackupIndex& index) {
  const auto file = target.begin(std::string(kIndexName));
  file->write(index.to_json());
  file->finish();
}

db::Result<db::DumpInfo> info_in(std::string_view head) {
  const db::ByteSource source = [head, at = size_t{0}](char* to, size_t bytes) mutable -> db::Result<size_t> {
    const size_t count = std::min(bytes, head.size() - at);
    std::memcpy(to, head.data() + at, count);
    at += count;
    return count;
  };
  return db::read_dump_info(source);
}

db::DumpInfo read_info(BackupTarget& target, const std::string& name) {
  for (const uint64_t most : {kDumpHeadBytes, kDumpHeadBytesMax}) {
    const auto head = target.read(name, most);
    if (!head) throw std::runtime_error(name + ": it is in the index of the backups, and is not there");
    auto info = info_in(*head);
    if (info.ok() || head->size() < most || most == kDumpHeadBytesMax) return or_throw(std::move(info), name);
  }
  return {};
}

std::shared_ptr<const db::DumpBase> base_of(const db::DumpInfo& info, const std::string& space) {
  auto base = std::make_shared<db::DumpBase>();
  base->id = info.id;
  base->made = info.made;
  for (size_t i = 0; i < info.spaces.size() && i < info.positions.size(); ++i) {
    if (space.empty() || info.spaces[i] == space) base->positions[info.spaces[i]] = info.positions[i];
  }
  return base;
}

std::string base_json(const db::DumpBase& base) {
  std::string text = R"({"since":{)";
  add_field("id", base.id, text);
  text += fmt::format(R"("made":{},"positions":{{)", base.made.count());
  bool is_first = true;
  for (const auto& [name, position] : base.positions) {
    if (!std::exchange(is_first, false)) text += ',';
    db::append_json_string(name, text);
    text += ':';
    db::append_json_string(position, text);
  }
  return text + "}}}";
}

}  // namespace hearth::tools
