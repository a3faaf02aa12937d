// One connection to the engine, by libpq, which is included nowhere else. It is to the server that takes writes, whichever of
// those in the URL that is, and has the settings that Hearth's promises rest on, whatever a role or a database says.
//
// What an answer means is decided here, for all that ask:
//
//   rows, and nothing beside them            it is done, and durable
//   an error of the statement                nothing of it happened             failure().is_in_doubt = false
//   the connection is lost, SQLSTATE 08xxx   it may have happened or not        failure().is_in_doubt = true
//   or 57P0x, nothing for silence_max
//   rows, with a warning 01000 or 57P01      the same: a wait for the standby   failure().is_in_doubt = true
//                                            that was cancelled is answered as a success
//
// A connection that is in doubt is closed, and opened anew by who needs one. No password is in a message.
// Thread: one at a time, but for what says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

struct pg_conn;
struct pg_result;

namespace hearth::db {

inline constexpr int kPostgresVersionMin = 150000;
inline constexpr std::chrono::milliseconds kSilenceMax{5'000};  // then an answer is not waited for any more
inline constexpr std::chrono::milliseconds kLockWaitMax{
    4'000};  // the engine's; less, so that it is told and not guessed

// What a node has seen of its engine: a server that is another engine's, or was the primary once and came back, is refused.
// Thread: any.
class EngineMemory {
 public:
  // Errors: Unavailable: another engine, or a timeline lower than one seen before.
  Result<void> admit(const std::string& system, uint32_t timeline);
  void expect(const std::string& system);  // as the cluster was made in
  std::string system() const;              // "": none was seen
  uint32_t timeline() const;               // the highest that was seen
  // Which host of the URL was the primary: it is tried first.
  size_t host() const { return host_; }
  void prefer_host(size_t host) { host_ = host; }

 private:
  mutable std::mutex mutex_;  // Guards all below.
  std::string system_;
  uint32_t timeline_ = 0;
  std::atomic<size_t> host_ = 0;
};

struct PostgresTarget {
  std::string url;
  std::string node;  // the connection's name is hearth:NODE:RUN
  std::string run;
  std::shared_ptr<EngineMemory> memory = std::make_shared<EngineMemory>();
  int interrupt = -1;  // a descriptor: while it can be read, no answer is waited for
  std::chrono::milliseconds silence_max = kSilenceMax;
};

// Parameters of a statement, in the engine's binary formats. What text() and bytes() are given outlives the statement.
class PostgresValues {
 public:
  static constexpr size_t kMax = 10;
  PostgresValues& int4(uint32_t value);
  PostgresValues& int8(uint64_t value);
  PostgresValues& text(std::string_view value);
  PostgresValues& bytes(std::string_view value);
  PostgresValues& boolean(bool value);
  PostgresValues& int8s(const std::vector<uint64_t>& values);
  PostgresValues& texts(const std::vector<std::string>& values);

 private:
  friend class PostgresConnection;
  struct Value {
    unsigned type = 0;
    bool is_binary = true;
    const char* data = nullptr;  // null: in `own`
    size_t size = 0;
    std::string own{};
  };
  Value& next(unsigned type);

  std::array<Value, kMax> values_{};
  size_t count_ = 0;
};

// What a statement answered. Binary, as it came.
class PostgresRows {
 public:
  explicit PostgresRows(pg_result* result);
  size_t count() const;
  uint64_t affected() const;  // the number in the command's tag
  uint32_t int4(size_t row, int column) const;
  uint64_t int8(size_t row, int column) const;
  bool boolean(size_t row, int column) const;
  std::string_view text(size_t row, int column) const;        // of bytea too
  std::vector<uint64_t> int8s(size_t row, int column) const;  // of an array that was cast to text

 private:
  std::shared_ptr<pg_result> result_;
};

class PostgresConnection {
 public:
  // Connects to the first host that takes writes and is of this engine, and sets what has to be set. Blocks for at most about
  // 2 s a host.
  // Errors: Unavailable; InvalidArgument (the URL is none).
  static Result<std::unique_ptr<PostgresConnection>> open(const PostgresTarget& target);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // One statement, a transaction of its own. Errors: Unavailable; failure() says more.
  Result<PostgresRows> ask(const char* statement, const PostgresValues& values = {});
  // Several without parameters, in one transaction.
  Result<void> run(const std::string& statements);
  Result<void> prepare(const char* name, const char* statement, const PostgresValues& types);

  // Rounds: statements that are sent together and are one transaction, with one wait for the standby. From here on
  // nothing but rounds. Statements are those of prepare().
  Result<void> enter_rounds();
  void add(const char* name, const PostgresValues& values);
  // Sends what was added without the end of the transaction: what a process does that stops in its middle. For tests.
  void flush_open_round();
  // The rows that each statement changed, in their order. Errors: as ask(); then it is so for each of them.
  Result<std::vector<uint64_t>> finish_round();

  struct Failure {
    bool is_in_doubt = false;
    std::string state{};  // SQLSTATE, or ""
  };
  const Failure& failure() const { return failure_; }
  // Reads what came unasked: false when the other end has closed. Does not block.
  bool is_open();
  int backend() const;         // its process number in the engine
  int server_version() const;  // 150018

 private:
  PostgresConnection(pg_conn* handle, std::string password, const PostgresTarget& target);
  static void on_notice(void* self, const pg_result* notice);
  Result<void> set_up(EngineMemory& memory);
  Result<void> await_result();
  Result<PostgresRows> answer();
  Error lost(const std::string& why);
  Error failed(const pg_result* result);
  std::string without_password(std::string message) const;
  void send(const char* statement, const char* name, const PostgresValues& values);

  pg_conn* const handle_;
  const std::string password_;
  const int interrupt_;
  const std::chrono::milliseconds silence_max_;
  size_t in_round_ = 0;  // statements that were added
  bool is_lost_ = false;
  bool failed_to_add_ = false;
  std::string doubtful_notice_;
  Failure failure_;
};

// The URL without what proves who asks, for people; "" when it cannot be read.
std::string shown_url(const std::string& url);

// A node's name: letters, digits, '-', '_' and '.'; at most kNodeNameBytesMax. Errors: InvalidArgument.
Result<void> check_node_name(const std::string& name);

}  // namespace hearth::db
