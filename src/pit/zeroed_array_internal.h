// Large arrays that start as zeros. They are not put on huge pages: lookups go in blocks, so that address
// translations overlap as the cache misses do, while a fresh huge page costs more to zero than it saves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "pit/buffer_pool.h"

namespace tidemark::pit_internal {

/// A fixed number of zeroed elements, 64-byte aligned; large arrays take their memory from the buffer pool.
/// Throws std::bad_alloc, which Make and Add turn into an error.
template <typename T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  ZeroedArray() = default;
  explicit ZeroedArray(std::size_t size) : ZeroedArray(size, true) {}
  /// One whose elements are all to be written before they are read.
  static ZeroedArray Unset(std::size_t size) { return ZeroedArray(size, false); }
  ZeroedArray(ZeroedArray&& other) noexcept { Swap(other); }
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    ZeroedArray taken(std::move(other));
    Swap(taken);
    return *this;
  }
  ~ZeroedArray() {
    if (pooled_) {
      BufferPool()->Free(static_cast<std::uint8_t*>(raw_), PooledBytes());
    } else {
      std::free(raw_);
    }
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t bytes() const { return size_ * sizeof(T); }
  std::span<const T> span() const { return {data_, size_}; }

 private:
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::size_t kPooledBytesMin = std::size_t{2} << 20;
  static constexpr std::size_t kBytesMax = std::size_t{1} << 46;

  ZeroedArray(std::size_t size, bool zeroed) : size_(size) {
    if (size == 0) return;
    if (size > kBytesMax / sizeof(T)) throw std::bad_alloc();
    pooled_ = bytes() >= kPooledBytesMin;
    raw_ = pooled_ ? TakeBlock() : std::calloc(1, bytes() + kAlignment);
    if (raw_ == nullptr) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(raw_);
    data_ = reinterpret_cast<T*>((address + kAlignment - 1) / kAlignment * kAlignment);
    if (pooled_ && zeroed) std::memset(static_cast<void*>(data_), 0, bytes());
  }

  std::int64_t PooledBytes() const { return static_cast<std::int64_t>(bytes() + kAlignment); }
  void* TakeBlock() {
    std::uint8_t* block = nullptr;
    return BufferPool()->Allocate(PooledBytes(), &block).ok() ? block : nullptr;
  }
  void Swap(ZeroedArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(raw_, other.raw_);
    std::swap(size_, other.size_);
    std::swap(pooled_, other.pooled_);
  }

  T* data_ = nullptr;
  void* raw_ = nullptr;
  std::size_t size_ = 0;
  bool pooled_ = false;
};

}  // namespace tidemark::pit_internal
