// JSON text: what is understood comes back from the text that we write of it.
#include "db/model/json.h"

#include "tests/fuzz/fuzz.h"

using namespace hearth::db;

FUZZ_TARGET(json) {
  const auto document = JsonDocument::parse(bytes);
  const auto value = parse_value(std::string(bytes), Path());
  if (!document.ok()) {
    invariant(!value.ok(), "no value without a document");
    return;
  }
  invariant(document.value().root().to_value(Path()).ok() == value.ok(), "two ways to one value");
  invariant(JsonDocument::parse(document.value().root().to_text()).ok(), "a document's text is a document");
  const auto entries = document.value().root().to_entries(Path());
  if (entries.ok()) {
    for (const JsonEntry& entry : entries.value()) to_json(entry.value, JsonStyle::Plain);
  }
  if (!value.ok()) return;
  to_json(value.value(), JsonStyle::Plain);
  for (const std::string& text :
       {to_json(value.value(), JsonStyle::Export), to_pretty_json(value.value(), JsonStyle::Export)}) {
    const auto again = parse_value(std::string(text), Path());
    invariant(again.ok() && again.value() == value.value(), "an export is the value");
  }
}
