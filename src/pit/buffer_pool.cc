// Blocks are kept by size class: an eighth of a power of two, so that at most a ninth of a block is unused.
#include "pit/buffer_pool.h"

#include <arrow/util/thread_pool.h>

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/lock_file.h"

namespace tidemark {
namespace {

constexpr std::int64_t kSmallBytesMax = std::int64_t{32} << 10;  // below it, the default pool does as well
constexpr std::int64_t kAlignmentMax = 64;                       // Arrow's own; others are not kept

bool IsKept(std::int64_t size, std::int64_t alignment) {
  return size > kSmallBytesMax && size <= kKeptBytesMax && alignment <= kAlignmentMax;
}

std::int64_t ClassBytes(std::int64_t size) {
  const auto step = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(size)) / 8);
  return (size + step - 1) / step * step;
}

class KeepingPool final : public arrow::MemoryPool {
 public:
  using MemoryPool::Allocate;
  using MemoryPool::Free;
  using MemoryPool::Reallocate;

  arrow::Status Allocate(std::int64_t size, std::int64_t alignment, std::uint8_t** out) override {
    if (!IsKept(size, alignment)) return base_->Allocate(size, alignment, out);
    const std::int64_t bytes = ClassBytes(size);
    if ((*out = TakeKept(bytes)) != nullptr) return arrow::Status::OK();
    return base_->Allocate(bytes, kAlignmentMax, out);
  }

  arrow::Status Reallocate(std::int64_t old_size, std::int64_t new_size, std::int64_t alignment,
                           std::uint8_t** block) override {
    const bool was_kept = IsKept(old_size, alignment);
    const bool is_kept = IsKept(new_size, alignment);
    if (!was_kept && !is_kept) return base_->Reallocate(old_size, new_size, alignment, block);
    if (was_kept && is_kept && ClassBytes(old_size) == ClassBytes(new_size)) return arrow::Status::OK();
    std::uint8_t* moved = nullptr;
    ARROW_RETURN_NOT_OK(Allocate(new_size, alignment, &moved));
    std::memcpy(moved, *block, static_cast<std::size_t>(std::min(old_size, new_size)));
    Free(*block, old_size, alignment);
    *block = moved;
    return arrow::Status::OK();
  }

  void Free(std::uint8_t* block, std::int64_t size, std::int64_t alignment) override {
    if (!IsKept(size, alignment)) return base_->Free(block, size, alignment);
    const std::int64_t bytes = ClassBytes(size);
    if (!Keep(block, bytes)) base_->Free(block, bytes, kAlignmentMax);
  }

  void ReleaseUnused() override {
    Blocks freed;
    {
      const std::lock_guard lock(mutex_);
      freed = TakeAllKept();
    }
    GiveBack(freed);
  }

  void BeginUse(std::int64_t kept_bytes_max) {
    bool is_over = false;
    {
      const std::lock_guard lock(mutex_);
      limits_.insert(kept_bytes_max);
      is_over = kept_bytes_ > *limits_.begin();
    }
    if (is_over) ReleaseUnused();
  }

  /// Arrow's pools end with the process: nothing is given back to them behind this.
  void EndWithTheProcess() {
    std::unique_lock lock(mutex_);
    is_over_ = true;
    released_.wait(lock, [this] { return releasing_ == 0 || releasing_in_ != ForkCount(); });
  }

  void EndUse(std::int64_t kept_bytes_max) {
    bool was_last = false;
    {
      const std::lock_guard lock(mutex_);
      limits_.erase(limits_.find(kept_bytes_max));
      was_last = limits_.empty();
    }
    if (was_last) ReleaseSoon();
  }

  std::int64_t bytes_allocated() const override {
    const std::lock_guard lock(mutex_);
    return base_->bytes_allocated() - kept_bytes_;
  }
  std::int64_t max_memory() const override { return base_->max_memory(); }
  std::int64_t total_bytes_allocated() const override { return base_->total_bytes_allocated(); }
  std::int64_t num_allocations() const override { return base_->num_allocations(); }
  std::string backend_name() const override { return base_->backend_name(); }

 private:
  using Blocks = std::map<std::int64_t, std::vector<std::uint8_t*>>;  // by class

  // With the lock held.
  Blocks TakeAllKept() {
    kept_bytes_ = 0;
    return std::exchange(kept_, {});
  }

  void GiveBack(const Blocks& freed) {
    for (const auto& [bytes, blocks] : freed) {
      for (std::uint8_t* block : blocks)
        base_->Free(block, bytes, kAlignmentMax);
    }
    base_->ReleaseUnused();
    arrows_->ReleaseUnused();  // which Arrow's own functions use beside
  }

  // To give pages back takes the kernel a while, which whoever ends the use need not wait for. Whoever begins
  // another meanwhile gets them.
  void ReleaseSoon() {
    const auto release = [this] {
      Blocks freed;
      {
        const std::lock_guard lock(mutex_);
        if (!limits_.empty() || is_over_) return;
        freed = TakeAllKept();
        if (std::exchange(releasing_in_, ForkCount()) != ForkCount()) releasing_ = 0;  // those of a parent
        ++releasing_;
      }
      GiveBack(freed);
      const std::lock_guard lock(mutex_);
      --releasing_;
      released_.notify_all();
    };
    if (!arrow::internal::GetCpuThreadPool()->Spawn(release).ok()) release();
  }

  std::uint8_t* TakeKept(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(bytes);
    if (found == kept_.end() || found->second.empty()) return nullptr;
    std::uint8_t* block = found->second.back();
    found->second.pop_back();
    kept_bytes_ -= bytes;
    return block;
  }

  bool Keep(std::uint8_t* block, std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::int64_t limit = limits_.empty() ? kKeptBytesMax : *limits_.begin();
    if (kept_bytes_ + bytes > limit) return false;
    kept_[bytes].push_back(block);
    kept_bytes_ += bytes;
    return true;
  }

  // Not Arrow's default pool: that one takes huge pages, and zeroing them costs more than they save here.
  arrow::MemoryPool* const base_ = arrow::system_memory_pool();
  arrow::MemoryPool* const arrows_ = arrow::default_memory_pool();
  mutable std::mutex mutex_;  // guards those below
  Blocks kept_;
  std::int64_t kept_bytes_ = 0;
  std::multiset<std::int64_t> limits_;  // of the uses there are
  int releasing_ = 0;                   // threads that give back what was kept
  std::uint64_t releasing_in_ = 0;      // which process they are of: a fork has none of them
  std::condition_variable released_;
  bool is_over_ = false;
};

KeepingPool& ThePool() {
  static KeepingPool* const pool = [] {
    static auto* const made = new KeepingPool();  // never destroyed: buffers may outlive everything else
    std::atexit([] { made->EndWithTheProcess(); });
    return made;
  }();
  return *pool;
}

}  // namespace

arrow::MemoryPool* BufferPool() {
  return &ThePool();
}

BufferPoolUse::BufferPoolUse(std::int64_t kept_bytes_max)
    : kept_bytes_max_(std::clamp<std::int64_t>(kept_bytes_max, 0, kKeptBytesMax)) {
  ThePool().BeginUse(kept_bytes_max_);
}

BufferPoolUse::~BufferPoolUse() {
  ThePool().EndUse(kept_bytes_max_);
}

}  // namespace tidemark
