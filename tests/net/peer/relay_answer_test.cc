// Where an answer of another node ends, however its bytes come.
#include "net/peer/relay_answer.h"

#include <catch2/catch.hpp>
#include <string>

using hearth::net::peer::RelayAnswer;
using Found = RelayAnswer::Found;

namespace {

struct Read {
  std::string body{};
  std::string left{};
  Found last = Found::Nothing;
  int status = 0;
};

// Gives `bytes` in pieces of `step`.
Read read(RelayAnswer& answer, const std::string& bytes, size_t step) {
  Read all;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = std::string_view(bytes).substr(at, step);
    for (;;) {
      all.last = answer.next(piece);
      if (all.last == Found::Head) all.status = answer.status();
      if (all.last == Found::Body) all.body += answer.piece();
      if (all.last == Found::Whole || all.last == Found::Broken) {
        all.left = std::string(piece) + bytes.substr(std::min(bytes.size(), at + step));
        return all;
      }
      if (all.last == Found::Nothing) break;
    }
  }
  return all;
}

}  // namespace

TEST_CASE("RelayAnswer: finds the end of an answer, and takes nothing behind it", "[net][peer]") {
  struct Case {
    std::string bytes, body, left;
    int status = 200;
    bool is_head = false;
    Found last = Found::Whole;
  };
  const std::string chunks = "5;x=y\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nA: b\r\n\r\n";
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", "hello", "HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx", "", "x"},
      {"HTTP/1.1 204 No Content\r\n\r\nx", "", "x", 204},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nx", "", "x", 304},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "", "x", 200, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "x", chunks, "x"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", "0\r\n\r\n", "x"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nab", "a", "b", 201},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81", "", "\x81", 101},
      {"HTTP/1.1 200 OK\r\n\r\nall that comes", "all that comes", "", 200, false, Found::Nothing},
      {"SMTP\r\n\r\n", "", "", 0, false, Found::Broken},
      {"HTTP/1.1 2x0 OK\r\n\r\n", "", "", 0, false, Found::Broken},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n", "", "", 0, false, Found::Broken},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", "", "z\r\n", 200, false, Found::Broken},
      {"HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'a'), "", "", 0, false, Found::Broken},
  };
  for (const Case& one : cases) {
    for (const size_t step : {size_t{1}, size_t{3}, one.bytes.size()}) {
      INFO(one.bytes.substr(0, 90) << " in pieces of " << step);
      RelayAnswer answer(one.is_head);
      const Read found = read(answer, one.bytes, step);
      CHECK(found.last == one.last);
      CHECK(found.status == one.status);
      if (one.last == Found::Broken) continue;
      CHECK(found.body == one.body);
      CHECK(found.left == one.left);
    }
  }
}

TEST_CASE("RelayAnswer: says whether the connection can be asked again", "[net][peer]") {
  for (const auto& [fields, keeps] :
       {std::pair("Content-Length: 0\r\n", true), {"Content-Length: 0\r\nConnection: close\r\n", false}, {"", false}}) {
    RelayAnswer answer(false);
    const std::string text = std::string("HTTP/1.1 200 OK\r\n") + fields + "\r\n";
    std::string_view bytes = text;
    CHECK(answer.next(bytes) == Found::Head);
    CHECK(answer.keeps_alive() == keeps);
  }
}
