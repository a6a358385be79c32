// What goes to a worker process and back, over a socket of its own.
//
//   frame:   head length, u32 | body length, u64 | head: JSON | body: an Arrow IPC stream, or nothing
//            (numbers are little-endian)
//   to it:   {"call": "prepare", "id": 3, "definition": "..."}   a view's canonical JSON
//            {"call": "run", "id": 3, "rows": 100}               the body is the function's arguments
//            {"call": "forget"}                                  all that was prepared; not answered
//   back:    {"ready": 1}                                        once, by itself: the number of this protocol
//            {}                                                  after run with a body: the view's fields
//            {"error": {"code": "INVALID_DATA", "message": "...", "context": "..."}}
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tidemark::python_workers {

inline constexpr int kProtocol = 1;

using Deadline = std::chrono::steady_clock::time_point;

struct Frame {
  std::string head;
  std::string body;
};

/// Why a frame did not come through.
enum class Broken : std::uint8_t {
  kEnded,    // the other side is gone
  kTooLate,  // the deadline came first
  kStopped,  // `stop` became readable
  kWrong,    // what came is no frame, or too large a one
};

/// A socket that does not block, and what ends waiting for it: a descriptor that becomes readable.
struct Channel {
  int socket = -1;
  int stop = -1;
};

std::expected<void, Broken> SendFrame(const Channel& channel, std::string_view head, std::string_view body,
                                      Deadline deadline);
std::expected<Frame, Broken> ReceiveFrame(const Channel& channel, std::size_t bytes_max, Deadline deadline);

}  // namespace tidemark::python_workers
