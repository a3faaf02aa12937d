// Scenarios of many who hear the same: fanout, sse, rooms.
//
//   fanout   one writer ─▶ L leaves ─▶ N WebSockets, each of which listens to all of them
//   sse      the same leaves ─▶ N × L event streams: a stream listens to one
//   rooms    one writer ─▶ R rooms in turn ─▶ N WebSockets in each
//
// The writer goes round the leaves, and a namespace tells its story in order. So each listener knows which write it
// hears next: of all writes, or of every L-th. An event that is lost, doubled, out of order or of another leaf is not
// that one, and ends the run. The value of a write is the time of writing: each event tells its own age.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "tools/bench/http.h"
#include "tools/bench/meter.h"
#include "tools/bench/run.h"
#include "tools/descriptors.h"

namespace hearth::tools {
namespace {

struct Plan {
  std::string name;
  std::string folder;  // of the leaves
  size_t leaves = 1;
  size_t hearers = 1;      // listeners that hear a write
  std::string_view value;  // what stands before the value in an event
};

// One writer, and channels that hear its writes.
class Audience {
 public:
  Audience(Subject& subject, Plan plan)
      : plan_(std::move(plan)), writer_(loop_.connect(subject.address(), "bench")), begin_(Steady::now()) {
    heard_.resize(1);  // of the writer, who listens to nothing
  }

  std::string path(size_t leaf) const { return fmt::format("/{}/leaf{}", plan_.folder, leaf); }

  // A WebSocket that hears `count` leaves, from `first` on.
  void add_socket(const Address& address, size_t first, size_t count) {
    Wire& wire = loop_.wire(loop_.connect(address, "bench"));
    for (size_t leaf = first; leaf < first + count; ++leaf) wire.listen(path(leaf));
    heard_.push_back({first, count == 1 ? plan_.leaves : 1});
    wanted_ += count;
  }
  void add_stream(const Address& address, size_t leaf) {
    loop_.add(std::make_unique<EventStream>(address, path(leaf) + ".json?ns=bench"));
    heard_.push_back({leaf, plan_.leaves});
    ++wanted_;
  }

  // Returns when all who were added listen. A socket says so by its answer, a stream by its first value.
  void wait(bool is_streams) {
    size_t listening = 0;
    loop_.run([&](size_t, uint64_t number, std::string_view) { listening += is_streams || number > 0 ? 1 : 0; },
              [&] { return listening == wanted_; });
  }

  void run(Steady::duration time, size_t window, StatusLine& status) {
    begin_ = Steady::now();
    auto said = begin_;
    const auto write_more = [&] {
      while (Steady::now() - begin_ < time && stamps_.size() - events_ / plan_.hearers < window) write();
    };
    write_more();
    loop_.run(
        [&](size_t channel, uint64_t number, std::string_view text) {
          if (channel == writer_) {
            acks_ += number > 0 ? 1 : 0;
            return;
          }
          hear(channel, text);
          if (events_ % plan_.hearers != 0) return;
          write_more();
          if (Steady::now() - said < std::chrono::milliseconds(250)) return;
          said = Steady::now();
          status.say(fmt::format("{}: {} events in {:.1f} s", plan_.name, events_, seconds_of(said - begin_)));
        },
        [&] { return acks_ == stamps_.size() && events_ == stamps_.size() * plan_.hearers; });
    time_ = Steady::now() - begin_;
  }

  void tell(Report& report, Meter& meter) {
    meter.stop();
    report.add("events_per_s", static_cast<double>(events_) / seconds_of(time_));
    report.add("writes_per_s", static_cast<double>(stamps_.size()) / seconds_of(time_));
    report.add("delivery", delivery_);
    meter.add_cpu(report, "server_cpu_us_per_event", events_);
    meter.add_sends(report, events_);
    meter.add_syncs(report, stamps_.size());
  }

 private:
  struct Heard {
    size_t next = 0;  // the number of the write that comes next
    size_t step = 0;  // to the one behind it
  };

