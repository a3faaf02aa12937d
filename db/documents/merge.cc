// merge(), diff() and compact() are one walk. Each client is a line of clocks, of which the updates have pieces:
//
//      update 1   [ab][cde]      [h]           client 7, clock ──▶
//      update 2      [de][f]
//      written    [ab][cde][f] s [h]           s: a Skip, two clocks that nobody has
//
// The piece that begins first is taken, without what is written already; where none begins in time, there is a hole. A
// heap of the sections gives the next piece, so the work is a walk over the bytes, and what is held is a place for each
// section. Where one section is alone for the rest of its clocks, its bytes are copied as they are.
//
// No document is needed for this, because a clock means the same in all updates. Two updates may differ in one thing
// only: one has a struct as it was inserted, and the other without its content, since it was deleted. Either will do,
// for the deletes say so too. A piece of which the front is written already is cut (without_front, struct.h). The rest
// then names the clock before it as its origin, as Yjs itself writes it.
//
// diff() begins at the clock that the replica lacks, instead of at 0. Where the first piece begins later than that, no
// Skip is written in front of it: the section begins later, and the replica waits for what is between.
//
// compact() puts two steps between taking and writing:
//
//      taken     "Hello " "wrld" "!"             deletes  [3, 6)
//      cut       "Hel" ·3· "wrld" "!"            ·3·: a Deleted of three clocks; write_cut()
//      joined    "Hel" ·3· "wrld!"               "!" goes on where "wrld" ends, and has the same right origin; join()
//
// A deleted struct keeps its clocks, its origins and its parent, and loses its content. It may not vanish: structs of
// other clients name its clocks as their origins, and would wait for them for ever. What lies in a deleted map or list
// is emptied where the deletes name it, and not because of its parent: nobody here knows what lies in what.
//
// All three write the united deletes of all updates, each range once: a replica that has heard of a delete before it
// has heard of what is deleted needs it later.
#include <algorithm>
#include <optional>

#include "db/documents/update.h"

namespace hearth::db::documents {
namespace {

enum class Form { Plain, Compact };

struct Place {  // a section that is being read
  const Update* update;
  const Section* section;
  size_t order;
  StructReader reader;
  Struct current{};
};

// Puts the piece that begins first on top of the heap. Of pieces that begin at the same clock that of the first update
// is on top, so the outcome does not depend on the heap.
bool comes_later(const Place& a, const Place& b) {
  return a.current.clock != b.current.clock ? a.current.clock > b.current.clock : a.order > b.order;
}

// Goes to the next struct that is no hole. Returns false behind the last one.
bool advance(Place& place) {
  while (place.reader.next(place.current)) {
    if (place.current.kind != Kind::Skip) return true;
  }
  return false;
}

struct Piece {
  const Update* update;
  const Section* section;
  size_t order;
};

class Writer {
 public:
  Writer(std::span<const Update> updates, const StateVector& from, Form form) : from_(from), form_(form) {
    size_t order = 0;
    size_t bytes = 0;
    for (const Update& update : updates) {
      for (const Section& section : update.sections()) pieces_.push_back({&update, &section, order++});
      deletes_.insert(deletes_.end(), update.deletes().begin(), update.deletes().end());
      bytes = std::max(bytes, update.bytes().size());
    }
    std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
      return a.section->client != b.section->client ? a.section->client > b.section->client : a.order < b.order;
    });
    unite_deletes();
    if (form == Form::Plain && from.clocks().empty()) out_.reserve(bytes);
  }

  Result<std::string> run() {
    uint64_t clients = 0;
    for_each_client([&](std::span<const Piece> pieces) { clients += is_wanted(pieces) ? 1 : 0; });
    append_var_uint(clients, out_);
    for_each_client([&](std::span<const Piece> pieces) {
      if (is_wanted(pieces)) write_client(pieces);
    });
    if (skips_ > kSkipsMax) return Error{ErrorCode::TooLarge, "The document has too many holes."};
    write_deletes();
    return std::move(out_);
  }

