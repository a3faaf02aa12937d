#include "net/yjs/awareness_room.h"

#include <charconv>
#include <utility>

namespace hearth::net::yjs {
namespace {

constexpr size_t kKnownMax = 10'000;  // clients whose clocks a room remembers
constexpr std::string_view kGone = "null";

uint64_t client_of(const db::TopicEntry& entry) {
  uint64_t client = 0;
  (void)std::from_chars(entry.key.data(), entry.key.data() + entry.key.size(), client);
  return client;
}

}  // namespace

bool AwarenessRoom::is_news(const db::documents::AwarenessEntry& entry) const {
  const auto known = known_.find(entry.client);
  if (known == known_.end()) return entry.clock > 0;
  if (entry.clock != known->second.clock) return entry.clock > known->second.clock;
  return entry.is_gone() && !known->second.is_gone;
}

void AwarenessRoom::add(const db::TopicEntry& entry, bool is_gone) {
  const uint64_t client = client_of(entry);
  if (known_.size() >= kKnownMax) known_.clear();
  const auto [known, is_new] = known_.try_emplace(client, Known{entry.version, is_gone});
  if (!is_new) {
    const bool is_newer = entry.version > known->second.clock ||
                          (entry.version == known->second.clock && is_gone && !known->second.is_gone);
    if (!is_newer) return;  // another member's session has said it
    known->second = {entry.version, is_gone};
  }
  waiting_[client] = {entry.version, is_gone ? std::string(kGone) : entry.value};
}

void AwarenessRoom::note(const db::TopicMessage& message) {
  if (message.kind == db::TopicMessage::Kind::Present) {
    // Told to the one who came, by itself; the others have it.
    for (const db::TopicEntry& entry : message.joined) known_.try_emplace(client_of(entry), Known{entry.version, false});
    return;
  }
  for (const db::TopicEntry& entry : message.joined) add(entry, false);
  for (const db::TopicEntry& entry : message.left) add(entry, true);
  if (waiting_.empty() || std::exchange(is_scheduled_, true)) return;
  timer_ = http::IoPool::schedule(kAwarenessDelay, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->flush();
  });
}

void AwarenessRoom::flush() {
  is_scheduled_ = false;
  const auto waiting = std::exchange(waiting_, {});
  std::vector<db::documents::AwarenessEntry> entries;
  entries.reserve(waiting.size());
  for (const auto& [client, one] : waiting) entries.push_back({client, one.clock, one.state});
  const std::string awareness = db::documents::encode_awareness(entries);
  const std::vector<Member*> members = members_;  // one may end while it is told
  for (Member* member : members) {
    if (std::find(members_.begin(), members_.end(), member) != members_.end()) member->tell_awareness(awareness);
  }
}

std::string awareness_of(const db::TopicMessage& message) {
  std::vector<db::documents::AwarenessEntry> entries;
  for (const db::TopicEntry& entry : message.joined) entries.push_back({client_of(entry), entry.version, entry.value});
  for (const db::TopicEntry& entry : message.left) entries.push_back({client_of(entry), entry.version, kGone});
  return entries.empty() ? std::string() : db::documents::encode_awareness(entries);
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
