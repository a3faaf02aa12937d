// What one query shows of the children of a path, kept for all who listen with that query there. A limited view keeps
// the positions of what it shows and of some more behind its edge, so a write costs two look-ups and no scan. A view
// without a limit keeps nothing. view.cc has the drawing.
//
// Thread: the namespace's shard.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/base/pointer_list.h"
#include "db/base/result.h"
#include "db/model/event.h"
#include "db/model/query.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"

namespace hearth::db {

struct Subscription;

// The part of a commit that concerns the children of a path, and their positions before and after: looked up once for
// all views of the path.
class TouchedChildren {
 public:
  TouchedChildren(Path path, const TreeView& before, const TreeView& after)
      : path_(std::move(path)), before_(before), after_(after) {}

  bool all = false;                                               // the whole of the path, from it or from above
  std::map<std::string, std::vector<const Overwrite*>> children;  // by key: what was changed at or below it

  const TreeView& before() const { return before_; }
  const TreeView& after() const { return after_; }

  // Errors of all: Io.
  struct Places {
    std::optional<Position> from, to;  // nothing: the child is not there
  };
  Result<const std::vector<std::pair<std::string, Places>>*> places(const Query& query);  // of all children, by key
  Result<bool> was_leaf();
  Result<Value> child(const std::string& key);  // after
  Result<void> count_rows(size_t most);         // by the step: of the path, before and after, and not more than that

 private:
  const Path path_;
  const TreeView& before_;
  const TreeView& after_;
  std::map<std::string, std::vector<std::pair<std::string, Places>>> places_;  // by the order's text
  std::map<std::string, Value> values_;
  std::optional<bool> was_leaf_;
};

inline constexpr uint32_t kWindowReserve = 32;     // positions known behind the edge of a window
inline constexpr size_t kScanHereRowsMax = 1'000;  // of a collection without an index that is gone through at once
inline constexpr uint32_t kSeekHereMax = 300;      // positions of a window that are looked up at once

class View {
 public:
  // A collection of more than `scan_here_rows` rows that has no index is not scanned here: wants_scan() becomes true
  // instead.
  View(Path path, SharedQuery query, size_t scan_here_rows = kScanHereRowsMax, uint32_t reserve = kWindowReserve)
      : path_(std::move(path)), shared_(std::move(query)), scan_here_rows_(scan_here_rows), reserve_(reserve) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  const Path& path() const { return path_; }
  const Query& query() const { return query_; }
  const SharedQuery& shared_query() const { return shared_; }
  const std::string& text() const { return text_; }  // of the query
  bool is_limited() const { return query_.limit != Limit::None; }
  std::vector<Position> window() const;      // of a limited one, what it shows
  uint64_t count() const { return count_; }  // of one that counts
  // About what it holds in memory: the query, the positions that are known, and what a scan will have missed.
  size_t byte_count() const { return own_bytes_ + known_.byte_count() + missed_bytes_; }

  // From here on it shows what is in `tree`, at once unless it wants a scan. Errors: as select().
  Result<void> open(const TreeView& tree, bool has_priorities);
  bool is_open() const { return state_ != State::Opening; }

  // All that it shows, as an event. Null: it shows too little until a scan is settled, which then tells it. Errors: as
  // select().
  Result<std::shared_ptr<const Body>> whole(const TreeView& tree, bool has_priorities) const;

  // Applies a commit. Returns the event for those who listen (what left, what entered and what changed within, as one
  // step), or null when they see no difference. A window that lost more than its reserve shows less and wants a scan;
  // what the scan finds is told when it is settled. Errors: as select().
  Result<std::shared_ptr<const Body>> change(TouchedChildren& touched, bool has_priorities);

  // A scan: begin_scan() on the shard's thread, scan() on any thread and in the tree as it was then, settle() on the
  // shard's thread with the tree as it is by now. The number tells which scan counts: an older one may come in late.
  struct Scanned {
    std::vector<Position> positions{};
    uint64_t count = 0;
  };
  bool wants_scan() const { return wants_scan_; }
  void begin_scan(uint64_t number);
  uint64_t scan_number() const { return scan_number_; }
  Query scan_query() const;  // query(), and a few more than its limit
  static Result<Scanned> scan(const TreeView& tree, const Path& path, const Query& scan_query, bool has_priorities);
  // Returns the event to send, or null for none. If too much changed during the scan, wants_scan() is true again.
  Result<std::shared_ptr<const Body>> settle(Scanned scanned, const TreeView& now, bool has_priorities);

