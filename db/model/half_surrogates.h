// Halves of surrogate pairs in JSON text: JSON.stringify writes one for a text that was cut within an emoji
// ("\\ud83d"), and no UTF-8 has a place for it. It becomes the replacement character, U+FFFD, as wherever JavaScript
// makes UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace hearth::db {

// Passes JSON text on, piece by piece. An escaped half is replaced by an escape of as many bytes, so places stay.
// Thread: one.
class HalfSurrogates {
 public:
  void pass(std::string_view text, std::string& to);
  void finish(std::string& to);  // what was held back: nothing more comes

 private:
  size_t pass_escape(std::string_view text, std::string& to) const;

  std::string held_;  // an escape that may go on
};

}  // namespace hearth::db
