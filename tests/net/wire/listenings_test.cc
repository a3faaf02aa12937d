#include "net/wire/listenings.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>

using hearth::db::Path;
using namespace hearth::net::wire;

namespace {

Path at(const std::string& text) { return Path::parse(text).value(); }

}  // namespace

TEST_CASE("Listenings: a listener is found by its id, and by what its client calls it", "[wire]") {
  for (const int count : {1, 5, 8, 9, 10, 100}) {  // few are gone through, many have an index
    INFO(count << " listeners");
    Listenings all;
    for (int i = 0; i < count; ++i) {
      const auto id = static_cast<uint64_t>(i) + 1;
      // Every other one is filtered, and all of those at one path: a tag tells them apart.
      if (i % 2 == 0) {
        all.add(id, at("a path of some length/" + std::to_string(i)), std::nullopt, "");
      } else {
        all.add(id, at("filtered"), i, "{\"l\":" + std::to_string(i) + "}");
      }
    }
    const auto is_right = [&](int i) {
      const auto id = static_cast<uint64_t>(i) + 1;
      const Listenings::Listening* one = all.find(id);
      if (one == nullptr) return false;
      if (i % 2 == 0) {
        const Path path = at("a path of some length/" + std::to_string(i));
        return *one->path == path && !one->tag() && one->query_json().empty() && all.named(path, {}) == id;
      }
      return one->tag() == i && one->query_json() == "{\"l\":" + std::to_string(i) + "}" &&
             all.named(at("filtered"), i) == id && all.named(at("elsewhere"), i) == id;  // the tag alone counts
    };
    for (int i = 0; i < count; ++i) CHECK(is_right(i));
    CHECK(all.size() == static_cast<size_t>(count));
    CHECK(all.named(at("filtered"), std::nullopt) == 0);  // whoever has a tag is not meant by a path
    CHECK(all.named(at("filtered"), 1'000) == 0);
    CHECK(all.named(at("a path"), std::nullopt) == 0);

    for (int i = 0; i < count; i += 3) {
      all.erase(static_cast<uint64_t>(i) + 1);
      all.erase(static_cast<uint64_t>(i) + 1);  // once more does nothing
    }
    for (int i = 0; i < count; ++i) {
      INFO("listener " << i);
      CHECK(is_right(i) == (i % 3 != 0));
      const auto id = static_cast<uint64_t>(i) + 1;
      CHECK((all.find(id) == nullptr) == (i % 3 == 0));
      if (i % 3 == 0 && i % 2 == 1) CHECK(all.named(at("filtered"), i) == 0);
      if (i % 3 == 0 && i % 2 == 0) CHECK(all.named(at("a path of some length/" + std::to_string(i)), {}) == 0);
    }
    for (int i = 0; i < count; ++i) all.erase(static_cast<uint64_t>(i) + 1);
    CHECK(all.size() == 0);
    all.add(1'000, Path(), std::nullopt, "");  // the root, after all have gone
    CHECK(all.named(Path(), std::nullopt) == 1'000);
  }
}
