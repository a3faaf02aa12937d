// Names come as host names too (shop.example.com), where case does not count: so they are kept in lower case.
#include "db/model/namespace_name.h"

namespace hearth::db {

Result<std::string> check_namespace_name(std::string_view name) {
  std::string stored;
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool good = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '-' || lower == '_';
    if (!good) return Error{ErrorCode::InvalidArgument, "A namespace's name has only letters, digits, '-' and '_'."};
    stored += lower;
  }
  if (stored.empty() || stored.size() > 128) {
    return Error{ErrorCode::InvalidArgument, "A namespace's name has 1 to 128 characters."};
  }
  return stored;
}

Result<void> check_stored_name(std::string_view name) {
  ASSIGN_OR_RETURN(const std::string stored, check_namespace_name(name));
  if (stored != name) return Error{ErrorCode::InvalidArgument, "A namespace's name is stored in lower case."};
  return {};
}

Error no_such_namespace() { return {ErrorCode::NotFound, "There is no namespace of that name on this server."}; }

}  // namespace hearth::db
