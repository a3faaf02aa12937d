// libcurl's multi interface: one thread, many transfers, names resolved by threads of its own.
//
//   post ─▶ easy handle ─▶ multi ─▶ resolver ─▶ open_socket(address): may_connect? ─ no ─▶ the next one, or a failure
//                                                       └ yes ─▶ a socket for this address ─▶ TLS ─▶ POST
//
// open_socket() is where a name that resolves to an inner address is stopped: libcurl connects the socket that it
// returns to the address that it was shown. A connection that is used again was opened so too.
//
// A PostTransfer has everything that libcurl points at while the transfer runs: the body (which libcurl does not copy),
// the header lines, the buffer for the reason of a failure. So it stays in `transfers` until its handle has been taken
// out of the multi handle, and the destructor keeps that order as well. What could not be begun waits in `failed`, and
// is told by the next run() as any other: post() itself never calls back.
//
// An answer is cut where it is long enough: on_post_body() then answers libcurl with an error, `has_enough` says that
// this was our own wish, and the status counts. A head that is too long is a failure, since no receiver needs one.
//
// Redirects are not followed and proxies are not used, those of the environment neither: both would lead to an address
// that may_connect() has not seen.
#include "net/outgoing/poster.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <utility>

#include "net/io/field_value.h"
#include "net/outgoing/curl.h"

namespace hearth::net::http {
namespace {

using db::Error;
using db::ErrorCode;

constexpr long kConnectionsKept = 64;  // that are idle

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using ParsedUrl = std::unique_ptr<CURLU, FreeUrl>;

Error no_url(std::string_view why) {
  return {ErrorCode::InvalidArgument, "The URL must be as https://example.com/orders: " + std::string(why) + "."};
}

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

// Parses a URL for parse_url() and for transfers alike, so that what was checked is what is asked.
db::Result<ParsedUrl> parsed(const std::string& text) {
  if (text.size() > kPostUrlBytesMax) return no_url("it is too long");
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!is_plain) return no_url("it has blanks, or letters that are not ASCII");
  ParsedUrl url(curl_url());
  if (url == nullptr) return Error{ErrorCode::Io, "libcurl could not be started"};
  if (const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0); code != CURLUE_OK) {
    return no_url(curl_url_strerror(code));
  }
  return url;
}

std::optional<IpAddress> address_of(const curl_sockaddr& from) {
  if (from.family == AF_INET && from.addrlen >= sizeof(sockaddr_in)) {
    sockaddr_in address{};
    std::memcpy(&address, &from.addr, sizeof address);
    std::array<uint8_t, 4> four{};
    std::memcpy(four.data(), &address.sin_addr, four.size());
    return IpAddress::v4(four);
  }
  if (from.family == AF_INET6 && from.addrlen >= sizeof(sockaddr_in6)) {
    sockaddr_in6 address{};
    // `addr` is declared as the shortest of addresses, and has room for the longest.
    std::memcpy(&address, static_cast<const void*>(&from.addr), sizeof address);
    IpAddress::Bytes bytes{};
    std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
    return IpAddress(bytes);
  }
  return {};
}

struct PostTransfer {
  Posting posting;
  Posted posted;
  ParsedUrl url;
  CurlHandle handle{};
  CurlFields fields{};
  size_t head_bytes = 0;
  bool has_enough = false;  // the answer's body is longer than what is read of it
  std::string refused{};    // why an address was not connected to
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
  char reason[CURL_ERROR_SIZE] = "";
};

size_t on_post_body(char* bytes, size_t, size_t count, void* to) {
  auto& transfer = *static_cast<PostTransfer*>(to);
  std::string& body = transfer.posted.body;
  const size_t room = transfer.posting.answer_bytes_max - body.size();
  body.append(bytes, std::min(room, count));
  transfer.has_enough = count > room;
  return transfer.has_enough ? CURL_WRITEFUNC_ERROR : count;
}

size_t on_post_header(char* bytes, size_t, size_t count, void* to) {
  auto& transfer = *static_cast<PostTransfer*>(to);
  transfer.head_bytes += count;
  if (transfer.head_bytes > kAnswerHeadBytesMax) return CURL_WRITEFUNC_ERROR;
  const std::string_view line(bytes, count);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !equals_ignoring_case(line.substr(0, colon), "retry-after")) return count;
  std::string_view value = line.substr(colon + 1);
  while (value.ends_with('\n') || value.ends_with('\r')) value.remove_suffix(1);
  value = trimmed(value);
  uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size()) {
    transfer.posted.retry_after = std::chrono::seconds(seconds);
  }
  return count;
}

