// What each request of ours sets: http and https only, no redirects, no signals, and the certificates that the
// environment names. curl_global_init() is not safe to be called by two threads, so a static does it once.
// CURLOPT_ERRORBUFFER keeps a pointer: `reason` has to live as long as the handle is used.
#include "net/outgoing/curl.h"

#include <cstdlib>
#include <new>

namespace hearth::net::http {

void CurlFields::add(const std::string& field) {
  curl_slist* const longer = curl_slist_append(list_.get(), field.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  (void)list_.release();  // it is in the longer one
  list_.reset(longer);
}

bool start_curl() {
  static const CURLcode is_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  return is_ready == CURLE_OK;
}

CurlHandle new_curl() { return CurlHandle(start_curl() ? curl_easy_init() : nullptr); }

void set_up(CURL* curl, char* reason) {
  *reason = 0;
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "hearth/" HEARTH_VERSION);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);  // signals are the program's
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
}

void set_url(CURL* curl, const std::string& url) {
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  // Without TLS a proxy could read and change everything.
  if (url.starts_with("http://")) curl_easy_setopt(curl, CURLOPT_PROXY, "");
}

const char* reason_of(CURLcode code, const char* reason) { return *reason != 0 ? reason : curl_easy_strerror(code); }

}  // namespace hearth::net::http
