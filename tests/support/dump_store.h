// Stores with a few namespaces in them, for the tests of dumps.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "db/dump/dumper.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"

namespace hearth::test {

inline db::Path at(const std::string& path) { return db::Path::parse(path).value(); }
inline db::Value json(const std::string& text) { return db::parse_value(std::string(text), {}).value(); }

inline std::unique_ptr<db::TreeStore> open_store(const std::string& folder) {
  auto opened = db::TreeStore::open({folder, 1, nullptr});
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

struct SpaceRows {
  std::string name;
  uint32_t number;
  db::Value value;
  uint64_t sequence = 1;
  std::map<std::string, std::string> settings{};
  std::map<std::pair<std::string, uint64_t>, std::string> updates{};  // of Yjs documents, by path and sequence
};

inline void add_space(const SpaceRows& space, db::Batch& batch) {
  std::string number;
  db::append_number(space.number, number);
  batch.put(db::row_key(db::Table::Name, space.name), number);
  db::Head head;
  head.sequence = space.sequence;
  head.time = db::Timestamp(1000);
  head.has_priorities = space.value.has_priorities();
  head.has_documents = !space.updates.empty();
  batch.put(db::row_key(db::Table::Head, space.number), head.encode());
  for (const auto& [name, text] : space.settings) batch.put(db::row_key(db::Table::Setting, space.number, name), text);
  for (size_t i = 0; i < space.value.row_count(); ++i) {
    const db::Value::Row row = space.value.row(i);
    batch.put(db::row_key(db::Table::Data, space.number, row.key), row.leaf);
  }
  for (const auto& [place, update] : space.updates) {
    const std::string path = db::encode_path(at(place.first));
    batch.put(db::row_key(db::Table::Document, space.number, db::document_row(path, place.second)), update);
  }
}

inline std::map<std::pair<std::string, uint64_t>, std::string> updates_of(const db::TreeStore& store, uint32_t number) {
  std::map<std::pair<std::string, uint64_t>, std::string> updates;
  const db::SnapshotView view(store.snapshot(), number, db::Table::Document);
  REQUIRE(view.scan("", "\xff",
                    [&](std::string_view key, std::string_view update) {
                      const auto row = db::read_document_row(key);
                      REQUIRE(row);
                      updates[{db::decode_path(row->path).value().text(), row->sequence}] = update;
                      return true;
                    })
              .ok());
  return updates;
}

inline void put_space(db::TreeStore& store, const SpaceRows& space) {
  db::Batch batch;
  add_space(space, batch);
  REQUIRE(store.commit(batch, db::TreeStore::Durability::Synced).ok());
}

inline void make_store(const std::string& folder, const std::vector<SpaceRows>& spaces) {
  const auto store = open_store(folder);
  for (const SpaceRows& space : spaces) put_space(*store, space);
}

inline db::Value tree_of(const db::TreeStore& store, uint32_t number) {
  const auto read = db::SnapshotView(store.snapshot(), number).read(db::Path(), SIZE_MAX);
  INFO((read.ok() ? "" : read.error().message));
  REQUIRE(read.ok());
  return read.value();
}

inline std::string read_to_end(db::Dumper& dumper) {
  std::string text;
  for (;;) {
    const auto more = dumper.next(text);
    REQUIRE(more.ok());
    if (!more.value()) return text;
  }
}

// Names and sizes of all files below a folder.
inline std::set<std::string> files_below(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.is_regular_file()) names.insert(file.path().string() + " " + std::to_string(file.file_size()));
  }
  return names;
}

}  // namespace hearth::test
