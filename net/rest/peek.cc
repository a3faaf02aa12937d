// Rows of a child, in order:
//
//   child                 its leaf; there is nothing else but its priority
//   child 00              its priority
//   child grandchild …    the first of these says that it is an object: the walk ends there
#include "net/rest/peek.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/model/key_order.h"
#include "db/model/precondition.h"
#include "db/model/select.h"
#include "db/model/tree_view.h"

namespace hearth::net::rest {
namespace {

class Peek final : public db::Reading {
 public:
  Peek(db::Path path, std::optional<db::Query> query) : path_(std::move(path)), query_(std::move(query)) {}

  db::Result<db::Value> read(const db::Moment& moment, bool has_priorities, size_t bytes_max) const override {
    Walk walk(moment.before, db::encode_path(path_), bytes_max);
    if (query_ && query_->is_filtered()) {
      ASSIGN_OR_RETURN(const auto positions, db::select(moment.before, path_, *query_, has_priorities));
      std::vector<std::string> segments;
      segments.reserve(positions.size());
      for (const db::Position& position : positions) db::append_segment(position.key, segments.emplace_back());
      std::sort(segments.begin(), segments.end());  // in the order of rows
      for (const std::string& segment : segments) {
        ASSIGN_OR_RETURN(const bool is_there, walk.one(segment));
        static_cast<void>(is_there);
      }
      return std::move(walk).build();
    }
    for (;;) {
      ASSIGN_OR_RETURN(const bool is_there, walk.one(""));
      if (!is_there) return std::move(walk).build();
    }
  }

 private:
  // Goes from child to child; the rows of each are looked at until it is known what it is.
  class Walk {
   public:
    Walk(const db::TreeView& tree, std::string base, size_t bytes_max)
        : tree_(tree), base_(std::move(base)), next_(base_), bytes_max_(bytes_max) {}

    // The child of that segment, or with "" the next one. False: there is none.
    db::Result<bool> one(std::string_view segment) {
      if (!segment.empty()) next_ = base_ + std::string(segment);
      const std::string upto = (segment.empty() ? base_ : next_) + db::kPastChildren;
      std::string child;  // the segment, once it is known
      bool is_leaf = false;
      RETURN_IF_ERROR(tree_.scan(next_, upto, [&](std::string_view key, std::string_view leaf) {
        const std::string_view below = key.substr(base_.size());
        if (below.empty() || below.front() == db::kPriorityMark) {  // of the node itself
          is_leaf |= below.empty();
          if (is_leaf) builder_.add(below, leaf);
          return true;
        }
        const std::string_view own = below.substr(0, db::segment_length(below));
        if (child.empty()) child = own;
        if (own != child) return false;  // the leaf had no more rows
        const std::string_view rest = below.substr(own.size());
        if (rest.empty() && leaf.size() > kPeekedLeafBytesMax) {
          add_cut(child, leaf.size());
          return false;
        }
        const bool is_row_of_child = rest.empty() || rest.front() == db::kPriorityMark;
        if (is_row_of_child) {
          builder_.add(below, leaf);
        } else {
          builder_.add(below.substr(0, own.size() + db::segment_length(rest)), present_);
        }
        return is_row_of_child;
      }));
      if (builder_.byte_count() > bytes_max_) {
        return db::Error{db::ErrorCode::TooLarge,
                         "Data requested exceeds the maximum size that can be accessed with a single request."};
      }
      next_ = base_ + child + db::kPastChildren;
      return !child.empty();
    }

    db::Value build() && { return std::move(builder_).build(); }

   private:
    void add_cut(const std::string& child, size_t bytes) {
      std::string key = child;
      db::append_segment(".cut", key);
      builder_.add(key, db::encode_leaf(db::Value::integer(static_cast<int64_t>(bytes))));
    }

    const db::TreeView& tree_;
    const std::string base_;
    std::string next_;
    const size_t bytes_max_;
    const std::string present_ = db::encode_leaf(db::Value::boolean(true));
    db::ValueBuilder builder_;
  };

  const db::Path path_;
  const std::optional<db::Query> query_;
};

}  // namespace

std::shared_ptr<const db::Reading> peek_of(db::Path path, std::optional<db::Query> query) {
  return std::make_shared<const Peek>(std::move(path), std::move(query));
}

}  // namespace hearth::net::rest
