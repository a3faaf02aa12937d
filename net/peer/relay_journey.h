// One request on its way to the node that it is for, and its answer's way back. The head of relay_journey.cc draws it.
// Thread: the home of the client's connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/exchange.h"
#include "net/io/io_pool.h"
#include "net/io/listener.h"
#include "net/peer/relay.h"
#include "net/peer/relay_dials.h"
#include "net/peer/relay_line.h"
#include "net/peer/splice.h"

namespace hearth::net::peer {

class RelayJourney;

struct Relay::Parts {
  using Time = std::chrono::steady_clock::time_point;

  // What lives on one io thread.
  struct Thread {
    std::map<std::string, std::vector<std::shared_ptr<RelayLine>>> idle{};  // by the address of their node
    std::map<const RelayJourney*, std::shared_ptr<RelayJourney>> journeys{};
    // A client's socket: spliced to the owner's node, or served here.
    struct Socket {
      std::weak_ptr<SpliceEnd> spliced;
      std::weak_ptr<http::WebSocket> own;
      std::string space;
      std::string node;            // the owner's
      Time ends_at = Time::max();  // its owner has changed
      bool is_over() const { return spliced.expired() && own.expired(); }
    };
    std::vector<Socket> sockets{};
    uint64_t fingerprint = 0;                             // of the owners, as all were looked at last
    std::vector<std::weak_ptr<RelayJourney>> moving{};    // whose owner is another one since they asked
    size_t ending = 0;                                    // of sockets
    Time swept_at{};                                      // when those that are over were taken out
    std::vector<std::weak_ptr<http::Exchange>> writes{};  // that are served here, and may be answered
    http::Timer watch{};
    bool is_closed = false;
  };

  RelayNodes& nodes;
  http::IoPool& io;
  Hooks hooks;
  const std::unique_ptr<http::Listener> lines;  // the connections to other nodes
  std::vector<Thread> threads;
  RelayCounts counts;
  std::unique_ptr<RelayDials> dials;

  Thread& here() { return threads[http::IoPool::current()]; }
  // Who has what is asked for: of a namespace its owner, of a node that one.
  OwnerSeen owner_of(const RelayTarget& target) const;
  std::shared_ptr<RelayLine> take_line(const std::string& peer);  // an idle one, or null
  void keep_line(const std::string& peer, std::shared_ptr<RelayLine> line);
  void watch(size_t thread);
  void watch_journeys(Thread& thread, bool has_changed);
  void watch_sockets(Thread& thread, Time now, bool has_changed);
  void watch_writes(Thread& thread);
  bool refuse_unsure(http::Exchange& exchange);  // false: it is served
  void prepare(const std::shared_ptr<http::Exchange>& exchange, RelayTarget target, Time until);
  void refuse_relayed(http::Exchange& exchange, const RelayTarget& target) const;
};

class RelayJourney final : public RelayAsker,
                           public http::AnswerSource,
                           public std::enable_shared_from_this<RelayJourney> {
 public:
  using Time = Relay::Parts::Time;

  // `until`: when it gives up looking for an owner.
  RelayJourney(Relay::Parts& relay, std::shared_ptr<http::Exchange> exchange, RelayTarget target, Time until);

  enum class From : uint8_t { Client, Here };  // Here: it was served by this node, as if it were the owner
  void start(From from);
  void go();  // to whoever owns it now
  // After an owner has changed: is it still with its own? Moving: it is not, and is to be looked at again soon.
  enum class Watched : uint8_t { Stays, Moving };
  Watched watch();

  void on_head(RelayAnswer& answer) override;
  void on_piece(std::string_view bytes) override;
  void on_whole(bool is_reusable) override;
  void on_lost(bool has_begun) override;
  void on_drained() override;
  void on_client_end() override;
  void on_client_gone() override;

 private:
  enum class State : uint8_t { Looking, Waiting, Connecting, Asked, Refused, Passing, Over };

  void ask(const OwnerSeen& owner);
  void on_no_line();
  void on_line(std::shared_ptr<RelayLine> line);
  void wait();
  void serve_here();
  void splice(RelayAnswer& answer);
  void on_refused();
  void on_leaving();
  void give_up();
  void refuse(std::string_view message);
  void finish();
  bool is_read() const;
  std::string head() const;

  Relay::Parts& relay_;
  const std::shared_ptr<http::Exchange> exchange_;
  const RelayTarget target_;
  const Time until_;
  State state_ = State::Looking;
  OwnerSeen owner_;                  // that was asked
  std::optional<OwnerSeen> hint_{};  // whom another node has named
  std::string refused_by_{};         // what Hearth-Owner said
  std::shared_ptr<RelayLine> line_;
  std::shared_ptr<http::PassedAnswer> passed_;
  http::SharedBytes body_;
  http::Timer again_;
  Time moved_at_ = Time::max();        // when the owner was seen to be another one
  std::chrono::milliseconds grace_{};  // from then on
  int tries_ = 0;
  bool has_hinted_ = false;
  bool is_back_ = false;  // from this node, and has not looked elsewhere yet
  bool is_stream_ = false;
  bool has_left_ = false;  // the client sends no more, and may have gone
};

}  // namespace hearth::net::peer
