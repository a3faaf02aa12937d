// db::Bus over TCP: a connection from each node to each other one, on which it pushes what it has appended.
//
//   send() ─▶ a queue per peer ─▶ its thread: dial "bus", write frames ──▶ the other's PeerPort ─▶ a thread: on_batch
//   ask_seed() ─▶ dial "seed 5" ◀── pieces ── give_seed                                       (Replica::seed)
//
//   frame  := 'B' shard:4 sequence:8 epoch:8 id:16 size:4 bytes      a batch
//           | 'L'                                                    look at the board: something was given up or taken
//           | 'H'                                                    nothing; each second, so that silence means something
//   seed   := ( 'P' size:4 bytes )* 'E'                              all of it
//           | …  'X' size:4 sentence                                 it cannot be given
//   numbers big-endian
//
// A queue holds `queue_bytes_max`. A peer that does not take them loses the whole queue at once, and has those batches from
// the log: half a queue would be read from there as well, behind a gap. What is queued goes out in one write of up to
// kWriteBytes, so that many small batches are few packets.
//
// A thread per peer that blocks, not the io loops of net/io: there are as many as nodes less one, each with one thing to do,
// and a stalled one may stall. An event loop would save threads where there are few.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "db/cluster/bus.h"
#include "net/peer/peer_port.h"

namespace hearth::net::peer {

inline constexpr size_t kBusQueueBytesMax = 64u << 20;         // --peer-queue-size, of each peer
inline constexpr size_t kBusFrameBytesMax = 16u << 20;         // of a batch; larger ones are read from the log
inline constexpr size_t kBusSeedsMax = 2;                      // given at a time
inline constexpr std::chrono::seconds kBusSilenceMax{5};       // then the connection is made anew
inline constexpr std::chrono::seconds kBusSeedSilenceMax{60};  // of who gives a shard: its first piece may take a while

class PeerBus final : public db::Bus {
 public:
  // Both outlive it.
  PeerBus(PeerPort& port, PeerDialer& dialer, size_t queue_bytes_max = kBusQueueBytesMax);
  ~PeerBus() override;

  void start() override;
  void stop() override;  // the port's threads that are here end with it
  void set_peers(std::vector<db::BusPeer> peers) override;
  void send(db::BusBatch batch) override;
  void nudge() override;
  db::Result<void> ask_seed(const db::BusPeer& peer, uint32_t shard,
                            const std::function<db::Result<void>(std::string_view piece)>& take) override;
  db::BusFigures figures() const override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net::peer
