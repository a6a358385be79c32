// Plain TCP: a lookup costs one system call each way.
#include "remote/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/file_descriptor.h"
#include "remote/socket_internal.h"

namespace tidemark::remote {
namespace {

using Kind = NetworkError::Kind;

class TcpConnection final : public Connection {
 public:
  explicit TcpConnection(FileDescriptor socket) : socket_(std::move(socket)) {}

  NetworkResult<std::size_t> Read(std::span<char> into, const Waiting& waiting) override {
    const Wait wait(waiting);
    while (true) {
      const ssize_t got = recv(socket_.get(), into.data(), into.size(), 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (!IsWait(errno)) return Failed(Kind::kBroken, TextOf(errno));
      if (const auto more = wait.GoOn(); !more) return std::unexpected(more.error());
    }
  }

  NetworkResult<void> Write(std::string_view bytes, const Waiting& waiting) override {
    while (!bytes.empty()) {
      const auto sent = WriteSome(bytes, waiting);
      if (!sent) return std::unexpected(sent.error());
      bytes.remove_prefix(*sent);
    }
    return {};
  }

  bool HasInput() override {
    pollfd asked{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return poll(&asked, 1, 0) != 0;
  }

 private:
  NetworkResult<std::size_t> WriteSome(std::string_view bytes, const Waiting& waiting) {
    const Wait wait(waiting);
    while (true) {
      const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) return static_cast<std::size_t>(sent);
      if (!IsWait(errno)) return Failed(Kind::kBroken, TextOf(errno));
      if (const auto more = wait.GoOn(); !more) return std::unexpected(more.error());
    }
  }

  FileDescriptor socket_;
};

}  // namespace

NetworkResult<std::unique_ptr<Connection>> OpenConnection(const ServerUrl& url, const TlsClient* tls,
                                                          const Waiting& waiting) {
  auto socket = OpenSocket(url, waiting);
  if (!socket) return std::unexpected(std::move(socket).error());
  if (tls != nullptr) return StartTls(*std::move(socket), url, *tls, waiting);
  return std::make_unique<TcpConnection>(*std::move(socket));
}

}  // namespace tidemark::remote
