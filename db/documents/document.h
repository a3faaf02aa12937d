// A Yjs document to be read: updates in, JSON out. It is what a replica is, less what only an editor needs. Each update
// costs what it changes, each reading what is read. What is deleted is forgotten, but for its place.
//
// Thread: one at a time.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"
#include "db/documents/item.h"
#include "db/documents/update.h"

namespace hearth::db::documents {

// How a root is read. Updates do not say what a root is; the app that made it knows.
enum class RootKind {
  Guess,  // keys: Map. Elements: Xml where some of it is, Text where letters are, else Array
  Text,   // a Y.Text as a text
  Delta,  // a Y.Text as [{"insert": …, "attributes": {…}}], neighbours of equal attributes as one
  Map,    // a Y.Map as an object
  Array,  // a Y.Array as an array
  Xml,    // a Y.XmlFragment as a text
};
using RootKinds = std::map<std::string, RootKind, std::less<>>;

// "text", "delta", "map", "array", "xml".
std::optional<RootKind> root_kind_named(std::string_view name);

// A place in a document that is addressed by keys: a root, or what stands at a key of a map. No place leads through a list.
struct DocumentPlace {
  std::string root;
  std::vector<std::string> keys{};  // of maps, from the root on
  auto operator<=>(const DocumentPlace&) const = default;
};

inline constexpr size_t kReadDepthMax = 200;  // of types in one another, to be read

struct DocumentLimits {
  // Of one update. A step is an item passed by to find a place, or 64 bytes looked through to cut a text. Hostile
  // updates can need their square.
  size_t steps_max = 50'000'000;
  size_t pending_bytes_max = 16 << 20;  // of structs that wait for others
};

class Document {
 public:
  explicit Document(const DocumentLimits& limits = {});
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  // In any order; what was applied already changes nothing. What waits for something that has not come is kept.
  // Errors: TooLarge past a limit. The document is of no use then, and says so from there on.
  Result<void> apply(const Update& update);

  // All roots: {"title": …, …}; those that are in `kinds` also when nobody has written to them.
  // Values are what yjs's toJSON() gives as JSON, with two of our own: a document within is {"guid": …}, and a bigint
  // is a text. Errors: TooLarge past `bytes_max` or kReadDepthMax.
  Result<std::string> to_json(const RootKinds& kinds, size_t bytes_max) const;
  // One root.
  Result<std::string> to_json(std::string_view root, RootKind kind, size_t bytes_max) const;

  // What stands at a place of a root that is read as a map; "null" where nothing does.
  Result<std::string> to_json(const DocumentPlace& place, size_t bytes_max) const;

  std::vector<std::string> roots() const;
  // The innermost places in which anything was inserted or deleted since this was last asked, in order, none within
  // another. `kinds`: roots that are read as maps have places within; of another root it is the root itself.
  std::vector<DocumentPlace> take_changed(const RootKinds& kinds);

  StateVector state_vector() const;
  bool has_pending() const { return !pending_.empty(); }
  size_t bytes() const;  // about as many are held

 private:
  struct Cursor;
  using Cursors = std::map<uint64_t, Cursor>;

  Result<void> integrate_update(const Update& update);
  void integrate_client(Cursors& cursors, uint64_t client);
  bool integrate_or_wait(Cursors& cursors, std::vector<Id>& stack);
  void block(Cursor& cursor, Id missing);
  std::optional<Id> missing_of(const Struct& piece) const;
  void integrate(const Struct& piece);
  void integrate_gc(const Struct& piece);
  bool join_to_left(const Struct& piece, Item* left, const Item* right);
  Item* place_of(const Item& item, Item* left, const Item* right);
  void link(Item& item, Item* left);
  void set_content(Item& item, const Struct& piece);

  uint64_t end_of(uint64_t client) const;
  Item& add_item(Line& line, Id id, uint64_t length);
  Item& clean_end(const Id& last);
  Item& clean_start(const Id& first);
  Item& cut(Item& item, uint64_t count);
  void cut_content(Item& item, Item& rest, uint64_t count);
  Type& root_of(std::string_view name);
  static DocumentPlace place_of(const Type& type, const Entry* entry, const RootKinds& kinds);

  void apply_deletes(const Update& update);
  void remove(uint64_t client, Range clocks);
  void remove(Item& item);
  Result<void> check_limits();

  const DocumentLimits limits_;
  std::deque<Item> items_;  // stay where they are
  std::deque<Type> types_;
  std::map<std::string, Type*, std::less<>> roots_;
  std::set<std::pair<const Type*, const Entry*>> changed_;  // the entry of a map, or null: the list
  std::map<uint64_t, Line> lines_;
  std::map<uint64_t, Ranges> deletes_;    // all that were heard of, also of what has not come yet
  std::string pending_;                   // an update: structs that wait
  std::map<uint64_t, uint64_t> missing_;  // what they wait for: a clock of a client
  std::map<uint64_t, uint64_t> begun_;    // during an update: where clients were before it
  uint64_t passed_ = 0;                   // items, to find places
  size_t steps_ = 0;                      // of this update
  size_t content_bytes_ = 0;
  bool is_broken_ = false;
};

}  // namespace hearth::db::documents
