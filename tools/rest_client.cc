// Requests of commands to a running server, by libcurl.
//
// Commands speak to whoever is at --url, so what they send is chosen with care. The admin secret of a data folder is
// sent only to this machine, by the host as it is written in the URL; others get what the user gave, or `owner`. A
// proxy from the environment is used for https:// only. libcurl's defaults check certificates and names.
//
// A body is sent from a file as it is read, and an answer is taken piece by piece (TakeBytes), so a dump of any size
// passes through. `take` may end a transfer or throw; neither passes through C, so both are noted and handled after
// curl_easy_perform().
//
// Errors are what a person reads: why, and what to do about it.
#include "tools/rest_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <utility>

#include "db/model/json.h"
#include "net/outgoing/curl.h"

namespace hearth::tools {
namespace {

constexpr long kConnectSecondsMax = 10;
constexpr size_t kErrorBytesMax = 500;
constexpr size_t kReplyBytesMax = 1u << 30;  // of one that is kept in memory

std::string url_of(const Target& target, const RestRequest& request) {
  std::string url = target.url;
  if (url.find_first_of("?#") != std::string::npos) {
    throw std::runtime_error(
        fmt::format("--url {} is more than where a server is: its namespace is --ns, a path is an argument", url));
  }
  while (url.ends_with('/')) url.pop_back();
  url += percent_encoded(request.path == "/" ? "" : request.path, "/");
  // No key may contain a dot, so a path that has one names an endpoint (/.settings/rules.json) as it is.
  if (request.path.find('.') == std::string::npos) url += request.path == "/" ? "/.json" : ".json";
  char before = '?';
  const auto add = [&](std::string_view name, std::string_view value) {
    url.append(1, std::exchange(before, '&')).append(name).append("=").append(percent_encoded(value));
  };
  if (!target.space.empty()) add("ns", target.space);
  for (const auto& [name, value] : request.query) add(name, value);
  return url;
}

struct Transfer {
  CURL* curl = nullptr;
  const TakeBytes& take;
  RestReply reply{};
  bool was_ended = false;       // by `take`
  std::exception_ptr thrown{};  // by `take`: no exception may pass through libcurl's C
};

size_t on_body(char* bytes, size_t, size_t count, void* to) {
  auto& transfer = *static_cast<Transfer*>(to);
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  if (transfer.take && status >= 200 && status < 300) {
    try {
      transfer.was_ended = !transfer.take({bytes, count});
    } catch (...) {
      transfer.thrown = std::current_exception();
      return CURL_WRITEFUNC_ERROR;
    }
    return transfer.was_ended ? CURL_WRITEFUNC_ERROR : count;
  }
  if (transfer.reply.body.size() + count > kReplyBytesMax) return CURL_WRITEFUNC_ERROR;
  transfer.reply.body.append(bytes, count);
  return count;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// The server's reason for a refusal: its JSON member "error", or else the body itself.
std::string error_of(const std::string& body) {
  const auto document = db::JsonDocument::parse(body);
  std::string text = body.substr(0, kErrorBytesMax);
  if (document.ok() && document.value().root().is_object()) {
    if (const auto error = document.value().root().field("error"); error && error->string()) text = *error->string();
  }
  while (text.ends_with('.') || text.ends_with('\n')) text.pop_back();  // the caller appends what to do
  return text;
}

// Whether the URL's host, as it is written, is this machine. A user name in the URL hides the host and makes it a
// stranger.
bool is_this_machine(std::string_view url) {
  const size_t scheme = url.find("://");
  std::string_view host = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (host.find('@') != std::string_view::npos) return false;
  if (host.starts_with('[')) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  const bool is_address = host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || is_address;
}

}  // namespace

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string usual_url() {
  const std::string url = env("HEARTH_URL");
  return url.empty() ? "http://127.0.0.1:9000" : url;
}

std::string usual_token(const std::string& given, const std::string& folder, std::string_view url) {
  if (!given.empty()) return given;
  if (!is_this_machine(url)) return "owner";
  std::ifstream file(folder + "/admin-secret");
  std::string secret;
  std::getline(file, secret);
  return secret.empty() ? "owner" : secret;
}

std::string path_of(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  while (text.starts_with('/')) text.remove_prefix(1);
  return "/" + std::string(text);
}

std::string percent_encoded(std::string_view text, std::string_view kept) {
  std::string to;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("-._~").find(c) != std::string_view::npos ||
                          kept.find(c) != std::string_view::npos;
    if (is_plain) {
      to += c;
    } else {
      to += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return to;
}

RestReply ask(const Target& target, const RestRequest& request, const TakeBytes& take) {
  const net::http::CurlHandle handle = net::http::new_curl();
  if (handle == nullptr) throw std::runtime_error("libcurl could not be started");
  CURL* const curl = handle.get();
  Transfer transfer{curl, take};
  char reason[CURL_ERROR_SIZE] = "";
  const std::string url = url_of(target, request);
  net::http::set_up(curl, reason);
  net::http::set_url(curl, url);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSecondsMax);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());

  net::http::CurlFields fields;
  fields.add("Authorization: Bearer " + usual_token(target.token, target.data, target.url));
  fields.add("Expect:");
  for (const std::string& field : request.fields) fields.add(field);

  std::unique_ptr<std::FILE, CloseFile> file;
  if (!request.body_file.empty()) {
    file.reset(std::fopen(request.body_file.c_str(), "rb"));
    if (file == nullptr) throw std::runtime_error("cannot read " + request.body_file);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READDATA, file.get());
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
                     static_cast<curl_off_t>(std::filesystem::file_size(request.body_file)));
  } else if (!request.body.empty()) {
    fields.add("Content-Type: application/json");
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());

  const CURLcode code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  if (transfer.was_ended || code == CURLE_OK) return std::move(transfer.reply);
  // A server may refuse before it has read everything, and close. Its refusal says more than "connection reset".
  if (transfer.reply.status >= 400 && !transfer.reply.body.empty()) return std::move(transfer.reply);
  const std::string why = net::http::reason_of(code, reason);
  throw std::runtime_error(
      code == CURLE_COULDNT_CONNECT
          ? fmt::format("cannot reach {}: {}; is 'hearth serve' running there? (--url)", target.url, why)
          : fmt::format("{}: {}", target.url, why));
}

std::string ask_ok(const Target& target, const RestRequest& request, const TakeBytes& take) {
  RestReply reply = ask(target, request, take);
  if (reply.status >= 200 && reply.status < 300) return std::move(reply.body);
  const char* hint = "";
  if (reply.status == 401)
    hint = "; give a --token of somebody who may, for example HEARTH_TOKEN=$(cat hearth-data/admin-secret)";
  if (reply.status == 404) hint = "; 'hearth namespace list' tells which there are";
  if (reply.status == 413) hint = "; what is larger goes with 'hearth restore', or in parts";
  throw std::runtime_error(fmt::format("{} answers {}: {}{}", target.url, reply.status, error_of(reply.body), hint));
}

}  // namespace hearth::tools
