// TLS for tests: a certificate authority of their own, the certificates that it gives, and the client's side of a
// connection. Thread: one each.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/support/temp_folder.h"

namespace hearth::test {

// In a folder that goes with it.
class TestAuthority {
 public:
  enum class Key { Ec, Rsa };

  TestAuthority() : key_(make_key(Key::Ec)), certificate_(make_certificate("test authority", key_.get())) {
    add(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    sign(certificate_.get());
  }

  struct Pair {
    std::string certificate, key;  // PEM files
  };
  // For a server called `name`, which is a host name or else an IPv4 address. Same `file`: in place of the former.
  Pair issue(const std::string& name, const std::string& file = "server", Key kind = Key::Ec) {
    const auto key = make_key(kind);
    const auto certificate = make_certificate(name, key.get());
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    add(certificate.get(), NID_subject_alt_name, "DNS:" + name + ",IP:127.0.0.1");
    sign(certificate.get());
    Pair pair{folder_.path() + "/" + file + ".crt", folder_.path() + "/" + file + ".key"};
    write(pair.certificate, [&](FILE* to) { return PEM_write_X509(to, certificate.get()); });
    write(pair.key,
          [&](FILE* to) { return PEM_write_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    return pair;
  }

  // The key of `issue` again, with a password.
  std::string locked_key(const std::string& file) {
    const auto key = make_key(Key::Ec);
    const std::string path = folder_.path() + "/" + file;
    char password[] = "secret";
    write(path, [&](FILE* to) {
      return PEM_write_PKCS8PrivateKey(to, key.get(), EVP_aes_128_cbc(), password, 6, nullptr, nullptr);
    });
    return path;
  }

  const std::string& folder() const { return folder_.path(); }

  // Its own certificate, as a PEM file.
  std::string file() const {
    const std::string path = folder_.path() + "/authority.crt";
    write(path, [&](FILE* to) { return PEM_write_X509(to, certificate_.get()); });
    return path;
  }

  // Of clients that trust this authority.
  std::shared_ptr<SSL_CTX> client_context() const {
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), certificate_.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
  }

 private:
  using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

  static KeyPtr make_key(Key kind) {
    return {kind == Key::Ec ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048), EVP_PKEY_free};
  }
  static CertificatePtr make_certificate(const std::string& name, EVP_PKEY* key) {
    CertificatePtr made(X509_new(), X509_free);
    static long serial = 0;
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), key);
    X509_NAME* subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(made.get(), subject);
    return made;
  }
  static void add(X509* to, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("no such extension: " + value);
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
  }
  void sign(X509* certificate) const {
    if (X509_sign(certificate, key_.get(), EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
  }
  template <typename Write>
  static void write(const std::string& path, Write what) {
    FILE* to = std::fopen(path.c_str(), "we");
    if (to == nullptr || what(to) != 1 || std::fclose(to) != 0) throw std::runtime_error("cannot write " + path);
  }

  TempFolder folder_;
  KeyPtr key_;
  CertificatePtr certificate_;
};

// The client's side of TLS, between bytes and bytes; the socket is its user's.
class TestTls {
 public:
  TestTls(SSL_CTX* context, const char* host) : ssl_(SSL_new(context), SSL_free) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
    SSL_set_tlsext_host_name(ssl_.get(), host);
    SSL_set1_host(ssl_.get(), host);
  }

  // Goes on with what came. True when it is done.
  bool shake_hands() { return SSL_do_handshake(ssl_.get()) == 1; }
  bool has_failed() const { return has_failed_; }
  void came(std::string_view bytes) {
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  }
  // What has been said; nothing when more must come, or when nothing more will.
  std::string opened() {
    std::string all;
    char bytes[16 << 10];
    int count = 0;
    while ((count = SSL_read(ssl_.get(), bytes, sizeof bytes)) > 0) all.append(bytes, static_cast<size_t>(count));
    const int why = SSL_get_error(ssl_.get(), count);
    has_ended_ = why == SSL_ERROR_ZERO_RETURN;
    has_failed_ = why == SSL_ERROR_SSL;
    return all;
  }
  bool has_ended() const { return has_ended_; }  // by the server's close_notify
  void seal(std::string_view bytes) {
    if (!bytes.empty()) SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  }
  void end() { SSL_shutdown(ssl_.get()); }
  std::string to_send() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &bytes);
    std::string all(bytes, static_cast<size_t>(size));
    BIO_reset(SSL_get_wbio(ssl_.get()));
    return all;
  }

  SSL* ssl() { return ssl_.get(); }

 private:
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool has_ended_ = false;
  bool has_failed_ = false;
};

}  // namespace hearth::test
