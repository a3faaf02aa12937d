// How two nodes prove to each other that they are of one cluster, before anything else is said: a challenge each way, answered
// with HMAC-SHA256 of the cluster's secret. Pure: bytes in, bytes out; the sockets are peer_port.cc's.
//
//   dials                                                        accepts
//   hearth-peer 1 CLUSTER n1 n2 NONCE                ──────────▶
//                        ◀──────────  hearth-peer 1 CLUSTER n2 n1 NONCE PROOF      or: no SENTENCE
//   PROOF bus | seed 5 | http                        ──────────▶ from here on the connection is what it is for
//
//   line   := words between single spaces, "\n" at the end; kLineBytesMax at most
//   names  of who says it, then of whom it is said to ("-": whoever is there)
//   nonce  := 32 random bytes in hex
//   proof  := HMAC-SHA256(secret, side "\n" channel "\n" all lines before it, and the other words of its own) in hex
//   side   := "accepts" | "dials": so nobody's proof is good for sending back to him
//   channel  what is secret and new of the TLS connection below (RFC 5705), so that a proof is of no use on another one;
//            empty without TLS
//
// A proof covers both nonces and both names, so none can be used again, or by a third one between two that do not expect
// him. Who listens on a wire without TLS can still go between and read or change what follows; hence PeerOptions::plain.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "db/base/result.h"

namespace hearth::net::peer {

inline constexpr size_t kLineBytesMax = 512;

struct Identity {
  std::string cluster{};
  std::string node{};
  std::string secret{};
};

class Handshake {
 public:
  // Of who connects to `peer` ("-": whoever is there) for `purpose`.
  static Handshake dial(Identity own, std::string peer, std::string purpose, std::string channel = "");
  static Handshake accept(Identity own, std::string channel = "");

  enum class State : uint8_t { UnderWay, Done, Refused };
  // Takes from the front of what came; what is beyond the handshake stays. What is to be sent is in unsent().
  State read(std::string_view& came);
  State state() const { return state_; }
  std::string take_unsent() { return std::exchange(unsent_, {}); }

  // Done:
  const std::string& peer() const { return peer_; }
  const std::string& purpose() const { return purpose_; }
  // Refused, for a person: why. Errors: PermissionDenied (the other does not know the secret, or is not who it should be),
  // InvalidData (it speaks something else), Unavailable (it says no).
  const db::Error& why() const { return why_; }

 private:
  enum class Side : uint8_t { Dials, Accepts };
  Handshake(Side side, Identity own, std::string channel)
      : side_(side), own_(std::move(own)), channel_(std::move(channel)) {}
  State on_line(std::string_view line);
  State on_hello(std::string_view line);
  State on_answer(std::string_view line);
  State on_purpose(std::string_view line);
  State refuse(db::ErrorCode code, std::string why, std::string_view say = "");
  std::string proof(Side side, std::string_view line) const;
  void say(std::string line);

  const Side side_;
  const Identity own_;
  const std::string channel_;
  std::string peer_{}, purpose_{};
  std::string line_{};    // that has come so far
  std::string before_{};  // all whole lines, both ways
  std::string unsent_{};
  State state_ = State::UnderWay;
  db::Error why_{db::ErrorCode::Unavailable, ""};
};

}  // namespace hearth::net::peer
