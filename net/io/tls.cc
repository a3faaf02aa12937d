// TLS between bytes and bytes. OpenSSL never sees a socket.
//
//   recv() ─▶ came_ ─▶ TlsPipe::read ─▶ OpenSSL ─▶ plain bytes ─▶ Protocol
//   send() ◀─ unsent_ ◀─ TlsPipe::write ◀─ OpenSSL ◀─ plain bytes ◀─ Outbox
//
// OpenSSL's own way is to read from the socket itself. Then bytes lie decrypted within it that epoll knows nothing
// of, a read may have to wait until the socket is writable, and a loop that serves thousands must handle both. Here
// one recv() is fed in to its end, and what OpenSSL wants to say piles up in unsent_ until the connection sends it.
// So the loop treats both kinds of connection alike.
//
// The pipe is a BIO of our own, whose data is the session. came_ points into the caller's buffer and is set during
// read() only.
//
// The certificate is a shared SSL_CTX behind a mutex. reload() makes a new one; connections that have begun keep the
// old one alive. A failed reload changes nothing, and its sentence names the file and what is wrong with it.
#include "net/io/tls.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

#include "db/base/give_back.h"
#include "db/base/invariant.h"

namespace hearth::net::http {

// A BIO that reads from TlsSession::came_ and writes to TlsSession::unsent_. It never blocks and never fails: when
// came_ is empty it says "retry", which OpenSSL reports as SSL_ERROR_WANT_READ.
struct TlsPipe {
  static TlsSession& session(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    std::string_view& came = session(bio).came_;
    BIO_clear_retry_flags(bio);
    if (came.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t count = std::min(came.size(), static_cast<size_t>(size));
    std::memcpy(to, came.data(), count);
    came.remove_prefix(count);
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* bytes, int size) {
    session(bio).unsent_.append(bytes, static_cast<size_t>(size));
    return size;
  }

  static long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO* make(TlsSession& session) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, &session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

constexpr unsigned char kHttp11[] = "\x08http/1.1";

// RFC 7301: a client that names protocols, but not ours, is refused by name.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kHttp11, sizeof kHttp11 - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int refuse_password(char*, int, int, void*) { return -1; }  // nobody is there to be asked

// Turns OpenSSL's error queue into a sentence about the file. Empties the queue.
std::string why_not(std::string_view what) {
  std::string reasons;
  while (const unsigned long code = ERR_get_error()) {
    if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_BAD_PASSWORD_READ) {
      return "it has a password, which nobody is here to type: store it without";
    }
    const bool is_other = ERR_GET_LIB(code) == ERR_LIB_OSSL_DECODER && ERR_GET_REASON(code) == ERR_R_UNSUPPORTED;
    if (is_other || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE)) {
      return fmt::format("it holds no {} in PEM", what);
    }
    const char* reason = ERR_reason_error_string(code);
    if (reason != nullptr) reasons.append(reasons.empty() ? "" : ", ").append(reason);
  }
  return fmt::format("it cannot be used ({})", reasons);
}

db::Error refuse(std::string_view what, const std::string& file, std::string_view why) {
  return {db::ErrorCode::InvalidArgument, fmt::format("the TLS {} {}: {}", what, file, why)};
}

db::Result<void> check_readable(std::string_view what, const std::string& file) {
  const std::unique_ptr<FILE, int (*)(FILE*)> opened(std::fopen(file.c_str(), "re"), std::fclose);
  if (!opened || std::fgetc(opened.get()) == EOF) {
    return refuse(what, file, !opened || std::ferror(opened.get()) ? std::strerror(errno) : "it is empty");
  }
  return {};
}

}  // namespace

// ---- a connection ----

TlsSession::TlsSession(ssl_ctx_st* context) : ssl_(SSL_new(context)) {
  if (ssl_ == nullptr) throw std::bad_alloc();
  BIO* pipe = TlsPipe::make(*this);
  SSL_set_bio(ssl_, pipe, pipe);
  SSL_set_accept_state(ssl_);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

// One call decrypts at most one record. The caller repeats it until Nothing: only then is all of `came` taken.
TlsSession::Reading TlsSession::read(std::string_view& came, std::span<char> to) {
  if (is_broken_) return {Heard::Broken};
  ERR_clear_error();
  came_ = came;
  size_t count = 0;
  const int result = SSL_read_ex(ssl_, to.data(), to.size(), &count);
  came = std::exchange(came_, {});
  if (result == 1) return {Heard::Bytes, {to.data(), count}};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      db::invariant(came.empty(), "TLS wants more when it has taken all");
      return {Heard::Nothing};
    case SSL_ERROR_ZERO_RETURN:
      return {Heard::Ended};
    default:
      // The alert that OpenSSL has written is in unsent_. No other call of OpenSSL may follow on this session.
      is_broken_ = true;
      ERR_clear_error();
      return {Heard::Broken};
  }
}

