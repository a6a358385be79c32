// Finds the host's addresses and connects to the first that answers.
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "remote/socket_internal.h"

namespace tidemark::remote {
namespace {

using Kind = NetworkError::Kind;

// A machine that is gone without a word is noticed by these, long before the time for an answer is over.
constexpr int kProbeIdleSeconds = 15;
constexpr int kProbeIntervalSeconds = 5;
constexpr int kProbes = 4;
constexpr int kUnacknowledgedMillisecondsMax = 35'000;

struct Addresses {
  explicit Addresses(addrinfo* found) : first(found) {}
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;
  ~Addresses() {
    if (first != nullptr) freeaddrinfo(first);
  }
  addrinfo* first;
};

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof value);  // what a system does not know it does without
}

void SetUp(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, kProbeIdleSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, kProbeIntervalSeconds);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, kProbes);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMillisecondsMax);
}

/// From here on reads and writes block for one slice.
void BlockInSlices(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
  const timeval slice{.tv_sec = 0, .tv_usec = std::chrono::microseconds(kSlice).count()};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof slice);
}

NetworkResult<void> WaitForConnect(int fd, const Waiting& waiting) {
  const Wait wait(waiting);
  while (true) {
    pollfd asked{.fd = fd, .events = POLLOUT, .revents = 0};
    const int ready = poll(&asked, 1, static_cast<int>(kSlice.count()));
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return Failed(Kind::kNotConnected, TextOf(errno));
    if (auto more = wait.GoOn(); !more) {
      if (more.error().kind == Kind::kTooSlow) more.error().kind = Kind::kNotConnected;
      return more;
    }
  }
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Failed(Kind::kNotConnected, TextOf(error));
  return {};
}

NetworkResult<FileDescriptor> ConnectTo(const addrinfo& address, const Waiting& waiting) {
  FileDescriptor made(
      socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol));
  if (!made.is_open()) return Failed(Kind::kNotConnected, TextOf(errno));
  SetUp(made.get());
  if (connect(made.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return Failed(Kind::kNotConnected, TextOf(errno));
    if (auto connected = WaitForConnect(made.get(), waiting); !connected) {
      return std::unexpected(std::move(connected).error());
    }
  }
  BlockInSlices(made.get());
  return made;
}

}  // namespace

NetworkResult<FileDescriptor> OpenSocket(const ServerUrl& url, const Waiting& waiting) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  if (const int failed = getaddrinfo(url.host.c_str(), url.port.c_str(), &wanted, &list); failed != 0) {
    return Failed(Kind::kNotConnected,
                  fmt::format("the host '{}' is not known: {}", url.host, gai_strerror(failed)));
  }
  const Addresses found(list);
  NetworkError last{Kind::kNotConnected, "the host has no address"};
  for (const addrinfo* each = found.first; each != nullptr; each = each->ai_next) {
    auto opened = ConnectTo(*each, waiting);
    if (opened) return opened;
    last = std::move(opened).error();
    if (last.kind == Kind::kCancelled) break;
  }
  return std::unexpected(std::move(last));
}

}  // namespace tidemark::remote
