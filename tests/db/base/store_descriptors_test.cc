#include "db/base/store_descriptors.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("A quarter of the descriptors is the store's, and half of that is for tables", "[base]") {
  CHECK(store_descriptors(1'024) == 256);
  CHECK(tables_open_max(1'024) == 128);
  CHECK(store_descriptors(4 * kStoreDescriptorsMax) == kStoreDescriptorsMax);
  CHECK(store_descriptors(1u << 20) == kStoreDescriptorsMax);
  CHECK(tables_open_max(64) == kTablesOpenMin);
}