bool TlsSession::is_established() const { return !is_broken_ && SSL_is_init_finished(ssl_) == 1; }

bool TlsSession::write(std::string_view bytes) {
  db::invariant(!bytes.empty() && bytes.size() <= kTlsRecordBytesMax, "a record says something, and has a limit");
  if (is_broken_) return false;
  ERR_clear_error();
  size_t written = 0;
  if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) != 1) {
    is_broken_ = true;
    ERR_clear_error();
    return false;
  }
  db::invariant(written == bytes.size(), "what is written to memory is written whole");
  return true;
}

void TlsSession::end() {
  if (is_broken_ || (SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

void TlsSession::sent(size_t bytes) {
  sent_ += bytes;
  db::invariant(sent_ <= unsent_.size(), "the kernel takes no more than it was given");
  if (sent_ < unsent_.size()) return;
  db::give_back(unsent_);
  sent_ = 0;
}

// ---- the certificate ----

db::Result<TlsCertificate::Context> TlsCertificate::make_context(const TlsFiles& files) {
  if (files.key.empty()) return refuse("certificate", files.certificate, "it needs its key, --tls-key FILE");
  if (files.certificate.empty()) return refuse("key", files.key, "it needs its certificate, --tls-cert FILE");
  RETURN_IF_ERROR(check_readable("certificate", files.certificate));
  RETURN_IF_ERROR(check_readable("key", files.key));

  ERR_clear_error();
  const Context context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) throw std::bad_alloc();
  SSL_CTX* const made = context.get();
  SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
  // Of 1.2 what has forward secrecy and is not known to leak; of 1.3 all.
  SSL_CTX_set_cipher_list(made, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_options(made, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);  // tickets alone: clients keep what is to be kept
  SSL_CTX_set_num_tickets(made, 1);
  SSL_CTX_set_alpn_select_cb(made, choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(made, refuse_password);

  if (SSL_CTX_use_certificate_chain_file(made, files.certificate.c_str()) != 1) {
    return refuse("certificate", files.certificate, why_not("certificate"));
  }
  if (SSL_CTX_use_PrivateKey_file(made, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    if (ERR_GET_LIB(ERR_peek_last_error()) != ERR_LIB_X509) return refuse("key", files.key, why_not("private key"));
  }
  // OpenSSL refuses a key of the certificate's kind that does not fit (above, ERR_LIB_X509), but takes one of another
  // kind. Both end here.
  if (SSL_CTX_check_private_key(made) != 1) {
    return refuse("key", files.key, fmt::format("it is not the key of {}", files.certificate));
  }
  return context;
}

db::Result<std::unique_ptr<TlsCertificate>> TlsCertificate::load(TlsFiles files) {
  ASSIGN_OR_RETURN(Context context, make_context(files));
  return std::unique_ptr<TlsCertificate>(new TlsCertificate(std::move(files), std::move(context)));
}

db::Result<void> TlsCertificate::reload() {
  ASSIGN_OR_RETURN(Context context, make_context(files_));
  const std::lock_guard lock(mutex_);
  context_.swap(context);
  return {};
}

TlsCertificate::Context TlsCertificate::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::unique_ptr<TlsSession> TlsCertificate::begin() const { return std::make_unique<TlsSession>(context().get()); }

std::string TlsCertificate::validity() const {
  const X509* certificate = SSL_CTX_get0_certificate(context().get());
  const ASN1_TIME* end = X509_get0_notAfter(certificate);
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new(BIO_s_mem()), BIO_free);
  ASN1_TIME_print(text.get(), end);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return fmt::format("{} {}", X509_cmp_current_time(end) < 0 ? "EXPIRED since" : "valid until",
                     std::string_view(bytes, static_cast<size_t>(std::max(size, 0L))));
}

}  // namespace hearth::net::http
