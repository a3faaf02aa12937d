// db/documents behind a pipe, for tests that compare it with the published yjs (tests/sdk/yjs_format.test.mjs).
//
//   in   := 4 bytes length (lowest first), byte command, n × var_buf        out := 4 bytes length, byte ok, bytes
//
//   m merge     updates                       v state vector   updates
//   d diff      state vector, updates         c compact        updates
//   2 from_v2   update                        h has            state, update → "1" or "0"
//   a awareness update, written again         e is empty       update → "1" or "0"
//   r read      n × "name kind", an empty one, updates: applied one by one to a new document → its JSON
//   o open      a document that stays         u apply to it    updates
//   j its JSON  n × "name kind"                k what changed since k was asked: [["root", ["key", …], JSON], …]   n × "name kind"
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "db/documents/awareness.h"
#include "db/documents/coverage.h"
#include "db/documents/document.h"
#include "db/documents/update.h"
#include "db/documents/update_v2.h"
#include "db/model/json.h"

using namespace hearth::db;
using namespace hearth::db::documents;

namespace {

using Words = std::vector<std::string_view>;

Result<std::vector<Update>> parse_all(const Words& words, size_t from) {
  std::vector<Update> updates;
  for (size_t i = from; i < words.size(); ++i) {
    ASSIGN_OR_RETURN(const Update update, Update::parse(words[i]));
    updates.push_back(update);
  }
  return updates;
}

Result<std::string> has(const Words& words) {
  ASSIGN_OR_RETURN(const std::vector<Update> updates, parse_all(words, 0));
  Coverage coverage;
  coverage.add(updates.at(0));
  return std::string(coverage.has(updates.at(1)) ? "1" : "0");
}

std::unique_ptr<Document> open_document;
constexpr size_t kJsonMax = 64 << 20;

RootKinds kinds_of(const Words& words) {
  RootKinds kinds;
  for (const std::string_view word : words) {
    if (word.empty()) break;
    const size_t space = word.rfind(' ');
    kinds.emplace(word.substr(0, space), root_kind_named(word.substr(space + 1)).value_or(RootKind::Guess));
  }
  return kinds;
}

Result<std::string> apply_all(Document& document, const Words& words, size_t from) {
  for (size_t i = from; i < words.size(); ++i) {
    ASSIGN_OR_RETURN(const Update update, Update::parse(words[i]));
    RETURN_IF_ERROR(document.apply(update));
  }
  return std::string();
}

Result<std::string> read(const Words& words) {
  const RootKinds kinds = kinds_of(words);
  Document document;
  RETURN_IF_ERROR(apply_all(document, words, kinds.size() + 1));
  return document.to_json(kinds, kJsonMax);
}

Result<std::string> changed(const Words& words) {
  const RootKinds kinds = kinds_of(words);
  std::string out = "[";
  for (const DocumentPlace& place : open_document->take_changed(kinds)) {
    const auto kind = kinds.find(place.root);
    if (kind == kinds.end()) continue;
    out += out.size() == 1 ? "[" : ",[";
    append_json_string(place.root, out);
    out += ",[";
    for (const std::string& key : place.keys) {
      if (out.back() != '[') out += ',';
      append_json_string(key, out);
    }
    out += "],";
    ASSIGN_OR_RETURN(const std::string json, place.keys.empty()
                                                 ? open_document->to_json(place.root, kind->second, kJsonMax)
                                                 : open_document->to_json(place, kJsonMax));
    out += json + ']';
  }
  return out + ']';
}

Result<std::string> answer(char command, const Words& words) {
  if (command == '2') return from_v2(words.at(0), 64 << 20);
  if (command == 'h') return has(words);
  if (command == 'r') return read(words);
  if (command == 'o') open_document = std::make_unique<Document>();
  if (command == 'o') return std::string();
  if (command == 'u') return apply_all(*open_document, words, 0);
  if (command == 'k') return changed(words);
  if (command == 'j') return open_document->to_json(kinds_of(words), kJsonMax);
  if (command == 'a') {
    ASSIGN_OR_RETURN(const std::vector<AwarenessEntry> entries, parse_awareness(words.at(0)));
    return encode_awareness(entries);
  }
  ASSIGN_OR_RETURN(const std::vector<Update> updates, parse_all(words, command == 'd' ? 1 : 0));
  switch (command) {
    case 'm':
      return merge(updates);
    case 'c':
      return compact(updates);
    case 'v':
      return state_vector(updates).encode();
    case 'e':
      return std::string(updates.at(0).is_empty() ? "1" : "0");
    case 'd': {
      ASSIGN_OR_RETURN(const StateVector from, StateVector::parse(words.at(0)));
      return diff(updates, from);
    }
    default:
      return Error{ErrorCode::InvalidArgument, "No such command."};
  }
}

bool read_all(std::string& to, size_t size) {
  to.resize(size);
  return std::fread(to.data(), 1, size, stdin) == size;
}

}  // namespace

int main() {
  std::string header;
  std::string body;
  while (read_all(header, 4)) {
    size_t size = 0;
    for (size_t i = 4; i-- > 0;) size = size << 8 | static_cast<unsigned char>(header[i]);
    if (size == 0 || !read_all(body, size)) return 1;
    Words words;
    Reader from(std::string_view(body).substr(1));
    while (from.ok() && !from.is_at_end()) words.push_back(from.var_buf());
    if (!from.ok()) return 1;
    const Result<std::string> result = answer(body.front(), words);
    const std::string& bytes = result.ok() ? result.value() : result.error().message;
    std::string out;
    for (size_t i = 0; i < 4; ++i) out.push_back(static_cast<char>((bytes.size() + 1) >> (8 * i) & 0xff));
    out.push_back(result.ok() ? 1 : 0);
    out += bytes;
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
  }
  return 0;
}
