// What is held is counted before it is allocated, so that many at once stay within the limit.
#include "server/rows/body_memory.h"

#include <arrow/status.h>
#include <fmt/format.h>

#include <limits>
#include <mutex>
#include <vector>

namespace tidemark::server {
namespace {

/// Takes what is no longer read from, and frees what no buffer is left of: rows may outlive who read them.
void Retire(BodyMemory* memory) {
  static std::mutex& mutex = *new std::mutex;
  static std::vector<BodyMemory*>& retired = *new std::vector<BodyMemory*>;
  const std::lock_guard lock(mutex);
  retired.push_back(memory);
  std::erase_if(retired, [](BodyMemory* one) {
    if (one->bytes_allocated() > 0) return false;
    delete one;
    return true;
  });
}

}  // namespace

BodyMemory& BodyMemory::OfProcess() {
  static BodyMemory& memory = *new BodyMemory(std::numeric_limits<std::int64_t>::max());
  return memory;
}

std::shared_ptr<BodyMemory> BodyMemory::OfOneBody() {
  return {new BodyMemory(OfProcess(), OfProcess().bytes_max_), Retire};
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
  if (is_of_one_) {
    return arrow::Status::CapacityError(fmt::format(
        "some of the rows unfold to more than {} bytes, which is the limit (memory_max): send smaller values",
        bytes_max));
  }
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
