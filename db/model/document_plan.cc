#include "db/model/document_plan.h"

#include "db/model/json.h"

namespace hearth::db {

bool is_mirror_kind(std::string_view kind) {
  return kind == "text" || kind == "delta" || kind == "map" || kind == "array" || kind == "xml";
}

const MirrorRoots* DocumentPlan::of(const Path& document) const {
  const std::pair<Path, MirrorRoots>* best = nullptr;
  for (const auto& place : places) {
    if (place.first.contains(document) && (best == nullptr || best->first.depth() <= place.first.depth()))
      best = &place;
  }
  return best == nullptr || best->second.empty() ? nullptr : &best->second;
}

Result<DocumentPlan> parse_document_plan(std::string_view text) {
  DocumentPlan plan;
  if (text.empty()) return plan;
  ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::parse(text));
  for (const auto& [path, roots] : document.root().fields()) {
    ASSIGN_OR_RETURN(Path at, Path::parse(path));
    MirrorRoots all;
    for (const auto& [root, kind] : roots.fields()) all.emplace(root, kind.string().value_or(""));
    plan.places.emplace_back(std::move(at), std::move(all));
  }
  return plan;
}

std::string document_plan_text(const DocumentPlan& plan) {
  std::string text;
  for (const auto& [path, roots] : plan.places) {
    text += text.empty() ? '{' : ',';
    append_json_string(path.slashed(), text);
    text += ":{";
    for (const auto& [root, kind] : roots) {
      if (text.back() != '{') text += ',';
      append_json_string(root, text);
      text += ':';
      append_json_string(kind, text);
    }
    text += '}';
  }
  return text.empty() ? text : text + '}';
}

}  // namespace hearth::db
