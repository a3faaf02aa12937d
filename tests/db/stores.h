// What two stores must have in common that were made from one log: read from their folders, which nobody has open.
#pragma once

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "db/commit/kept_answer.h"
#include "db/dump/folder.h"
#include "db/log/log_reader.h"
#include "db/shard/resume_points.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"

namespace hearth::test {

using namespace hearth::db;

// What of a store is of its clients, without the numbers of its namespaces: all that is not each store's own.
inline std::map<std::string, std::string> state_of(const std::string& folder) {
  const auto frozen = open_frozen(folder);
  REQUIRE(frozen.ok());
  std::map<std::string, std::string> state;
  for (const auto& [name, number] : frozen.value().names) {
    state[name] = "";
    for (const Table table :
         {Table::Head, Table::Disconnect, Table::Data, Table::Setting, Table::Document, Table::Beside}) {
      const std::string upto = table == Table::Head ? row_key(table, number) + '\0' : row_key(table, number + 1);
      REQUIRE(frozen.value()
                  .snapshot
                  ->scan(row_key(table, number), upto,
                         [&, of = name, what = table](std::string_view key, std::string_view value) {
                           std::string row = of + " " + std::to_string(static_cast<int>(what)) + " ";
                           row += key.substr(kTableAndNumber);
                           // Hashes of clients that may come back are noted where they left.
                           if (what == Table::Beside && key.substr(kTableAndNumber).starts_with(kPointRows))
                             return true;
                           state[row] = value;
                           return true;
                         })
                  .ok());
    }
    // Their order is each store's own, once some are gone.
    REQUIRE(SnapshotView(frozen.value().snapshot, number, Table::Answer)
                .scan(kAnswersFrom, kAnswersUpto,
                      [&, of = name](std::string_view, std::string_view value) {
                        KeptAnswer kept = KeptAnswer::decode(value).value();
                        kept.offset = 0;
                        state[of + " answer " + kept.key] = kept.encode();
                        return true;
                      })
                .ok());
  }
  return state;
}

inline std::map<std::string, std::string> digests_of(const std::string& folder) {
  std::map<std::string, std::string> digests;
  auto dumper = dump_folder(folder, {}, Timestamp(1));
  REQUIRE(dumper.ok());
  std::string text;
  while (dumper.value()->next(text).value()) text.clear();
  for (const auto& [name, rows] : dumper.value()->spaces()) digests[name] = rows.digest;
  return digests;
}

// Each entry of each log that is kept, without what is each store's own.
inline std::vector<std::string> histories_of(const std::string& folder) {
  const auto frozen = open_frozen(folder);
  REQUIRE(frozen.ok());
  std::vector<std::string> all;
  for (const auto& [name, number] : frozen.value().names) {
    const LogReader log(frozen.value().snapshot, number);
    const auto state = log.state();
    REQUIRE(state.ok());
    if (!state.value()) continue;
    all.push_back(name + " from " + std::to_string(state.value()->cut));
    REQUIRE(log.read(state.value()->cut,
                     [&, of = name](LogEntry&& entry, uint64_t) {
                       entry.life = 0;
                       entry.offset = 0;
                       if (entry.kind == LogEntry::Kind::Restore) entry.wall = Timestamp(0);
                       all.push_back(of + " " + entry.encode());
                       return true;
                     })
                .ok());
  }
  return all;
}

// The first row that is not the same; "": there is none.
inline std::string difference_of(const std::string& folder, const std::string& other) {
  const auto one = state_of(folder), two = state_of(other);
  for (const auto& [row, value] : one) {
    const auto found = two.find(row);
    if (found == two.end()) return row + " is missing";
    if (found->second != value) return row + " is another";
  }
  for (const auto& [row, value] : two) {
    if (!one.contains(row)) return row + " is too much";
  }
  return "";
}

}  // namespace hearth::test
