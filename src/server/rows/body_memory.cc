// What is held is counted before it is allocated, so that many at once stay within the limit.
#include "server/rows/body_memory.h"

#include <arrow/status.h>
#include <fmt/format.h>

#include <limits>

namespace tidemark::server {

BodyMemory& BodyMemory::OfProcess() {
  static BodyMemory& memory = *new BodyMemory(std::numeric_limits<std::int64_t>::max());
  return memory;
}

arrow::Status BodyMemory::Hold(std::int64_t size, std::int64_t more) {
  const std::int64_t bytes_max = bytes_max_;
  if (size > bytes_max) {
    return arrow::Status::CapacityError(fmt::format(
        "a buffer has, or claims to have, {} bytes, and the limit is {} (memory_max): send smaller batches",
        size, bytes_max));
  }
  if (held_.fetch_add(more) + more <= bytes_max) return arrow::Status::OK();
  held_ -= more;
  return arrow::Status::OutOfMemory(
      "the rows of all requests together have as many bytes as the server takes");
}

arrow::Status BodyMemory::Allocate(std::int64_t size, std::int64_t alignment, std::uint8_t** out) {
  ARROW_RETURN_NOT_OK(Hold(size, size));
  arrow::Status status = under_.Allocate(size, alignment, out);
  if (!status.ok()) held_ -= size;
  return status;
}

arrow::Status BodyMemory::Reallocate(std::int64_t old_size, std::int64_t new_size, std::int64_t alignment,
                                     std::uint8_t** ptr) {
  ARROW_RETURN_NOT_OK(Hold(new_size, new_size - old_size));
  arrow::Status status = under_.Reallocate(old_size, new_size, alignment, ptr);
  if (!status.ok()) held_ -= new_size - old_size;
  return status;
}

void BodyMemory::Free(std::uint8_t* buffer, std::int64_t size, std::int64_t alignment) {
  under_.Free(buffer, size, alignment);
  held_ -= size;
}

}  // namespace tidemark::server
