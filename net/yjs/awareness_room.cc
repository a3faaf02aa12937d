// What a client says about itself passes three sieves, the cheapest first:
//
//   has_news()   the very bytes that were told to all lately? (three of them)     an echo, found by comparing
//                clocks: is any newer than known_?                                an echo, found by clocks alone
//   is_news()    of each entry, in DocumentClient::on_awareness()                 only news is announced to the shard
//   learn()      of what the ear hears, in note()                                 only news is told to the room
//
// known_ is what the ear has heard, and nothing else changes it: what a client says is in known_ once it has come back
// from the shard. So a client that says something twice before that sends it twice, and the shard drops one
// (db/topics).
//
// The ear and the newcomers:
//
//   join, no ear       the member is the ear and a newcomer: it is told who is there when the shard has told it
//   join, not ready    a newcomer: it waits for the same answer
//   join, ready        it is told at once, from known_
//   the ear leaves     another member is the ear. is_ready_ is false until Present has come; what changed meanwhile is
//                      then found by comparing Present with known_, and told to all
//
// Present is all that there is. So whoever is in known_ and not in Present has gone while nobody heard, and is told as
// gone. A newcomer is left out of flush(), for tell_present() tells it everything right afterwards.
//
// A member may end while it is told something, and take others along. flush() therefore goes through a copy, and asks
// of each member whether it is still in the room.
//
// known_ is bounded: above kKnownClientsMax those who have gone are forgotten, but for those whose leaving is still to
// be told.
#include "net/yjs/awareness_room.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "db/documents/awareness.h"
#include "db/documents/coding.h"
#include "net/websocket/frame.h"
#include "net/yjs/message.h"

namespace hearth::net::yjs {
namespace {

constexpr const char* kGone = "null";

uint64_t client_of(const db::TopicEntry& entry) {
  uint64_t client = 0;
  (void)std::from_chars(entry.key.data(), entry.key.data() + entry.key.size(), client);
  return client;
}

}  // namespace

http::SharedBytes AwarenessTold::frame(const std::string& head) const {
  for (const auto& [known, frame] : frames_) {
    if (known == head) return frame;
  }
  auto made = std::make_shared<const std::string>(http::frame_binary(awareness_message(head, bytes_)));
  frames_.emplace_back(head, made);
  return made;
}

void AwarenessRoom::join(Member& member) {
  members_.push_back(&member);
  if (gate_ != nullptr) member.hear_through(gate_.get());
  if (is_ready_) return tell_present(member);
  newcomers_.push_back(&member);
  if (ear_ != nullptr) return;
  ear_ = &member;
  member.be_ear();
}

void AwarenessRoom::tell_present(Member& member) const {
  std::set<uint64_t> present;
  for (const auto& [client, known] : known_) {
    if (!known.is_gone()) present.insert(client);
  }
  if (!present.empty()) member.tell_awareness(AwarenessTold(awareness_of(present)));
}

void AwarenessRoom::leave(Member& member) {
  std::erase(members_, &member);
  std::erase(newcomers_, &member);
  std::erase(speakers_, &member);
  if (gate_ != nullptr) member.hear_through(nullptr);
  if (ear_ != &member) return;
  ear_ = members_.empty() ? nullptr : members_.front();
  is_ready_ = false;
  if (ear_ != nullptr) ear_->be_ear();
}

bool AwarenessRoom::is_news(uint64_t client, uint64_t clock, bool is_gone) const {
  const auto known = known_.find(client);
  if (known == known_.end()) return clock > 0;
  if (clock != known->second.clock) return clock > known->second.clock;
  return is_gone && !known->second.is_gone();
}

bool AwarenessRoom::has_news(std::string_view awareness) const {
  if (!awareness.empty() && std::find(last_told_.begin(), last_told_.end(), awareness) != last_told_.end())
    return false;
  db::documents::Reader from(awareness);
  for (uint64_t left = from.var_uint(); left > 0 && from.ok(); --left) {
    const uint64_t client = from.var_uint(), clock = from.var_uint();
    const std::string_view state = from.var_buf();
    if (from.ok() && is_news(client, clock, state == kGone)) return true;
  }
  return !from.ok() || !from.is_at_end();
}

// Returns whether it was news.
bool AwarenessRoom::learn(uint64_t client, uint64_t clock, const std::string& state) {
  const bool is_gone = state == kGone;
  if (known_.size() >= kKnownClientsMax && !known_.contains(client)) {
    std::erase_if(known_, [this](const auto& one) { return one.second.is_gone() && !changed_.contains(one.first); });
  }
  const auto [known, is_new] = known_.try_emplace(client, Known{clock, state});
  if (is_new) return true;
  const bool is_newer =
      clock > known->second.clock || (clock == known->second.clock && is_gone && !known->second.is_gone());
  if (is_newer) known->second = {clock, state};
  return is_newer;
}

void AwarenessRoom::note(const db::TopicMessage& message) {
  std::set<uint64_t> there;
  for (const db::TopicEntry& entry : message.joined) {
    const uint64_t client = client_of(entry);
    there.insert(client);
    if (learn(client, entry.version, entry.value)) changed_.insert(client);
  }
  for (const db::TopicEntry& entry : message.left) {
    if (learn(client_of(entry), entry.version, kGone)) changed_.insert(client_of(entry));
  }
  if (message.kind != db::TopicMessage::Kind::Present) return schedule();
  // The message has all entries that there are. A client that is known and not among them has gone while nobody heard.
  is_ready_ = true;
  for (auto& [client, known] : known_) {
    if (known.is_gone() || there.contains(client)) continue;
    known.state = kGone;
    changed_.insert(client);
  }
  flush();
  while (!newcomers_.empty()) {
    Member& newcomer = *newcomers_.back();
    newcomers_.pop_back();
    tell_present(newcomer);
  }
}

void AwarenessRoom::schedule() {
  if (changed_.empty() || std::exchange(is_scheduled_, true)) return;
  // Not told from within this call, even without a delay: what else comes in this turn of the loop goes into the same
  // message.
  const auto since = std::chrono::steady_clock::now() - told_at_;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(kAwarenessDelay - since);
  const auto delay = std::clamp(left, std::chrono::milliseconds(0), kAwarenessDelay);
  timer_ = http::IoPool::schedule(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->flush();
  });
}

