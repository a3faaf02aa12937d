#include "net/peer/handshake.h"

#include <utility>
#include <vector>

#include "db/base/random.h"
#include "db/base/text.h"
#include "db/model/hmac.h"

namespace hearth::net::peer {
namespace {

using db::ErrorCode;

constexpr std::string_view kGreeting = "hearth-peer";
constexpr std::string_view kVersion = "1";
constexpr size_t kNonceBytes = 32;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t end = line.find(' ');
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end + 1);
  }
}

std::string hello(std::string_view cluster, std::string_view from, std::string_view to) {
  std::string line;
  for (const std::string_view word : {kGreeting, kVersion, cluster, from, to}) line.append(word).append(" ");
  return line + db::random_hex(kNonceBytes);
}

}  // namespace

std::string Handshake::proof(Side side, std::string_view line) const {
  std::string text = side == Side::Dials ? "dials\n" : "accepts\n";
  text.append(db::to_hex(channel_)).append("\n").append(before_).append(line);
  return db::to_hex(db::hmac_sha256(own_.secret, text));
}

void Handshake::say(std::string line) {
  line += '\n';
  before_ += line;
  unsent_ += line;
}

Handshake Handshake::dial(Identity own, std::string peer, std::string purpose, std::string channel) {
  Handshake made(Side::Dials, std::move(own), std::move(channel));
  made.peer_ = std::move(peer);
  made.purpose_ = std::move(purpose);
  made.say(hello(made.own_.cluster, made.own_.node, made.peer_));
  return made;
}

Handshake Handshake::accept(Identity own, std::string channel) {
  return {Side::Accepts, std::move(own), std::move(channel)};
}

Handshake::State Handshake::refuse(ErrorCode code, std::string why, std::string_view say) {
  why_ = {code, std::move(why)};
  if (!say.empty()) unsent_.append("no ").append(say).append("\n");
  return state_ = State::Refused;
}

Handshake::State Handshake::read(std::string_view& came) {
  while (state_ == State::UnderWay && !came.empty()) {
    const size_t end = came.find('\n');
    line_.append(came.substr(0, end));
    came.remove_prefix(end == std::string_view::npos ? came.size() : end + 1);
    if (line_.size() > kLineBytesMax) {
      return refuse(ErrorCode::InvalidData, "What came is no handshake of a node: a line has no end.");
    }
    if (end == std::string_view::npos) return state_;
    const std::string line = std::exchange(line_, {});
    state_ = on_line(line);
  }
  return state_;
}

Handshake::State Handshake::on_line(std::string_view line) {
  if (side_ == Side::Dials) return on_answer(line);
  return peer_.empty() ? on_hello(line) : on_purpose(line);
}

// Accepts: the first line.
Handshake::State Handshake::on_hello(std::string_view line) {
  const auto words = words_of(line);
  if (words.size() != 6 || words[0] != kGreeting || words[5].size() != 2 * kNonceBytes || words[3].empty()) {
    return refuse(ErrorCode::InvalidData, "What came is no handshake of a node.");
  }
  if (words[1] != kVersion) {
    return refuse(ErrorCode::InvalidData, "A node speaks version " + std::string(words[1]) + " of the handshake.",
                  "this node speaks version 1 of the handshake");
  }
  if (words[2] != own_.cluster) {
    return refuse(
        ErrorCode::PermissionDenied,
        "A node of another cluster has called: " + std::string(words[2]) + ", and this is " + own_.cluster + ".",
        "this is a node of another cluster");
  }
  // Also what an own call looks like that somebody has sent back.
  if (words[3] == own_.node) {
    return refuse(ErrorCode::PermissionDenied, "A caller says that it is this node.", "that is this node's name");
  }
  if (words[4] != "-" && words[4] != own_.node) {
    return refuse(
        ErrorCode::PermissionDenied,
        std::string(words[3]) + " has called for " + std::string(words[4]) + ", and this is " + own_.node + ".",
        "this is another node: " + own_.node);
  }
  peer_ = words[3];
  before_.append(line).append("\n");
  std::string answer = hello(own_.cluster, own_.node, peer_) + " ";
  answer += proof(Side::Accepts, answer);
  say(std::move(answer));
  return State::UnderWay;
}

// Dials: the only line that comes.
Handshake::State Handshake::on_answer(std::string_view line) {
  if (line.starts_with("no ")) {
    return refuse(ErrorCode::Unavailable, "The node says no: " + std::string(line.substr(3)) + ".");
  }
  const auto words = words_of(line);
  if (words.size() != 7 || words[0] != kGreeting || words[1] != kVersion) {
    return refuse(ErrorCode::InvalidData, "What answers there is no node of this version.");
  }
  if (words[2] != own_.cluster || words[4] != own_.node) {
    return refuse(ErrorCode::PermissionDenied, "What answers there is of another cluster, or answers somebody else.");
  }
  if (words[3] == own_.node || (peer_ != "-" && words[3] != peer_)) {
    return refuse(ErrorCode::PermissionDenied, "Not " + peer_ + " answers there, but " + std::string(words[3]) + ".");
  }
  const std::string_view proven = line.substr(0, line.size() - words[6].size());
  if (!db::equal_in_constant_time(proof(Side::Accepts, proven), words[6])) {
    return refuse(ErrorCode::PermissionDenied,
                  "What answers there as " + std::string(words[3]) + " does not know this cluster's secret.");
  }
  peer_ = words[3];
  before_.append(line).append("\n");
  const std::string rest = " " + purpose_;
  say(proof(Side::Dials, rest) + rest);
  return State::Done;
}

// Accepts: the last line.
Handshake::State Handshake::on_purpose(std::string_view line) {
  const size_t end = line.find(' ');
  if (end == std::string_view::npos) return refuse(ErrorCode::InvalidData, "What came is no handshake of a node.");
  if (!db::equal_in_constant_time(proof(Side::Dials, line.substr(end)), line.substr(0, end))) {
    return refuse(ErrorCode::PermissionDenied,
                  "A caller that says it is " + peer_ + " does not know this cluster's secret.");
  }
  purpose_ = line.substr(end + 1);
  return State::Done;
}

}  // namespace hearth::net::peer
