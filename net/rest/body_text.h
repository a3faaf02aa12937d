// The text of a reply's body in pieces, laid out and wrapped as the request asks. Thread: one at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/model/json.h"
#include "db/model/value.h"
#include "net/rest/pretty.h"
#include "net/rest/request.h"

namespace hearth::net::rest {

// As db::JsonWriter::next: appends about `bytes` of compact JSON; false when nothing was left.
using JsonSource = std::function<bool(std::string& chunk, size_t bytes)>;

using Entries = std::vector<std::pair<std::string, db::Value>>;  // of an update, by relative path

JsonSource json_source(db::Value value, db::JsonStyle style);
JsonSource json_source(Entries entries, db::JsonStyle style);  // an object of them, in this order
JsonSource json_source(std::string text);

class BodyText {
 public:
  // `callback`: "" or the function that the text is an argument of.
  BodyText(JsonSource source, Print print, const std::string& callback);

  // Appends about `bytes`. False when nothing was left.
  bool next(std::string& chunk, size_t bytes);

 private:
  JsonSource source_;
  std::optional<PrettyPrinter> pretty_;
  std::string compact_;
  std::string before_, after_;  // the call around the text, until it is written
  bool is_done_ = false;
};

}  // namespace hearth::net::rest
