// One connection to a server: TCP, and TLS over it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "remote/url.h"
#include "remote/waiting.h"
#include "tidemark/remote.h"

namespace tidemark::remote {

/// What connections by TLS share: who is believed, and the client's own certificate. Thread safe.
class TlsClient {
 public:
  /// kInvalidArgument for files that cannot be used, naming them.
  static Result<std::shared_ptr<const TlsClient>> Make(const ConnectOptions& options);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

 private:
  friend class TlsConnection;
  TlsClient();
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Bytes both ways. Not thread safe. After an error it is of no more use.
class Connection {
 public:
  virtual ~Connection() = default;
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// At least one byte; 0 at the end.
  virtual NetworkResult<std::size_t> Read(std::span<char> into, const Waiting& waiting) = 0;
  /// All of them.
  virtual NetworkResult<void> Write(std::string_view bytes, const Waiting& waiting) = 0;
  /// Whether something, or the end, can be read without waiting: of a connection that waits for its next
  /// request this means that the server has closed it.
  virtual bool HasInput() = 0;
};

/// Connects, to the first address of the host that answers. `tls` may be null: plain TCP.
NetworkResult<std::unique_ptr<Connection>> OpenConnection(const ServerUrl& url, const TlsClient* tls,
                                                          const Waiting& waiting);

}  // namespace tidemark::remote
