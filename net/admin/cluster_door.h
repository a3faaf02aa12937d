// What administrators see of the cluster that a server is part of, and what they may ask of it. tools gives it; without one
// the server is by itself, and GET /.inspect/cluster answers 404. Plain functions. Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "db/base/result.h"
#include "db/cluster/figures.h"

namespace hearth::net::admin {

struct ClusterDoor {
  std::function<std::string()> status{};  // JSON, as the chapter Admin API has it
  std::function<db::ClusterFigures()> figures{};
  // These block, for the engine is asked. Errors: NotFound (no such node or shard), InvalidArgument, Unavailable.
  std::function<db::Result<void>(uint32_t shard, const std::string& to)> move{};
  std::function<db::Result<void>(const std::string& node, bool is_drained)> drain{};
  std::function<db::Result<void>(const std::string& node)> forget{};
  std::function<void()> reseed{};
};

}  // namespace hearth::net::admin
