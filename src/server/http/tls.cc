// Reads certificates and keys into contexts of OpenSSL.
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "server/http/tls_internal.h"

namespace tidemark::http {
namespace {

namespace ssl = boost::asio::ssl;
namespace fs = std::filesystem;
using Code = boost::system::error_code;

/// Changes whenever one of the files does.
std::string StateOf(const TlsSettings& settings) {
  std::string state;
  for (const fs::path& file : {settings.certificate, settings.key, settings.client_ca}) {
    std::error_code failed;
    const auto time = fs::last_write_time(file, failed).time_since_epoch().count();
    const auto size = failed ? 0 : fs::file_size(file, failed);
    state.append(fmt::format("{}/{};", time, size));
  }
  return state;
}

std::unexpected<Error> Unusable(const fs::path& file, std::string_view what, const Code& code) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} cannot be used as {}: {}", file.string(), what, code.message()));
}

Result<std::shared_ptr<ssl::context>> Read(const TlsSettings& settings) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  Code code;
  code = context->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                                  ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1,
                              code);
  if (code) return Unusable(settings.certificate, "options", code);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  code = context->use_certificate_chain_file(settings.certificate.string(), code);
  if (code) return Unusable(settings.certificate, "a PEM certificate chain", code);
  code = context->use_private_key_file(settings.key.string(), ssl::context::pem, code);
  if (code) return Unusable(settings.key, "the certificate's PEM private key", code);
  if (!settings.client_ca.empty()) {
    code = context->load_verify_file(settings.client_ca.string(), code);
    if (code) return Unusable(settings.client_ca, "PEM certificates that sign clients'", code);
    code = context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, code);
    if (code) return Unusable(settings.client_ca, "a demand for clients' certificates", code);
  }
  return context;
}

}  // namespace

Result<std::unique_ptr<TlsContexts>> TlsContexts::Open(const TlsSettings& settings) {
  if (settings.key.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "a TLS certificate needs its private key: give --tls-key too");
  }
  std::unique_ptr<TlsContexts> contexts(new TlsContexts(settings));
  TM_TRY(contexts->Refresh());
  return contexts;
}

std::shared_ptr<ssl::context> TlsContexts::Current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<void> TlsContexts::Refresh() {
  const std::string state = StateOf(settings_);
  {
    const std::lock_guard lock(mutex_);
    if (state == read_state_) return {};
    read_state_ = state;
  }
  TM_ASSIGN(auto context, Read(settings_));
  const std::lock_guard lock(mutex_);
  current_ = std::move(context);
  return {};
}

}  // namespace tidemark::http
