// The engine over TLS: who it is has to be proven by an authority of the operator's own, and all that is said fits into records
// of any size.
#include <openssl/ssl.h>
#include <poll.h>

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "db/log/postgres/connection.h"
#include "tests/db/log/postgres/test_cluster.h"
#include "tests/support/tls.h"

using namespace hearth::db;
using namespace hearth::test;
using Appended = CommitLog::Appended;

namespace {

// The primary speaks TLS for as long as this lives.
class SecureTrio {
 public:
  explicit SecureTrio(const TestAuthority::Pair& pair) {
    trio().speak_tls(pair.certificate, pair.key);
    for (int tries = 0; tries < 200 && !is_secure(); ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    REQUIRE(is_secure());
  }
  ~SecureTrio() {
    for (const char* setting : {"ssl", "ssl_cert_file", "ssl_key_file"}) trio().set(setting, "");
  }
  SecureTrio(const SecureTrio&) = delete;
  SecureTrio& operator=(const SecureTrio&) = delete;

 private:
  static bool is_secure() {
    return trio().ask_primary("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t";
  }
};

PostgresTarget target_of(const TestCluster& cluster, const std::string& host, const std::string& more) {
  PostgresTarget target = cluster.target();
  target.url = "postgresql://hearth@" + host + ":" + std::to_string(trio().port(trio().primary())) + "/" +
               cluster.database() + "?" + more;
  return target;
}

// TLS before a server that has none, with records as large as they may be: servers of later versions, and what stands before
// some, send such ones, and PostgreSQL 15 does not.
class LargeRecords {
 public:
  LargeRecords(const TestAuthority::Pair& pair, int to) : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    REQUIRE(SSL_CTX_use_certificate_chain_file(context_.get(), pair.certificate.c_str()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context_.get(), pair.key.c_str(), SSL_FILETYPE_PEM) == 1);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 4) == 0);
    (void)getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this, to] { serve(to); });
  }
  ~LargeRecords() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  LargeRecords(const LargeRecords&) = delete;
  LargeRecords& operator=(const LargeRecords&) = delete;

  int port = 0;

 private:
  static constexpr size_t kRecord = 16u << 10;
  static constexpr int kGatherMs = 20;

  void serve(int to) {
    for (int client = 0; (client = accept(listener_, nullptr, nullptr)) >= 0;) {
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(to));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      std::array<char, 8> wish;  // SSLRequest
      const bool is_there = connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                            recv(client, wish.data(), wish.size(), MSG_WAITALL) == 8 && send(client, "S", 1, 0) == 1;
      const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context_.get()), SSL_free);
      SSL_set_fd(session.get(), client);
      if (is_there && SSL_accept(session.get()) == 1) pump(session.get(), client, server);
      close(client);
      close(server);
    }
  }
  static void pump(SSL* session, int client, int server) {
    std::vector<char> bytes(kRecord);
    while (true) {
      std::array<pollfd, 2> waits{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
      if (SSL_pending(session) == 0) poll(waits.data(), 2, -1);
      if (SSL_pending(session) > 0 || waits[0].revents != 0) {
        const int count = SSL_read(session, bytes.data(), static_cast<int>(bytes.size()));
        if (count <= 0 || send(server, bytes.data(), static_cast<size_t>(count), MSG_NOSIGNAL) != count) return;
      }
      if (waits[1].revents == 0) continue;
      size_t filled = 0;
      for (pollfd more{server, POLLIN, 0}; filled < kRecord && poll(&more, 1, kGatherMs) > 0;) {
        const ssize_t count = recv(server, bytes.data() + filled, kRecord - filled, 0);
        if (count <= 0) return;
        filled += static_cast<size_t>(count);
      }
      if (filled > 0 && SSL_write(session, bytes.data(), static_cast<int>(filled)) <= 0) return;
    }
  }

  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace

TEST_CASE("TLS: an engine that an own authority has signed is believed by its name, and no other", "[postgres]") {
  TestAuthority ours, another;
  const SecureTrio secure(ours.issue("db1", "db1"));  // and 127.0.0.1
  const TestCluster cluster(2);
  const std::string verified = "sslmode=verify-full&sslrootcert=";
  auto connection = must(PostgresConnection::open(target_of(cluster, "127.0.0.1", verified + ours.file())));
  const auto rows = must(connection->ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"));
  CHECK(rows.boolean(0, 0));

  const auto foreign = PostgresConnection::open(target_of(cluster, "127.0.0.1", verified + another.file()));
  REQUIRE_FALSE(foreign.ok());
  CHECK_THAT(foreign.error().message, Catch::Contains("SSL error"));
  const auto misnamed = PostgresConnection::open(target_of(cluster, "localhost", verified + ours.file()));
  REQUIRE_FALSE(misnamed.ok());
  CHECK_THAT(misnamed.error().message, Catch::Contains("does not match host name"));
  const auto missing = PostgresConnection::open(target_of(cluster, "127.0.0.1", verified + "/none.crt"));
  REQUIRE_FALSE(missing.ok());
  CHECK_THAT(missing.error().message, Catch::Contains("/none.crt"));

  // The log, with batches of some bytes and of more than one record, and the end of its connection.
  PostgresLog::Options options;
  options.target = target_of(cluster, "127.0.0.1", verified + ours.file());
  options.compress_from = SIZE_MAX;
  PostgresLog log(options);
  LogPosition last = must(log.take(0));
  for (const size_t size : {size_t{3}, size_t{100'000}, size_t{3'000'000}}) {
    const std::string id = new_id();
    REQUIRE(append(log, 0, last, id, std::string(size, 'b')) == Appended::Accepted);
    last = {last.sequence + 1, last.epoch, id};
  }
  const std::string backends = "FROM pg_stat_activity WHERE application_name = 'hearth:n1:" + options.target.run + "'";
  CHECK(trio().ask_primary("SELECT bool_and(ssl) FROM pg_stat_ssl WHERE pid IN (SELECT pid " + backends + ")") == "t");
  trio().ask_primary("SELECT pg_terminate_backend(pid, 2000) " + backends);
  CHECK(append(log, 0, last, new_id(), "after") == Appended::Accepted);  // by another one, as nothing was under way
  auto board_options = cluster.board_options("reader");
  board_options.target.url = options.target.url;
  PostgresBoard board(board_options);
  CHECK(must(board.batches(0, 2, 1 << 20)).front() == std::string(3'000'000, 'b'));
}

TEST_CASE("TLS: what is left of a record in the library's own buffer is not waited for", "[postgres]") {
  TestAuthority ours;
  const TestCluster cluster(1);
  const LargeRecords front(ours.issue("db1", "front"), trio().port(trio().primary()));
  PostgresTarget target = cluster.target();
  target.url = "postgresql://hearth@127.0.0.1:" + std::to_string(front.port) + "/" + cluster.database() +
               "?sslmode=verify-full&sslrootcert=" + ours.file();
  auto connection = must(PostgresConnection::open(target));
  for (const int size : {1'000, 8'192, 12'000, 16'300, 16'384, 20'000, 33'000, 100'000, 500'000}) {
    INFO(size);
    const auto rows =
        must(connection->ask("SELECT repeat('x', $1)", PostgresValues().int4(static_cast<uint32_t>(size))));
    CHECK(rows.text(0, 0).size() == static_cast<size_t>(size));
  }
}
