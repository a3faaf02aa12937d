// A container of which there are many, most of them empty: a pointer, null until something is put in. Reading is
// reading an empty one then.
#pragma once

#include <memory>

namespace hearth::db {

template <typename Container>
class Lazy {
 public:
  bool empty() const { return made_ == nullptr || made_->empty(); }
  const Container& operator*() const { return made_ != nullptr ? *made_ : none(); }
  const Container* operator->() const { return &**this; }

  Container& make() {
    if (made_ == nullptr) made_ = std::make_unique<Container>();
    return *made_;
  }
  // To be called when something was taken out of make(): an empty one goes.
  void tidy() {
    if (made_ != nullptr && made_->empty()) made_.reset();
  }

 private:
  static const Container& none() {
    static const Container empty;
    return empty;
  }
  std::unique_ptr<Container> made_;
};

}  // namespace hearth::db
