// Where Beast's parser is laxer than a server behind proxies may be, or asks for care: RequestReader without sockets.
#include "net/http/request_reader.h"

#include <catch2/catch.hpp>

using namespace hearth::net::http;
using Found = RequestReader::Found;

namespace {

struct Read {
  Found end = Found::Nothing;
  int status = 0;
  Request request{};
  size_t bytes = 0;
};

// In pieces of that many bytes; to the end of the first request.
Read read(std::string_view text, size_t piece_bytes) {
  const Limits limits;
  RequestReader reader(limits);
  Read read;
  while (read.bytes < text.size()) {
    std::string_view piece = text.substr(read.bytes, piece_bytes);
    const size_t before = piece.size();
    read.end = reader.next(piece);
    read.bytes += before - piece.size();
    if (read.end == Found::Head) read.end = reader.next(piece = {});
    if (read.end == Found::Error) read.status = reader.error_status();
    if (read.end == Found::Request) read.request = reader.take_request();
    if (read.end != Found::Nothing) break;
  }
  return read;
}

}  // namespace

TEST_CASE("RequestReader: what a proxy might read in another way is refused", "[net][http]") {
  struct Case {
    const char* what;
    std::string sent;
    int status;
  };
  const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n";
  const std::string put = "PUT / HTTP/1.1\r\nHost: x\r\n";
  const std::string chunked = put + "Transfer-Encoding: chunked\r\n\r\n";
  const std::vector<Case> cases = {
      {"half a version", "GET / HTTP/1.\r\nHost: x\r\n\r\n", 505},
      {"less of a version", "GET / HTT\r\nHost: x\r\n\r\n", 400},
      {"a version behind the version", "GET / HTTP/1.1 HTTP/1.2\r\nHost: x\r\n\r\n", 505},
      {"a method too long", std::string(33, 'G') + " / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"an empty method", " / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
      {"a line end of one byte", get + "A: b\nC: d\r\n\r\n", 400},
      {"a carriage return alone", get + "A: b\rC: d\r\n\r\n", 400},
      {"a field folded with a tab", get + "A: b\r\n\tc\r\n\r\n", 400},
      {"a fold of nothing", get + "A:\r\n b\r\n\r\n", 400},
      {"a fold before any field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400},
      {"a zero byte", get + std::string("A: b\0c\r\n\r\n", 10), 400},
      {"two hosts", get + "Host: x\r\n\r\n", 400},
      {"a list of lengths", put + "Content-Length: 5, 5\r\n\r\nhello", 400},
      {"a length with a sign", put + "Content-Length: +5\r\n\r\nhello", 400},
      {"no length", put + "Content-Length:\r\n\r\n", 400},
      {"a length beyond 64 bits", put + "Content-Length: 18446744073709551621\r\n\r\nhello", 400},
      {"chunks and a length", put + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
      {"chunks twice", put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"chunks of HTTP/1.0", "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"a coding that nobody knows", put + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"two codings", put + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"a coding that looks like chunks", put + "Transfer-Encoding: chunked;q=1\r\n\r\n", 501},
      {"a line end in a chunk's extension", chunked + "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n", 400},
      {"a chunk's size beyond 64 bits", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", 400},
      {"a chunk's line with one byte at its end", chunked + "5\nhello\r\n0\r\n\r\n", 400},
      {"a chunk longer than it said", chunked + "2\r\nabc\r\n", 400},
      {"a chunk larger than may be", chunked + "10000001\r\n", 413},
      {"a long extension", chunked + "5;a=" + std::string(300, 'b') + "\r\n", 400},
      {"a trailer without end", chunked + "0\r\nA: " + std::string(40'000, 'b'), 400},
      {"a blank behind a chunk's size", chunked + "5 \r\nhello\r\n0\r\n\r\n", 400},
      {"an extension without a name", chunked + "5;\r\nhello\r\n0\r\n\r\n", 400},
      {"a trailer without a colon", chunked + "0\r\nA\r\n\r\n", 400},
      {"a Connection that is no list of tokens", get + "Connection: keep-alive;timeout=5\r\n\r\n", 400},
      {"a length in the trailer", chunked + "0\r\nContent-Length: 5\r\n\r\n", 400},
  };
  for (const Case& now : cases) {
    for (const size_t piece_bytes : {size_t{1}, size_t{2}, now.sent.size()}) {
      INFO(now.what << ", " << piece_bytes << " bytes at a time");
      CHECK(read(now.sent, piece_bytes).status == now.status);
    }
  }
}

TEST_CASE("RequestReader: a request ends where it ends, however it comes", "[net][http]") {
  struct Case {
    std::string sent;
    std::string body;
  };
  const std::string chunked = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<Case> cases = {
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
      {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ""},
      {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n0\r\n\r", "0\r\n\r"},
      {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "hello"},
      {chunked + "0\r\n\r\n", ""},
      {chunked + "00;a\r\nX: y\r\n\r\n", ""},
      {chunked + "1\r\nX\r\n0\r\n\r\n", "X"},
      {chunked + "4\r\n0\r\n\r\r\n3\r\n0\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\n", "0\r\n\r0\r\n"},
      {chunked + "5 ; a = \"b c\"\r\nhello\r\n0\r\n\r\n", "hello"},
  };
  for (const Case& now : cases) {
    const std::string sent = now.sent + "GET /next HTTP/1.1\r\n";
    for (size_t piece_bytes = 1; piece_bytes <= sent.size(); ++piece_bytes) {
      INFO(now.sent << piece_bytes << " bytes at a time");
      const Read seen = read(sent, piece_bytes);
      REQUIRE(seen.end == Found::Request);
      CHECK(seen.request.body == now.body);
      CHECK(seen.bytes == now.sent.size());
      CHECK(seen.request.header("A") == std::nullopt);  // a trailer is no header field
    }
  }
}