void AwarenessRoom::speak(Member& member) {
  speakers_.push_back(&member);
  if (is_about_to_speak_) return;
  if (std::chrono::steady_clock::now() - spoken_at_ > kAwarenessQuiet) return let_speak();
  is_about_to_speak_ = true;
  auto delay = kAwarenessDelay;
  if (gate_ != nullptr) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(kAwarenessDelay - gate_->waited());
    delay = std::clamp(left, std::chrono::milliseconds(0), kAwarenessDelay);
    gate_->shut(2 * kAwarenessDelay);  // until the timer opens it
  }
  speak_timer_ = http::IoPool::schedule(delay, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    if (self->gate_ != nullptr) self->gate_->hear();
    self->let_speak();
  });
}

void AwarenessRoom::let_speak() {
  is_about_to_speak_ = false;
  spoken_at_ = std::chrono::steady_clock::now();
  for (Member* member : std::exchange(speakers_, {})) member->announce();
}

std::string AwarenessRoom::awareness_of(const std::set<uint64_t>& clients) const {
  std::vector<db::documents::AwarenessEntry> entries;
  entries.reserve(clients.size());
  for (const uint64_t client : clients) {
    const Known& known = known_.at(client);
    entries.push_back({client, known.clock, known.state});
  }
  return db::documents::encode_awareness(entries);
}

void AwarenessRoom::flush() {
  is_scheduled_ = false;
  timer_.cancel();
  if (changed_.empty()) return;
  const AwarenessTold told(awareness_of(std::exchange(changed_, {})));
  last_told_[told_count_++ % last_told_.size()] = told.bytes();
  const auto now = std::chrono::steady_clock::now();
  if (now - std::exchange(told_at_, now) < kGateQuiet) use_gate();
  if (gate_ != nullptr) gate_->shut(kEchoTime);
  const std::vector<Member*> members = members_;  // one may end while it is told
  const auto is_in = [](const std::vector<Member*>& all, const Member* one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  for (Member* member : members) {
    if (is_in(members_, member) && !is_in(newcomers_, member)) member->tell_awareness(told);
  }
}

void AwarenessRoom::use_gate() {
  if (gate_ != nullptr || members_.size() < kGateMembersMin) return;
  gate_ = http::Gate::take();
  if (gate_ == nullptr) return;
  for (Member* member : members_) member->hear_through(gate_.get());
  watch_gate();
}

void AwarenessRoom::watch_gate() {
  gate_timer_ = http::IoPool::schedule(kGateKept, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    if (std::chrono::steady_clock::now() - self->told_at_ < kGateKept) return self->watch_gate();
    for (Member* member : self->members_) member->hear_through(nullptr);
    self->gate_.reset();
  });
}

std::shared_ptr<AwarenessRoom> AwarenessRooms::room(const std::string& space, const std::string& path) {
  if (rooms_.size() >= next_sweep_) {
    std::erase_if(rooms_, [](const auto& entry) { return entry.second.expired(); });
    next_sweep_ = 2 * rooms_.size() + 64;
  }
  std::weak_ptr<AwarenessRoom>& known = rooms_[space + '\n' + path];
  auto room = known.lock();
  if (room == nullptr) {
    room = std::make_shared<AwarenessRoom>();
    known = room;
  }
  return room;
}

}  // namespace hearth::net::yjs
