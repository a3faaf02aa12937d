// A document as JSON, and XML within it as text. What comes out is what yjs's toJSON(), toString() and toDelta() give;
// where those throw (null as a child of XML) there is its name as text. Two ways, both over the same lists of items: JSON
// into out_, and what String(value) would be in JavaScript, into any text.
//   Type.start ─▶ item ─▶ item ─▶ item ─▶ …      a list: elements, letters, formats; what was deleted is passed over
//   Type.entries: key ─▶ its last item           a map; the items before it were overwritten
//   "He" [bold:true] "llo" [bold:null] "!"       toDelta: He · llo {bold:true} · !         toString in XML: He<bold>llo</bold>!
//
// A root has no kind of its own: who reads says it, or it is guessed. `depth` and bytes_max_ end what is nested too deeply or is
// small on disk and large as JSON; both set a flag, and finish() says so: the functions between need no error of their own.
#include <algorithm>
#include <span>
#include <utility>

#include "db/documents/any.h"
#include "db/documents/document.h"
#include "db/model/json.h"
#include "db/model/number_text.h"

namespace hearth::db::documents {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kObject = "[object Object]";

// As JavaScript compares texts: by code units. That differs from UTF-8 only between U+E000 and U+FFFF and what is above.
bool utf16_less(std::string_view a, std::string_view b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (right == b.end()) return false;
  if (left == a.end()) return true;
  const auto rank = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0xf0 ? 0xed * 2 + 1 : byte * 2;  // pairs lie where U+D800 would
  };
  return rank(*left) < rank(*right);
}

struct Utf16Less {
  bool operator()(std::string_view a, std::string_view b) const { return utf16_less(a, b); }
};

using Attributes = std::map<std::string_view, std::string_view, Utf16Less>;  // JSON texts

// A part of a text: letters, or one thing that is none.
struct Run {
  std::string letters;
  const Item* thing = nullptr;
  Attributes attributes;
};

std::string_view text_of_buffer(Reader& from) { return from.var_string(); }

std::string_view json_of_embed(const Item& item) {
  Reader from(item.content.view());
  from.trust();
  return text_of_buffer(from);
}

bool is_null(std::string_view json) {
  const size_t start = json.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && json.substr(start, 4) == "null";
}

class Printer {
 public:
  explicit Printer(size_t bytes_max) : bytes_max_(bytes_max) {}

  void root(const Type* type, RootKind kind) {
    static const Type kNothing;
    if (type == nullptr) type = &kNothing;
    if (kind == RootKind::Guess) kind = guess(*type);
    switch (kind) {
      case RootKind::Text:
        return text_as_json(*type);
      case RootKind::Delta:
        return delta(*type, 0);
      case RootKind::Map:
        return map(*type, 0);
      case RootKind::Guess:
      case RootKind::Array:
        return array(*type, 0);
      case RootKind::Xml: {
        std::string xml;
        children_as_text(*type, xml, 0);
        return append_json_string(xml, out_);
      }
    }
  }

  // What stands at the keys of maps in one another, the outermost of which is `type`.
  void at(const Type* type, std::span<const std::string> keys) {
    const Item* item = nullptr;
    for (const std::string& key : keys) {
      item = type == nullptr ? nullptr : value_of(*type, key);
      const bool is_map = item != nullptr && item->kind == Kind::Type &&
                          (item->type->kind == TypeKind::Map || item->type->kind == TypeKind::XmlHook);
      type = is_map ? item->type : nullptr;
    }
    if (item == nullptr || !last_value(*item, keys.size())) out_ += "null";
  }

  std::string& out() { return out_; }

  Result<std::string> finish() {
    if (is_too_deep_) return Error{ErrorCode::TooLarge, "The document is nested too deeply to be read."};
    if (is_full(out_)) return Error{ErrorCode::TooLarge, "The document is too large to be read."};
    return std::move(out_);
  }

