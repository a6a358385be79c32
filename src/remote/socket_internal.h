// Sockets that block for one slice at a time.
#pragma once

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "base/file_descriptor.h"
#include "remote/connection.h"
#include "remote/url.h"
#include "remote/waiting.h"

namespace tidemark::remote {

inline std::unexpected<NetworkError> Failed(NetworkError::Kind kind, std::string text) {
  return std::unexpected(NetworkError{kind, std::move(text)});
}

inline std::string TextOf(int error) {
  return std::generic_category().message(error);
}

/// Whether a call that failed so only has nothing yet.
inline bool IsWait(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/// A connected socket whose reads and writes give up after a slice (EAGAIN).
NetworkResult<FileDescriptor> OpenSocket(const ServerUrl& url, const Waiting& waiting);

/// The handshake over a connected socket; `url` says whose certificate it must be.
NetworkResult<std::unique_ptr<Connection>> StartTls(FileDescriptor socket, const ServerUrl& url,
                                                    const TlsClient& tls, const Waiting& waiting);

}  // namespace tidemark::remote
