#include "rules/identity.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

using namespace hearth::rules;

namespace {

std::shared_ptr<Identities> identities() {
  return std::make_shared<Identities>(std::make_shared<Rulebook>(Rulebook::Options{}),
                                      std::make_shared<KnownSettings>(false));
}

}  // namespace

TEST_CASE("Identities: who is not signed in is the same for all sessions of a namespace, everybody else has a name",
          "[rules]") {
  const auto all = identities();
  const SharedIdentity nobody = all->of("a", {});
  CHECK(all->of("a", Auth{}) == nobody);
  CHECK(nobody->space == "a");
  CHECK(asker_of(nobody).get() == &*nobody->asker);
  CHECK(all->of("b", {}) != nobody);  // of another namespace
  CHECK(all->of("b", {})->space == "b");

  const Auth ada{Auth::Kind::User, R"({"uid":"ada"})", {}, "ada"};
  const SharedIdentity one = all->of("a", ada), other = all->of("a", ada);
  CHECK(one != nobody);
  CHECK(one->asker->uid() == "ada");
  CHECK(one->auth == ada);
  CHECK(other->asker->uid() == "ada");
  // Somebody without a uid, or whose credential has an end, is not nobody.
  Auth for_a_time;
  for_a_time.expires = std::chrono::seconds(7);
  CHECK(all->of("a", for_a_time) != nobody);
  CHECK(all->of("a", for_a_time)->asker->expires() == for_a_time.expires);
  CHECK(all->of("a", {}) == nobody);

  CHECK(asker_of(all->of("a", Auth::admin())) == nullptr);
  Auth admin_for_a_time = Auth::admin();
  admin_for_a_time.expires = std::chrono::seconds(7);
  CHECK(asker_of(all->of("a", admin_for_a_time)) != nullptr);
}

TEST_CASE("Identities: a namespace that nobody has a session with is forgotten", "[rules]") {
  const auto all = identities();
  const SharedIdentity stays = all->of("stays", {});
  for (int i = 0; i < 1'000; ++i) {
    const auto some = all->of("space" + std::to_string(i), {});
    CHECK(some->space == "space" + std::to_string(i));
  }
  CHECK(all->known() <= 32);
  CHECK(all->of("stays", {}) == stays);
  CHECK(all.use_count() == 2);  // this one and that of `stays`: no more than are in use hold it
}