  PointerList<Subscription> subscriptions;  // by the registry
  uint64_t number = 0;                      // likewise: no two views of a registry ever have the same
  size_t counted_bytes = 0;                 // likewise: what of byte_count() it has counted

 private:
  enum class State : uint8_t {
    Opening,    // it shows nothing before a scan is settled
    Open,       // what it shows is right
    Refilling,  // it shows too little, or (is_stale_) what was there before
  };
  // From the side of the limit on.
  struct Nearer {
    bool is_last;
    bool operator()(const Position& a, const Position& b) const {
      const int order = compare_positions(a, b);
      return is_last ? order > 0 : order < 0;
    }
  };
  // Positions in that order, and about what they hold in memory.
  class Known : private std::set<Position, Nearer> {
   public:
    using Base = std::set<Position, Nearer>;
    using Base::Base, Base::begin, Base::end, Base::rbegin, Base::size, Base::contains, Base::upper_bound,
        Base::key_comp;
    void insert(Position position) {
      const size_t bytes = bytes_of(position);
      if (Base::insert(std::move(position)).second) bytes_ += bytes;
    }
    void erase(const_iterator at) {
      bytes_ -= bytes_of(*at);
      Base::erase(at);
    }
    void erase(const Position& position) {
      if (const auto at = find(position); at != end()) erase(at);
    }
    void swap(Known& other) {
      Base::swap(other);
      std::swap(bytes_, other.bytes_);
    }
    size_t byte_count() const { return bytes_; }

   private:
    static size_t bytes_of(const Position& position);
    size_t bytes_ = 0;
  };
  struct WindowMove;

  uint32_t capacity() const { return query_.count + std::min(reserve_, UINT32_MAX - query_.count); }
  bool is_beyond(const Position& position, const std::optional<Position>& edge) const;
  std::optional<Position> edge_of(const Known& known) const;
  Result<bool> must_scan(const TreeView& tree, bool has_priorities) const;
  void want_scan(State state);
  Known known_of(Scanned&& scanned, std::optional<Position>& known_upto) const;
  Result<Value> read(const TreeView& tree, bool has_priorities) const;
  Result<std::shared_ptr<const Body>> change_all(TouchedChildren& touched, bool has_priorities);
  Result<std::shared_ptr<const Body>> change_count(TouchedChildren& touched);
  Result<void> refill(const TreeView& after, bool has_priorities);
  Result<void> move_window(std::map<std::string, WindowMove>& moved, const TreeView& after, bool has_priorities);
  std::shared_ptr<const Body> tell_count(uint64_t count);
  Result<std::shared_ptr<const Body>> tell(std::vector<std::pair<std::string, Value>> entries) const;

  const Path path_;
  const SharedQuery shared_;
  const Query& query_ = *shared_;
  const std::string text_ = query_.text();
  const size_t own_bytes_ = path_.text().size() + query_.byte_count() + text_.size();
  const size_t scan_here_rows_;
  const uint32_t reserve_;
  State state_ = State::Open;
  // Used by a limited view. `known_` has the positions up to `known_upto_` (nothing: all there are). The first
  // query_.count of them, up to `edge_` (nothing: all), are shown.
  Known known_{Nearer{query_.limit == Limit::Last}};
  std::optional<Position> known_upto_, edge_;
  uint64_t count_ = 0;
  bool wants_scan_ = false;
  uint64_t scan_number_ = 0;
  bool is_stale_ = false;
  bool missed_all_ = false;       // since the scan began: everything was set
  std::set<std::string> missed_;  // children that were touched
  size_t missed_bytes_ = 0;       // about what these hold
  int64_t missed_count_ = 0;      // what a count gained
};

}  // namespace hearth::db