 private:
  template <typename Visit>
  void for_each_client(Visit visit) const {
    for (size_t start = 0, end = 0; start < pieces_.size(); start = end) {
      const uint64_t client = pieces_[start].section->client;
      while (end < pieces_.size() && pieces_[end].section->client == client) ++end;
      visit(std::span(pieces_).subspan(start, end - start));
    }
  }

  bool is_wanted(std::span<const Piece> pieces) const {
    const uint64_t known = from_.clock(pieces.front().section->client);
    return std::any_of(pieces.begin(), pieces.end(), [&](const Piece& piece) { return piece.section->end > known; });
  }

  // In order, the highest client first, each range once.
  void unite_deletes() {
    std::sort(deletes_.begin(), deletes_.end(), [](const DeletedRange& a, const DeletedRange& b) {
      return a.client != b.client ? a.client > b.client : a.clocks.start < b.clocks.start;
    });
    size_t count = 0;
    for (const DeletedRange& next : deletes_) {
      if (count > 0 && deletes_[count - 1].client == next.client &&
          deletes_[count - 1].clocks.end >= next.clocks.start) {
        deletes_[count - 1].clocks.end = std::max(deletes_[count - 1].clocks.end, next.clocks.end);
      } else {
        deletes_[count++] = next;
      }
    }
    deletes_.resize(count);
  }

  void write_deletes() {
    std::string ranges;
    uint64_t clients = 0;
    for (size_t start = 0, end = 0; start < deletes_.size(); start = end, ++clients) {
      while (end < deletes_.size() && deletes_[end].client == deletes_[start].client) ++end;
      append_var_uint(deletes_[start].client, ranges);
      append_var_uint(end - start, ranges);
      for (size_t i = start; i < end; ++i) {
        append_var_uint(deletes_[i].clocks.start, ranges);
        append_var_uint(deletes_[i].clocks.end - deletes_[i].clocks.start, ranges);
      }
    }
    append_var_uint(clients, out_);
    out_ += ranges;
  }

  void write_client(std::span<const Piece> pieces) {
    client_ = pieces.front().section->client;
    known_ = from_.clock(client_);
    end_.reset();
    structs_ = 0;
    body_.clear();
    next_delete_ = std::partition_point(deletes_.begin(), deletes_.end(),
                                        [&](const DeletedRange& range) { return range.client > client_; });
    std::vector<Place> places;
    for (const Piece& piece : pieces) {
      if (piece.section->end <= known_) continue;
      Place place{.update = piece.update,
                  .section = piece.section,
                  .order = piece.order,
                  .reader = StructReader(*piece.update, *piece.section)};
      if (advance(place)) places.push_back(std::move(place));
    }
    std::make_heap(places.begin(), places.end(), comes_later);
    while (!places.empty()) {
      std::pop_heap(places.begin(), places.end(), comes_later);
      const bool goes_on = take(places.back(), places.size() > 1 ? places.front().current.clock : kIntegerMax);
      if (goes_on) {
        std::push_heap(places.begin(), places.end(), comes_later);
      } else {
        places.pop_back();
      }
    }
    flush();
    append_var_uint(structs_, out_);
    append_var_uint(client_, out_);
    append_var_uint(start_, out_);
    out_ += body_;
  }

  // Writes what is new of the current piece. `next`: where the next one begins. False when the section is done.
  bool take(Place& place, uint64_t next) {
    const Struct& current = place.current;
    const uint64_t covered = end_.value_or(known_);
    if (current.end() > covered) {
      const bool is_whole = current.clock >= covered;
      if (is_whole && form_ == Form::Plain && !place.section->has_holes && place.section->end <= next) {
        copy_rest(place);
        return false;
      }
      write(is_whole ? current : without_front(current, covered - current.clock));
    }
    return advance(place);
  }

