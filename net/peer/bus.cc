#include "net/peer/bus.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "db/base/text.h"
#include "net/io/log.h"

namespace hearth::net::peer {
namespace {

using db::BusBatch;
using db::BusPeer;
using db::Error;
using db::ErrorCode;
using db::Result;
using http::log;
using http::LogLevel;

constexpr size_t kWriteBytes = 256u << 10;
constexpr std::chrono::milliseconds kBeatEvery{1'000};
constexpr std::chrono::milliseconds kDialAgainAfter{500};
constexpr size_t kPieceBytesMax = 16u << 20;
constexpr size_t kBatchHeadBytes = 4 + 8 + 8 + db::kBatchIdBytes + 4;

void append_number(uint64_t number, size_t bytes, std::string& to) {
  for (size_t i = bytes; i > 0; --i) to += static_cast<char>(number >> (8 * (i - 1)));
}

uint64_t read_number(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Reads frames: what came early first.
class Reader {
 public:
  Reader(int fd, std::string early, std::chrono::milliseconds silence_max)
      : fd_(fd), buffer_(std::move(early)), silence_max_(silence_max) {}
  // `size` bytes, valid until the next call; nothing: the connection has ended, or said nothing for that long.
  std::optional<std::string_view> read(size_t size) {
    if (buffer_.size() - at_ < size) {
      buffer_.erase(0, std::exchange(at_, 0));
      while (buffer_.size() < size) {
        pollfd wait{fd_, POLLIN, 0};
        if (poll(&wait, 1, static_cast<int>(silence_max_.count())) <= 0) return {};
        const size_t before = buffer_.size();
        buffer_.resize(std::max(size, before + (64u << 10)));
        const ssize_t got = recv(fd_, buffer_.data() + before, buffer_.size() - before, 0);
        buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
        if (got <= 0) return {};
      }
    }
    const std::string_view found = std::string_view(buffer_).substr(at_, size);
    at_ += size;
    return found;
  }

 private:
  const int fd_;
  std::string buffer_;
  const std::chrono::milliseconds silence_max_;
  size_t at_ = 0;
};

std::string frame_head(const BusBatch& batch) {
  std::string head = "B";
  append_number(batch.shard, 4, head);
  append_number(batch.at.sequence, 8, head);
  append_number(batch.at.epoch, 8, head);
  head += batch.at.id;
  append_number(batch.bytes->size(), 4, head);
  return head;
}

}  // namespace

struct PeerBus::Parts {
  Parts(PeerPort& with_port, PeerDialer& with_dialer, size_t bytes_max)
      : port(with_port), dialer(with_dialer), queue_bytes_max(bytes_max) {}

  struct Peer {
    BusPeer who;
    std::deque<BusBatch> queue;
    uint64_t queue_bytes = 0;
    bool must_nudge = false;
    bool is_up = false, is_gone = false;
    int fd = -1;
    uint64_t sent = 0, dropped = 0;
    std::thread thread;
  };

  PeerPort& port;
  PeerDialer& dialer;
  const size_t queue_bytes_max;
  PeerBus* bus = nullptr;

  mutable std::mutex mutex;  // Guards all below.
  std::condition_variable changed;
  std::map<std::string, std::shared_ptr<Peer>> peers;
  std::vector<std::shared_ptr<Peer>> leaving;  // whose threads are to be joined
  std::set<int> sockets;                       // that somebody reads from here
  size_t seeds = 0, calls = 0;
  bool is_started = false, is_stopped = false;
  std::atomic<uint64_t> received{0};

  void push_to(const std::shared_ptr<Peer>& peer);
  bool push(Peer& peer, int fd);
  void hear(PeerSocket socket);
  void give(PeerSocket socket, const std::string& rest);
  // Whether a call of the port's may go on; and its end.
  bool begin_call(int fd);
  void end_call(int fd);
};

bool PeerBus::Parts::begin_call(int fd) {
  const std::lock_guard lock(mutex);
  if (!is_started || is_stopped) return false;
  ++calls;
  sockets.insert(fd);
  return true;
}

void PeerBus::Parts::end_call(int fd) {
  const std::lock_guard lock(mutex);
  sockets.erase(fd);
  --calls;
  changed.notify_all();
}

// ---- sending ----

void PeerBus::Parts::push_to(const std::shared_ptr<Peer>& peer) {
  std::unique_lock lock(mutex);
  while (!is_stopped && !peer->is_gone) {
    const BusPeer who = peer->who;
    lock.unlock();
    auto dialed = dialer.dial(who.address, who.name, "bus");
    lock.lock();
    if (!dialed.ok()) {
      // What waits for a node that is not there would be old when it comes.
      peer->dropped += peer->queue.size();
      peer->queue.clear();
      peer->queue_bytes = 0;
      // Who does not know the secret is worth a line; who is not there is seen by his beat.
      if (dialed.error().code != ErrorCode::Unavailable) {
        lock.unlock();
        http::log_seldom(LogLevel::Warn, "bus", "a node is not told of what is written",
                         {{"node", who.name}, {"reason", dialed.error().message}});
        lock.lock();
      }
      changed.wait_for(lock, kDialAgainAfter, [&] { return is_stopped || peer->is_gone; });
      continue;
    }
    const int fd = dialed.value().fd;
    // A peer that takes nothing must not hold this thread for ever.
    timeval patience{};
    patience.tv_sec = kBusSilenceMax.count();
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    peer->fd = fd;
    peer->is_up = true;
    lock.unlock();
    log(LogLevel::Info, "tells a node of what is written", {{"node", who.name}, {"address", who.address}});
    while (push(*peer, fd)) {
    }
    lock.lock();
    const bool is_news = !is_stopped && !peer->is_gone;
    peer->is_up = false;
    peer->fd = -1;
    close(fd);
    if (!is_news) break;
    lock.unlock();
    log(LogLevel::Warn, "a node is not told of what is written any more: the connection has ended",
        {{"node", who.name}});
    lock.lock();
    changed.wait_for(lock, kDialAgainAfter, [&] { return is_stopped || peer->is_gone; });
  }
}

// What there is, in one write. False: the connection is over.
bool PeerBus::Parts::push(Peer& peer, int fd) {
  std::string out;
  std::deque<BusBatch> taken;
  {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kBeatEvery,
                     [&] { return is_stopped || peer.is_gone || peer.must_nudge || !peer.queue.empty(); });
    if (is_stopped || peer.is_gone) return false;
    for (size_t bytes = 0; !peer.queue.empty() && bytes < kWriteBytes;) {
      bytes += peer.queue.front().bytes->size();
      taken.push_back(std::move(peer.queue.front()));
      peer.queue.pop_front();
    }
    if (std::exchange(peer.must_nudge, false)) out += 'L';
  }
  uint64_t bytes = 0;
  for (const BusBatch& batch : taken) {
    out += frame_head(batch);
    out += *batch.bytes;
    bytes += batch.bytes->size();
  }
  if (out.empty()) out = "H";
  const bool is_written = write_all(fd, out);
  const std::lock_guard lock(mutex);
  peer.queue_bytes -= std::min(bytes, peer.queue_bytes);
  (is_written ? peer.sent : peer.dropped) += taken.size();
  return is_written;
}

void PeerBus::send(BusBatch batch) {
  const size_t size = batch.bytes->size();
  const std::lock_guard lock(parts_->mutex);
  for (auto& [_, peer] : parts_->peers) {
    if (!peer->is_up || size > kBusFrameBytesMax) {
      ++peer->dropped;
      continue;
    }
    if (peer->queue_bytes + size > parts_->queue_bytes_max) {
      peer->dropped += peer->queue.size() + 1;
      for (const BusBatch& one : peer->queue)
        peer->queue_bytes -= std::min<uint64_t>(one.bytes->size(), peer->queue_bytes);
      peer->queue.clear();
      continue;
    }
    peer->queue.push_back(batch);
    peer->queue_bytes += size;
  }
  parts_->changed.notify_all();
}

void PeerBus::nudge() {
  const std::lock_guard lock(parts_->mutex);
  for (auto& [_, peer] : parts_->peers) peer->must_nudge = true;
  parts_->changed.notify_all();
}

void PeerBus::set_peers(std::vector<BusPeer> wanted) {
  const std::lock_guard lock(parts_->mutex);
  if (!parts_->is_started || parts_->is_stopped) return;
  std::map<std::string, std::string> by_name;
  for (BusPeer& one : wanted) by_name[one.name] = one.address;
  for (auto at = parts_->peers.begin(); at != parts_->peers.end();) {
    Parts::Peer& peer = *at->second;
    const auto found = by_name.find(at->first);
    if (found != by_name.end() && found->second == peer.who.address) {
      by_name.erase(found);
      ++at;
      continue;
    }
    peer.is_gone = true;
    if (peer.fd >= 0) shutdown(peer.fd, SHUT_RDWR);
    parts_->leaving.push_back(std::move(at->second));
    at = parts_->peers.erase(at);
  }
  for (auto& [name, address] : by_name) {
    const auto peer = std::make_shared<Parts::Peer>();
    peer->who = {name, address};
    parts_->peers[name] = peer;
    peer->thread = std::thread([parts = parts_.get(), peer] { parts->push_to(peer); });
  }
  parts_->changed.notify_all();
}

// ---- hearing ----

void PeerBus::Parts::hear(PeerSocket socket) {
  if (!begin_call(socket.fd)) {
    close(socket.fd);
    return;
  }
  Reader reader(socket.fd, std::move(socket.early), kBusSilenceMax);
  for (bool goes_on = true; goes_on;) {
    const auto kind = reader.read(1);
    if (!kind) break;
    switch (kind->front()) {
      case 'H':
        break;
      case 'L':
        if (bus->on_nudge) bus->on_nudge();
        break;
      case 'B': {
        const auto head = reader.read(kBatchHeadBytes);
        if (!head) {
          goes_on = false;
          break;
        }
        BusBatch batch;
        batch.shard = static_cast<uint32_t>(read_number(head->substr(0, 4)));
        batch.at.sequence = read_number(head->substr(4, 8));
        batch.at.epoch = read_number(head->substr(12, 8));
        batch.at.id = head->substr(20, db::kBatchIdBytes);
        const uint64_t size = read_number(head->substr(20 + db::kBatchIdBytes, 4));
        const auto bytes = size <= kBusFrameBytesMax ? reader.read(size) : std::nullopt;
        if (!bytes) {
          goes_on = false;
          break;
        }
        batch.bytes = std::make_shared<const std::string>(*bytes);
        ++received;
        if (bus->on_batch) bus->on_batch(std::move(batch));
        break;
      }
      default:
        goes_on = false;  // a newer node, or nonsense; it is read from the log
    }
  }
  end_call(socket.fd);
  close(socket.fd);
}

// ---- seeds ----

void PeerBus::Parts::give(PeerSocket socket, const std::string& rest) {
  if (!begin_call(socket.fd)) {
    close(socket.fd);
    return;
  }
  const auto shard = db::whole_number(rest);
  bool may = false;
  {
    const std::lock_guard lock(mutex);
    may = seeds < kBusSeedsMax;
    if (may) ++seeds;
  }
  Result<void> given;
  if (!may) {
    given = Error{ErrorCode::Unavailable, "the node gives other shards at the moment"};
  } else if (!shard || !bus->give_seed) {
    given = Error{ErrorCode::InvalidArgument, "the node has no such shard"};
  } else {
    log(LogLevel::Info, "gives a shard to a node", {{"shard", *shard}, {"node", socket.node}});
    given = bus->give_seed(static_cast<uint32_t>(*shard), [&](std::string_view piece) -> Result<void> {
      std::string head = "P";
      append_number(piece.size(), 4, head);
      if (write_all(socket.fd, head) && write_all(socket.fd, piece)) return {};
      return Error{ErrorCode::Unavailable, "the node that asked for it has hung up"};
    });
  }
  std::string end = given.ok() ? "E" : "X";
  if (!given.ok()) {
    append_number(given.error().message.size(), 4, end);
    end += given.error().message;
  }
  (void)write_all(socket.fd, end);
  if (may) {
    const std::lock_guard lock(mutex);
    --seeds;
  }
  end_call(socket.fd);
  close(socket.fd);
}

Result<void> PeerBus::ask_seed(const BusPeer& peer, uint32_t shard,
                               const std::function<Result<void>(std::string_view piece)>& take) {
  ASSIGN_OR_RETURN(PeerSocket socket, parts_->dialer.dial(peer.address, peer.name, "seed " + std::to_string(shard)));
  if (!parts_->begin_call(socket.fd)) {
    close(socket.fd);
    return Error{ErrorCode::Unavailable, "this node stops"};
  }
  Reader reader(socket.fd, std::move(socket.early), kBusSeedSilenceMax);
  const auto read_all = [&]() -> Result<void> {
    const Error hung_up{ErrorCode::Unavailable,
                        peer.name + " has hung up, or is silent, before all of the shard was here"};
    for (;;) {
      const auto kind = reader.read(1);
      if (!kind) return hung_up;
      const char what = kind->front();
      if (what == 'E') return {};
      if (what != 'P' && what != 'X') return Error{ErrorCode::Corruption, peer.name + " sends what is no shard"};
      const auto head = reader.read(4);
      if (!head) return hung_up;
      const uint64_t size = read_number(*head);
      if (size > kPieceBytesMax) return Error{ErrorCode::Corruption, peer.name + " sends a piece that is too large"};
      const auto bytes = reader.read(size);
      if (!bytes) return hung_up;
      if (what == 'X') return Error{ErrorCode::Unavailable, peer.name + " says: " + std::string(*bytes)};
      RETURN_IF_ERROR(take(*bytes));
    }
  };
  auto done = read_all();
  parts_->end_call(socket.fd);
  close(socket.fd);
  return done;
}

// ---- life ----

PeerBus::PeerBus(PeerPort& port, PeerDialer& dialer, size_t queue_bytes_max)
    : parts_(std::make_unique<Parts>(port, dialer, queue_bytes_max)) {
  parts_->bus = this;
}

PeerBus::~PeerBus() { stop(); }

void PeerBus::start() {
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->is_started = true;
  }
  parts_->port.on("bus",
                  [parts = parts_.get()](PeerSocket socket, const std::string&) { parts->hear(std::move(socket)); });
  parts_->port.on("seed", [parts = parts_.get()](PeerSocket socket, const std::string& rest) {
    parts->give(std::move(socket), rest);
  });
}

void PeerBus::stop() {
  std::vector<std::shared_ptr<Parts::Peer>> ended;
  {
    std::unique_lock lock(parts_->mutex);
    if (!parts_->is_started || parts_->is_stopped) return;
    parts_->is_stopped = true;
    for (const int one : parts_->sockets) shutdown(one, SHUT_RDWR);
    for (auto& [_, peer] : parts_->peers) {
      if (peer->fd >= 0) shutdown(peer->fd, SHUT_RDWR);
      ended.push_back(std::move(peer));
    }
    parts_->peers.clear();
    for (auto& peer : parts_->leaving) ended.push_back(std::move(peer));
    parts_->leaving.clear();
    parts_->changed.notify_all();
  }
  for (const auto& peer : ended) peer->thread.join();
  std::unique_lock lock(parts_->mutex);
  parts_->changed.wait(lock, [this] { return parts_->calls == 0; });
}

db::BusFigures PeerBus::figures() const {
  db::BusFigures all;
  all.received = parts_->received;
  const std::lock_guard lock(parts_->mutex);
  for (const auto& [name, peer] : parts_->peers) {
    all.peers[name] = {
        .is_up = peer->is_up, .queued_bytes = peer->queue_bytes, .sent = peer->sent, .dropped = peer->dropped};
  }
  return all;
}

}  // namespace hearth::net::peer
