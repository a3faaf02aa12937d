// Who asks. A value. Made by net/auth from a token, or by an embedder.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace hearth::rules {

struct Auth {
  enum class Kind { None, User, Admin };
  Kind kind = Kind::None;
  std::string variable;  // User: the JSON text of the rules' `auth` object: {"uid":…,"provider":…,"token":{…}}
  std::optional<std::chrono::seconds> expires;  // since the epoch; nothing: never

  static Auth admin() { return {Kind::Admin, {}, {}}; }
  friend bool operator==(const Auth&, const Auth&) = default;
};

}  // namespace hearth::rules
