// Many POSTs to other servers at a time, by one thread, over TLS where the URL says so. An answer's status and the begin of
// its body are taken. Redirects are not followed and no proxy is used. Each address that a name resolves to is shown to
// `may_connect` first, and that very address is connected to: there is no second look at the name between.
//
// Thread: its owner's, but for wake().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "net/http/request.h"
#include "net/io/ip_address.h"

namespace hearth::net::http {

inline constexpr size_t kPostUrlBytesMax = 2'048;
inline constexpr size_t kAnswerHeadBytesMax = 64u << 10;

// What a URL says of where it leads. As libcurl reads it, which is who will go there.
struct UrlParts {
  bool is_secure = false;  // https
  std::string
      host{};  // lower case, as it was written or, of numbers, as the address that they mean; [::1] without brackets
  uint16_t port = 0;
};
// Errors: InvalidArgument: no http or https URL, too long, or one with a user, a password or a fragment.
db::Result<UrlParts> parse_url(const std::string& url);

struct Posting {
  std::string url;
  Headers headers{};
  std::string body{};
  std::chrono::milliseconds time_max{15'000};  // for all of it
  size_t answer_bytes_max = 64u << 10;         // the rest is not read
  std::string authorities{};                   // a file, PEM; "": as of all requests (curl.h)
  // Errors: why not. May be empty.
  std::function<db::Result<void>(const IpAddress&)> may_connect{};
};

struct Posted {
  uint64_t id = 0;
  int status = 0;         // 0: there was no answer
  std::string failure{};  // why; "" where there is a status
  std::string body{};     // as much of it as was read
  std::optional<std::chrono::seconds> retry_after{};
  std::chrono::milliseconds took{};
};

class Poster {
 public:
  Poster();
  ~Poster();  // what is under way is given up
  Poster(const Poster&) = delete;
  Poster& operator=(const Poster&) = delete;

  void post(uint64_t id, Posting posting);
  // Goes on with what is under way until some of it is done, wake() is called, or the time is over.
  std::vector<Posted> run(std::chrono::milliseconds time_max);
  size_t under_way() const;
  void wake();  // any thread; also before run(), which then returns soon

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net::http
