// Frames over a socket that does not block.
#include "adapters/python_workers/worker_frame_internal.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

namespace tidemark::python_workers {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kHeadBytesMax = 1UL << 20U;
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t) + sizeof(std::uint64_t);
static_assert(std::endian::native == std::endian::little);

/// Until the socket is ready for `events`.
std::expected<void, Broken> Await(const Channel& channel, short events, Deadline deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left < 0) return std::unexpected(Broken::kTooLate);
    constexpr std::int64_t kWaitMs = 60'000;
    std::array<pollfd, 2> waited{{{.fd = channel.socket, .events = events, .revents = 0},
                                  {.fd = channel.stop, .events = POLLIN, .revents = 0}}};
    const int ready =
        poll(waited.data(), waited.size(), static_cast<int>(std::min<std::int64_t>(left + 1, kWaitMs)));
    if (ready < 0 && errno != EINTR) return std::unexpected(Broken::kEnded);
    if (ready <= 0) continue;
    if (waited[1].revents != 0) return std::unexpected(Broken::kStopped);
    return {};
  }
}

std::expected<void, Broken> SendAll(const Channel& channel, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = send(channel.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return std::unexpected(Broken::kEnded);
    if (auto ready = Await(channel, POLLOUT, deadline); !ready) return ready;
  }
  return {};
}

std::expected<void, Broken> ReceiveAll(const Channel& channel, char* out, std::size_t count,
                                       Deadline deadline) {
  while (count > 0) {
    const ssize_t got = recv(channel.socket, out, count, 0);
    if (got > 0) {
      out += got;
      count -= static_cast<std::size_t>(got);
      continue;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) return std::unexpected(Broken::kEnded);
    if (auto ready = Await(channel, POLLIN, deadline); !ready) return ready;
  }
  return {};
}

}  // namespace

std::expected<void, Broken> SendFrame(const Channel& channel, std::string_view head, std::string_view body,
                                      Deadline deadline) {
  const auto head_bytes = static_cast<std::uint32_t>(head.size());
  const std::uint64_t body_bytes = body.size();
  std::string begin(kLengthBytes, '\0');
  std::memcpy(begin.data(), &head_bytes, sizeof(head_bytes));
  std::memcpy(begin.data() + sizeof(head_bytes), &body_bytes, sizeof(body_bytes));
  begin.append(head);
  if (auto sent = SendAll(channel, begin, deadline); !sent) return sent;
  return SendAll(channel, body, deadline);
}

std::expected<Frame, Broken> ReceiveFrame(const Channel& channel, std::size_t bytes_max, Deadline deadline) {
  std::array<char, kLengthBytes> lengths{};
  if (auto got = ReceiveAll(channel, lengths.data(), lengths.size(), deadline); !got)
    return std::unexpected(got.error());
  std::uint32_t head_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::memcpy(&head_bytes, lengths.data(), sizeof(head_bytes));
  std::memcpy(&body_bytes, lengths.data() + sizeof(head_bytes), sizeof(body_bytes));
  if (head_bytes > kHeadBytesMax || body_bytes > bytes_max) return std::unexpected(Broken::kWrong);
  Frame frame{.head = std::string(head_bytes, '\0'), .body = std::string(body_bytes, '\0')};
  if (auto got = ReceiveAll(channel, frame.head.data(), frame.head.size(), deadline); !got)
    return std::unexpected(got.error());
  if (auto got = ReceiveAll(channel, frame.body.data(), frame.body.size(), deadline); !got)
    return std::unexpected(got.error());
  return frame;
}

}  // namespace tidemark::python_workers
