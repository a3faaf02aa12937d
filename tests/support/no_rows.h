// A tree without a row: the ground under overlays that are all there is of a namespace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/model/tree_view.h"

namespace hearth::test {

class NoRows final : public db::TreeView {
 public:
  db::Result<void> scan(std::string_view, std::string_view, const RowFunction&) const override { return {}; }
  db::Result<std::optional<std::string>> leaf(std::string_view) const override { return std::optional<std::string>(); }
};

}  // namespace hearth::test
