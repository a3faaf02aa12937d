#include "tools/remote.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <exception>
#include <memory>
#include <stdexcept>

#include "db/model/json.h"

namespace hearth::tools {
namespace {

constexpr long kStatusOk = 200;
constexpr size_t kErrorBytesMax = 64u << 10;

struct Receiving {
  CURL* curl;
  const std::function<void(std::string_view)>& sink;
  std::string text{};  // without a sink, or of an error
  std::exception_ptr failed{};
};

size_t receive(char* bytes, size_t, size_t count, void* to) {
  auto& receiving = *static_cast<Receiving*>(to);
  const std::string_view piece(bytes, count);
  long status = 0;
  curl_easy_getinfo(receiving.curl, CURLINFO_RESPONSE_CODE, &status);
  if (receiving.sink == nullptr || status != kStatusOk) {
    if (receiving.text.size() < kErrorBytesMax) receiving.text += piece;
    return count;
  }
  try {
    receiving.sink(piece);
    return count;
  } catch (...) {
    receiving.failed = std::current_exception();
    return 0;
  }
}

// What a server says in {"error": …}, or all that it says.
std::string error_of(const std::string& body) {
  const auto document = db::JsonDocument::parse(body);
  if (!document.ok() || !document.value().root().is_object()) return body;
  const auto error = document.value().root().field("error");
  return error && error->string() ? std::string(*error->string()) : body;
}

std::string escaped(CURL* curl, const std::string& text) {
  const std::unique_ptr<char, void (*)(void*)> found(curl_easy_escape(curl, text.data(), static_cast<int>(text.size())), curl_free);
  return found == nullptr ? "" : found.get();
}

}  // namespace

Remote::Remote(std::string url, std::string token)
    : url_(url.ends_with('/') ? url.substr(0, url.size() - 1) : std::move(url)), token_(token.empty() ? "owner" : std::move(token)) {}

std::string Remote::request(const char* method, const std::string& path, const Parameters& parameters, std::string_view body,
                            const std::function<void(std::string_view)>& sink) const {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) throw std::runtime_error("libcurl does not start");
  std::string target = url_ + path;
  char before = '?';
  for (const auto& [name, value] : parameters) {
    target += fmt::format("{}{}={}", before, name, escaped(curl.get(), value));
    before = '&';
  }
  curl_slist* list = curl_slist_append(nullptr, ("Authorization: Bearer " + token_).c_str());
  list = curl_slist_append(list, "Expect:");
  list = curl_slist_append(list, "Content-Type: application/octet-stream");
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, curl_slist_free_all);
  Receiving receiving{curl.get(), sink};
  char problem[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_URL, target.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &receive);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &receiving);
  if (std::string_view(method) != "GET") {
    curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (receiving.failed) std::rethrow_exception(receiving.failed);
  if (code != CURLE_OK) {
    throw std::runtime_error(fmt::format("{}: {}", url_, problem[0] != '\0' ? problem : curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != kStatusOk) {
    throw std::runtime_error(fmt::format("{} answers {}: {}{}", url_, status, error_of(receiving.text),
                                         status == 401 ? "; give an admin's --token" : ""));
  }
  return std::move(receiving.text);
}

void Remote::download(const std::string& path, const Parameters& parameters,
                      const std::function<void(std::string_view)>& sink) const {
  (void)request("GET", path, parameters, {}, sink);
}

std::string Remote::post(const std::string& path, const Parameters& parameters) const {
  return request("POST", path, parameters, "", nullptr);
}

void Remote::put(const std::string& path, const Parameters& parameters, std::string_view body) const {
  (void)request("PUT", path, parameters, body, nullptr);
}

}  // namespace hearth::tools