curl_socket_t open_socket(void* of, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<PostTransfer*>(of);
  const auto where = address_of(*address);
  db::Result<void> may = where ? db::Result<void>() : db::Result<void>(Error{ErrorCode::PermissionDenied, "no IP"});
  if (where && transfer.posting.may_connect) may = transfer.posting.may_connect(*where);
  if (!may.ok()) {
    transfer.refused = may.error().message;
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace

db::Result<UrlParts> parse_url(const std::string& text) {
  ASSIGN_OR_RETURN(const ParsedUrl url, parsed(text));
  UrlParts parts;
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  parts.is_secure = scheme == "https";
  if (!parts.is_secure && scheme != "http") return no_url("it must begin with https://, or http://");
  if (!part_of(url.get(), CURLUPART_USER).empty() || !part_of(url.get(), CURLUPART_PASSWORD).empty()) {
    return no_url("a user or password in it would be shown to whoever lists it");
  }
  if (!part_of(url.get(), CURLUPART_FRAGMENT).empty()) return no_url("what is behind # is not sent");
  parts.host = part_of(url.get(), CURLUPART_HOST);
  std::transform(parts.host.begin(), parts.host.end(), parts.host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (parts.host.starts_with('[') && parts.host.ends_with(']'))
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  while (parts.host.ends_with('.')) parts.host.pop_back();
  if (parts.host.empty()) return no_url("it names no host");
  const std::string port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), parts.port);
  return parts;
}

struct Poster::Parts {
  CURLM* multi = nullptr;
  std::map<CURL*, std::unique_ptr<PostTransfer>> transfers;
  std::vector<Posted> failed;  // that could not be begun
};

Poster::Poster() : parts_(std::make_unique<Parts>()) {
  if (start_curl()) parts_->multi = curl_multi_init();
  if (parts_->multi != nullptr) curl_multi_setopt(parts_->multi, CURLMOPT_MAXCONNECTS, kConnectionsKept);
}

Poster::~Poster() {
  for (const auto& [handle, transfer] : parts_->transfers) curl_multi_remove_handle(parts_->multi, handle);
  parts_->transfers.clear();
  if (parts_->multi != nullptr) curl_multi_cleanup(parts_->multi);
}

size_t Poster::under_way() const { return parts_->transfers.size() + parts_->failed.size(); }

void Poster::post(uint64_t id, Posting posting) {
  auto transfer = std::make_unique<PostTransfer>();
  transfer->posting = std::move(posting);
  transfer->posted.id = id;
  auto url = parsed(transfer->posting.url);
  if (url.ok() && parts_->multi != nullptr) transfer->handle = new_curl();
  if (transfer->handle == nullptr) {
    transfer->posted.failure = url.ok() ? "libcurl could not be started" : url.error().message;
    parts_->failed.push_back(std::move(transfer->posted));
    return;
  }
  transfer->url = std::move(url).value();
  CURL* const curl = transfer->handle.get();
  const Posting& what = transfer->posting;
  for (const auto& [name, value] : what.headers) {
    transfer->fields.add(name + ": " + value);
  }
  transfer->fields.add("Expect:");  // the body is sent without being asked for
  set_up(curl, transfer->reason);
  curl_easy_setopt(curl, CURLOPT_CURLU, transfer->url.get());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");  // nor one of the environment
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->fields.get());
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, what.body.data());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(what.time_max.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(what.time_max.count()));
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // does not wait for a name server that is slow
  if (!what.authorities.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, what.authorities.c_str());
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, transfer.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_post_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer.get());
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_post_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer.get());
  curl_multi_add_handle(parts_->multi, curl);
  parts_->transfers.emplace(curl, std::move(transfer));
}

std::vector<Posted> Poster::run(std::chrono::milliseconds time_max) {
  std::vector<Posted> done = std::exchange(parts_->failed, {});
  if (parts_->multi == nullptr) return done;
  const auto take = [&] {
    int running = 0, left = 0;
    curl_multi_perform(parts_->multi, &running);
    while (const CURLMsg* message = curl_multi_info_read(parts_->multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const handle = message->easy_handle;
      const CURLcode code = message->data.result;
      const auto found = parts_->transfers.find(handle);
      if (found == parts_->transfers.end()) continue;
      PostTransfer& transfer = *found->second;
      long status = 0;
      curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
      if (code == CURLE_OK || transfer.has_enough) {
        transfer.posted.status = static_cast<int>(status);
      } else {
        const char* why = reason_of(code, transfer.reason);
        transfer.posted.failure = !transfer.refused.empty()                   ? transfer.refused
                                  : transfer.head_bytes > kAnswerHeadBytesMax ? "the answer's head is too long"
                                                                              : why;
      }
      transfer.posted.took =
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - transfer.begun);
      done.push_back(std::move(transfer.posted));
      curl_multi_remove_handle(parts_->multi, handle);
      parts_->transfers.erase(found);
    }
  };
  take();
  if (!done.empty()) return done;
  const auto until = std::chrono::steady_clock::now() + time_max;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return done;
    const auto turn = std::min<std::chrono::milliseconds>(left, std::chrono::seconds(60));
    const auto before = std::chrono::steady_clock::now();
    curl_multi_poll(parts_->multi, nullptr, 0, static_cast<int>(turn.count()), nullptr);
    take();
    // With nothing under way the poll ends early only by wake(), so run() returns. With transfers it may also have
    // ended for a socket or a timer of libcurl; run() returns then too, and the caller looks at its mail.
    if (!done.empty() || parts_->transfers.empty() || std::chrono::steady_clock::now() - before < turn) return done;
  }
}

void Poster::wake() {
  if (parts_->multi != nullptr) curl_multi_wakeup(parts_->multi);
}

}  // namespace hearth::net::http
