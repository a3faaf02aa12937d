// libpq without its blocking calls, for none of them has a deadline: everything is sent, and then waited for by poll().
// Connecting alone blocks, for a time that the URL's connect_timeout bounds.
#include "db/log/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

#include "db/base/invariant.h"
#include "db/base/text.h"
#include "db/cluster/board.h"

namespace hearth::db {
namespace {

constexpr unsigned kBool = 16, kBytea = 17, kInt8 = 20, kInt4 = 23, kText = 25, kTexts = 1009, kInt8s = 1016;
constexpr const char* kWarning = "01000";     // as a cancelled wait for the standby has it
constexpr const char* kTerminated = "57P01";  // and one whose backend was told to end
constexpr int kBinary = 1;
constexpr int kReadsMax = 8;
constexpr int kReadsOfRecord = 3;  // 16 kB, of which libpq reads 8 kB or more at a time
constexpr int kPausesMax = 3;      // of a round, between two results: there is one

// What the URL may say otherwise: a dead peer is noticed within about 5 s, whichever way it died.
constexpr std::array<std::pair<const char*, const char*>, 6> kDefaults = {{{"tcp_user_timeout", "4000"},
                                                                           {"keepalives", "1"},
                                                                           {"keepalives_idle", "2"},
                                                                           {"keepalives_interval", "1"},
                                                                           {"keepalives_count", "3"},
                                                                           {"connect_timeout", "2"}}};

// Without the warnings a cancelled wait would look like a commit, so who may hide them must not.
const std::string kSettings =
    "SET client_min_messages = notice; SET synchronous_commit = on;"
    " SET default_transaction_isolation = 'read committed'; SET lock_timeout = " +
    std::to_string(kLockWaitMax.count()) +
    "; SET statement_timeout = 0;"
    " SET idle_in_transaction_session_timeout = '2s'; SET client_connection_check_interval = '2s';"
    " SET search_path = hearth";
constexpr const char* kSettingsOf17 = "SET transaction_timeout = '5s'";
constexpr int kVersion17 = 170000;

using Given = std::vector<std::pair<std::string, std::string>>;  // keywords and their values

std::optional<Given> parse(const std::string& url) {
  char* why = nullptr;
  PQconninfoOption* options = PQconninfoParse(url.c_str(), &why);
  if (why != nullptr) PQfreemem(why);  // it may show a password
  if (options == nullptr) return std::nullopt;
  Given given;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) given.emplace_back(option->keyword, option->val);
  }
  PQconninfoFree(options);
  return given;
}

std::string* find(Given& given, std::string_view keyword) {
  for (auto& [name, value] : given) {
    if (name == keyword) return &value;
  }
  return nullptr;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t at = 0;;) {
    const size_t end = list.find(',', at);
    parts.push_back(list.substr(at, end - at));
    if (end == std::string::npos) return parts;
    at = end + 1;
  }
}

// One for each host, in their order. libpq would go through them itself, and stop at the first that answers and refuses: a
// standby that does not have the database yet, or has no connection left.
std::vector<Given> by_host(const Given& given) {
  Given rest;
  std::vector<std::string> hosts(1), ports(1);
  for (const auto& [keyword, value] : given) {
    if (keyword == "hostaddr") return {given};
    if (keyword == "host") {
      hosts = split(value);
    } else if (keyword == "port") {
      ports = split(value);
    } else {
      rest.emplace_back(keyword, value);
    }
  }
  if (ports.size() == 1) ports.resize(hosts.size(), ports.front());
  if (ports.size() != hosts.size()) return {given};  // libpq says what is wrong with it
  std::vector<Given> all;
  for (size_t i = 0; i < hosts.size(); ++i) {
    Given one = rest;
    if (!hosts[i].empty()) one.emplace_back("host", hosts[i]);
    if (!ports[i].empty()) one.emplace_back("port", ports[i]);
    all.push_back(std::move(one));
  }
  return all;
}

void append_be(uint64_t value, size_t bytes, std::string& to) {
  for (size_t shift = 8 * bytes; shift > 0; shift -= 8) to += static_cast<char>(value >> (shift - 8));
}

