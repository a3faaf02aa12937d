// One GET by libcurl, for the published keys of issuers. It blocks, so its callers have threads of their own
// (net/auth/key_source.h).
//
// What is fetched decides who may sign in. So size and time have limits, beside what curl.h sets for all requests.
// on_progress() is called at least once a second; that is how a server that stops does not wait for somebody else's.
#include "net/outgoing/fetch.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "net/io/field_value.h"
#include "net/outgoing/curl.h"

namespace hearth::net::http {

namespace {

using db::Error;
using db::ErrorCode;

struct Transfer {
  const Fetching& limits;
  const std::atomic<bool>& stop;
  Document document{};
  bool is_too_large = false;
};

size_t on_body(char* bytes, size_t, size_t count, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  transfer.is_too_large = transfer.document.body.size() + count > transfer.limits.body_bytes_max;
  if (transfer.is_too_large) return CURL_WRITEFUNC_ERROR;
  transfer.document.body.append(bytes, count);
  return count;
}

size_t on_header(char* bytes, size_t, size_t count, void* to) {
  const std::string_view line(bytes, count);
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos && equals_ignoring_case(line.substr(0, colon), "cache-control")) {
    static_cast<Transfer*>(to)->document.max_age = max_age_of(line.substr(colon + 1));
  }
  return count;
}

int on_progress(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Transfer*>(to)->stop ? 1 : 0;
}

}  // namespace

std::chrono::seconds max_age_of(std::string_view cache_control) {
  std::chrono::seconds age{0};
  while (cache_control.ends_with('\n') || cache_control.ends_with('\r'))
    cache_control.remove_suffix(1);  // the line's end
  while (!cache_control.empty()) {
    std::string_view one = take_item(cache_control, ',');
    if (equals_ignoring_case(one, "no-store") || equals_ignoring_case(one, "no-cache")) return std::chrono::seconds(0);
    static constexpr std::string_view kName = "max-age=";
    if (!equals_ignoring_case(one.substr(0, kName.size()), kName)) continue;
    one.remove_prefix(kName.size());
    uint32_t seconds = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), seconds);
    if (error == std::errc() && end == one.data() + one.size()) age = std::chrono::seconds(seconds);
  }
  return age;
}

db::Result<Document> fetch(const std::string& url, const Fetching& limits, const std::atomic<bool>& stop) {
  const CurlHandle handle = new_curl();
  if (handle == nullptr) return Error{ErrorCode::Io, "libcurl could not be started"};
  CURL* const curl = handle.get();
  Transfer transfer{limits, stop};
  char reason[CURL_ERROR_SIZE] = "";
  set_up(curl, reason);
  set_url(curl, url);  // auth_config.cc allows http:// for this machine only
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.time_max.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.time_max.count()));
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // does not wait for a name server that is slow
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl);
  if (stop) return Error{ErrorCode::Unavailable, "stopped"};
  if (transfer.is_too_large) {
    return Error{ErrorCode::TooLarge, fmt::format("the answer is larger than {} bytes", limits.body_bytes_max)};
  }
  if (code != CURLE_OK) return Error{ErrorCode::Io, reason_of(code, reason)};
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return Error{ErrorCode::Io, fmt::format("it answers {}", status)};
  return std::move(transfer.document);
}

}  // namespace hearth::net::http