 private:
  static const Item* value_of(const Type& map, const std::string& key) {
    const auto entry = map.entries.find(key);
    const Item* item = entry == map.entries.end() ? nullptr : entry->second.last;
    return item != nullptr && item->is_visible() ? item : nullptr;
  }

  static RootKind guess(const Type& type) {
    bool has_elements = false;
    for (const Item* item = type.start; item != nullptr; item = item->right) {
      if (item->kind == Kind::Format) return RootKind::Text;
      if (!item->is_visible()) continue;
      has_elements = true;
      if (item->kind == Kind::String || item->kind == Kind::Embed) return RootKind::Text;
      if (item->kind == Kind::Type && item->type->kind >= TypeKind::XmlElement) return RootKind::Xml;
    }
    return !has_elements && !type.entries.empty() ? RootKind::Map : RootKind::Array;
  }

  bool is_full(const std::string& to) {
    if (to.size() > bytes_max_) is_over_ = true;
    return is_over_;
  }

  bool stops(size_t depth, const std::string& to) {
    if (depth > kReadDepthMax) is_too_deep_ = true;
    return is_too_deep_ || is_full(to);
  }

  // ---- JSON

  void type(const Type& of, size_t depth) {
    if (stops(depth, out_)) return;
    switch (of.kind) {
      case TypeKind::Array:
        return array(of, depth);
      case TypeKind::XmlHook:
      case TypeKind::Map:
        return map(of, depth);
      case TypeKind::Text:
        return text_as_json(of);
      case TypeKind::XmlElement:
      case TypeKind::XmlFragment:
      case TypeKind::XmlText: {
        std::string xml;
        type_as_text(of, xml, depth);
        return append_json_string(xml, out_);
      }
    }
  }

  void separate() {
    if (out_.back() != '[' && out_.back() != '{') out_ += ',';
  }

  void array(const Type& of, size_t depth) {
    out_ += '[';
    for (const Item* item = of.start; item != nullptr && !stops(depth, out_); item = item->right) {
      if (item->is_visible()) elements(*item, depth);
    }
    out_ += ']';
  }

  void elements(const Item& item, size_t depth) {
    Reader from(item.content.view());
    from.trust();
    switch (item.kind) {
      case Kind::Any:
        while (!from.is_at_end() && !is_full(out_)) {
          const size_t start = from.offset();
          skip_any(from);
          separate();
          append_any_json(from.since(start), out_);
        }
        return;
      case Kind::Json:
        while (!from.is_at_end() && !is_full(out_)) {
          const std::string_view json = from.var_string();
          separate();
          out_ += json == "undefined" ? "null" : json;
        }
        return;
      case Kind::String:
        units(item.content.view(), [&](std::string_view unit) {
          separate();
          append_json_string(unit, out_);
        });
        return;
      case Kind::Binary:
      case Kind::Embed:
      case Kind::Type:
      case Kind::Document:
        separate();
        single(item, depth);
        return;
      case Kind::Gc:
      case Kind::Deleted:
      case Kind::Format:
      case Kind::Skip:
        return;
    }
  }

  // Letters as a list has them: a character of two units is two elements, and half a character is U+FFFD.
  template <typename Visit>
  static void units(std::string_view text, Visit visit) {
    for (size_t at = 0; at < text.size();) {
      size_t end = at + 1;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
      const bool is_pair = end - at == kPairBytes;
      visit(is_pair ? kReplacement : text.substr(at, end - at));
      if (is_pair) visit(kReplacement);
      at = end;
    }
  }

  // An item that is one element.
  void single(const Item& item, size_t depth) {
    Reader from(item.content.view());
    from.trust();
    if (item.kind == Kind::Type) return type(*item.type, depth + 1);
    if (item.kind == Kind::Embed) {
      out_ += json_of_embed(item);
    } else if (item.kind == Kind::Document) {
      out_ += "{\"guid\":";
      append_json_string(text_of_buffer(from), out_);
      out_ += '}';
    } else {
      append_any_json(as_any_bytes(item), out_);
    }
  }

