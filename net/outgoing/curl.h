// libcurl, as every request of ours to another server is set up: HTTP alone, no redirects, names and chains checked. Thread:
// any; a handle belongs to one at a time.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace hearth::net::http {

struct FreeCurl {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, FreeCurl>;

// The header fields of a request. They outlive the transfer.
class CurlFields {
 public:
  void add(const std::string& field);  // "Name: value"; "Name:" leaves out one that libcurl would send
  curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, FreeCurl> list_;
};

// Starts libcurl once in the process. False: it could not be started.
bool start_curl();
// Null: libcurl could not be started.
CurlHandle new_curl();

// What holds for all requests. Certificates are checked against the system's authorities, or those in the file that the
// environment names as SSL_CERT_FILE. `reason`: CURL_ERROR_SIZE bytes that outlive the transfer.
void set_up(CURL* curl, char* reason);
// No proxy stands between us and http://: only `https_proxy` is respected.
void set_url(CURL* curl, const std::string& url);

// Why a transfer failed: what libcurl wrote to `reason`, or what the code says.
const char* reason_of(CURLcode code, const char* reason);

}  // namespace hearth::net::http