  // Writes a Skip where no update has the clocks between the last piece and this one.
  void begin(uint64_t clock) {
    if (!end_) {
      start_ = clock;
    } else if (*end_ < clock) {
      flush();
      Struct hole;
      hole.length = clock - *end_;
      append_struct(hole, body_);
      ++structs_;
      ++skips_;
    }
  }

  // Precondition: no other section has anything from here to the end of this one, and this one has no hole. Nothing
  // behind the first struct is parsed.
  void copy_rest(Place& place) {
    begin(place.current.clock);
    append_struct(place.current, body_);
    body_ += place.update->bytes().substr(place.reader.offset(), place.section->offset_end - place.reader.offset());
    structs_ += 1 + place.reader.left();
    end_ = place.section->end;
  }

  void write(const Struct& piece) {
    begin(piece.clock);
    end_ = piece.end();
    if (form_ == Form::Compact) return write_cut(piece);
    append_struct(piece, body_);
    ++structs_;
  }

  // Cuts the piece where deleted clocks begin and end.
  void write_cut(Struct piece) {
    if (!piece.is_item() || piece.kind == Kind::Deleted) return join(piece);
    while (true) {
      while (next_delete_ != deletes_.end() && next_delete_->client == client_ &&
             next_delete_->clocks.end <= piece.clock) {
        ++next_delete_;
      }
      if (next_delete_ == deletes_.end() || next_delete_->client != client_) return join(piece);
      const Range& range = next_delete_->clocks;
      if (range.start >= piece.end()) return join(piece);
      const bool is_deleted = range.start <= piece.clock;
      const uint64_t cut = is_deleted ? range.end : range.start;
      if (cut >= piece.end()) return join(deleted(piece));
      const Struct front = only_front(piece, cut - piece.clock);
      join(is_deleted ? deleted(front) : front);
      piece = without_front(piece, cut - piece.clock);
    }
  }

  // Holds a piece back until the next one can't be joined to it. What is joined gathers in joined_.
  void join(const Struct& piece) {
    if (!held_ || !can_join(*held_, piece)) {
      flush();
      held_ = piece;
      is_joined_ = false;
      return;
    }
    if (!is_joined_) {
      joined_.clear();
      add_content(*held_);
      held_->raw = {};
      held_->begins_with_half = false;
      held_->ends_with_half = false;
      is_joined_ = true;
    }
    add_content(piece);
    held_->length += piece.length;
  }

  void add_content(const Struct& of) {
    static constexpr std::string_view kHalf = "\xef\xbf\xbd";
    if (of.begins_with_half) joined_ += kHalf;
    joined_ += of.content;
    if (of.ends_with_half) joined_ += kHalf;
  }

  void flush() {
    if (!held_) return;
    if (is_joined_) held_->content = joined_;
    append_struct(*held_, body_);
    ++structs_;
    held_.reset();
  }

  const StateVector& from_;
  const Form form_;
  std::vector<Piece> pieces_;          // by client, the highest first
  std::vector<DeletedRange> deletes_;  // likewise; united
  std::string out_;
  size_t skips_ = 0;

  // Of the client that is being written:
  uint64_t client_ = 0;
  uint64_t known_ = 0;           // what the replica has
  uint64_t start_ = 0;           // the first clock written
  std::optional<uint64_t> end_;  // behind the last one
  uint64_t structs_ = 0;
  std::string body_;
  std::vector<DeletedRange>::const_iterator next_delete_;
  std::optional<Struct> held_;
  bool is_joined_ = false;
  std::string joined_;
};

}  // namespace

Result<std::string> merge(std::span<const Update> updates) { return Writer(updates, {}, Form::Plain).run(); }

Result<std::string> diff(std::span<const Update> updates, const StateVector& from) {
  return Writer(updates, from, Form::Plain).run();
}

Result<std::string> compact(std::span<const Update> updates) { return Writer(updates, {}, Form::Compact).run(); }

}  // namespace hearth::db::documents
