#include "db/base/wake.h"

#include <catch2/catch.hpp>
#include <memory>

using hearth::db::Wake;

namespace {

struct Counting final : Wake::Target {
  void wake(const std::shared_ptr<Target>& self) override {
    ++count;
    is_self = self.get() == this;
  }
  int count = 0;
  bool is_self = false;
};

}  // namespace

TEST_CASE("Wake: calls what it was made of, and copies share that", "[db][base]") {
  int called = 0;
  const Wake of_call = [&called, own = 0]() mutable { called = ++own; };
  const Wake copy = of_call;
  of_call();
  copy();
  CHECK(called == 2);

  const auto target = std::make_shared<Counting>();
  {
    const Wake of_target = target;
    const Wake another = of_target;
    CHECK(target.use_count() == 3);  // and nothing of its own
    another();
    of_target();
  }
  CHECK(target->count == 2);
  CHECK(target->is_self);
  CHECK(target.use_count() == 1);
}
