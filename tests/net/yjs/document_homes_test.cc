#include "net/yjs/document_homes.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

using hearth::net::yjs::DocumentHomes;
using hearth::net::yjs::kSeatsOfThread;

TEST_CASE("DocumentHomes: who comes later goes where the first one is, as long as somebody is there", "[net][yjs]") {
  DocumentHomes homes;
  auto first = homes.take("a", "/r", 2);
  auto second = homes.take("a", "/r", 0);
  CHECK(first->thread() == 2);
  CHECK(second->thread() == 2);
  CHECK(homes.take("a", "/other", 0)->thread() == 0);
  CHECK(homes.take("b", "/r", 1)->thread() == 1);  // another namespace's
  CHECK(homes.documents() == 1);
  first.reset();
  CHECK(homes.take("a", "/r", 1)->thread() == 2);
  second.reset();
  CHECK(homes.documents() == 0);
  CHECK(homes.take("a", "/r", 1)->thread() == 1);
}

TEST_CASE("DocumentHomes: a document that very many are in has a home on each thread that they come by", "[net][yjs]") {
  DocumentHomes homes;
  std::vector<std::unique_ptr<DocumentHomes::Seat>> seats;
  std::vector<size_t> of_thread(3);
  const auto come = [&](size_t here) {
    seats.push_back(homes.take("a", "/r", here));
    ++of_thread.at(seats.back()->thread());
  };
  for (size_t i = 0; i < kSeatsOfThread; ++i) come(0);
  for (size_t i = 0; i < kSeatsOfThread; ++i) come(1);
  CHECK(of_thread == std::vector<size_t>{kSeatsOfThread, kSeatsOfThread, 0});
  come(2);
  CHECK(of_thread.at(2) == 1);
  for (size_t i = 0; i < kSeatsOfThread; ++i) come(0);  // the third is filled, and then they stay where they are
  CHECK(of_thread == std::vector<size_t>{kSeatsOfThread + 1, kSeatsOfThread, kSeatsOfThread});
  seats.erase(seats.begin());
  come(0);
  CHECK(of_thread.at(0) == kSeatsOfThread + 2);  // it has as many as it had, and so stays full
  seats.clear();
  CHECK(homes.documents() == 0);
}

TEST_CASE("DocumentHomes: a seat may outlive the homes", "[net][yjs]") {
  auto homes = std::make_unique<DocumentHomes>();
  const auto seat = homes->take("a", "/r", 0);
  homes.reset();
  CHECK(seat->thread() == 0);
}