uint64_t read_be(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

Error unavailable(const std::string& why) { return {ErrorCode::Unavailable, why}; }

// Of libpq's messages, which are of several lines.
std::string line_of(const char* message) {
  std::string line = message == nullptr ? "" : message;
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ';');
  std::replace(line.begin(), line.end(), '\t', ' ');
  return line;
}

}  // namespace

Result<void> EngineMemory::admit(const std::string& system, uint32_t timeline) {
  const std::lock_guard lock(mutex_);
  if (system_.empty()) system_ = system;
  if (system_ != system) {
    return unavailable("this is another engine: its system_identifier is " + system +
                       ", and that of the cluster's is " + system_ +
                       "; give the URL of the engine that the cluster was made in");
  }
  if (timeline < timeline_) {
    return unavailable("a server of the engine takes writes on timeline " + std::to_string(timeline) +
                       ", and timeline " + std::to_string(timeline_) +
                       " was seen before: a former primary that came back. Stop it, and let it follow the primary");
  }
  timeline_ = timeline;
  return {};
}

void EngineMemory::expect(const std::string& system) {
  const std::lock_guard lock(mutex_);
  system_ = system;
}

std::string EngineMemory::system() const {
  const std::lock_guard lock(mutex_);
  return system_;
}

uint32_t EngineMemory::timeline() const {
  const std::lock_guard lock(mutex_);
  return timeline_;
}

PostgresValues::Value& PostgresValues::next(unsigned type) {
  invariant(count_ < kMax, "statements have at most ten parameters");
  values_[count_].type = type;
  return values_[count_++];
}

PostgresValues& PostgresValues::int4(uint32_t value) {
  append_be(value, 4, next(kInt4).own);
  return *this;
}
PostgresValues& PostgresValues::int8(uint64_t value) {
  append_be(value, 8, next(kInt8).own);
  return *this;
}
PostgresValues& PostgresValues::text(std::string_view value) {
  Value& at = next(kText);
  at.data = value.data() == nullptr ? "" : value.data();
  at.size = value.size();
  return *this;
}
PostgresValues& PostgresValues::bytes(std::string_view value) {
  text(value);
  values_[count_ - 1].type = kBytea;
  return *this;
}
PostgresValues& PostgresValues::boolean(bool value) {
  next(kBool).own = std::string(1, value ? '\1' : '\0');
  return *this;
}
PostgresValues& PostgresValues::int8s(const std::vector<uint64_t>& values) {
  Value& at = next(kInt8s);
  at.is_binary = false;
  for (const uint64_t value : values) at.own += (at.own.empty() ? "{" : ",") + std::to_string(value);
  at.own += at.own.empty() ? "{}" : "}";
  return *this;
}
PostgresValues& PostgresValues::texts(const std::vector<std::string>& values) {
  Value& at = next(kTexts);
  append_be(1, 4, at.own);  // dimensions
  append_be(0, 4, at.own);  // none is null
  append_be(kText, 4, at.own);
  append_be(values.size(), 4, at.own);
  append_be(1, 4, at.own);  // the first one's number
  for (const std::string& value : values) {
    append_be(value.size(), 4, at.own);
    at.own += value;
  }
  return *this;
}

PostgresRows::PostgresRows(pg_result* result) : result_(result, [](pg_result* one) { PQclear(one); }) {}

