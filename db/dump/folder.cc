// Dump and restore without a server: the same Dumper and Restore, on a folder that is locked meanwhile.
#include "db/dump/folder.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "db/model/namespace_name.h"

namespace hearth::db {
namespace {

namespace fs = std::filesystem;

// Numbers as the engine gives them: those that are there, then counted on.
Result<std::vector<RestoredSpace>> restore_into(const ByteSource& source, const RestoreRequest& request,
                                                const TreeStore::Options& options, Timestamp now) {
  ASSIGN_OR_RETURN(const auto store, TreeStore::open(options));
  std::map<std::string, uint32_t> numbers = store->names_at_open();
  uint32_t next = 1;
  for (const auto& [name, number] : numbers) next = std::max(next, number + 1);
  const auto number_of = [&](const std::string& name) -> Result<uint32_t> {
    RETURN_IF_ERROR(check_stored_name(name));
    const auto [at, is_new] = numbers.try_emplace(name, next);
    if (is_new) ++next;
    return at->second;
  };
  ASSIGN_OR_RETURN(const auto restore, Restore::stage(source, request, *store, options.folder, number_of));
  RETURN_IF_ERROR(restore->swap_in(now));
  return restore->spaces();
}

}  // namespace

Result<std::unique_ptr<Dumper>> dump_folder(const std::string& folder, const DumpRequest& request, Timestamp now) {
  ASSIGN_OR_RETURN(Frozen frozen, open_frozen(folder));
  return Dumper::make(std::move(frozen), request, now);
}

Result<std::vector<RestoredSpace>> restore_folder(const std::string& folder, const ByteSource& source,
                                                  const RestoreRequest& request, const TreeStore::Options& options,
                                                  Timestamp now) {
  std::error_code ignored;
  const bool was_there = fs::exists(folder, ignored);
  const bool was_empty = was_there && fs::is_directory(folder, ignored) && fs::is_empty(folder, ignored);
  if (!was_there) (void)mkdir(folder.c_str(), S_IRWXU);  // what fails here, fails again where it is said
  TreeStore::Options own = options;
  own.folder = folder;
  Result<std::vector<RestoredSpace>> done = restore_into(source, request, own, now);
  if (done.ok()) return done;
  if (!was_there) fs::remove_all(folder, ignored);
  // After an error the folder is as it was: files of a store that was made for nothing go, and the folder itself stays.
  if (was_empty) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
      fs::remove_all(entry.path(), ignored);
  }
  return done;
}

}  // namespace hearth::db
