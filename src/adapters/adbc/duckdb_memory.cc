// The shares were measured (docs/performance.md); the allocator's names are jemalloc's, as DuckDB prefixes
// them.
#include "adapters/adbc/duckdb_memory_internal.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/types.h>

#include <algorithm>
#include <mutex>
#include <string>

#include "base/parallel.h"

namespace tidemark {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kAsideBytes = 56 * kMiB;        // the library, and what does not go by threads
constexpr std::int64_t kThreadAsideBytes = 16 * kMiB;  // what a thread works with
constexpr std::int64_t kThreadBytesMin = 64 * kMiB;    // below which one thread less is better
constexpr std::int64_t kSmallBytesMax = 4096 * kMiB;   // beyond, keeping what was freed is worth its while
constexpr std::int64_t kLibraryBytes = 64 * kMiB;  // of what stands aside, and what comes between two looks
constexpr std::int64_t kKeptParts = 8;             // of which the allocator then has
constexpr std::int64_t kResultBytesMax = 64 * kMiB;
constexpr std::int64_t kResultPart = 16;
// Of texts in waiting rows DuckDB counts 16 bytes each, however long they are.
constexpr std::int64_t kSmallResultPart = 128;
constexpr std::int64_t kEngineParts = 5;  // all but these

using Control = int (*)(const char* name, void* old_value, std::size_t* old_size, void* new_value,
                        std::size_t new_size);

// Of the library that has been loaded; null if its allocator is another one.
Control ControlOf(void* handle) {
  return reinterpret_cast<Control>(dlsym(handle, "duckdb_je_mallctl"));
}

// What is in use of the C library's allocator, in all of the process.
std::int64_t ProcessBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}

// What is in use of DuckDB's.
std::int64_t EngineBytes(Control control) {
  std::uint64_t epoch = 1;
  control("epoch", nullptr, nullptr, &epoch, sizeof epoch);
  std::size_t bytes = 0;
  std::size_t size = sizeof bytes;
  control("stats.allocated", &bytes, &size, nullptr, 0);
  return static_cast<std::int64_t>(bytes);
}

/// How long freed memory is kept, for all of DuckDB in the process.
class FreedMemory {
 public:
  static FreedMemory& Of(Control control) {
    static FreedMemory only(control);
    return only;
  }

  void Use() {
    const std::lock_guard lock(mutex_);
    if (users_++ == 0) Set(0);
  }

  void LetGo() {
    const std::lock_guard lock(mutex_);
    if (--users_ > 0) return;
    control_("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // of all arenas
    malloc_trim(0);  // what DuckDB has from the system's allocator: text of aggregates, Arrow's columns
    Set(usual_ms_);
  }

 private:
  explicit FreedMemory(Control control) : control_(control) {
    std::size_t size = sizeof usual_ms_;
    if (control_("arenas.dirty_decay_ms", &usual_ms_, &size, nullptr, 0) != 0) usual_ms_ = kUsualMs;
  }

  // What an arena does not take stays as it is: it keeps memory for longer, and nothing else changes.
  void Set(ssize_t ms) {
    unsigned arenas = 0;
    std::size_t size = sizeof arenas;
    control_("arenas.narenas", &arenas, &size, nullptr, 0);
    for (const char* kind : {"dirty_decay_ms", "muzzy_decay_ms"}) {
      control_(fmt::format("arenas.{}", kind).c_str(), nullptr, nullptr, &ms, sizeof ms);
      for (unsigned arena = 0; arena < arenas; ++arena)
        control_(fmt::format("arena.{}.{}", arena, kind).c_str(), nullptr, nullptr, &ms, sizeof ms);
    }
  }

  static constexpr ssize_t kUsualMs = 10'000;  // jemalloc's own

  const Control control_;
  std::mutex mutex_;
  int users_ = 0;
  ssize_t usual_ms_ = kUsualMs;
};

}  // namespace

Result<MemoryShares> SharesOf(std::int64_t bytes_max, std::size_t threads) {
  MemoryShares shares{.threads = threads, .result_bytes = kResultBytesMax};
  if (bytes_max <= 0) return shares;
  if (bytes_max < kQueryBytesMin) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format(
            "a memory_limit of {} bytes is too little for a query, which takes {} MiB at least: raise "
            "it, or set sql.memory_limit beside the store's",
            bytes_max, kQueryBytesMin / kMiB));
  }
  if (bytes_max > kSmallBytesMax) {
    shares.engine_bytes = bytes_max / kKeptParts * kEngineParts;
    shares.result_bytes = std::min(kResultBytesMax, shares.engine_bytes / kResultPart);
    return shares;
  }
  const auto fitting = static_cast<std::size_t>((bytes_max - kAsideBytes) / kThreadBytesMin);
  shares.threads = std::clamp<std::size_t>(fitting, 1, ThreadCount(threads));
  shares.engine_bytes =
      bytes_max - kAsideBytes - kThreadAsideBytes * static_cast<std::int64_t>(shares.threads);
  shares.result_bytes = shares.engine_bytes / kSmallResultPart;
  shares.returns_freed = true;
  return shares;
}

std::shared_ptr<const void> ReturnFreedMemory(const std::filesystem::path& library) {
  void* const handle = dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return nullptr;
  const Control control = ControlOf(handle);
  if (control == nullptr) {
    dlclose(handle);
    return nullptr;
  }
  FreedMemory& memory = FreedMemory::Of(control);
  memory.Use();
  return {handle, [&memory](void* held) {
            memory.LetGo();
            dlclose(held);
          }};
}

std::function<bool()> MemoryGuard(const std::filesystem::path& library, std::int64_t bytes_max,
                                  const MemoryShares& shares) {
  if (bytes_max <= 0) return nullptr;
  const std::shared_ptr<void> handle(dlopen(library.c_str(), RTLD_LAZY | RTLD_NOLOAD), [](void* held) {
    if (held != nullptr) dlclose(held);
  });
  const Control control = handle == nullptr ? nullptr : ControlOf(handle.get());
  const std::int64_t room = bytes_max - kLibraryBytes;
  const std::int64_t left_by_engine = room - shares.engine_bytes;
  return [handle, control, room, left_by_engine, before = ProcessBytes()] {
    const std::int64_t uncounted = ProcessBytes() - before;
    if (uncounted <= left_by_engine) return false;
    return control == nullptr || uncounted + EngineBytes(control) > room;
  };
}

}  // namespace tidemark
