// Which path goes to whom: the one table of the server. A request's path is compared with the rows from the top; the last
// row takes all that is left. What a row's owner does with a path is the owner's own business: one that is given a request
// that it does not serve (another method, or a page that is switched off) leaves it to REST, which knows how to refuse.
//
//   GET /ns/shop/rest/v1/todos?select=id     split_namespace ─▶ /rest/v1/todos ─▶ row "/rest/v1", Project ─▶ Supabase
//   GET /users/ada.json                      no row but the last ─▶ Rest
//
// Paths are compared as they came, undecoded: an escape in a word of the table makes it somebody else's path, and no client
// writes one there. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "net/host_namespace.h"

namespace hearth::net {

enum class Owner : uint8_t { Wire, Supabase, Yjs, Webhooks, Metrics, AdminApi, Console, FrontPage, Rest };

enum class Match : uint8_t {
  Whole,    // this path and nothing else
  Slashed,  // this path, also with one "/" behind it
  Folder,   // this path, and all below it
  Page,     // as Folder, and the same below /ns/NAME
  Project,  // as Folder, and the same below /ns/NAME. Not what ends in ".json": that is Firebase's, whatever it begins with
};

struct Route {
  std::string_view path;
  Match match;
  Owner owner;
};

inline constexpr std::array<Route, 14> kRoutes = {{
    {"/.ws", Match::Slashed, Owner::Wire},              // net/wire: SDKs of Firebase, by WebSocket
    {"/.lp", Match::Slashed, Owner::Wire},              // and by long polling
    {"/realtime/v1", Match::Project, Owner::Supabase},  // net/supabase: channels
    {"/rest/v1", Match::Project, Owner::Supabase},      // and rows
    {"/yjs", Match::Project, Owner::Yjs},               // net/yjs: documents
    {"/.webhooks.json", Match::Whole, Owner::Webhooks},
    {"/.webhooks", Match::Folder, Owner::Webhooks},
    {"/.metrics", Match::Whole, Owner::Metrics},
    {"/.inspect", Match::Folder, Owner::AdminApi},  // net/admin: what it leaves is REST's
    {"/.settings", Match::Folder, Owner::AdminApi},
    {"/.console", Match::Page, Owner::Console},
    {"/", Match::Whole, Owner::FrontPage},  // for what shows HTML; to others it is the root of the tree
    {"/.health", Match::Whole, Owner::Rest},
    {"", Match::Folder, Owner::Rest},  // net/rest: data, and what is set and looked at of a namespace
}};

constexpr bool matches(const Route& route, std::string_view path) {
  const auto is_below = [&route](std::string_view one) {
    return one.starts_with(route.path) && (one.size() == route.path.size() || one[route.path.size()] == '/');
  };
  switch (route.match) {
    case Match::Whole:
      return path == route.path;
    case Match::Slashed:
      return is_below(path) && path.size() <= route.path.size() + 1;
    case Match::Folder:
      return route.path.empty() || is_below(path);
    case Match::Page:
      return is_below(split_namespace(path).path);
    case Match::Project:
      return is_below(split_namespace(path).path) && !path.ends_with(".json");
  }
  return false;
}

constexpr Owner owner_of(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  for (const Route& route : kRoutes) {
    if (matches(route, path)) return route.owner;
  }
  return Owner::Rest;
}

}  // namespace hearth::net
