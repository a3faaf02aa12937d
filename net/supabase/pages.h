// What pages of other origins may do with Supabase's services: headers of answers, and the answer to their question before.
#pragma once

#include "net/http/request.h"

namespace hearth::net::supabase {

inline constexpr const char* kPageHeaders =
    "apikey, authorization, x-client-info, x-retry-count, prefer, content-type, accept, accept-profile, "
    "content-profile, range, range-unit, x-api-key, x-supabase-api-version";
inline constexpr const char* kPageMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

inline void allow_pages(http::Response& response) {
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  response.headers.emplace_back("Access-Control-Expose-Headers",
                                "Content-Range, Range-Unit, Location, Preference-Applied");
}

// To OPTIONS.
inline http::Response page_permission() {
  http::Response response;
  response.status = 204;
  allow_pages(response);
  response.headers.emplace_back("Access-Control-Allow-Methods", kPageMethods);
  response.headers.emplace_back("Access-Control-Allow-Headers", kPageHeaders);
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  return response;
}

}  // namespace hearth::net::supabase
