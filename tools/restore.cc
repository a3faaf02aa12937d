// `hearth restore`.
//
//   a file               pieces of 8 MB with their offset ─▶ PUT … PUT ─▶ POST: the server checks all and puts it in place,
//                                                                         and is asked how far it is meanwhile (GET)
//   several, --from,     which make the moment? (db/dump/chain.h) ─▶ fetched ─▶ db::fold into a folder of its own
//   --to                 ─▶ a dump of that folder, which is sent as a file is
//   of a folder          the same, and db::restore_folder instead of the server
//
// Whatever it is made of, one dump is put in place in one moment, or nothing.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/text.h"
#include "db/database.h"
#include "db/dump/chain.h"
#include "db/dump/folder.h"
#include "db/dump/tree_rows.h"
#include "db/model/json.h"
#include "db/model/namespace_name.h"
#include "db/model/past.h"
#include "db/upkeep/fold.h"
#include "tools/backup/index.h"
#include "tools/backup/target.h"
#include "tools/commands.h"
#include "tools/dump_file.h"
#include "tools/dump_lines.h"
#include "tools/or_throw.h"
#include "tools/progress.h"
#include "tools/rest_client.h"
#include "tools/take_dump.h"
#include "tools/temporary_folder.h"

namespace hearth::tools {
namespace {

struct RestoreFlags {
  std::vector<std::string> files;  // "-": standard input
  std::string from;                // a target of backups, instead of files
  std::string to;                  // a moment
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string space;
  std::optional<std::string> into;
  bool replace = false;
};

constexpr size_t kUploadPieceBytes = 8u << 20;

std::optional<std::string> restored_space(const std::string& flag) {
  if (flag.empty()) return {};
  return or_throw(db::check_namespace_name(flag), "--ns " + flag);
}

// A folder that no server has open. The number of shards matters only when the folder is new.
std::vector<db::RestoredTree> restore_folder(const RestoreFlags& flags, const std::string& what,
                                             const db::ByteSource& source, const db::RestoreRequest& request) {
  db::TreeStore::Options options;
  options.shards = static_cast<uint32_t>(db::Database::Options().shards);
  options.free_bytes_min = db::Database::Options().free_bytes_min;
  std::vector<db::RestoredTree> trees;
  for (const db::RestoredSpace& space :
       or_throw(db::restore_folder(flags.data, source, request, options, db::SystemClock().now()),
                "cannot restore " + what)) {
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

// Asks the server how far it is with a restore, and shows it: on a thread and a connection of its own, for the request that
// restores is answered when all is done. Thread: one; the bar is the watching thread's until the destructor has joined it.
class RestoreWatch {
 public:
  RestoreWatch(Target server, std::string upload, uint64_t bytes)
      : server_(std::move(server)), upload_(std::move(upload)), bytes_(bytes) {}

 private:
  static constexpr std::chrono::milliseconds kAskInterval{500};

  void watch(const std::stop_token& stop) {
    Progress progress("restore");
    std::mutex mutex;
    std::condition_variable_any over;
    std::unique_lock lock(mutex);
    while (!over.wait_for(lock, stop, kAskInterval, [&] { return stop.stop_requested(); })) {
      if (const auto part = progress.is_due() ? ask_part() : std::nullopt) {
        progress.show(static_cast<uint64_t>(*part * static_cast<double>(bytes_)), part);
      }
    }
  }

  // Nothing: an older server, or it is over. Progress is not worth a failure.
  std::optional<double> ask_part() const {
    try {
      const RestReply reply = ask(server_, {.path = "/.settings/restore.json", .query = {{"upload", upload_}}});
      const auto document = db::JsonDocument::parse(reply.body);
      const auto part = document.ok() ? document.value().root().field("part") : std::nullopt;
      return part ? part->number() : std::nullopt;
    } catch (const std::runtime_error&) {
      return {};
    }
  }

  const Target server_;
  const std::string upload_;
  const uint64_t bytes_;
  std::jthread thread_{[this](const std::stop_token& stop) { watch(stop); }};  // the last: joined before the others go
};

// Pieces are sent one after the other, each an own request below the server's limit of bodies. Only the last request
// restores: until then nothing of the server's data has changed.
std::vector<db::RestoredTree> restore_server(const RestoreFlags& flags, const std::string& what,
                                             const db::ByteSource& source, const db::RestoreRequest& request) {
  const Target server{.url = flags.url, .space = request.space.value_or(""), .token = flags.token};
  const std::string path = "/.settings/restore.json";
  const std::string begun = ask_ok(server, {.method = "POST", .path = path});
  const auto document = or_throw(db::JsonDocument::parse(begun), "the server's answer");
  const std::string id(document.root().is_object() ? document.root().text("upload") : "");
  if (id.empty()) throw std::runtime_error(flags.url + " does not know of restores: " + begun);
  std::string piece(kUploadPieceBytes, '\0');
  uint64_t at = 0;
  for (;;) {
    const size_t got = or_throw(db::read_fully(source, piece.data(), piece.size()), "cannot restore " + what);
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
  const RestoreWatch watch(server, id, at);
  return restored_of(ask_ok(server, asked));
}

// `what`: for people.
uint64_t restore_from(const RestoreFlags& flags, const std::string& what, const db::ByteSource& source,
                      const db::RestoreRequest& request) {
  const auto trees =
      flags.data.empty() ? restore_server(flags, what, source, request) : restore_folder(flags, what, source, request);
  uint64_t leaves = 0;
  for (const db::RestoredTree& tree : trees) {
    leaves += tree.leaves;
    fmt::print("{}\n", line_of(tree.space, tree.path, tree.leaves, tree.documents, tree.digest));
  }
  return leaves;
}

void restore_file(const RestoreFlags& flags, const std::string& name, const db::RestoreRequest& request) {
  InputFile file(name);
  Progress progress(flags.data.empty() ? "send" : "restore");
  const uint64_t leaves = restore_from(flags, name, file.source(progress), request);
  fmt::print("{} is restored: {}\n", name, figures(file.byte_count(), leaves, progress.time()));
}

// Dumps that may be wanted, and where their bytes are.
class Dumps {
 public:
  explicit Dumps(const RestoreFlags& flags) : flags_(flags) {
    if (flags.from.empty()) {
      for (const std::string& name : flags.files) {
        if (name == "-") throw std::runtime_error("standard input is one dump; several, or --to, want files");
        InputFile file(name);
        Progress progress("read");
        files_.push_back({name, or_throw(db::read_dump_info(file.source(progress)), name)});
      }
      return;
    }
    target_ = open_target(flags.from, never_);
    index_ = load_index(*target_, flags.from);
    files_ = index_.chain_files();
    if (files_.empty()) throw std::runtime_error(flags.from + " has no backups");
  }

  // With names and positions. Of a target they are in the files, which are read for it.
  void read_infos() {
    for (db::ChainFile& file : files_) {
      if (target_ != nullptr) file.info = read_info(*target_, file.name);
    }
  }

  size_t newest() const {
    return static_cast<size_t>(
        std::max_element(files_.begin(), files_.end(),
                         [](const db::ChainFile& a, const db::ChainFile& b) { return a.info.made < b.info.made; }) -
        files_.begin());
  }

  // Files that were given, or are in the target; the server's log comes behind them.
  size_t known() const { return target_ == nullptr ? flags_.files.size() : index_.files.size(); }

  db::DumpInfo info(size_t file) {
    return target_ == nullptr ? files_[file].info : read_info(*target_, files_[file].name);
  }

  // What the server's log tells since the newest of them, as one more.
  void add_live(const std::string& space) {
    const db::DumpInfo newest_info = info(newest());
    const std::string name = work_.path() + "/live.hdump";
    OutputFile out(name);
    take_dump_of_server({.url = flags_.url, .space = space, .token = flags_.token}, base_of(newest_info, space),
                        [&](std::string_view piece) { out.write(piece); });
    out.finish();
    InputFile file(name);
    Progress progress("read");
    files_.push_back({"the server's log", or_throw(db::read_dump_info(file.source(progress)), "the server's log")});
    live_ = name;
  }

  const std::vector<db::ChainFile>& files() const { return files_; }

  // A file of this machine; of a target it is fetched, and compared with what the index says of it.
  std::string path(size_t at) {
    if (at >= known()) return live_;
    const std::string& name = files_[at].name;
    if (target_ == nullptr) return name;
    const BackupFile& known = *index_.find(name);
    const auto here = target_->path(name);
    std::string to = here.value_or(work_.path() + "/" + name);
    db::Sha256 digest;
    uint64_t bytes = 0;
    std::optional<OutputFile> out;
    if (!here) out.emplace(to);
    target_->fetch(name, [&](std::string_view piece) {
      digest.add(piece);
      bytes += piece.size();
      if (out) out->write(piece);
    });
    if (bytes != known.bytes || db::to_hex(std::move(digest).finish()) != known.sha256) {
      throw std::runtime_error(fmt::format("{} of {} is damaged: it is not what was written there", name, flags_.from));
    }
    if (out) out->finish();
    return to;
  }

  const std::string& work() const { return work_.path(); }

 private:
  const RestoreFlags& flags_;
  const std::atomic<bool> never_{false};
  std::unique_ptr<BackupTarget> target_;  // null: files of this machine
  BackupIndex index_;
  std::vector<db::ChainFile> files_;
  TemporaryFolder work_;
  std::string live_;
};

// The namespace of the dumps that `--ns` names. Where they have one, of another name, that is its name from now on.
std::optional<std::string> chosen_space(const RestoreFlags& flags, const std::vector<db::DumpInfo>& infos) {
  const auto space = restored_space(flags.space);
  for (const db::DumpInfo& info : infos) {
    const bool has_it = space && std::count(info.spaces.begin(), info.spaces.end(), *space) > 0;
    if (has_it || (space && info.spaces.size() > 1)) return space;
  }
  return {};
}

// Whether the moment is one that came after the dump.
bool is_behind(const db::PastMoment& to, const db::DumpInfo& newest, const std::string& space) {
  if (!to.id) return to.time > newest.made;
  for (size_t i = 0; i < newest.spaces.size(); ++i) {
    const auto end = db::parse_event_id(newest.positions[i]);
    const bool is_it = newest.spaces.size() == 1 || newest.spaces[i] == space;
    if (is_it && end && end->sequence < to.id->sequence) return true;
  }
  return false;
}

void restore_chain(const RestoreFlags& flags, const db::RestoreRequest& request) {
  std::optional<db::PastMoment> to;
  if (!flags.to.empty()) {
    auto moment = db::parse_moment(flags.to);
    if (!moment.ok()) {
      throw std::runtime_error("--to is an id of a change, milliseconds since 1970, or a time as 2026-11-30T16:00:00Z");
    }
    to = std::move(moment).value();
  }
  Dumps dumps(flags);
  if (to && to->id) dumps.read_infos();
  const db::DumpInfo newest = dumps.info(dumps.newest());
  auto space = chosen_space(flags, {newest});
  if (to && flags.data.empty() && is_behind(*to, newest, flags.space)) dumps.add_live(space.value_or(""));
  const std::vector<size_t> chain = or_throw(db::chain_of(dumps.files(), to, space.value_or("")), "cannot restore");
  if (chain.front() < dumps.known()) space = chosen_space(flags, {newest, dumps.info(chain.front())});
  std::vector<std::string> paths;
  for (const size_t at : chain) paths.push_back(dumps.path(at));
  if (chain.size() == 1) return restore_file(flags, paths[0], request);
  Progress progress("restore");
  db::FoldRequest fold;
  fold.to = to;
  fold.space = space;
  for (size_t i = 0; i < chain.size(); ++i) {
    fold.files.push_back({dumps.files()[chain[i]].name, [path = paths[i], &progress] {
                            const auto file = std::make_shared<InputFile>(path);
                            return db::ByteSource([file, read = file->source(progress)](char* bytes, size_t count) {
                              return read(bytes, count);
                            });
                          }});
  }
  const std::string folder = dumps.work() + "/folded";
  const db::Timestamp now = db::SystemClock().now();
  const db::Folded folded = or_throw(db::fold(fold, folder, now), "cannot restore");
  db::DumpRequest asked;
  asked.space = space;
  const auto dumper = or_throw(db::dump_folder(folder, asked, now), "cannot restore");
  uint64_t bytes = 0;
  std::string waiting;
  size_t taken = 0;
  const db::ByteSource source = [&](char* place, size_t count) -> db::Result<size_t> {
    while (taken == waiting.size()) {
      waiting.clear();
      taken = 0;
      ASSIGN_OR_RETURN(const bool has_more, dumper->next(waiting));
      if (!has_more && waiting.empty()) return size_t{0};
    }
    const size_t got = std::min(count, waiting.size() - taken);
    waiting.copy(place, got, taken);
    taken += got;
    bytes += got;
    progress.show(bytes, dumper->part());
    return got;
  };
  const uint64_t leaves = restore_from(flags, "the dumps", source, request);
  const db::ChainFile& last = dumps.files()[chain.back()];
  fmt::print("{} dumps and {} commits are restored, to {}: {}\n", chain.size(), folded.commits,
             to && to->id ? flags.to : db::rfc3339(to ? to->time : last.info.made),
             figures(bytes, leaves, progress.time()));
}

int restore(const RestoreFlags& flags) {
  if (flags.files.empty() == flags.from.empty()) {
    throw std::runtime_error("what is to be restored? name the dumps, or --from a target of backups");
  }
  db::RestoreRequest request;
  request.space = restored_space(flags.space);
  if (flags.into) request.into = or_throw(db::Path::parse(*flags.into), "--into " + *flags.into);
  request.existing = flags.replace ? db::Existing::Replace : db::Existing::Refuse;
  if (flags.files.size() == 1 && flags.to.empty()) {
    restore_file(flags, flags.files[0], request);
  } else {
    restore_chain(flags, request);
  }
  return 0;
}

}  // namespace

void add_restore(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<RestoreFlags>();
  CLI::App* command =
      program.add_subcommand("restore", "Fills namespaces from dumps, a backup or a JSON file: all of it, or nothing");
  command->add_option(
      "file", flags->files,
      "The dump, with the incremental ones that continue it; or JSON as Firebase exports it; '-': standard "
      "input");
  command->add_option("--from", flags->from, "A target of `hearth backup`, instead of files")->type_name("TARGET");
  command
      ->add_option(
          "--to", flags->to,
          "As it was at that moment: an id of a change, milliseconds since 1970, or 2026-11-30T16:00:00Z; without "
          "it, at the end of the dumps")
      ->type_name("TIME|ID");
  add_server(*command, flags->url, flags->token);
  command->add_option("--data", flags->data,
                      "A data folder that no server has open, made when missing; instead of --url");
  command->add_option("--ns", flags->space,
                      "Of JSON or a dump of one namespace: its name from now on. Of a dump of several: which one");
  command->add_option("--into", flags->into, "The path where the tree goes; without it, where it was taken from");
  command->add_flag("--replace", flags->replace, "Replace the data that is there; without it, that is refused");
  command->footer(
      R"(Everything is read to its end and checked before anyone sees anything of it. A native dump of a whole namespace brings its
rules and indexes with it; JSON and the dump of a path do not. A moment behind the last dump is made with the server's own log.

Exit status: 0, or 1 with one line that says what is wrong, and nothing is changed.)");
  command->callback([flags, &chosen] { chosen.run = [flags] { return restore(*flags); }; });
  add_chapter(*command, "dump");
}

}  // namespace hearth::tools