  static std::string as_any_bytes(const Item& item) {  // a Binary's content is what follows the tag
    std::string any(1, static_cast<char>(AnyTag::Bytes));
    return any.append(item.content.view());
  }

  void map(const Type& of, size_t depth) {
    out_ += '{';
    for (const auto& [key, entry] : of.entries) {
      if (stops(depth, out_)) break;
      if (entry.last == nullptr || !entry.last->is_visible()) continue;
      const size_t before = out_.size();
      separate();
      append_json_string(key, out_);
      out_ += ':';
      if (!last_value(*entry.last, depth)) out_.resize(before);
    }
    out_ += '}';
  }

  // False: it is undefined.
  bool last_value(const Item& item, size_t depth) {
    if (item.kind == Kind::Any || item.kind == Kind::Json || item.kind == Kind::String) {
      const std::string_view last = last_element(item);
      if (item.kind == Kind::String) {
        append_json_string(last, out_);
      } else if (item.kind == Kind::Json) {
        if (last == "undefined") return false;
        out_ += last;
      } else {
        if (is_undefined(last)) return false;
        append_any_json(last, out_);
      }
      return true;
    }
    single(item, depth);
    return true;
  }

  // Of an Any, Json or String.
  static std::string_view last_element(const Item& item) {
    Reader from(item.content.view());
    from.trust();
    std::string_view last;
    if (item.kind == Kind::String) {
      units(item.content.view(), [&](std::string_view unit) { last = unit; });
      return last;
    }
    while (!from.is_at_end()) {
      const size_t start = from.offset();
      if (item.kind == Kind::Any) {
        skip_any(from);
        last = from.since(start);
      } else {
        last = from.var_string();
      }
    }
    return last;
  }

  void text_as_json(const Type& of) {
    std::string text;
    letters(of, text);
    append_json_string(text, out_);
  }

  void delta(const Type& of, size_t depth) {
    out_ += '[';
    for_each_run(of, [&](const Run& run) {
      separate();
      out_ += "{\"insert\":";
      if (run.thing != nullptr) {
        single(*run.thing, depth);
      } else {
        append_json_string(run.letters, out_);
      }
      if (!run.attributes.empty()) {
        out_ += ",\"attributes\":{";
        for (const auto& [key, value] : run.attributes) {
          separate();
          append_json_string(key, out_);
          out_ += ':';
          out_ += value;
        }
        out_ += '}';
      }
      out_ += '}';
      return !is_full(out_);
    });
    out_ += ']';
  }

  // ---- Text

  void letters(const Type& of, std::string& to) {
    for (const Item* item = of.start; item != nullptr && !is_full(to); item = item->right) {
      if (item->kind == Kind::String && !item->is_deleted) to += item->content.view();
    }
  }

  // Neighbours of equal attributes are one run. visit(run) says whether to go on.
  template <typename Visit>
  void for_each_run(const Type& of, Visit visit) {
    Attributes current;
    Run run;
    const auto flush = [&] {
      const bool goes_on = run.letters.empty() || visit(std::as_const(run));
      run.letters.clear();
      return goes_on;
    };
    for (const Item* item = of.start; item != nullptr; item = item->right) {
      if (item->is_deleted) continue;
      if (item->kind == Kind::Format) {
        Reader from(item->content.view());
        from.trust();
        const std::string_view key = from.var_string();
        const std::string_view value = from.var_string();
        current.erase(key);
        if (!is_null(value)) current.emplace(key, value);
      } else if (item->kind == Kind::String) {
        if (run.attributes != current && !flush()) return;
        run.attributes = current;
        run.letters += item->content.view();
      } else if (item->kind == Kind::Type || item->kind == Kind::Embed) {
        if (!flush()) return;
        Run thing;
        thing.thing = item;
        thing.attributes = current;
        if (!visit(std::as_const(thing))) return;
      }
    }
    flush();
  }

