// TLS for the bench and its client: a certificate for the server that is measured, and the client's side on a socket.
// Thread: one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;

namespace hearth::tools {

struct TlsPair {
  std::string certificate, key;  // PEM files
};
// Self-signed, for a few days, with an EC key; written into `folder`.
TlsPair make_certificate(const std::string& folder);

class ClientTls {
 public:
  // Shakes hands; blocks. Throws when the server is not `host` by a certificate that this system trusts ($SSL_CERT_FILE
  // names other authorities). `host` "": any certificate will do.
  ClientTls(int descriptor, const std::string& host);

  size_t write_some(std::string_view bytes);  // 0: would block
  bool read_some(std::string& to);            // false: would block. Throws at the end of the stream

 private:
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
};

}  // namespace hearth::tools
