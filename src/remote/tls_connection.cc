// OpenSSL reads and writes through calls of ours, so that a lost connection raises no SIGPIPE, and so that
// one can look whether anything has come without waiting for it.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <string>
#include <utility>

#include "remote/socket_internal.h"

namespace tidemark::remote {

struct TlsClient::Context {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> ssl{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<BIO_METHOD, decltype(&BIO_meth_free)> socket_calls{nullptr, BIO_meth_free};
};

namespace {

using Kind = NetworkError::Kind;

/// What a BIO of ours works on.
struct SocketState {
  int fd = -1;
  bool waits = true;
};

int WriteSocket(BIO* bio, const char* bytes, int size) {
  const auto* state = static_cast<const SocketState*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t sent = send(state->fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && IsWait(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int ReadSocket(BIO* bio, char* bytes, int size) {
  const auto* state = static_cast<const SocketState*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t got = recv(state->fd, bytes, static_cast<std::size_t>(size), state->waits ? 0 : MSG_DONTWAIT);
  if (got < 0 && IsWait(errno)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long ControlSocket(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

std::string LastTlsError() {
  const unsigned long code = ERR_peek_last_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "TLS failed" : fmt::format("TLS: {}", reason);
}

/// SSL_read and SSL_write take ints.
int Length(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, std::numeric_limits<int>::max()));
}

std::unexpected<Error> Unusable(const std::filesystem::path& file, std::string_view what) {
  std::error_code ignored;  // what cannot be looked at is not there for us
  const bool exists = std::filesystem::exists(file, ignored);
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} cannot be used as {}: {}", file.string(), what,
                                                       exists ? LastTlsError() : "it does not exist"));
}

}  // namespace

class TlsConnection final : public Connection {
 public:
  TlsConnection(FileDescriptor socket, const TlsClient& tls)
      : socket_(std::move(socket)),
        state_{.fd = socket_.get(), .waits = true},
        ssl_(SSL_new(tls.context_->ssl.get()), SSL_free) {
    BIO* const bio = BIO_new(tls.context_->socket_calls.get());
    BIO_set_data(bio, &state_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }

  ~TlsConnection() override {
    state_.waits = false;
    SSL_shutdown(ssl_.get());  // says goodbye; whether it is heard does not matter
    ERR_clear_error();
  }

  NetworkResult<void> Start(const std::string& host, const Waiting& waiting) {
    in6_addr address{};
    const bool is_address =
        inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
    if (is_address) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
    } else {
      SSL_set1_host(ssl_.get(), host.c_str());
      SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    }
    const Wait wait(waiting);
    while (true) {
      const int done = SSL_connect(ssl_.get());
      if (done == 1) return {};
      if (!IsWaiting(done)) break;
      if (auto more = wait.GoOn(); !more) return more;
    }
    const long verified = SSL_get_verify_result(ssl_.get());
    const std::string reason = LastTlsError();
    if (verified == X509_V_OK) return Failed(Kind::kNotConnected, reason);
    return Failed(Kind::kNotConnected, fmt::format("its certificate is not accepted: {}",
                                                   X509_verify_cert_error_string(verified)));
  }

  NetworkResult<std::size_t> Read(std::span<char> into, const Waiting& waiting) override {
    const Wait wait(waiting);
    while (true) {
      const int got = SSL_read(ssl_.get(), into.data(), Length(into.size()));
      if (got > 0) return static_cast<std::size_t>(got);
      const int why = SSL_get_error(ssl_.get(), got);
      if (why == SSL_ERROR_ZERO_RETURN) return 0;
      if (!IsWaiting(got)) return Failed(Kind::kBroken, LastTlsError());
      if (const auto more = wait.GoOn(); !more) return std::unexpected(more.error());
    }
  }

  NetworkResult<void> Write(std::string_view bytes, const Waiting& waiting) override {
    Wait wait(waiting);
    while (!bytes.empty()) {
      const int sent = SSL_write(ssl_.get(), bytes.data(), Length(bytes.size()));
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        wait = Wait(waiting);
        continue;
      }
      if (!IsWaiting(sent)) return Failed(Kind::kBroken, LastTlsError());
      if (auto more = wait.GoOn(); !more) return more;
    }
    return {};
  }

  bool HasInput() override {
    state_.waits = false;
    std::array<char, 1> byte{};
    const int got =
        SSL_peek(ssl_.get(), byte.data(), 1);  // reads tickets of sessions too, which are no input
    state_.waits = true;
    const bool waits = got <= 0 && IsWaiting(got);
    ERR_clear_error();
    return !waits;
  }

 private:
  bool IsWaiting(int result) const {
    const int why = SSL_get_error(ssl_.get(), result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
  }

  FileDescriptor socket_;
  SocketState state_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

TlsClient::TlsClient() : context_(std::make_unique<Context>()) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<const TlsClient>> TlsClient::Make(const ConnectOptions& options) {
  std::shared_ptr<TlsClient> made(new TlsClient);
  SSL_CTX* const ssl = made->context_->ssl.get();
  SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(ssl);
  } else if (SSL_CTX_load_verify_locations(ssl, options.ca_file.c_str(), nullptr) != 1) {
    return Unusable(options.ca_file, "PEM certificates of authorities");
  }
  if (!options.certificate.empty()) {
    const auto& key = options.private_key.empty() ? options.certificate : options.private_key;
    if (SSL_CTX_use_certificate_chain_file(ssl, options.certificate.c_str()) != 1) {
      return Unusable(options.certificate, "a PEM certificate chain");
    }
    if (SSL_CTX_use_PrivateKey_file(ssl, key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return Unusable(key, "the certificate's PEM private key");
    }
  }
  auto& calls = made->context_->socket_calls;
  calls.reset(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tidemark socket"));
  BIO_meth_set_write(calls.get(), WriteSocket);
  BIO_meth_set_read(calls.get(), ReadSocket);
  BIO_meth_set_ctrl(calls.get(), ControlSocket);
  return made;
}

NetworkResult<std::unique_ptr<Connection>> StartTls(FileDescriptor socket, const ServerUrl& url,
                                                    const TlsClient& tls, const Waiting& waiting) {
  auto made = std::make_unique<TlsConnection>(std::move(socket), tls);
  if (auto started = made->Start(url.host, waiting); !started) {
    auto error = std::move(started).error();
    if (error.kind == Kind::kTooSlow) error.kind = Kind::kNotConnected;
    return std::unexpected(std::move(error));
  }
  return made;
}

}  // namespace tidemark::remote
