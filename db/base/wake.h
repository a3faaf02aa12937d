// How somebody is told that there is something to take. A call comes on any thread, and must only pass the word on. A
// copy is a pointer: who has thousands of them makes its target once and shares it.
#pragma once

#include <concepts>
#include <memory>
#include <utility>

namespace hearth::db {

class Wake {
 public:
  class Target {
   public:
    virtual ~Target() = default;
    virtual void wake(const std::shared_ptr<Target>& self) = 0;  // `self`: this one, to be passed on
  };

  template <std::derived_from<Target> Shared>
  Wake(std::shared_ptr<Shared> target) : target_(std::move(target)) {}  // not null
  // Of anything that can be called.
  template <std::invocable<> Call>
  requires(!std::same_as<Call, Wake>) Wake(Call call) : target_(std::make_shared<Calling<Call>>(std::move(call))) {}

  void operator()() const { target_->wake(target_); }

 private:
  template <typename Call>
  struct Calling final : Target {
    explicit Calling(Call a_call) : call(std::move(a_call)) {}
    void wake(const std::shared_ptr<Target>&) override { call(); }
    Call call;
  };

  std::shared_ptr<Target> target_;
};

}  // namespace hearth::db
