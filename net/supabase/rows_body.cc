// A body is JSON of strangers: what can be no column's name, and no key, is refused before a row is planned. With the
// parameter `columns` others are passed over. A column that is there twice counts once, with its last value.
#include "net/supabase/rows_body.h"

#include <fmt/format.h>

#include <set>

#include "db/model/json.h"
#include "net/io/field_value.h"

namespace hearth::net::supabase {
namespace {

using Kind = db::JsonNode::Kind;

RowsError bad_json(std::string message, std::string details = {}) {
  return {400, "PGRST102", std::move(message), std::move(details)};
}

// Nothing: null, so that the row gets a key of its own.
std::variant<std::optional<std::string>, RowsError> key_of(const db::JsonNode& node) {
  std::string key;
  switch (node.kind()) {
    case Kind::Null:
      return std::optional<std::string>();
    case Kind::String:
      key = *node.string();
      break;
    case Kind::Integer:
    case Kind::Double:
      key = node.to_text();
      break;
    case Kind::Boolean:
    case Kind::Array:
    case Kind::Object:
      return RowsError{400, "22P02", "An id must be a text or a number"};
  }
  if (const auto checked = db::check_key(key); !checked.ok()) {
    return RowsError{400, "22P02", fmt::format("invalid input syntax for an id: \"{:.100}\"", key),
                     checked.error().message};
  }
  return std::optional(std::move(key));
}

class BodyReader {
 public:
  explicit BodyReader(const RowsRequest& request) : request_(request) {
    if (request.columns) columns_.emplace(request.columns->begin(), request.columns->end());
  }

  std::variant<SentRow, RowsError> read(const db::JsonNode& node) const {
    if (!node.is_object()) return bad_json("All object keys must match", "A row must be an object.");
    SentRow row;
    for (const auto& [name, value] : node.fields()) {
      if (columns_ && !columns_->contains(name)) continue;
      if (name == db::kRowId) {
        auto key = key_of(value);
        if (auto* error = std::get_if<RowsError>(&key)) return std::move(*error);
        row.key = std::move(std::get<0>(key));
        continue;
      }
      if (!db::check_key(name).ok()) {
        return RowsError{
            400, "PGRST204",
            fmt::format("Could not find the '{:.100}' column of '{:.100}' in the schema cache", name, request_.table),
            "No column can have such a name: it has one of . $ # [ ] / or is empty."};
      }
      auto read = value.to_value(db::Path());
      if (!read.ok()) {
        return RowsError{400, "22P02", fmt::format("invalid value for column \"{:.100}\"", name), read.error().message};
      }
      row.columns.insert_or_assign(std::string(name), std::move(read).value());
    }
    return row;
  }

 private:
  const RowsRequest& request_;
  std::optional<std::set<std::string, std::less<>>> columns_;
};

}  // namespace

std::variant<std::vector<SentRow>, RowsError> read_rows(const RowsRequest& request, std::string&& body,
                                                        std::string_view content_type) {
  std::string_view type = content_type;
  type = http::take_item(type, ';');
  if (!type.empty() && type != "application/json" && type != "application/vnd.pgrst.object+json" &&
      type != "application/vnd.pgrst.array+json") {
    return RowsError{415, "PGRST102", fmt::format("Content-Type not acceptable: {:.100}", type)};
  }
  const auto document = db::JsonDocument::parse(std::move(body));
  if (!document.ok()) return bad_json("Empty or invalid json", document.error().message);
  const db::JsonNode root = document.value().root();
  const BodyReader reader(request);
  std::vector<SentRow> rows;
  const bool is_list = root.kind() == Kind::Array;
  if (is_list && request.method == RowsRequest::Method::Update) {
    return bad_json("An update takes one object", "Send the columns to be set as an object.");
  }
  for (const db::JsonNode& node : is_list ? root.elements() : std::vector<db::JsonNode>{root}) {
    if (rows.size() >= kRowsSentMax) {
      return RowsError{400, "54000", fmt::format("One request inserts at most {} rows", kRowsSentMax)};
    }
    auto row = reader.read(node);
    if (auto* error = std::get_if<RowsError>(&row)) return std::move(*error);
    rows.push_back(std::move(std::get<SentRow>(row)));
  }
  return rows;
}

}  // namespace hearth::net::supabase
