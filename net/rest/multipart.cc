// The first part of a form, cut out in place: the emulator's import page sends one file. Only its boundaries are
// looked at, not the fields of the part.
#include "net/rest/multipart.h"

#include <algorithm>

#include "net/http/request.h"

namespace hearth::net::rest {
namespace {

db::Error bad_form(const char* why) { return {db::ErrorCode::InvalidArgument, std::string("Invalid upload; ") + why}; }

// The `boundary` parameter; "" when there is none.
std::string_view boundary_of(std::string_view content_type) {
  constexpr std::string_view kName = "boundary=";
  while (!content_type.empty()) {
    const size_t end = std::min(content_type.find(';'), content_type.size());
    std::string_view piece = content_type.substr(0, end);
    content_type.remove_prefix(std::min(end + 1, content_type.size()));
    while (piece.starts_with(' ')) piece.remove_prefix(1);
    while (piece.ends_with(' ')) piece.remove_suffix(1);
    if (piece.size() < kName.size() || !http::equals_ignoring_case(piece.substr(0, kName.size()), kName)) continue;
    piece.remove_prefix(kName.size());
    if (piece.size() >= 2 && piece.front() == '"' && piece.back() == '"') piece = piece.substr(1, piece.size() - 2);
    return piece;
  }
  return {};
}

}  // namespace

db::Result<void> take_first_part(std::string& form, std::string_view content_type) {
  const std::string_view boundary = boundary_of(content_type);
  if (boundary.empty()) return bad_form("expected multipart/form-data with a boundary.");
  const std::string mark = "--" + std::string(boundary);
  const size_t part = form.starts_with(mark) ? 0 : form.find("\r\n" + mark);
  if (part == std::string::npos) return bad_form("the form's boundary does not occur in it.");
  const size_t fields = form.find("\r\n\r\n", part + mark.size());
  if (fields == std::string::npos) return bad_form("the form has no part.");
  const size_t content = fields + 4;
  const size_t end = form.find("\r\n" + mark, fields + 2);
  if (end == std::string::npos) return bad_form("the form's part has no end.");
  form.resize(std::max(end, content));
  form.erase(0, content);
  return {};
}

}  // namespace hearth::net::rest
