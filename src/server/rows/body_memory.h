// Memory for what Arrow bodies unfold to: a few kilobytes of compressed buffers may claim any size.
#pragma once

#include <arrow/memory_pool.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace tidemark::server {

/// Takes from Arrow's own pool up to `bytes_max`, over all bodies of the process that are read at a time. A
/// buffer larger than that is a CapacityError: the claim of a body that cannot be right. One for which
/// there is no room now is OutOfMemory. Thread safe.
class BodyMemory final : public arrow::MemoryPool {
 public:
  explicit BodyMemory(std::int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// That of the process. It is never destroyed, because rows may outlive whoever read them.
  static BodyMemory& OfProcess();
  /// One for a body, out of that of the process: what goes beyond the limit is this body's own fault, and so
  /// a CapacityError. It stays until the last of its buffers is gone.
  static std::shared_ptr<BodyMemory> OfOneBody();
  void set_bytes_max(std::int64_t bytes) { bytes_max_ = bytes; }

  using arrow::MemoryPool::Allocate;
  using arrow::MemoryPool::Free;
  using arrow::MemoryPool::Reallocate;
  arrow::Status Allocate(std::int64_t size, std::int64_t alignment, std::uint8_t** out) override;
  arrow::Status Reallocate(std::int64_t old_size, std::int64_t new_size, std::int64_t alignment,
                           std::uint8_t** ptr) override;
  void Free(std::uint8_t* buffer, std::int64_t size, std::int64_t alignment) override;
  std::int64_t bytes_allocated() const override { return held_; }
  std::int64_t total_bytes_allocated() const override { return under_.total_bytes_allocated(); }
  std::int64_t num_allocations() const override { return under_.num_allocations(); }
  std::string backend_name() const override { return under_.backend_name(); }

 private:
  BodyMemory(arrow::MemoryPool& under, std::int64_t bytes_max)
      : under_(under), is_of_one_(true), bytes_max_(bytes_max) {}
  arrow::Status Hold(std::int64_t size, std::int64_t more);

  arrow::MemoryPool& under_ = *arrow::default_memory_pool();
  const bool is_of_one_ = false;
  std::atomic<std::int64_t> bytes_max_;
  std::atomic<std::int64_t> held_ = 0;
};

}  // namespace tidemark::server
