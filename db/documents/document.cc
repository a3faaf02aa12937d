// How an item finds its place (YATA): it was written between two others, its origin and its right origin. Others may
// have been put there at the same time, by clients that did not know of it:
//
//      origin  [ o1 ][ o2 ][ o3 ]  right origin            where does x go, on every replica alike?
//
// From the origin on each o is passed that belongs before x: one of the same origin by a client of a lower number, or
// one that hangs (by its own origin) on what is passed already. x goes behind the last of them. Which o hang on which
// is known by when each was passed: `seen` is a running number, so no sets are needed.
//
// The document that comes of this is the same for any order of updates in which causes come before effects. apply()
// makes such an order:
//
//      each client's next struct ─▶ is all here that it names?  yes ─▶ integrate(): cut, find the place, link
//                                       │ no: another client of this update has it ─▶ that client first (stack)
//                                       └ no: nobody has it here ─▶ pending_, an update; missing_: what would help
//
// pending_ is tried again only when a clock in missing_ has come.
//
// A delete is for ever, and may come before what it deletes. So deletes_ has all ranges that were ever heard of, and
// after each update the structs that have just come (from begun_ on) are compared with it. An item that is deleted
// keeps its place and loses its content, for others may name it as their origin. What was in a deleted type becomes Gc:
// it has no parent any more, and a struct that names it as a neighbour is Gc at once.
//
// Places that changed. changed_ has a pair for each list, and for each key of a map, that was touched. place_of()
// climbs from there to the root and gathers the keys of maps; a root is a map where `kinds` says so. Where the climb
// passes anything else the keys below are dropped: no place leads through a list. Sorted, an outer place stands before
// those within it, so one pass leaves the outer ones. A type that is removed takes its own pairs out of changed_,
// because its link to the item above is cut, and it would look like a root.
#include "db/documents/document.h"

#include <algorithm>

#include "db/base/invariant.h"

namespace hearth::db::documents {
namespace {

constexpr size_t kBytesOfStep = 64;
constexpr std::string_view kCutCharacter = "\xef\xbf\xbd";  // U+FFFD

bool same_origin(const Item& a, const Item& b) {
  return a.has_origin == b.has_origin && (!a.has_origin || a.origin == b.origin);
}

bool same_right_origin(const Item& a, const Item& b) {
  return a.has_right_origin == b.has_right_origin && (!a.has_right_origin || a.right_origin == b.right_origin);
}

TypeKind type_kind_of(std::string_view content) {
  Reader from(content);
  return static_cast<TypeKind>(from.var_uint());
}

}  // namespace

struct Document::Cursor {  // the structs of one client in an update
  StructReader reader;
  Struct current;
  bool is_done = false;  // none is left, or the next one waits for what is not here
  bool is_on_stack = false;

