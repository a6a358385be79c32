// Certificates of the server, read again when their files change.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "server/http/settings.h"

namespace tidemark::http {

/// TLS 1.2 and up. Thread safe.
class TlsContexts {
 public:
  /// kInvalidArgument naming the file that is not what it should be.
  static Result<std::unique_ptr<TlsContexts>> Open(const TlsSettings& settings);

  /// What new connections use.
  std::shared_ptr<boost::asio::ssl::context> Current() const;
  /// Reads the files again if one has changed. What is wrong with them is returned, and the old ones stay.
  Result<void> Refresh();

 private:
  explicit TlsContexts(TlsSettings settings) : settings_(std::move(settings)) {}

  const TlsSettings settings_;
  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<boost::asio::ssl::context> current_;
  std::string read_state_;  // sizes and times of the files when they were read
};

}  // namespace tidemark::http