  int64_t now() const { return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begin_).count(); }
  // No two writes have the same stamp, and none has that of the first values.
  void write() {
    const size_t leaf = stamps_.size() % plan_.leaves;
    stamps_.push_back(std::max(stamps_.empty() ? 1 : stamps_.back() + 1, now()));
    loop_.wire(writer_).put(path(leaf), std::to_string(stamps_.back()));
  }
  void hear(size_t channel, std::string_view text) {
    Heard& heard = heard_[channel];
    const size_t at = text.rfind(plan_.value);
    const bool is_due = at != std::string_view::npos && heard.next < stamps_.size() &&
                        number_in<int64_t>(text.substr(at + plan_.value.size())) == stamps_[heard.next];
    if (!is_due) fail(fmt::format("{}: a listener was told {}", plan_.name, text.substr(0, 200)));
    delivery_.add(std::chrono::microseconds(std::max<int64_t>(0, now() - stamps_[heard.next])));
    heard.next += heard.step;
    ++events_;
  }

  const Plan plan_;
  WireLoop loop_;
  const size_t writer_;
  std::vector<Heard> heard_;  // by channel
  size_t wanted_ = 0;         // listeners
  Steady::time_point begin_;
  Steady::duration time_{};
  std::vector<int64_t> stamps_;  // of the writes, microseconds since begin_
  uint64_t acks_ = 0, events_ = 0;
  Latencies delivery_;
};

void measure(Audience& audience, bool is_streams, const BenchFlags& flags, Subject& subject, StatusLine& status,
             Report& report) {
  audience.wait(is_streams);
  Meter meter(subject);
  audience.run(flags.time, flags.fanout_window, status);
  audience.tell(report, meter);
}

constexpr std::string_view kSocketValue = R"("d":)", kStreamValue = R"("data":)";

enum class By : uint8_t { Sockets, Streams };

Report measure_audience(const std::string& name, By by, const BenchFlags& flags, Subject& subject, StatusLine& status) {
  const size_t connections = std::min(flags.listening_connections, flags.listeners);
  const size_t leaves = flags.listeners / connections;
  Report report{name, {}, {}};
  report.set("listeners", std::to_string(leaves * connections));
  report.set("connections", std::to_string(by == By::Sockets ? connections : leaves * connections));
  report.set("leaves", std::to_string(leaves));
  report.set("window", std::to_string(flags.fanout_window));
  report.set("seconds", std::to_string(flags.time.count()));
  subject.describe(report);

  Audience audience(subject, {.name = name,
                              .folder = name,
                              .leaves = leaves,
                              .hearers = connections,
                              .value = by == By::Sockets ? kSocketValue : kStreamValue});
  for (size_t i = 0; i < connections; ++i) {
    if (by == By::Sockets) audience.add_socket(subject.address(), 0, leaves);
    for (size_t leaf = 0; by == By::Streams && leaf < leaves; ++leaf) audience.add_stream(subject.address(), leaf);
  }
  measure(audience, by == By::Streams, flags, subject, status, report);
  return report;
}

}  // namespace

Report measure_fanout(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_audience("fanout", By::Sockets, flags, subject, status);
}

Report measure_sse(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  return measure_audience("sse", By::Streams, flags, subject, status);
}

Report measure_rooms(const BenchFlags& flags, Subject& subject, StatusLine& status) {
  Report report{"rooms", {}, {}};
  report.set("rooms", std::to_string(flags.rooms));
  report.set("room_listeners", std::to_string(flags.room_listeners));
  report.set("window", std::to_string(flags.fanout_window));
  report.set("seconds", std::to_string(flags.time.count()));
  subject.describe(report);
  need_descriptors(flags.rooms * flags.room_listeners);

  Audience audience(subject, {.name = "rooms",
                              .folder = "rooms",
                              .leaves = flags.rooms,
                              .hearers = flags.room_listeners,
                              .value = kSocketValue});
  for (size_t i = 0; i < flags.rooms * flags.room_listeners; ++i) {
    audience.add_socket(subject.address(), i % flags.rooms, 1);
  }
  measure(audience, false, flags, subject, status, report);
  return report;
}

}  // namespace hearth::tools
