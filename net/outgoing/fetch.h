// One GET of a small document from another server, over TLS where the URL says so. Blocks: for a thread that may wait.
// Redirects are not followed. Certificates are checked against the system's authorities, or those in the file that the
// environment names as SSL_CERT_FILE; `https_proxy` is respected.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::net::http {

struct Fetching {
  size_t body_bytes_max;
  std::chrono::milliseconds time_max;  // for all of it
};

struct Document {
  std::string body;
  std::chrono::seconds max_age{0};  // of its Cache-Control; 0: there is none, or no-store
};

// Errors: Io, with what happened; TooLarge; Unavailable: `stop` was set on the way, which is seen within a second.
db::Result<Document> fetch(const std::string& url, const Fetching& limits, const std::atomic<bool>& stop);

// The max-age of a Cache-Control field (RFC 9111 §5.2); 0: there is none, or no-store or no-cache.
std::chrono::seconds max_age_of(std::string_view cache_control);

}  // namespace hearth::net::http
