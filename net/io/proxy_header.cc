// The PROXY protocol, versions 1 and 2, as the grammar in proxy_header.h has it.
//
// Bytes come in pieces, so every answer is one of three: a header, an error, or "more must come". The last is said
// only while the bytes so far can still become a header: a client that speaks HTTP to such a port is told apart with
// its first byte. A header is believed as a whole or not at all; addresses of another family than it says are errors.
#include "net/io/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace hearth::net::http {
namespace {

constexpr std::string_view kBegin1 = "PROXY ";
constexpr std::string_view kBegin2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kLine1BytesMax = 107;
constexpr size_t kHead2Bytes = 16;

using Found = db::Result<std::optional<ProxyHeader>>;

db::Error error(const char* what) { return {db::ErrorCode::InvalidArgument, what}; }

// Whether what has come so far can still become `begin`.
bool may_become(std::string_view bytes, std::string_view begin) {
  return bytes.substr(0, begin.size()) == begin.substr(0, bytes.size());
}

bool is_port(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [last, failed] = std::from_chars(text.data(), end, port);
  return failed == std::errc() && last == end && (text.size() == 1 || text.front() != '0');
}

Found find_1(std::string_view bytes) {
  const size_t end = bytes.substr(0, kLine1BytesMax).find("\r\n");
  if (end == bytes.npos) {
    if (bytes.size() < kLine1BytesMax) return std::optional<ProxyHeader>();
    return db::Error{db::ErrorCode::TooLarge, "the PROXY line is longer than 107 bytes"};
  }
  std::string_view line = bytes.substr(kBegin1.size(), end - kBegin1.size());
  ProxyHeader header{end + 2};
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return std::optional(header);

  std::array<std::string_view, 5> words;  // family, source, target and their ports
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t blank = i + 1 < words.size() ? line.find(' ') : line.size();
    if (blank == line.npos) return error("the PROXY line has too few words");
    words[i] = line.substr(0, blank);
    line.remove_prefix(std::min(blank + 1, line.size()));
  }
  const auto& [family, source, target, source_port, target_port] = words;
  if (family != "TCP4" && family != "TCP6") return error("the PROXY line names neither TCP4, TCP6 nor UNKNOWN");
  const bool is_v4 = family == "TCP4";
  for (const std::string_view text : {source, target}) {
    if (!IpAddress::parse(text) || (text.find(':') == text.npos) != is_v4) {
      return error("the PROXY line holds what is no address of its family");
    }
  }
  if (!is_port(source_port) || !is_port(target_port)) return error("the PROXY line holds what is no port");
  header.source = IpAddress::parse(source);
  return std::optional(header);
}

// Each field is judged as soon as its byte is there, before all of the announced length has come.
Found find_2(std::string_view bytes) {
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  if (bytes.size() > 12 && byte(12) >> 4 != 2) return error("the PROXY header is of a version we do not know");
  if (bytes.size() < kHead2Bytes) return std::optional<ProxyHeader>();
  const size_t length = static_cast<size_t>(byte(14) << 8 | byte(15));
  ProxyHeader header{kHead2Bytes + length};
  if (header.bytes > kProxyHeaderBytesMax) {
    return db::Error{db::ErrorCode::TooLarge, "the PROXY header is longer than 2048 bytes"};
  }
  const unsigned command = byte(12) & 15;
  const unsigned family = byte(13) >> 4;
  const unsigned transport = byte(13) & 15;
  if (command > 1) return error("the PROXY header has a command we do not know");
  if (family > 3 || transport > 1) return error("the PROXY header is not about a TCP connection");
  const bool has_address = command == 1 && transport == 1 && (family == 1 || family == 2);
  if (has_address && length < (family == 1 ? 12u : 36u))
    return error("the PROXY header is too short for its addresses");
  if (bytes.size() < header.bytes) return std::optional<ProxyHeader>();
  if (!has_address) return std::optional(header);

  const auto copy = [&](auto& to) { std::copy_n(bytes.begin() + kHead2Bytes, to.size(), to.begin()); };
  if (family == 1) {
    std::array<uint8_t, 4> source;
    copy(source);
    header.source = IpAddress::v4(source);
  } else {
    IpAddress::Bytes source;
    copy(source);
    header.source = IpAddress(source);
  }
  return std::optional(header);
}

}  // namespace

Found find_proxy_header(std::string_view bytes) {
  const bool may_be_1 = may_become(bytes, kBegin1);
  const bool may_be_2 = may_become(bytes, kBegin2);
  if (!may_be_1 && !may_be_2) return error("no PROXY header");
  if (may_be_1 && bytes.size() >= kBegin1.size()) return find_1(bytes);
  if (may_be_2 && bytes.size() >= kBegin2.size()) return find_2(bytes);
  return std::optional<ProxyHeader>();
}

}  // namespace hearth::net::http
