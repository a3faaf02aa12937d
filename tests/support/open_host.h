// A database of a test's own, opened as a server opens one, and asked a thing at a time.
#pragma once

#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "db/host.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"
#include "db/upkeep/fsck.h"
#include "tests/db/talk.h"

namespace hearth::test {

// Two shards, so that namespaces are not all on one, and no waiting for the disk.
inline Database::Options host_options(std::string folder, const Clock* clock = nullptr) {
  Database::Options options;
  options.folder = std::move(folder);
  options.shards = 2;
  options.sync = SyncMode::Os;
  options.clock = clock;
  return options;
}

inline std::unique_ptr<Host> open_host(const Database::Options& options) {
  auto opened = Host::open(options);
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

// The promise is shared: an answer may come when the test has given up.
inline std::future<Answer> ask(Host& database, Write write, const std::string& space = "t") {
  const auto done = std::make_shared<std::promise<Answer>>();
  database.write(space, std::move(write), [done](Answer answer) { done->set_value(std::move(answer)); });
  return done->get_future();
}
inline Answer write(Host& database, Write write, const std::string& space = "t") {
  return ask(database, std::move(write), space).get();
}
inline std::string stored(Host& database, std::string_view path) {
  return text(database.space("t").value().get(path).value());
}

// How many rows of a table there are, in all namespaces, of a database that is closed.
inline size_t rows_on_disk(const std::string& folder, Table table, Table behind) {
  const auto frozen = open_frozen(folder).value();
  size_t rows = 0;
  REQUIRE(frozen.snapshot->scan(row_key(table, ""), row_key(behind, ""), [&](auto, auto) { return ++rows > 0; }).ok());
  return rows;
}

// fsck finds nothing.
inline void check_folder(const std::string& folder, void* environment = nullptr) {
  const auto report = fsck(folder, Repair::No, {}, environment);
  INFO((report.ok() ? "" : report.error().message));
  REQUIRE(report.ok());
  for (const std::string& one : report.value().told) UNSCOPED_INFO(one);
  REQUIRE(report.value().problems == 0);
}

}  // namespace hearth::test