  void type_as_text(const Type& of, std::string& to, size_t depth) {
    if (stops(depth, to)) return;
    switch (of.kind) {
      case TypeKind::Array:
      case TypeKind::Map:
      case TypeKind::XmlHook:
        to += kObject;
        return;
      case TypeKind::Text:
        return letters(of, to);
      case TypeKind::XmlText:
        return xml_text(of, to, depth);
      case TypeKind::XmlFragment:
        return children_as_text(of, to, depth);
      case TypeKind::XmlElement:
        return xml_element(of, to, depth);
    }
  }

  void children_as_text(const Type& of, std::string& to, size_t depth) {
    for (const Item* item = of.start; item != nullptr && !stops(depth, to); item = item->right) {
      if (item->is_visible()) item_as_text(*item, to, depth, false);
    }
  }

  // All its elements, one after another, or the last one.
  void item_as_text(const Item& item, std::string& to, size_t depth, bool is_last_only) {
    Reader from(item.content.view());
    from.trust();
    switch (item.kind) {
      case Kind::Type:
        return type_as_text(*item.type, to, depth + 1);
      case Kind::Binary:
        return append_any_text(as_any_bytes(item), to);
      case Kind::Embed:
        return json_as_text(json_of_embed(item), to);
      case Kind::Document:
        to += kObject;
        return;
      case Kind::Any:
      case Kind::Json:
      case Kind::String: {
        if (is_last_only) return element_as_text(item.kind, last_element(item), to);
        if (item.kind == Kind::String) {
          to += item.content.view();
          return;
        }
        while (!from.is_at_end() && !is_full(to)) {
          const size_t start = from.offset();
          if (item.kind == Kind::Json) {
            element_as_text(item.kind, from.var_string(), to);
          } else {
            skip_any(from);
            element_as_text(item.kind, from.since(start), to);
          }
        }
        return;
      }
      case Kind::Format:
        if (is_last_only) to += "undefined";  // as an attribute it has no element
        return;
      case Kind::Gc:
      case Kind::Deleted:
      case Kind::Skip:
        return;
    }
  }

  static void element_as_text(Kind kind, std::string_view element, std::string& to) {
    if (kind == Kind::Any) return append_any_text(element, to);
    if (kind == Kind::String || element == "undefined") {
      to += element;
    } else {
      json_as_text(element, to);
    }
  }

  // What String(JSON.parse(text)) is.
  static void json_as_text(std::string_view text, std::string& to) {
    const auto parsed = JsonDocument::parse(text);
    if (parsed.ok()) node_as_text(parsed.value().root(), to, false);
  }

  static void node_as_text(const JsonNode& node, std::string& to, bool is_in_array) {
    switch (node.kind()) {
      case JsonNode::Kind::Null:
        to += is_in_array ? "" : "null";
        return;
      case JsonNode::Kind::Boolean:
        to += *node.boolean() ? "true" : "false";
        return;
      case JsonNode::Kind::Integer:
      case JsonNode::Kind::Double:
        append_javascript_number(node.number().value_or(0), to);
        return;
      case JsonNode::Kind::String:
        to += *node.string();
        return;
      case JsonNode::Kind::Object:
        to += kObject;
        return;
      case JsonNode::Kind::Array: {
        bool is_first = true;
        for (const JsonNode& element : node.elements()) {
          if (!is_first) to += ',';
          is_first = false;
          node_as_text(element, to, true);
        }
        return;
      }
    }
  }

