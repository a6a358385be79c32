// Large arrays that start as zeros and that random accesses go to: on huge pages where the system has them,
// which saves most of the cost of address translation.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace tidemark::pit_internal {

/// A fixed number of zeroed elements, 64-byte aligned. Memory comes from the system untouched: the thread
/// that writes an element first decides where it lies. Throws std::bad_alloc, which Make and Add turn into an
/// error.
template <typename T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  ZeroedArray() = default;
  explicit ZeroedArray(std::size_t size) : size_(size) {
    if (size == 0) return;
    if (size > kBytesMax / sizeof(T)) throw std::bad_alloc();
    mapped_ = bytes() >= kHugePageBytes;
    data_ = static_cast<T*>(mapped_ ? Map() : std::calloc(1, bytes() + kAlignment));
    if (data_ == nullptr) throw std::bad_alloc();
    raw_ = data_;
    const std::size_t alignment = mapped_ ? kHugePageBytes : kAlignment;
    const auto address = reinterpret_cast<std::uintptr_t>(data_);
    data_ = reinterpret_cast<T*>((address + alignment - 1) / alignment * alignment);
    if (mapped_) madvise(data_, bytes(), MADV_HUGEPAGE);  // advice: without huge pages it works as well
  }
  ZeroedArray(ZeroedArray&& other) noexcept { Swap(other); }
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    ZeroedArray taken(std::move(other));
    Swap(taken);
    return *this;
  }
  ~ZeroedArray() {
    if (mapped_) {
      munmap(raw_, bytes() + kHugePageBytes);
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
  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
  static constexpr std::size_t kBytesMax = std::size_t{1} << 46;

  void* Map() {
    void* found = mmap(nullptr, bytes() + kHugePageBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return found == MAP_FAILED ? nullptr : found;
  }
  void Swap(ZeroedArray& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(raw_, other.raw_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
  }

  T* data_ = nullptr;
  void* raw_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
};

}  // namespace tidemark::pit_internal
