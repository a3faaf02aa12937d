// `hearth serve` where the disk or its files give out: what it refuses, what it says, and that it comes back.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <sstream>

#include "tests/scripts/program.h"
#include "tests/support/http_client.h"

using hearth::test::ask;
using hearth::test::Connection;
using hearth::test::contents;
using hearth::test::Folder;
using hearth::test::HttpClient;
using hearth::test::Program;
using hearth::test::Reply;
using hearth::test::run;
using hearth::test::Server;
using hearth::test::Told;

namespace {

// A small disk, which takes the right to mount one.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    mkdir(path_.c_str(), 0700);
    is_there_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=40m") == 0;
  }
  ~SmallDisk() {
    if (is_there_) umount(path_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool is_there() const { return is_there_; }
  void fill() {
    const int file = open((path_ + "/filler" + std::to_string(fillers_++)).c_str(), O_WRONLY | O_CREAT, 0600);
    const std::string bytes(4096, 'x');
    while (write(file, bytes.data(), bytes.size()) > 0) {
    }
    close(file);
  }
  void empty() {
    while (fillers_ > 0) unlink((path_ + "/filler" + std::to_string(--fillers_)).c_str());
  }

 private:
  const std::string path_;
  bool is_there_ = false;
  int fillers_ = 0;
};

}  // namespace

TEST_CASE("serve: a full disk refuses writes with the reason, and reads go on", "[scripts]") {
  const Folder folder;
  // A limit on the size of files stands in for a full disk: writes fail in the same place.
  Server server({"--dev", "--data", folder / "data"}, {"sh", "-c", "ulimit -f 4000; exec \"$@\"", "sh"});
  REQUIRE(server.port() != 0);
  CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1"}).status == 200);
  const std::string large = "\"" + std::string(1 << 20, 'x') + "\"";
  Reply reply;
  for (int i = 0; i < 20 && reply.status / 100 != 5; ++i) {
    reply = server.ask({.method = "PUT", .target = fmt::format("/large{}.json?print=silent", i), .body = large});
  }
  INFO(reply.head << "\n" << reply.body << "\n" << server.program().errors());
  CHECK((reply.status == 500 || reply.status == 503));
  CHECK(server.ask({.target = "/a.json"}).body == "1");
  reply = server.ask({.method = "PUT", .target = "/a.json", .body = "2"});
  CHECK(reply.status == 503);
  CHECK_THAT(reply.body, Catch::Contains("File too large"));
  CHECK(server.ask({.target = "/a.json"}).body == "1");
  CHECK(server.ask({.target = "/.health"}).status == 503);
  // Said once, with what failed and what to do.
  CHECK(server.stop(SIGTERM) == 0);
  const std::string log = server.program().errors();
  const std::string said = "error the store is broken; restart to write again";
  REQUIRE(log.find(said) != std::string::npos);
  CHECK(log.find(said) == log.rfind(said));
  CHECK_THAT(log, Catch::Contains("File too large"));
}

TEST_CASE("serve: on a full disk a start is one line, and what was acknowledged is there once there is room",
          "[scripts]") {
  const Folder folder;
  SmallDisk disk(folder / "disk");
  if (!disk.is_there()) return;
  const std::string data = folder / "disk/data";
  {
    Server server({"--dev", "--data", data, "--disk-reserve", "0"});
    REQUIRE(server.port() != 0);
    CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1"}).status == 200);
    CHECK(server.stop(SIGKILL) == 128 + SIGKILL);
  }
  std::ofstream(folder / "b.json") << "1";
  const std::vector<std::vector<std::string>> commands = {
      {"serve", "--dev", "--port", "0", "--log-level", "error", "--data", data},
      {"compact", "--data", data},
      {"fsck", "--repair", "--data", data},
      {"restore", "--data", data, "--ns", "b", folder / "b.json"},
      {"serve", "--dev", "--port", "0", "--log-level", "error", "--data", data + "2"}};
  disk.fill();
  (void)run({"fsck", "--data", data});  // what it removes of the start before makes some room
  for (const std::vector<std::string>& command : commands) {
    disk.fill();
    const Told told = run(command);
    INFO(command.front() << ": " << told.errors);
    CHECK(told.status == 1);
    CHECK_THAT(told.errors, Catch::StartsWith("hearth: ") && Catch::Contains("there is no room for its files"));
    CHECK(std::count(told.errors.begin(), told.errors.end(), '\n') == 1);
  }
  disk.empty();
  Server server({"--dev", "--data", data});
  REQUIRE(server.port() != 0);
  CHECK(server.ask({.target = "/a.json"}).body == "1");
}

