// The rules' variable `auth`: what a verified token says of whoever asks. Parsed once, then shared; immutable.
// Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::rules {

class AuthVariable {
 public:
  enum class Kind : unsigned char { Null, Boolean, Number, String, Array, Object };
  struct Node {
    Kind kind = Kind::Null;
    bool boolean = false;
    double number = 0;
    std::string string{};
    std::vector<std::pair<std::string, Node>> members{};  // sorted by key
    std::vector<Node> elements{};

    // Null when there is none. Of a string, "length" is none: it is a number that nobody stored.
    const Node* member(std::string_view name) const;
    const Node* element(double index) const;
  };

  // `json`: an object. Null when it is none, which is to be signed out.
  static std::shared_ptr<const AuthVariable> parse(std::string_view json);

  const Node& root() const { return root_; }

 private:
  Node root_;
};

}  // namespace hearth::rules
