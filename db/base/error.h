// What went wrong, as a value: a code the program can act on, a sentence for a person.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace hearth::db {

enum class ErrorCode : uint8_t {
  InvalidPath,       // a path or key that cannot exist
  InvalidData,       // a value, update or server value that cannot be stored
  InvalidArgument,   // any other request that makes no sense
  PermissionDenied,  // the guard said no
  Stale,             // a compare-and-set found another value
  TooLarge,          // a limit with a name was passed
  NotFound,          // no such namespace
  Timeout,           // a deadline passed
  Unavailable,       // the store is broken, closing or overloaded
  Io,                // the disk said no
  Corruption,        // bytes on disk that are not ours
  Locked,            // another process holds the data folder
  Unsupported,       // known to the protocol, not to this server
  InvalidToken,      // a credential that proves nothing
  ExpiredToken,      // a credential that did
  KeyReused,         // a key that was for another request (db::Once)
  NotOwner,  // another node of the cluster answers for this namespace; asked there, or soon again, it is answered
};

struct Error {
  ErrorCode code;
  std::string message;  // a sentence; safe to show to the caller

  friend bool operator==(const Error&, const Error&) = default;
};

}  // namespace hearth::db