TEST_CASE("serve: a store that cannot write its own log serves all the same", "[scripts]") {
  const Folder folder;
  {
    Server server({"--dev", "--data", folder / "data"});
    REQUIRE(server.port() != 0);
    CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1"}).status == 200);
    CHECK(server.stop(SIGTERM) == 0);
  }
  // A block is 512 bytes: less than the store says in its log when it is opened.
  Server server({"--dev", "--data", folder / "data", "--log-level", "off"},
                {"sh", "-c", "ulimit -f 2; exec \"$@\"", "sh"});
  REQUIRE(server.port() != 0);
  CHECK(server.ask({.target = "/a.json"}).body == "1");
  CHECK(server.stop(SIGTERM) == 0);
}

TEST_CASE("serve: what would use up the disk's reserve is refused, removing is not", "[scripts]") {
  const Folder folder;
  {
    Server server({"--dev", "--data", folder / "data"});
    CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = R"({"b":1,"c":1})"}).status == 200);
  }
  Server server({"--dev", "--data", folder / "data", "--disk-reserve", "1000000GB"});
  REQUIRE(server.port() != 0);
  const Reply refused = server.ask({.method = "PUT", .target = "/a.json", .body = "2"});
  CHECK(refused.status == 503);
  CHECK_THAT(refused.head, Catch::Contains("retry-after: "));
  CHECK_THAT(refused.body, Catch::Contains("kept in reserve"));
  CHECK(server.ask({.target = "/.health"}).status == 503);
  CHECK(server.ask({.method = "DELETE", .target = "/a/b.json"}).status == 200);
  CHECK(server.ask({.target = "/a.json"}).body == R"({"c":1})");
  CHECK(server.stop(SIGTERM) == 0);
  const std::string log = server.program().errors();
  const std::string said = "the disk has only its reserve left";
  REQUIRE(log.find(said) != std::string::npos);
  CHECK(log.find(said) == log.rfind(said));
}

TEST_CASE("serve: it may have as many files open as the hard limit allows", "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data"}, {"sh", "-c", R"(ulimit -Sn 64 && exec "$@")", "sh"});
  REQUIRE(server.port() != 0);
  const std::string limits = contents(fmt::format("/proc/{}/limits", server.program().process()));
  const size_t line = limits.find("Max open files");
  REQUIRE(line != std::string::npos);
  std::istringstream words(limits.substr(line + std::string_view("Max open files").size()));
  std::string soft, hard;
  words >> soft >> hard;
  CHECK(soft == hard);
  CHECK(soft != "64");
}

TEST_CASE("serve: where files are few, connections leave some to the store, and the log says how many there may be",
          "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data"}, {"sh", "-c", R"(ulimit -n 200 && exec "$@")", "sh"});
  REQUIRE(server.port() != 0);
  CHECK_THAT(server.program().errors(),
             Catch::Contains("the hard limit of open files is low connections=150 files=200 max_connections=50000"));
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 150; ++i) {
    connections.push_back(std::make_unique<Connection>(server.port()));
    connections.back()->send_text("GET /.health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    REQUIRE_THAT(connections.back()->read_until("\"ok\""), Catch::StartsWith("HTTP/1.1 200"));
  }
  CHECK(server.ask({}).status == 503);  // one past it
  connections.back()->send_text("PUT /a.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1");
  CHECK_THAT(connections.back()->read_until("\r\n\r\n1"), Catch::Contains("HTTP/1.1 200"));
}

TEST_CASE("serve: whatever comes, the store has the files it needs, and there is no trouble when they have left",
          "[scripts]") {
  const Folder folder;
  Server server({"--dev", "--data", folder / "data"}, {"sh", "-c", R"(ulimit -n 128 && exec "$@")", "sh"});
  REQUIRE(server.port() != 0);
  const std::string large = "\"" + std::string(3 << 20, 'x') + "\"";
  const auto put_large = [&](Connection& connection, int number) {
    connection.send_text(
        fmt::format("PUT /large{}.json?print=silent HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                    number, large.size(), large));
    return connection.read_until("\r\n\r\n");
  };
  {
    Connection first(server.port());
    REQUIRE_THAT(put_large(first, 0), Catch::Contains(" 204 "));
    std::vector<std::unique_ptr<Connection>> connections;
    for (int i = 0; i < 200; ++i) connections.push_back(std::make_unique<Connection>(server.port()));
    // Each makes the store begin files.
    for (int i = 1; i < 12; ++i) CHECK_THAT(put_large(first, i), Catch::Contains(" 204 "));
    CHECK(server.ask({.target = "/large1.json?shallow=true"}).status / 100 != 2);  // no place for it
  }
  for (int tries = 0; tries < 1'000 && server.ask({.target = "/.health"}).status != 200; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(server.ask({.target = "/.health"}).status == 200);
  CHECK(server.ask({.method = "PUT", .target = "/a.json", .body = "1"}).status == 200);
  CHECK(server.ask({.target = "/large11.json"}).body.size() >= large.size());  // and its chunks
}
