// gzip and deflate bodies, by zlib. Pure; may take long: for worker threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "net/io/bytes.h"

namespace hearth::net::http {

inline constexpr size_t kGzipBytesMin = 1024;  // below it, compressing does not pay

// Whether an Accept-Encoding field allows gzip, q-values and `*` included.
bool accepts_gzip(std::string_view accept_encoding);

// The body of a request with that Content-Encoding ("gzip", "x-gzip", "deflate"), with kBodyPaddingBytes free behind
// it. Errors: InvalidData (not such data, or cut off), TooLarge (more than `bytes_max`), Unsupported (another
// encoding), Unavailable: `may_hold` has been asked for the bytes that it takes now, and has said no.
db::Result<std::string> inflate_body(std::string_view body, std::string_view encoding, size_t bytes_max,
                                     const MayHold& may_hold = {});

// Gzips a body piece by piece.
class GzipWriter {
 public:
  GzipWriter();
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  enum class End : unsigned char { No, Yes };
  // Appends to `to` what has come out so far.
  void add(std::string_view bytes, End end, std::string& to);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::net::http
