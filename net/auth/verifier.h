// A credential in, who asks out. Start reading here.
//
//   what it is                         development                        otherwise
//   the admin secret                   admin                              admin
//   `owner`                            admin                              refused
//   an unsigned token (alg "none")     the user it names                  refused
//   a signed token                     the user it names, not verified    refused: signatures are not verified yet
//   a legacy token {v, d, admin}       `d` is the auth variable, or admin refused
//
// In development tokens do not expire: those that tests make carry an `exp` of 1970 (wire-protocol.md §9.2).
// No credential is logged, nor quoted in an error. Thread: any.
#pragma once

#include <string_view>

#include "db/base/result.h"
#include "rules/auth.h"

namespace hearth::rules {
class Guard;
}

namespace hearth::net {

class Verifier {
 public:
  explicit Verifier(const rules::Guard& guard) : guard_(guard) {}

  // Errors: InvalidToken.
  db::Result<rules::Auth> verify(std::string_view credential) const;

 private:
  const rules::Guard& guard_;
};

// An admin may ask to be judged as another: as the auth variable of that JSON text, or for "null" as nobody. Whoever is
// no admin stays who they are (SDK: databaseAuthVariableOverride). Errors: InvalidArgument: neither object nor null.
db::Result<rules::Auth> act_as(rules::Auth proven, std::string_view variable);

}  // namespace hearth::net