  void advance() {
    do {
      is_done = !reader.next(current);
    } while (!is_done && current.kind == Kind::Skip);
  }
};

Document::Document(const DocumentLimits& limits) : limits_(limits) {}
Document::~Document() = default;

uint64_t Document::end_of(uint64_t client) const {
  const auto found = lines_.find(client);
  return found == lines_.end() ? 0 : found->second.end();
}

std::optional<RootKind> root_kind_named(std::string_view name) {
  static const std::map<std::string_view, RootKind> kinds = {{"text", RootKind::Text},
                                                             {"delta", RootKind::Delta},
                                                             {"map", RootKind::Map},
                                                             {"array", RootKind::Array},
                                                             {"xml", RootKind::Xml}};
  const auto found = kinds.find(name);
  return found == kinds.end() ? std::nullopt : std::optional(found->second);
}

StateVector Document::state_vector() const {
  StateVector vector;
  for (const auto& [client, line] : lines_) vector.set(client, line.end());
  return vector;
}

size_t Document::bytes() const {
  return items_.size() * sizeof(Item) + types_.size() * sizeof(Type) + content_bytes_ + pending_.size();
}

std::vector<std::string> Document::roots() const {
  std::vector<std::string> names;
  for (const auto& root : roots_) names.push_back(root.first);
  return names;
}

DocumentPlace Document::place_of(const Type& type, const Entry* entry, const RootKinds& kinds) {
  DocumentPlace place;
  const Type* at = &type;
  const auto take = [&](const Entry* key, bool is_map) {
    if (key == nullptr || !is_map) {
      place.keys.clear();
    } else {
      place.keys.emplace_back(key->key);
    }
  };
  for (const Item* holds = at->item; holds != nullptr; holds = at->item) {
    take(entry, at->kind == TypeKind::Map || at->kind == TypeKind::XmlHook);
    at = holds->parent;
    entry = holds->entry;
  }
  const auto kind = kinds.find(at->name);
  take(entry, kind != kinds.end() && kind->second == RootKind::Map);
  std::reverse(place.keys.begin(), place.keys.end());
  place.root = at->name;
  return place;
}

std::vector<DocumentPlace> Document::take_changed(const RootKinds& kinds) {
  std::vector<DocumentPlace> places;
  for (const auto& [type, entry] : std::exchange(changed_, {})) {
    places.push_back(place_of(*type, entry, kinds));
  }
  std::sort(places.begin(), places.end());
  const auto is_within = [](const DocumentPlace& outer, const DocumentPlace& inner) {
    return outer.root == inner.root && outer.keys.size() <= inner.keys.size() &&
           std::equal(outer.keys.begin(), outer.keys.end(), inner.keys.begin());
  };
  places.erase(std::unique(places.begin(), places.end(), is_within), places.end());
  return places;
}

Type& Document::root_of(std::string_view name) {
  const auto found = roots_.find(name);
  if (found != roots_.end()) return *found->second;
  Type& type = types_.emplace_back();
  type.root = &type;
  type.name = roots_.emplace(name, &type).first->first;
  return type;
}

Result<void> Document::check_limits() {
  if (steps_ <= limits_.steps_max && pending_.size() <= limits_.pending_bytes_max) return {};
  is_broken_ = true;
  return Error{ErrorCode::TooLarge, steps_ > limits_.steps_max ? "The document takes too much work to be read."
                                                               : "Too much of the document waits for what is missing."};
}

Result<void> Document::apply(const Update& update) {
  if (is_broken_) return Error{ErrorCode::TooLarge, "The document takes too much to be read."};
  steps_ = 0;
  begun_.clear();
  RETURN_IF_ERROR(integrate_update(update));
  const auto has_come = [&](const auto& missing) { return end_of(missing.first) > missing.second; };
  while (std::any_of(missing_.begin(), missing_.end(), has_come)) {
    const std::string waiting = std::exchange(pending_, {});
    missing_.clear();
    steps_ += waiting.size() / kBytesOfStep;
    ASSIGN_OR_RETURN(const Update again, Update::parse_own(waiting));
    RETURN_IF_ERROR(integrate_update(again));
  }
  apply_deletes(update);
  return check_limits();
}

// ---- Structs -----------------------------------------------------------------------------------------------------------

Result<void> Document::integrate_update(const Update& update) {
  Cursors cursors;
  for (const Section& section : update.sections()) {
    const auto [place, is_new] = cursors.try_emplace(section.client, Cursor{StructReader(update, section), {}});
    if (!is_new) {  // a client in two places: put together first
      ASSIGN_OR_RETURN(const std::string whole, merge(std::span(&update, 1)));
      ASSIGN_OR_RETURN(const Update again, Update::parse_own(whole));
      return integrate_update(again);
    }
    place->second.advance();
  }
  for (const auto& cursor : cursors) begun_.emplace(cursor.first, end_of(cursor.first));
  for (const auto& cursor : cursors) integrate_client(cursors, cursor.first);
  const bool is_waiting = std::any_of(update.sections().begin(), update.sections().end(),
                                      [&](const Section& section) { return section.end > end_of(section.client); });
  if (is_waiting) {
    std::vector<Update> both;
    if (!pending_.empty()) {
      ASSIGN_OR_RETURN(const Update waiting, Update::parse_own(pending_));
      both.push_back(waiting);
    }
    both.push_back(update.without_deletes());
    ASSIGN_OR_RETURN(pending_, diff(both, state_vector()));
  }
  return check_limits();
}

void Document::block(Cursor& cursor, Id missing) {
  cursor.is_done = true;
  const auto [place, is_new] = missing_.emplace(missing.client, missing.clock);
  if (!is_new) place->second = std::min(place->second, missing.clock);
}

// Integrates the structs of one client, and before each of them what it names of other clients. The stack has the
// clients that are under way: each with the clock that the one below it on the stack waits for.
void Document::integrate_client(Cursors& cursors, uint64_t client) {
  std::vector<Id> stack = {{client, kIntegerMax}};
  cursors.at(client).is_on_stack = true;
  while (!stack.empty() && steps_ <= limits_.steps_max) {
    if (integrate_or_wait(cursors, stack)) continue;
    cursors.at(stack.back().client).is_on_stack = false;
    stack.pop_back();
  }
}

// Takes one step for the client on top of the stack. Returns false when nothing more is to be done for it: it has
// reached the clock that the client below waits for, or its next struct has to wait for a later update.
bool Document::integrate_or_wait(Cursors& cursors, std::vector<Id>& stack) {
  const Id top = stack.back();
  Cursor& cursor = cursors.at(top.client);
  const uint64_t end = end_of(top.client);
  if (cursor.is_done || end > top.clock) return false;
  const Struct& current = cursor.current;
  if (current.clock > end) {
    block(cursor, {top.client, current.clock - 1});
    return false;
  }
  // Asked also for a struct that is here already, as Yjs does. Such a struct can name something missing only when two
  // replicas have used the same clock.
  if (const std::optional<Id> missing = missing_of(current)) {
    const auto other = cursors.find(missing->client);
    if (other == cursors.end() || other->second.is_done || other->second.is_on_stack) {
      block(cursor, *missing);
      return false;
    }
    other->second.is_on_stack = true;
    stack.push_back(*missing);
    return true;
  }
  if (current.end() > end) integrate(current.clock < end ? without_front(current, end - current.clock) : current);
  cursor.advance();
  return true;
}

std::optional<Id> Document::missing_of(const Struct& piece) const {
  for (const std::optional<Id>& id : {piece.origin, piece.right_origin, piece.parent}) {
    if (id && id->client != piece.client && id->clock >= end_of(id->client)) return id;
  }
  return std::nullopt;
}

Item& Document::add_item(Line& line, Id id, uint64_t length) {
  Item& item = items_.emplace_back();
  item.id = id;
  item.length = length;
  line.push_back(item);
  return item;
}

void Document::integrate_gc(const Struct& piece) {
  add_item(lines_[piece.client], {piece.client, piece.clock}, piece.length).is_deleted = true;
}

// Puts a struct into the document. Precondition: what the struct names is there.
void Document::integrate(const Struct& piece) {
  if (piece.kind == Kind::Gc) return integrate_gc(piece);
  Item* left = piece.origin ? &clean_end(*piece.origin) : nullptr;
  Item* right = piece.right_origin ? &clean_start(*piece.right_origin) : nullptr;
  // Both neighbours may have been in one item. Then clean_start() may have cut the item that `left` points to once
  // more, and `left` has to be looked up again.
  if (left != nullptr && right != nullptr) left = &clean_end(*piece.origin);
  if ((left != nullptr && left->parent == nullptr) || (right != nullptr && right->parent == nullptr)) {
    return integrate_gc(piece);
  }
  Type* parent = nullptr;
  Entry* entry = nullptr;
  if (const Item* neighbour = left != nullptr ? left : right) {
    parent = neighbour->parent;
    entry = neighbour->entry;
  } else {
    parent = piece.root ? &root_of(*piece.root) : lines_.at(piece.parent->client).find(piece.parent->clock).type;
    if (parent == nullptr) return integrate_gc(piece);  // deleted, or no type
    if (piece.has_key) {
      const auto place = parent->entries.try_emplace(std::string(piece.key)).first;
      place->second.key = place->first;
      entry = &place->second;
    }
  }
  changed_.emplace(parent, entry);
  if (entry == nullptr && join_to_left(piece, left, right)) return;

  Item& item = add_item(lines_[piece.client], {piece.client, piece.clock}, piece.length);
  item.has_origin = left != nullptr;
  if (left != nullptr) item.origin = left->last_id();
  item.has_right_origin = right != nullptr;
  if (right != nullptr) item.right_origin = right->id;
  item.parent = parent;
  item.entry = entry;
  set_content(item, piece);
  link(item, place_of(item, left, right));
}

// Appends a text that was typed right behind the item before it to that item, so that letters typed one after another
// are one item. Returns false, with nothing done, when the two can't be one. Precondition: as integrate(); not an entry
// of a map.
bool Document::join_to_left(const Struct& piece, Item* left, const Item* right) {
  if (piece.kind != Kind::String || left == nullptr || left->kind != Kind::String || left->is_deleted ||
      left->right != right || left->id.client != piece.client || left->end() != piece.clock ||
      left->has_right_origin != (right != nullptr) || (right != nullptr && left->right_origin != right->id)) {
    return false;
  }
  std::string bytes;
  if (piece.begins_with_half) bytes += kCutCharacter;
  bytes += piece.content;
  const size_t before = left->content.capacity();
  if (!left->content.append(bytes)) return false;
  content_bytes_ += left->content.capacity() - std::min(before, left->content.capacity());
  left->length += piece.length;
  lines_.at(piece.client).grow(piece.length);
  return true;
}

// Returns the item behind which `item` goes; null: it goes to the front. The drawing at the head of the file is about
// this.
Item* Document::place_of(const Item& item, Item* left, const Item* right) {
  const bool is_free = left != nullptr ? left->right == right : right != nullptr && right->left == nullptr;
  if (is_free) return left;
  Item* other = item.parent->start;
  if (left != nullptr) {
    other = left->right;
  } else if (item.entry != nullptr) {
    other = item.entry->first;
  }
  const uint64_t first = passed_ + 1;
  uint64_t first_in_conflict = first;  // those passed since the place was last moved
  for (; other != nullptr && other != right; other = other->right) {
    ++steps_;
    other->seen = ++passed_;
    if (same_origin(item, *other)) {
      if (other->id.client < item.id.client) {
        left = other;
        first_in_conflict = passed_ + 1;
      } else if (same_right_origin(item, *other)) {
        break;
      }
    } else if (other->has_origin) {
      const uint64_t seen = lines_.at(other->origin.client).find(other->origin.clock).seen;
      if (seen < first) break;
      if (seen < first_in_conflict) {
        left = other;
        first_in_conflict = passed_ + 1;
      }
    } else {
      break;
    }
  }
  return left;
}

void Document::link(Item& item, Item* left) {
  Item*& start = item.entry != nullptr ? item.entry->first : item.parent->start;
  item.left = left;
  Item*& before = left != nullptr ? left->right : start;
  item.right = before;
  before = &item;
  if (item.right != nullptr) {
    item.right->left = &item;
    if (item.entry != nullptr) remove(item);
  } else if (item.entry != nullptr) {
    item.entry->last = &item;
    if (left != nullptr) remove(*left);
  }
}

void Document::set_content(Item& item, const Struct& piece) {
  item.kind = piece.kind;
  item.is_deleted = piece.kind == Kind::Deleted;
  if (piece.begins_with_half) {
    item.content = Slice(std::string(kCutCharacter).append(piece.content));
  } else {
    item.content = Slice(piece.content);
  }
  content_bytes_ += item.content.capacity();
  if (piece.kind != Kind::Type) return;
  Type& type = types_.emplace_back();
  type.kind = type_kind_of(piece.content);
  type.item = &item;
  type.root = item.parent->root;
  item.type = &type;
}

// ---- Cutting -----------------------------------------------------------------------------------------------------------

// Returns the item whose last clock is `last`, cutting the item that has that clock where it goes on behind it. A Gc is
// not cut: it has no place in any list.
Item& Document::clean_end(const Id& last) {
  Item& item = lines_.at(last.client).find(last.clock);
  if (item.parent != nullptr && last.clock + 1 < item.end()) cut(item, last.clock + 1 - item.id.clock);
  return item;
}

Item& Document::clean_start(const Id& first) {
  Item& item = lines_.at(first.client).find(first.clock);
  if (item.parent == nullptr || item.id.clock == first.clock) return item;
  return cut(item, first.clock - item.id.clock);
}

// Cuts an item behind its first `count` clocks, and returns the second part, whose origin is the last clock of the
// first.
Item& Document::cut(Item& item, uint64_t count) {
  Item& rest = items_.emplace_back();
  rest.id = {item.id.client, item.id.clock + count};
  rest.length = item.length - count;
  rest.has_origin = true;
  rest.origin = {item.id.client, rest.id.clock - 1};
  rest.has_right_origin = item.has_right_origin;
  rest.right_origin = item.right_origin;
  rest.parent = item.parent;
  rest.entry = item.entry;
  rest.kind = item.kind;
  rest.is_deleted = item.is_deleted;
  // place_of() may be passing by: it has passed both parts, or neither.
  rest.seen = item.seen;
  cut_content(item, rest, count);
  item.length = count;
  rest.left = &item;
  rest.right = item.right;
  if (rest.right != nullptr) rest.right->left = &rest;
  item.right = &rest;
  if (item.entry != nullptr && item.entry->last == &item) item.entry->last = &rest;
  lines_.at(item.id.client).insert(rest);
  return rest;
}

void Document::cut_content(Item& item, Item& rest, uint64_t count) {
  if (item.kind == Kind::Deleted) return;
  Struct whole;
  whole.kind = item.kind;
  whole.client = item.id.client;
  whole.clock = item.id.clock;
  whole.length = item.length;
  whole.content = item.content.view();
  if (whole.kind == Kind::String && whole.content.size() == whole.length) {  // ASCII: no need to look
    rest.content = item.content.part(count, whole.length - count);
    item.content = item.content.part(0, count);
    return;
  }
  const Struct front = only_front(whole, count);
  steps_ += front.content.size() / kBytesOfStep;
  const size_t cut = front.content.size();
  if (front.ends_with_half) {
    const std::string_view behind = whole.content.substr(cut + kPairBytes);
    const std::string before(whole.content.substr(0, cut));
    steps_ += whole.content.size() / kBytesOfStep;
    rest.content = Slice(std::string(kCutCharacter).append(behind));
    item.content = Slice(before + std::string(kCutCharacter));
    return;
  }
  rest.content = item.content.part(cut, whole.content.size() - cut);
  item.content = item.content.part(0, cut);
}

// ---- Deletes -----------------------------------------------------------------------------------------------------------

// Deletes what the update names, and notes it for what has not come yet. Ranges that are known already are left out
// first, so a client that sends all of its deletes with each update costs little.
void Document::apply_deletes(const Update& update) {
  std::map<uint64_t, std::vector<Range>> fresh;
  for (const DeletedRange& range : update.deletes()) {
    const std::vector<Range> parts = deletes_[range.client].missing(range.clocks);
    std::vector<Range>& of_client = fresh[range.client];
    of_client.insert(of_client.end(), parts.begin(), parts.end());
  }
  for (auto& [client, ranges] : fresh) {
    Ranges once;
    once.add(std::move(ranges));
    deletes_[client].add(once.all());
    for (const Range& range : once.all()) remove(client, range);
  }
  // Structs that came with this update may have been deleted by an earlier one.
  for (const auto& [client, before] : begun_) {
    const auto known = deletes_.find(client);
    if (known == deletes_.end()) continue;
    const uint64_t end = end_of(client);
    for (auto range = known->second.find(before); range != known->second.all().end() && range->start < end; ++range) {
      remove(client, {std::max(range->start, before), range->end});
    }
  }
}

// Deletes these clocks of a client, as far as they have come. An item that is deleted in part is cut first.
void Document::remove(uint64_t client, Range clocks) {
  const auto line = lines_.find(client);
  if (line == lines_.end()) return;
  const uint64_t end = std::min(clocks.end, line->second.end());
  for (uint64_t at = clocks.start; at < end;) {
    Item* item = &line->second.find(at);
    if (!item->is_deleted) {
      if (item->id.clock < at) item = &cut(*item, at - item->id.clock);
      if (item->end() > end) cut(*item, end - item->id.clock);
      remove(*item);
    }
    at = item->end();
  }
}

// Deletes an item. When it holds a type, all that is in the type becomes Gc.
void Document::remove(Item& item) {
  if (item.is_deleted) return;
  changed_.emplace(item.parent, item.entry);
  std::vector<Item*> stack = {&item};
  const auto push_all = [&](Item* first) {
    for (; first != nullptr; first = first->right) stack.push_back(first);
  };
  while (!stack.empty()) {
    Item& next = *stack.back();
    stack.pop_back();
    if (Type* type = std::exchange(next.type, nullptr)) {
      push_all(std::exchange(type->start, nullptr));
      for (const auto& entry : type->entries) push_all(entry.second.first);
      const auto of_it = [&](const auto& changed) { return changed.first == type; };
      const auto first = changed_.lower_bound({type, nullptr});
      changed_.erase(first, std::find_if_not(first, changed_.end(), of_it));
      type->entries.clear();
      type->item = nullptr;
    }
    next.is_deleted = true;
    content_bytes_ -= std::min(content_bytes_, next.content.capacity());
    next.content = Slice();
    if (&next == &item) {
      next.kind = Kind::Deleted;
    } else {
      next.kind = Kind::Gc;
      next.parent = nullptr;
      next.entry = nullptr;
      next.left = nullptr;
      next.right = nullptr;
    }
  }
}

}  // namespace hearth::db::documents
