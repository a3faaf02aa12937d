// TLS 1.2 and 1.3 (OpenSSL): a certificate with its key, and the TLS side of one connection. Nothing here knows a
// socket: bytes of the network go in and plain bytes come out, and the other way round.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "db/base/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace hearth::net::http {

inline constexpr size_t kTlsRecordBytesMax = 16u << 10;  // of what one record says

struct TlsFiles {
  std::string certificate;  // PEM; the certificates between it and the root behind it
  std::string key;          // PEM, without a password
  bool empty() const { return certificate.empty() && key.empty(); }
};

// The server's side of one TLS connection. The handshake's work is done here and now: half a millisecond with an EC key,
// one with RSA. Idle, it holds no buffers. Thread: the connection's home.
class TlsSession {
 public:
  explicit TlsSession(ssl_ctx_st* context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Heard : unsigned char {
    Bytes,    // some, more may be there
    Nothing,  // all was taken, and more must come
    Ended,    // the client has said that it will send no more
    Broken,   // not TLS, or no version and cipher that we share; the alert that says so is in unsent()
  };
  struct Reading {
    Heard heard;
    std::string_view bytes{};  // of `to`
  };
  // Takes from the front of `came`. `to` holds a record at least.
  Reading read(std::string_view& came, std::span<char> to);

  bool is_established() const;  // the handshake is done

  // At most kTlsRecordBytesMax become one record, in unsent(). Once established. False when it is broken.
  bool write(std::string_view bytes);
  // Nothing will be written any more: says so, once.
  void end();

  // Bytes for the socket: records, and messages of the handshake.
  std::string_view unsent() const { return std::string_view(unsent_).substr(sent_); }
  void sent(size_t bytes);

 private:
  friend struct TlsPipe;

  ssl_st* ssl_;
  std::string_view came_;  // during read()
  std::string unsent_;
  size_t sent_ = 0;  // of unsent_
  bool is_broken_ = false;
};

// Thread: any.
class TlsCertificate {
 public:
  // Errors: InvalidArgument, naming the file: unreadable, no PEM, a key of another certificate.
  static db::Result<std::unique_ptr<TlsCertificate>> load(TlsFiles files);

  // Reads the files again: for connections to come. When it fails the old ones stay.
  db::Result<void> reload();

  std::unique_ptr<TlsSession> begin() const;

  // "valid until Jan  2 03:04:05 2027 GMT"
  std::string validity() const;

 private:
  using Context = std::shared_ptr<ssl_ctx_st>;
  static db::Result<Context> make_context(const TlsFiles& files);
  TlsCertificate(TlsFiles files, Context context) : files_(std::move(files)), context_(std::move(context)) {}
  Context context() const;

  const TlsFiles files_;
  mutable std::mutex mutex_;  // Guards context_.
  Context context_;
};

}  // namespace hearth::net::http
