// Several io threads may serve those who hear of one thing at once. The first of them serialises; the others wait for it
// instead of doing the same work again. What is there already is found without the mutex.
#include "db/model/forms.h"

#include <span>

namespace hearth::db {
namespace {

// The places that a form may have.
template <typename Places>
auto places_of(Places& made, const Form& form) {
  return std::span(made).subspan(form.is_one_of_many ? Forms::kMax : 0, Forms::kMax);
}

}  // namespace

SharedBytes Forms::find(const Form& form) const {
  for (const Made& made : places_of(made_, form)) {
    if (made.form.load(std::memory_order_acquire) == &form) return made.bytes;
  }
  return nullptr;
}

SharedBytes Forms::make_bytes(const Form& form, const std::function<std::string()>& make) const {
  const std::lock_guard lock(mutex_);
  for (Made& made : places_of(made_, form)) {
    const Form* of = made.form.load(std::memory_order_relaxed);
    if (of == &form) return made.bytes;
    if (of != nullptr) continue;
    made.bytes = std::make_shared<const std::string>(make());
    made.form.store(&form, std::memory_order_release);
    return made.bytes;
  }
  return std::make_shared<const std::string>(make());
}

}  // namespace hearth::db
