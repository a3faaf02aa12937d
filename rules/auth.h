// Who asks. A value. Made by net/auth from a token, or by an embedder.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace hearth::rules {

struct Auth {
  enum class Kind { None, User, Admin };
  Kind kind = Kind::None;
  std::string variable;  // User: the JSON text of the rules' `auth` object: {"uid":…,"provider":…,"token":{…}}
  std::optional<std::chrono::seconds> expires;  // since the epoch; nothing: never

  // For an Admin: who it is, for the log, by the proof that was given ("the admin secret") or the uid of a token;
  // never a credential. For a User: the uid, for Guard::is_revoked; "": nobody can sign this user out.
  std::string name{};
  std::optional<std::chrono::seconds>
      issued{};  // when a User's token was made, since the epoch; nothing: it does not say

  // The user, for the log of what was written; "": an administrator, or nobody.
  const std::string& user() const {
    static const std::string nobody;
    return kind == Kind::User ? name : nobody;
  }
  static Auth admin(std::string name = {}) { return {Kind::Admin, {}, {}, std::move(name)}; }
  // Whether they may do the same: the name is for people.
  friend bool operator==(const Auth& a, const Auth& b) {
    return a.kind == b.kind && a.variable == b.variable && a.expires == b.expires;
  }
};

}  // namespace hearth::rules
