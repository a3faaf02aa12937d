// TLS for the bench: a certificate for one run, and the client's side on a blocking or non-blocking socket.
//
// The client lets OpenSSL read from the socket itself, other than the server (net/io/tls.cc): it drives one loop
// and may be simple. read_some() takes all that OpenSSL holds, or bytes would wait in it unseen by epoll.
#include "tools/bench/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <csignal>
#include <cstdio>
#include <stdexcept>

namespace hearth::tools {
namespace {

constexpr size_t kRecordBytesMax = 16u << 10;
constexpr long kLifetimeSeconds = 7 * 24 * 3600;

[[noreturn]] void fail_tls(const char* what) { throw std::runtime_error(std::string("bench: TLS: ") + what); }

template <typename Write>
void write_pem(const std::string& path, Write write) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "we"), std::fclose);
  if (!file || write(file.get()) != 1) fail_tls("the certificate cannot be written");
}

// Partial writes, so that write_some() may send a part as send() does; the rest may lie elsewhere the next time.
SSL_CTX* context() {
  static SSL_CTX* const made = [] {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    if (context == nullptr) fail_tls("no context");
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to a socket that may be gone
    return context;
  }();
  return made;
}

bool would_block(SSL* ssl, int result) {
  const int why = SSL_get_error(ssl, result);
  return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

}  // namespace

// For the bench's own server, whose client does not check it (ClientTls with host ""): it measures encryption, not
// trust.
TlsPair make_certificate(const std::string& folder) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  if (!key || !made) fail_tls("no key");
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), kLifetimeSeconds);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME* name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  if (X509_sign(made.get(), key.get(), EVP_sha256()) == 0) fail_tls("the certificate cannot be signed");
  TlsPair pair{folder + "/tls.crt", folder + "/tls.key"};
  write_pem(pair.certificate, [&](FILE* to) { return PEM_write_X509(to, made.get()); });
  write_pem(pair.key,
            [&](FILE* to) { return PEM_write_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  return pair;
}

ClientTls::ClientTls(int descriptor, const std::string& host) : ssl_(SSL_new(context()), SSL_free) {
  if (!ssl_ || SSL_set_fd(ssl_.get(), descriptor) != 1) fail_tls("no connection");
  if (!host.empty()) {
    SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1;
    if (!is_address && SSL_set1_host(ssl_.get(), host.c_str()) != 1) fail_tls("no name to check");
    if (!is_address) SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  }
  if (SSL_connect(ssl_.get()) == 1) return;
  const long why = SSL_get_verify_result(ssl_.get());
  if (why == X509_V_OK) fail_tls("the server does not shake hands");
  throw std::runtime_error("the certificate of " + host + ": " + X509_verify_cert_error_string(why) +
                           "; SSL_CERT_FILE=FILE names authorities to trust");
}

size_t ClientTls::write_some(std::string_view bytes) {
  size_t count = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
  if (result == 1) return count;
  if (would_block(ssl_.get(), result)) return 0;
  fail_tls("the server takes no more");
}

bool ClientTls::read_some(std::string& to) {
  // Reads on until OpenSSL holds nothing more: epoll would not tell of bytes that are left inside it.
  do {
    const size_t size = to.size();
    to.resize(size + kRecordBytesMax);
    size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), to.data() + size, kRecordBytesMax, &count);
    to.resize(size + count);
    if (result != 1 && would_block(ssl_.get(), result)) return false;
    if (result != 1) fail_tls("the server closed the connection");
  } while (SSL_pending(ssl_.get()) > 0);
  return true;
}

}  // namespace hearth::tools
