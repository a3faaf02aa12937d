// `hearth backup` and `hearth backup list`. What a backup is made of, and in which order, is in tools/backup/run.cc;
// that it is restored, in restore.cc.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>

#include "db/base/clock.h"
#include "db/model/history.h"
#include "db/model/past.h"
#include "tools/backup/index.h"
#include "tools/backup/run.h"
#include "tools/backup/target.h"
#include "tools/commands.h"
#include "tools/or_throw.h"
#include "tools/progress.h"
#include "tools/rest_client.h"
#include "tools/take_dump.h"

namespace hearth::tools {
namespace {

struct BackupCommandFlags {
  std::string target;
  std::string url = usual_url();
  std::string token = env("HEARTH_TOKEN");
  std::string data;  // a folder, instead of the url
  std::string keep;
  std::string full_every = "7d";
  bool takes_over = false;
  bool json = false;
};

int back_up(const BackupCommandFlags& flags) {
  if (flags.target.empty()) throw std::runtime_error("which target? a folder, or s3://bucket/prefix");
  BackupPolicy policy;
  if (!flags.keep.empty()) policy.keep = or_throw(db::parse_age(flags.keep), "--keep");
  policy.full_every = or_throw(db::parse_age(flags.full_every), "--full-every");
  policy.takes_over = flags.takes_over;
  const std::atomic<bool> never{false};
  const auto target = open_target(flags.target, never);
  Progress progress("backup");
  const TakeDump take = [&](const auto& since, const auto& piece) {
    uint64_t bytes = 0;
    const auto shown = [&](std::string_view part) {
      piece(part);
      bytes += part.size();
      if (progress.is_due()) progress.show(bytes, {});
    };
    if (flags.data.empty()) {
      take_dump_of_server({.url = flags.url, .token = flags.token}, since, shown);
    } else {
      take_dump_of_folder(flags.data, since, shown);
    }
  };
  const BackupDone done = run_backup(*target, flags.target, take, policy, db::SystemClock().now());
  for (const BackupFile& file : done.written) {
    fmt::print("{}: {} bytes, {}\n", file.name, file.bytes,
               file.info.is_incremental ? "since " + db::rfc3339(file.info.base_made) : "full");
  }
  if (done.removed > 0) fmt::print("{} that no kept moment needs removed\n", done.removed);
  return 0;
}

int list_backups(const BackupCommandFlags& flags) {
  const std::atomic<bool> never{false};
  const auto target = open_target(flags.target, never);
  const BackupIndex index = load_index(*target, flags.target);
  if (flags.json) {
    fmt::print("{}", index.to_json());
    return 0;
  }
  if (index.files.empty()) throw std::runtime_error(flags.target + " has no backups");
  uint64_t bytes = 0;
  for (const BackupFile& file : index.files) {
    bytes += file.bytes;
    fmt::print("{}  {:>12} bytes  {}\n", db::rfc3339(file.info.made), file.bytes,
               file.info.is_incremental ? "since " + db::rfc3339(file.info.base_made) : "full");
  }
  fmt::print("{} files, {} bytes\n", index.files.size(), bytes);
  return 0;
}

}  // namespace

void add_backup(CLI::App& program, Chosen& chosen) {
  const auto flags = std::make_shared<BackupCommandFlags>();
  CLI::App* command = program.add_subcommand(
      "backup", "Backs a server up into a folder or an S3 bucket: what came since the last time");
  command->add_option("target", flags->target, "A folder, made when missing, or s3://bucket/prefix");
  CLI::Option* url = add_server(*command, flags->url, flags->token);
  command->add_option("--data", flags->data, "A data folder that no server has open, instead of --url")->excludes(url);
  command->add_option("--keep", flags->keep, "Moments that old can be restored, as 7d; without it, all, for ever")
      ->type_name("AGE");
  command->add_option("--full-every", flags->full_every, "A full dump again, at the latest")
      ->type_name("AGE")
      ->capture_default_str();
  command->add_flag("--take-over", flags->takes_over,
                    "Goes on in a target that has backups of another store, which is gone");
  CLI::App* list = command->add_subcommand("list", "Says what a target has");
  list->add_option("target", flags->target, "The target")->required();
  list->add_flag("--json", flags->json, "For scripts");
  command->footer(
      R"(  hearth backup /mnt/backups --keep 7d
  hearth backup s3://bucket/prefix --keep 7d         # with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION
  hearth restore --from /mnt/backups --to 2026-11-30T16:00:00Z --data new-data

The first backup is a full dump, the next ones have what the log (serve --history) tells since. A folder named "list" is ./list.

Exit status: 0, or 1 with one line that says what is wrong.)");
  command->callback([flags, &chosen, command] {
    const bool lists = !command->get_subcommands().empty();
    chosen.run = [flags, lists] { return lists ? list_backups(*flags) : back_up(*flags); };
  });
  add_chapter(*command, "backup");
}

}  // namespace hearth::tools
