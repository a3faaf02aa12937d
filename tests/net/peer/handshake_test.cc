#include "net/peer/handshake.h"

#include <catch2/catch.hpp>
#include <string>

using namespace hearth::net::peer;
using hearth::db::ErrorCode;
using State = Handshake::State;

namespace {

Identity who(const std::string& node, const std::string& secret = "the secret", const std::string& cluster = "c1") {
  return {cluster, node, secret};
}

// Carries what each says to the other, some bytes at a time, until nobody says anything.
void talk(Handshake& a, Handshake& b, size_t at_a_time = 1'000) {
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    for (auto [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      const std::string said = from->take_unsent();
      for (size_t at = 0; at < said.size(); at += at_a_time) {
        goes_on = true;
        std::string_view piece = std::string_view(said).substr(at, at_a_time);
        to->read(piece);
      }
    }
  }
}

}  // namespace

TEST_CASE("Handshake: two nodes of one cluster know each other, and what the connection is for", "[peer][handshake]") {
  for (const size_t at_a_time : {1u, 7u, 1'000u}) {
    INFO(at_a_time);
    Handshake n1 = Handshake::dial(who("n1"), "n2", "seed 5");
    Handshake n2 = Handshake::accept(who("n2"));
    talk(n1, n2, at_a_time);
    CHECK(n1.state() == State::Done);
    CHECK(n2.state() == State::Done);
    CHECK(n1.peer() == "n2");
    CHECK(n2.peer() == "n1");
    CHECK(n2.purpose() == "seed 5");
  }
}

TEST_CASE("Handshake: what is said behind it is left for others", "[peer][handshake]") {
  Handshake n1 = Handshake::dial(who("n1"), "n2", "http");
  Handshake n2 = Handshake::accept(who("n2"));
  std::string said = n1.take_unsent();
  std::string_view bytes = said;
  n2.read(bytes);
  said = n2.take_unsent();
  bytes = said;
  CHECK(n1.read(bytes) == State::Done);
  said = n1.take_unsent() + "GET / HTTP/1.1\r\n";
  bytes = said;
  CHECK(n2.read(bytes) == State::Done);
  CHECK(bytes == "GET / HTTP/1.1\r\n");
}

TEST_CASE("Handshake: who does not know the secret is refused, on either side", "[peer][handshake]") {
  SECTION("the one that dials finds it out first") {
    Handshake n1 = Handshake::dial(who("n1"), "n2", "bus");
    Handshake n2 = Handshake::accept(who("n2", "another secret"));
    talk(n1, n2);
    CHECK(n1.state() == State::Refused);
    CHECK(n1.why().code == ErrorCode::PermissionDenied);
    CHECK(n1.take_unsent().empty());  // no proof is given to somebody who has none
    CHECK(n2.state() == State::UnderWay);
  }
  SECTION("one that goes on all the same is refused") {
    Handshake n2 = Handshake::accept(who("n2"));
    Handshake n1 = Handshake::dial(who("n1", "guessed"), "n2", "bus");
    const std::string hello = n1.take_unsent();
    std::string_view bytes = hello;
    CHECK(n2.read(bytes) == State::UnderWay);
    (void)n2.take_unsent();
    const std::string proof = std::string(64, 'a') + " bus\n";
    bytes = proof;
    CHECK(n2.read(bytes) == State::Refused);
    CHECK(n2.why().code == ErrorCode::PermissionDenied);
    CHECK(n2.purpose().empty());
  }
}

TEST_CASE("Handshake: nobody's own words are a proof to him", "[peer][handshake]") {
  SECTION("a call that is sent back to the caller's port") {
    Handshake dials = Handshake::dial(who("n1"), "n2", "bus");
    Handshake own_port = Handshake::accept(who("n1"));
    talk(dials, own_port);
    CHECK(own_port.state() == State::Refused);
    CHECK(dials.state() == State::Refused);
  }
  SECTION("the proof of who accepts is none of who dials") {
    Handshake n2 = Handshake::accept(who("n2"));
    Handshake n1 = Handshake::dial(who("n1"), "n2", "bus");
    std::string said = n1.take_unsent();
    std::string_view bytes = said;
    n2.read(bytes);
    said = n2.take_unsent();
    const std::string proof = said.substr(said.rfind(' ') + 1);
    const std::string sent_back = proof.substr(0, proof.size() - 1) + " bus\n";
    bytes = sent_back;
    CHECK(n2.read(bytes) == State::Refused);
  }
  SECTION("a whole call cannot be made again") {
    Handshake n1 = Handshake::dial(who("n1"), "n2", "bus");
    Handshake first = Handshake::accept(who("n2"));
    const std::string hello = n1.take_unsent();
    std::string_view bytes = hello;
    first.read(bytes);
    const std::string answer = first.take_unsent();
    bytes = answer;
    n1.read(bytes);
    const std::string proof = n1.take_unsent();
    Handshake second = Handshake::accept(who("n2"));
    bytes = hello;
    second.read(bytes);
    bytes = proof;
    CHECK(second.read(bytes) == State::Refused);
  }
}

TEST_CASE("Handshake: a third one between two TLS channels has no proof for either", "[peer][handshake]") {
  Handshake n1 = Handshake::dial(who("n1"), "n2", "bus", "channel of n1 and the third one");
  Handshake n2 = Handshake::accept(who("n2"), "channel of the third one and n2");
  talk(n1, n2);  // who carries all bytes from one to the other
  CHECK(n1.state() == State::Refused);
  CHECK(n2.state() == State::UnderWay);
}

TEST_CASE("Handshake: another cluster, another node, another version and no handshake at all are told apart",
          "[peer][handshake]") {
  const auto refused = [](Handshake n1, Handshake n2) {
    talk(n1, n2);
    CHECK(n1.state() == State::Refused);
    return n1.why().message;
  };
  CHECK(refused(Handshake::dial(who("n1", "the secret", "c2"), "n2", "bus"), Handshake::accept(who("n2")))
            .find("another cluster") != std::string::npos);
  CHECK(refused(Handshake::dial(who("n1"), "n2", "bus"), Handshake::accept(who("n3"))).find("n3") != std::string::npos);
  Handshake n2 = Handshake::accept(who("n2"));
  std::string_view bytes = "GET / HTTP/1.1\r\nHost: n2\r\n\r\n";
  CHECK(n2.read(bytes) == State::Refused);
  CHECK(n2.why().code == ErrorCode::InvalidData);
  CHECK(n2.take_unsent().empty());  // nothing is told to whoever that is
  Handshake newer = Handshake::accept(who("n2"));
  const std::string hello = "hearth-peer 2 c1 n1 n2 " + std::string(64, '0') + "\n";
  bytes = hello;
  CHECK(newer.read(bytes) == State::Refused);
  CHECK(newer.take_unsent().starts_with("no "));
  Handshake endless = Handshake::accept(who("n2"));
  const std::string noise(2 * kLineBytesMax, 'x');
  bytes = noise;
  CHECK(endless.read(bytes) == State::Refused);
}
