// Text of an answer in pieces: compact JSON from a source, perhaps laid out (pretty.h), perhaps wrapped in a
// function's call.
#include "net/rest/body_text.h"

#include <utility>

namespace hearth::net::rest {
namespace {

// Writes an object of entries in pieces. One writer at a time exists, for the entry at which the text is.
class EntriesWriter {
 public:
  EntriesWriter(Entries entries, db::JsonStyle style) : entries_(std::move(entries)), style_(style) {}

  bool next(std::string& chunk, size_t bytes) {
    if (is_done_) return false;
    const size_t enough = chunk.size() + bytes;
    if (!std::exchange(has_begun_, true)) chunk += '{';
    while (at_ < entries_.size() && chunk.size() < enough) {
      auto& [name, value] = entries_[at_];
      if (!writer_) {
        if (at_ > 0) chunk += ',';
        db::append_json_string(name, chunk);
        chunk += ':';
        writer_.emplace(std::move(value), style_);
      }
      if (writer_->next(chunk, enough > chunk.size() ? enough - chunk.size() : 1)) continue;
      writer_.reset();
      ++at_;
    }
    is_done_ = at_ == entries_.size();
    if (is_done_) chunk += '}';
    return true;
  }

 private:
  Entries entries_;
  const db::JsonStyle style_;
  size_t at_ = 0;
  std::optional<db::JsonWriter> writer_;  // of entries_[at_]
  bool has_begun_ = false;
  bool is_done_ = false;
};

}  // namespace

JsonSource json_source(db::Value value, db::JsonStyle style) {
  const auto writer = std::make_shared<db::JsonWriter>(std::move(value), style);
  return [writer](std::string& chunk, size_t bytes) { return writer->next(chunk, bytes); };
}

JsonSource json_source(Entries entries, db::JsonStyle style) {
  const auto writer = std::make_shared<EntriesWriter>(std::move(entries), style);
  return [writer](std::string& chunk, size_t bytes) { return writer->next(chunk, bytes); };
}

// A text that is there as a whole is one piece, whatever its size: only short ones are given so.
JsonSource json_source(std::string text) {
  return [text = std::move(text), is_done = false](std::string& chunk, size_t) mutable {
    if (is_done) return false;
    is_done = true;
    chunk += text;
    return true;
  };
}

BodyText::BodyText(JsonSource source, Print print, const std::string& callback) : source_(std::move(source)) {
  if (print == Print::Pretty) {
    pretty_.emplace();
    after_ = "\n";
  }
  if (!callback.empty()) {
    // The comment keeps a reply from being taken for another kind of file.
    before_ = "/**/" + callback + "(";
    after_ = ");";
  }
}

bool BodyText::next(std::string& chunk, size_t bytes) {
  if (is_done_) return false;
  chunk += before_;
  before_.clear();
  if (!pretty_) {
    is_done_ = !source_(chunk, bytes);
  } else {
    compact_.clear();
    is_done_ = !source_(compact_, bytes);
    pretty_->add(compact_, chunk);
  }
  if (is_done_) chunk += after_;
  return true;
}

}  // namespace hearth::net::rest