  void xml_element(const Type& of, std::string& to, size_t depth) {
    Reader from(of.item->content.view());
    from.trust();
    from.var_uint();
    std::string name(from.var_string());
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    to.append("<").append(name);
    std::vector<std::pair<std::string_view, const Item*>> attributes;
    for (const auto& [key, entry] : of.entries) {
      if (entry.last == nullptr || entry.last->is_deleted || entry.last->kind == Kind::Gc) continue;
      attributes.emplace_back(key, entry.last);
    }
    std::sort(attributes.begin(), attributes.end(),
              [](const auto& a, const auto& b) { return utf16_less(a.first, b.first); });
    for (const auto& [key, item] : attributes) {
      to.append(" ").append(key).append("=\"");
      item_as_text(*item, to, depth, true);
      to += '"';
      if (is_full(to)) return;
    }
    to += '>';
    children_as_text(of, to, depth);
    to.append("</").append(name).append(">");
  }

  // Formats become elements around the letters, in order of their names.
  void xml_text(const Type& of, std::string& to, size_t depth) {
    for_each_run(of, [&](const Run& run) {
      for (const auto& [name, value] : run.attributes) {
        to.append("<").append(name);
        xml_attributes(value, to);
        to += '>';
      }
      if (run.thing != nullptr) {
        item_as_text(*run.thing, to, depth, false);
      } else {
        to += run.letters;
      }
      for (auto format = run.attributes.rbegin(); format != run.attributes.rend(); ++format) {
        to.append("</").append(format->first).append(">");
      }
      return !stops(depth, to);
    });
  }

  // The members of a format's value: of an object, a list or a text, as JavaScript's `for … in` finds them.
  static void xml_attributes(std::string_view json, std::string& to) {
    const auto parsed = JsonDocument::parse(json);
    if (!parsed.ok()) return;
    std::map<std::string, std::string, Utf16Less> members;
    const JsonNode node = parsed.value().root();
    const auto add = [&](std::string key, const JsonNode& value) {
      std::string& text = members[std::move(key)];
      text.clear();
      node_as_text(value, text, false);
    };
    for (const auto& [key, value] : node.fields()) add(std::string(key), value);
    size_t index = 0;
    for (const JsonNode& element : node.elements()) add(std::to_string(index++), element);
    if (const auto text = node.string()) {
      units(*text, [&](std::string_view unit) { members[std::to_string(index++)] = unit; });
    }
    for (const auto& [key, value] : members) to.append(" ").append(key).append("=\"").append(value).append("\"");
  }

  size_t bytes_max_;
  std::string out_;
  bool is_over_ = false;
  bool is_too_deep_ = false;
};

}  // namespace

Result<std::string> Document::to_json(std::string_view root, RootKind kind, size_t bytes_max) const {
  const auto found = roots_.find(root);
  Printer printer(bytes_max);
  printer.root(found == roots_.end() ? nullptr : found->second, kind);
  return printer.finish();
}

Result<std::string> Document::to_json(const DocumentPlace& place, size_t bytes_max) const {
  if (place.keys.empty()) return to_json(place.root, RootKind::Map, bytes_max);
  const auto found = roots_.find(place.root);
  Printer printer(bytes_max);
  printer.at(found == roots_.end() ? nullptr : found->second, place.keys);
  return printer.finish();
}

Result<std::string> Document::to_json(const RootKinds& kinds, size_t bytes_max) const {
  Printer printer(bytes_max);
  std::string& out = printer.out();
  const auto add = [&](std::string_view name, const Type* type, RootKind kind) {
    out += out.empty() ? '{' : ',';
    append_json_string(name, out);
    out += ':';
    printer.root(type, kind);
  };
  // Both are in order of names.
  auto kind = kinds.begin();
  for (const auto& [name, type] : roots_) {
    for (; kind != kinds.end() && kind->first < name; ++kind) add(kind->first, nullptr, kind->second);
    const bool is_declared = kind != kinds.end() && kind->first == name;
    add(name, type, is_declared ? kind->second : RootKind::Guess);
    if (is_declared) ++kind;
    if (out.size() > bytes_max) return printer.finish();
  }
  for (; kind != kinds.end(); ++kind) add(kind->first, nullptr, kind->second);
  out += out.empty() ? "{}" : "}";
  return printer.finish();
}

}  // namespace hearth::db::documents
