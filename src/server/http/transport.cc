// The two kinds of connection: plain TCP, and TLS over it.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/write.hpp>
#include <string_view>

#include "server/http/connection_internal.h"

namespace tidemark::http {
namespace {

using boost::asio::const_buffer;
using boost::asio::mutable_buffer;
using boost::asio::ip::tcp;
using std::string_view_literals::operator""sv;

/// Within one machine nothing is congested. Where the system's congestion control is one that paces what is
/// sent by timers (BBR), answers would wait for those; this one, which every system has, sends at once.
void SendUnpaced(tcp::socket& socket) {
  static constexpr std::string_view kUnpaced = "reno"sv;
  // A system that refuses it sends as it would have.
  static_cast<void>(
      setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_CONGESTION, kUnpaced.data(), kUnpaced.size()));
}

class PlainConnection final : public Connection {
 public:
  PlainConnection(ServerState& server, Loop& loop, tcp::socket socket, const tcp::endpoint& peer)
      : Connection(server, loop, peer), socket_(std::move(socket)) {}

 private:
  std::shared_ptr<PlainConnection> Self() {
    return std::static_pointer_cast<PlainConnection>(shared_from_this());
  }
  tcp::socket& socket() override { return socket_; }
  void AsyncRead(mutable_buffer into) override {
    socket_.async_read_some(
        boost::asio::mutable_buffers_1(into),
        [self = Self()](const SocketError& code, std::size_t bytes) { self->OnRead(code, bytes); });
  }
  void AsyncWrite(std::array<const_buffer, 2> bytes) override {
    boost::asio::async_write(socket_, bytes, [self = Self()](const SocketError& code, std::size_t /*bytes*/) {
      self->OnWritten(code);
    });
  }
  std::size_t TryWrite(std::array<const_buffer, 2> bytes) override {
    std::array<iovec, 2> parts{{{const_cast<void*>(bytes[0].data()), bytes[0].size()},
                                {const_cast<void*>(bytes[1].data()), bytes[1].size()}}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = bytes[1].size() > 0 ? 2 : 1;
    const ssize_t written = sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return written < 0 ? 0 : static_cast<std::size_t>(written);
  }
  bool Shutdown() override {
    SocketError ignored;  // the other side may have closed already
    ignored = socket_.shutdown(tcp::socket::shutdown_send, ignored);
    return false;
  }

  tcp::socket socket_;
};

class TlsConnection final : public Connection {
 public:
  TlsConnection(ServerState& server, Loop& loop, tcp::socket socket, const tcp::endpoint& peer)
      : Connection(server, loop, peer),
        context_(server.tls->Current()),
        stream_(std::move(socket), *context_) {}

  void Begin() override {
    stream_.async_handshake(boost::asio::ssl::stream_base::server, [self = Self()](const SocketError& code) {
      if (code) return self->Close();
      self->set_deadline(self->server_.settings.limits.request_time_max);
      self->Connection::Begin();
    });
  }

 private:
  std::shared_ptr<TlsConnection> Self() {
    return std::static_pointer_cast<TlsConnection>(shared_from_this());
  }
  tcp::socket& socket() override { return stream_.next_layer(); }
  void AsyncRead(mutable_buffer into) override {
    stream_.async_read_some(
        boost::asio::mutable_buffers_1(into),
        [self = Self()](const SocketError& code, std::size_t bytes) { self->OnRead(code, bytes); });
  }
  void AsyncWrite(std::array<const_buffer, 2> bytes) override {
    boost::asio::async_write(stream_, bytes, [self = Self()](const SocketError& code, std::size_t /*bytes*/) {
      self->OnWritten(code);
    });
  }
  std::size_t TryWrite(std::array<const_buffer, 2> /*bytes*/) override { return 0; }
  bool Shutdown() override {
    stream_.async_shutdown([self = Self()](const SocketError& /*code*/) { self->Close(); });
    return true;
  }

  std::shared_ptr<boost::asio::ssl::context> context_;
  boost::asio::ssl::stream<tcp::socket> stream_;
};

}  // namespace

std::shared_ptr<Connection> Connection::Make(ServerState& server, Loop& loop, tcp::socket socket) {
  SocketError ignored;  // a peer that is gone already is noticed by the first read
  ignored = socket.set_option(tcp::no_delay(true), ignored);
  const tcp::endpoint peer = socket.remote_endpoint(ignored);
  if (peer.address() == socket.local_endpoint(ignored).address()) SendUnpaced(socket);
  if (server.tls) return std::make_shared<TlsConnection>(server, loop, std::move(socket), peer);
  return std::make_shared<PlainConnection>(server, loop, std::move(socket), peer);
}

}  // namespace tidemark::http