size_t PostgresRows::count() const { return static_cast<size_t>(PQntuples(result_.get())); }
uint64_t PostgresRows::affected() const { return whole_number(PQcmdTuples(result_.get())).value_or(0); }
std::string_view PostgresRows::text(size_t row, int column) const {
  const int at = static_cast<int>(row);
  return {PQgetvalue(result_.get(), at, column), static_cast<size_t>(PQgetlength(result_.get(), at, column))};
}
uint32_t PostgresRows::int4(size_t row, int column) const { return static_cast<uint32_t>(read_be(text(row, column))); }
uint64_t PostgresRows::int8(size_t row, int column) const { return read_be(text(row, column)); }
bool PostgresRows::boolean(size_t row, int column) const { return read_be(text(row, column)) != 0; }
std::vector<uint64_t> PostgresRows::int8s(size_t row, int column) const {
  std::vector<uint64_t> values;
  std::string list(text(row, column));  // {1,2}
  if (list.size() < 3) return values;
  for (const std::string& one : split(list.substr(1, list.size() - 2))) {
    values.push_back(whole_number(one).value_or(0));
  }
  return values;
}

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresTarget& target) {
  std::optional<Given> given = parse(target.url);
  if (!given)
    return Error{ErrorCode::InvalidArgument, "the cluster's URL cannot be read as postgresql://USER@HOST/DATABASE"};
  for (const auto& [keyword, value] : kDefaults) {
    if (find(*given, keyword) == nullptr) given->emplace_back(keyword, value);
  }
  const auto force = [&](const char* keyword, const std::string& value) {
    if (std::string* found = find(*given, keyword)) {
      *found = value;
    } else {
      given->emplace_back(keyword, value);
    }
  };
  force("application_name", "hearth:" + target.node + ":" + target.run);
  force("target_session_attrs", "read-write");
  force("client_encoding", "UTF8");

  const std::string* password = find(*given, "password");
  const std::vector<Given> hosts = by_host(*given);
  const size_t first = target.memory->host();
  std::string why;
  for (size_t i = 0; i < hosts.size(); ++i) {
    const size_t at = (first + i) % hosts.size();
    std::vector<const char*> keywords, values;
    for (const auto& [keyword, value] : hosts[at]) {
      keywords.push_back(keyword.c_str());
      values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    pg_conn* handle = PQconnectdbParams(keywords.data(), values.data(), 0);
    if (handle == nullptr) return unavailable("there is no memory for a connection to the cluster's engine");
    std::unique_ptr<PostgresConnection> made(
        new PostgresConnection(handle, password == nullptr ? "" : *password, target));
    std::string failed = line_of(PQerrorMessage(handle));
    if (PQstatus(handle) == CONNECTION_OK) {
      const Result<void> set = made->set_up(*target.memory);
      if (set.ok()) {
        target.memory->prefer_host(at);
        return made;
      }
      failed = set.error().message;
    }
    why += (why.empty() ? "" : "; ") + made->without_password(failed);
  }
  return unavailable("no server of the cluster's engine takes writes: " + why);
}

PostgresConnection::PostgresConnection(pg_conn* handle, std::string password, const PostgresTarget& target)
    : handle_(handle), password_(std::move(password)), interrupt_(target.interrupt), silence_max_(target.silence_max) {
  PQsetNoticeReceiver(handle_, &PostgresConnection::on_notice, this);
  PQsetnonblocking(handle_, 1);
}

PostgresConnection::~PostgresConnection() { PQfinish(handle_); }

void PostgresConnection::on_notice(void* self, const pg_result* notice) {
  const char* state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
  if (state == nullptr || (std::strcmp(state, kWarning) != 0 && std::strcmp(state, kTerminated) != 0)) return;
  auto& noticed = static_cast<PostgresConnection*>(self)->doubtful_notice_;
  const char* message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  noticed = std::string(state) + " " + line_of(message);
}

Result<void> PostgresConnection::set_up(EngineMemory& memory) {
  RETURN_IF_ERROR(run(kSettings));
  if (server_version() >= kVersion17) RETURN_IF_ERROR(run(kSettingsOf17));
  ASSIGN_OR_RETURN(const PostgresRows engine, ask("SELECT (SELECT system_identifier::text FROM pg_control_system()),"
                                                  " left(pg_walfile_name(pg_current_wal_lsn()), 8)"));
  const std::string timeline(engine.text(0, 1));
  return memory.admit(std::string(engine.text(0, 0)),
                      static_cast<uint32_t>(std::strtoul(timeline.c_str(), nullptr, 16)));
}

std::string PostgresConnection::without_password(std::string message) const {
  if (password_.empty()) return message;
  for (size_t at = message.find(password_); at != std::string::npos; at = message.find(password_, at)) {
    message.replace(at, password_.size(), "…");
  }
  return message;
}

Error PostgresConnection::lost(const std::string& why) {
  is_lost_ = true;
  failure_.is_in_doubt = true;
  return unavailable("the cluster's engine: " + without_password(why));
}

Error PostgresConnection::failed(const pg_result* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  failure_.state = state == nullptr ? "" : state;
  const std::string message = line_of(PQresultErrorMessage(result));
  if (state == nullptr || failure_.state.starts_with("08") || failure_.state.starts_with("57P") ||
      PQstatus(handle_) != CONNECTION_OK) {
    return lost(message.empty() ? "the connection ended" : message);
  }
  // What takes no writes any more is the primary no more, and stays open all the same.
  if (failure_.state == "25006") is_lost_ = true;
  return unavailable("the cluster's engine refuses: " + without_password(message));
}

bool PostgresConnection::is_open() {
  if (is_lost_) return false;
  // Its last words come before its end, so what can be read is read until there is nothing more.
  pollfd waits{PQsocket(handle_), POLLIN, 0};
  for (int reads = 0; reads < kReadsMax && !is_lost_ && poll(&waits, 1, 0) > 0; ++reads) {
    is_lost_ = PQconsumeInput(handle_) == 0;
  }
  if (PQstatus(handle_) != CONNECTION_OK) is_lost_ = true;
  return !is_lost_;
}

int PostgresConnection::backend() const { return PQbackendPID(handle_); }
int PostgresConnection::server_version() const { return PQserverVersion(handle_); }

// Until a result is there. The time starts again with each byte that goes or comes: what is slow is not silent.
Result<void> PostgresConnection::await_result() {
  auto deadline = std::chrono::steady_clock::now() + silence_max_;
  while (true) {
    const int unsent = PQflush(handle_);
    if (unsent < 0) return lost("sending failed: " + line_of(PQerrorMessage(handle_)));
    if (unsent == 0 && PQisBusy(handle_) == 0) return {};
    std::array<pollfd, 2> waits{};
    waits[0] = {PQsocket(handle_), static_cast<short>(POLLIN | (unsent > 0 ? POLLOUT : 0)), 0};
    waits[1] = {interrupt_, POLLIN, 0};  // a negative one is passed over
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = poll(waits.data(), waits.size(), static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) {
      return lost("nothing came for " + std::to_string(silence_max_.count()) + " ms; are its standbys there?");
    }
    if (waits[1].revents != 0) return lost("this node ends");
    if ((waits[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
      // A record of TLS may have more than libpq took of it, and then the socket has nothing more to tell.
      const int reads = PQsslInUse(handle_) != 0 ? kReadsOfRecord : 1;
      for (int read = 0; read < reads; ++read) {
        if (PQconsumeInput(handle_) == 0) return lost(line_of(PQerrorMessage(handle_)));
      }
    }
    deadline = std::chrono::steady_clock::now() + silence_max_;
  }
}

// The answer to one statement that was sent, outside of rounds.
Result<PostgresRows> PostgresConnection::answer() {
  std::optional<PostgresRows> last;
  std::optional<Error> error;
  while (true) {
    RETURN_IF_ERROR(await_result());
    pg_result* result = PQgetResult(handle_);
    if (result == nullptr) break;
    last.emplace(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !error) error = failed(result);
  }
  if (error) return *error;
  if (!doubtful_notice_.empty()) return lost("the commit is in doubt: " + doubtful_notice_);
  if (!last) return lost("the connection ended without an answer");
  return *last;
}

void PostgresConnection::send(const char* statement, const char* name, const PostgresValues& values) {
  std::array<Oid, PostgresValues::kMax> types{};
  std::array<const char*, PostgresValues::kMax> data{};
  std::array<int, PostgresValues::kMax> sizes{}, formats{};
  for (size_t i = 0; i < values.count_; ++i) {
    const PostgresValues::Value& value = values.values_[i];
    types[i] = value.type;
    data[i] = value.data == nullptr ? value.own.c_str() : value.data;
    sizes[i] = static_cast<int>(value.data == nullptr ? value.own.size() : value.size);
    formats[i] = value.is_binary ? kBinary : 0;
  }
  const int count = static_cast<int>(values.count_);
  const int sent = name != nullptr
                       ? PQsendQueryPrepared(handle_, name, count, data.data(), sizes.data(), formats.data(), kBinary)
                       : PQsendQueryParams(handle_, statement, count, types.data(), data.data(), sizes.data(),
                                           formats.data(), kBinary);
  if (sent == 0) failed_to_add_ = true;
}

Result<PostgresRows> PostgresConnection::ask(const char* statement, const PostgresValues& values) {
  failure_ = {};
  if (!is_open()) return lost("the connection ended");
  doubtful_notice_.clear();
  failed_to_add_ = false;
  send(statement, nullptr, values);
  if (failed_to_add_) return lost(line_of(PQerrorMessage(handle_)));
  return answer();
}

Result<void> PostgresConnection::run(const std::string& statements) {
  failure_ = {};
  if (!is_open()) return lost("the connection ended");
  doubtful_notice_.clear();
  if (PQsendQuery(handle_, statements.c_str()) == 0) return lost(line_of(PQerrorMessage(handle_)));
  RETURN_IF_ERROR(answer());
  return {};
}

Result<void> PostgresConnection::prepare(const char* name, const char* statement, const PostgresValues& values) {
  failure_ = {};
  std::array<Oid, PostgresValues::kMax> types{};
  for (size_t i = 0; i < values.count_; ++i) types[i] = values.values_[i].type;
  if (PQsendPrepare(handle_, name, statement, static_cast<int>(values.count_), types.data()) == 0) {
    return lost(line_of(PQerrorMessage(handle_)));
  }
  RETURN_IF_ERROR(answer());
  return {};
}

Result<void> PostgresConnection::enter_rounds() {
  if (PQenterPipelineMode(handle_) == 0) return lost(line_of(PQerrorMessage(handle_)));
  return {};
}

void PostgresConnection::add(const char* name, const PostgresValues& values) {
  if (in_round_++ == 0) {
    failure_ = {};
    doubtful_notice_.clear();
    failed_to_add_ = false;
  }
  send(nullptr, name, values);
}

void PostgresConnection::flush_open_round() {
  PQsendFlushRequest(handle_);
  while (PQflush(handle_) > 0) {
    pollfd waits{PQsocket(handle_), POLLOUT, 0};
    poll(&waits, 1, 100);
  }
}

Result<std::vector<uint64_t>> PostgresConnection::finish_round() {
  const size_t count = in_round_;
  in_round_ = 0;
  if (failed_to_add_ || PQpipelineSync(handle_) == 0) return lost(line_of(PQerrorMessage(handle_)));
  std::vector<uint64_t> changed;
  std::optional<Error> error;
  int pauses = 0;
  // Each statement's result is followed by an end; the round's own result has none. All are read before any of them counts:
  // what makes them doubtful comes with the commit, which is behind the last.
  while (true) {
    RETURN_IF_ERROR(await_result());
    pg_result* result = PQgetResult(handle_);
    if (result == nullptr) {
      // Without an end of the round there is none to come: it would be waited for without a pause, and for ever.
      if (PQstatus(handle_) != CONNECTION_OK || ++pauses > kPausesMax) return lost(line_of(PQerrorMessage(handle_)));
      continue;
    }
    pauses = 0;
    const PostgresRows rows(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_PIPELINE_ABORTED) continue;
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      changed.push_back(rows.affected());
    } else if (!error) {
      error = failed(result);
      if (is_lost_) return *error;
    }
  }
  if (error) return *error;
  if (!doubtful_notice_.empty()) return lost("the commit is in doubt: " + doubtful_notice_);
  if (changed.size() != count) return lost("the round has another number of answers than of statements");
  return changed;
}

std::string shown_url(const std::string& url) {
  std::optional<Given> given = parse(url);
  if (!given) return "";
  const auto value = [&](const char* keyword, const char* otherwise) {
    const std::string* found = find(*given, keyword);
    return found == nullptr ? std::string(otherwise) : *found;
  };
  const std::vector<std::string> hosts = split(value("host", "")), ports = split(value("port", ""));
  std::string shown = "postgresql://";
  for (size_t i = 0; i < hosts.size(); ++i) {
    const std::string& port = ports.size() == hosts.size() ? ports[i] : ports.front();
    shown += (i == 0 ? "" : ",") + hosts[i] + (port.empty() ? "" : ":" + port);
  }
  return shown + "/" + value("dbname", "");
}

Result<void> check_node_name(const std::string& name) {
  const bool is_plain = std::all_of(name.begin(), name.end(), [](char one) {
    return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || (one >= '0' && one <= '9') || one == '-' ||
           one == '_' || one == '.';
  });
  if (!name.empty() && name.size() <= kNodeNameBytesMax && is_plain) return {};
  return Error{ErrorCode::InvalidArgument,
               "a node's name has 1 to " + std::to_string(kNodeNameBytesMax) + " letters, digits, '-', '_' and '.'"};
}

}  // namespace hearth::db
