// The pages of LMDB 0.9, as far as they must be known (little-endian, 64 bits):
//
//   a page      0  u64 its number   8 u16 -   10 u16 flags   12 u16 lower, 14 u16 upper (or u32 pages of an
//               overflow run)   16 offsets of nodes, u16 each, up to lower   ...   nodes, from upper to the
//               end
//   a node      0  u16 low, u16 high: of a leaf the value's size, of a branch the child's page together with
//               4 u16 flags   6 u16 key bytes   8 key, then value (1 in the flags: a page number instead)
//   pages 0, 1  16 u32 magic, u32 version   40 two trees of 48 bytes: u32 page size (of the first), ...
//               at 40 the root; the first is that of free pages   136 u64 last page   144 u64 snapshot
//   free pages  key: the snapshot that freed them; value: u64 how many, then their numbers
#include "adapters/lmdb/lmdb_scrub_internal.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <system_error>
#include <vector>

namespace tidemark::lmdb {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::size_t kPageHeaderBytes = 16;
constexpr std::size_t kNodeHeaderBytes = 8;
constexpr std::size_t kTreeBytes = 48;
constexpr std::size_t kMetaBytes = kPageHeaderBytes + 24 + 2 * kTreeBytes + 16;
constexpr unsigned kBranch = 0x01;
constexpr unsigned kLeaf = 0x02;
constexpr unsigned kOverflow = 0x04;
constexpr unsigned kBigValue = 0x01;
constexpr int kDepthMax = 32;
constexpr std::uint64_t kPagesMax = std::uint64_t{1} << 34;  // more than any map has

template <typename Number>
Number Read(Bytes bytes, std::size_t at) {
  Number number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

/// The file, mapped for reading.
class Mapping {
 public:
  explicit Mapping(int fd) {
    struct stat about{};
    if (::fstat(fd, &about) != 0) return;
    bytes_ = static_cast<std::size_t>(about.st_size);
    void* const at = ::mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) data_ = static_cast<const std::byte*>(at);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), bytes_);
  }
  Bytes bytes() const { return {data_, data_ == nullptr ? 0 : bytes_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

struct Meta {
  std::uint64_t free_root = kNoPage;
  std::uint64_t rows_root = kNoPage;
  std::uint64_t last_page = 0;
  std::uint64_t snapshot = 0;
  std::size_t page_bytes = 0;
};

std::unexpected<Error> Damaged(std::string_view what) {
  return Fail(
      ErrorCode::kCorruption,
      fmt::format("the online store's file does not add up ({}): nothing was overwritten in it", what));
}

Result<Meta> ReadMeta(Bytes file, std::size_t at) {
  if (file.size() < at + kMetaBytes) return Damaged("it is too short");
  const Bytes page = file.subspan(at);
  const std::size_t trees = kPageHeaderBytes + 24;
  if (Read<std::uint32_t>(page, 16) != kMagic || Read<std::uint32_t>(page, 20) != kVersion)
    return Fail(ErrorCode::kUnsupported, "the online store's file is of an LMDB that cannot be erased from");
  Meta meta;
  meta.page_bytes = Read<std::uint32_t>(page, trees);
  meta.free_root = Read<std::uint64_t>(page, trees + 40);
  meta.rows_root = Read<std::uint64_t>(page, trees + kTreeBytes + 40);
  meta.last_page = Read<std::uint64_t>(page, trees + 2 * kTreeBytes);
  meta.snapshot = Read<std::uint64_t>(page, trees + 2 * kTreeBytes + 8);
  return meta;
}

/// The newer of the two.
Result<Meta> NewestMeta(Bytes file) {
  TM_ASSIGN(const Meta first, ReadMeta(file, 0));
  const bool is_sane = first.page_bytes >= 512 && first.page_bytes <= 65536 &&
                       (first.page_bytes & (first.page_bytes - 1)) == 0;
  if (!is_sane) return Damaged("its page size");
  TM_ASSIGN(const Meta second, ReadMeta(file, first.page_bytes));
  return second.snapshot > first.snapshot ? second : first;
}

class Scrubbing {
 public:
  Scrubbing(Bytes file, const Meta& meta, const ScrubOptions& options)
      : file_(file), meta_(meta), options_(options), is_live_(meta.last_page + 1, false) {
    is_live_[0] = is_live_[1] = true;
  }

  /// Finds all that is to be overwritten; writes nothing.
  Result<void> Find() {
    TM_TRY(Walk(meta_.free_root, 0, true));
    TM_TRY(Walk(meta_.rows_root, 0, false));
    if (options_.free_pages_only) ranges_.clear();
    for (const std::uint64_t page : free_pages_) {
      if (page > meta_.last_page || is_live_[page]) return Damaged("a page is free and in use");
      // Pages behind the file's end were never written.
      if ((page + 1) * meta_.page_bytes <= file_.size()) Add(page * meta_.page_bytes, meta_.page_bytes);
    }
    const std::size_t end = (meta_.last_page + 1) * meta_.page_bytes;
    if (file_.size() > end) Add(end, file_.size() - end);
    return {};
  }

  Result<void> Overwrite(int fd) const {
    const std::vector<std::byte> zeros(std::size_t{1} << 20);
    for (const Range& range : ranges_) {
      for (std::size_t done = 0; done < range.bytes;) {
        const std::size_t bytes = std::min(range.bytes - done, zeros.size());
        const ssize_t written = ::pwrite(fd, zeros.data(), bytes, static_cast<off_t>(range.begin + done));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
          return Fail(ErrorCode::kIo, fmt::format("cannot overwrite what was erased online: {}",
                                                  std::generic_category().message(errno)));
        }
        done += static_cast<std::size_t>(written);
      }
    }
    return {};
  }

 private:
  struct Range {
    std::size_t begin;
    std::size_t bytes;
  };

  /// What is zero already is left alone.
  void Add(std::size_t begin, std::size_t bytes) {
    const Bytes there = file_.subspan(begin, bytes);
    if (std::ranges::all_of(there, [](std::byte byte) { return byte == std::byte{0}; })) return;
    if (!ranges_.empty() && ranges_.back().begin + ranges_.back().bytes == begin) {
      ranges_.back().bytes += bytes;
    } else {
      ranges_.push_back({begin, bytes});
    }
  }

  Result<Bytes> Page(std::uint64_t number, std::uint64_t count) {
    if (number > meta_.last_page || count == 0 || count > meta_.last_page + 1 - number ||
        (number + count) * meta_.page_bytes > file_.size())
      return Damaged("a page lies beyond its end");
    for (std::uint64_t page = number; page < number + count; ++page) {
      if (is_live_[page]) return Damaged("a page is used twice");
      is_live_[page] = true;
    }
    return file_.subspan(number * meta_.page_bytes, count * meta_.page_bytes);
  }

  Result<void> Walk(std::uint64_t number, int depth, bool is_free_tree) {
    if (number == kNoPage) return {};
    if (depth > kDepthMax) return Damaged("its tree is too deep");
    TM_ASSIGN(const Bytes page, Page(number, 1));
    const unsigned flags = Read<std::uint16_t>(page, 10);
    const std::size_t lower = Read<std::uint16_t>(page, 12);
    const std::size_t upper = Read<std::uint16_t>(page, 14);
    const bool is_known = (flags & (kBranch | kLeaf | kOverflow)) == kBranch ||
                          (flags & (kBranch | kLeaf | kOverflow)) == kLeaf;
    if (Read<std::uint64_t>(page, 0) != number || !is_known || lower < kPageHeaderBytes || lower > upper ||
        upper > page.size())
      return Damaged("a page is not what it should be");
    Add(number * meta_.page_bytes + lower, upper - lower);
    for (std::size_t at = kPageHeaderBytes; at + 1 < lower; at += 2) {
      const std::size_t node = Read<std::uint16_t>(page, at);
      if (node < upper || node + kNodeHeaderBytes > page.size()) return Damaged("a node is out of its page");
      const std::uint64_t low = Read<std::uint32_t>(page, node);
      const std::uint64_t high = Read<std::uint16_t>(page, node + 4);
      if ((flags & kBranch) != 0) {
        TM_TRY(Walk(low | high << 32, depth + 1, is_free_tree));
      } else {
        TM_TRY(Leaf(page.subspan(node), low, (high & kBigValue) != 0, is_free_tree));
      }
    }
    return {};
  }

  Result<void> Leaf(Bytes node, std::size_t value_bytes, bool is_big, bool is_free_tree) {
    const std::size_t key_bytes = Read<std::uint16_t>(node, 6);
    const std::size_t in_page = is_big ? sizeof(std::uint64_t) : value_bytes;
    if (node.size() < kNodeHeaderBytes + key_bytes + in_page) return Damaged("a value is out of its page");
    const Bytes key = node.subspan(kNodeHeaderBytes, key_bytes);
    Bytes value = node.subspan(kNodeHeaderBytes + key_bytes, in_page);
    if (is_big) {
      TM_ASSIGN(value, BigValue(Read<std::uint64_t>(value, 0), value_bytes));
    }
    return is_free_tree ? AddFree(key, value) : Result<void>();
  }

  /// A value that has pages of its own, and zeros behind it.
  Result<Bytes> BigValue(std::uint64_t number, std::size_t value_bytes) {
    const std::uint64_t count = (kPageHeaderBytes + value_bytes + meta_.page_bytes - 1) / meta_.page_bytes;
    TM_ASSIGN(const Bytes pages, Page(number, count));
    // A value that became shorter in place has more pages than it needs.
    const std::uint64_t run = Read<std::uint32_t>(pages, 12);
    if (Read<std::uint64_t>(pages, 0) != number || (Read<std::uint16_t>(pages, 10) & kOverflow) == 0 ||
        run < count)
      return Damaged("a value's pages are not what they should be");
    if (run > count) TM_TRY(Page(number + count, run - count));
    const std::size_t end = kPageHeaderBytes + value_bytes;
    Add(number * meta_.page_bytes + end, run * meta_.page_bytes - end);
    return pages.subspan(kPageHeaderBytes, value_bytes);
  }

  Result<void> AddFree(Bytes key, Bytes value) {
    if (key.size() != sizeof(std::uint64_t) || value.size() < sizeof(std::uint64_t))
      return Damaged("its list of free pages");
    // LMDB gives pages out again by the same condition.
    if (Read<std::uint64_t>(key, 0) >= options_.oldest_reader) return {};
    const std::uint64_t count = Read<std::uint64_t>(value, 0);
    if (count > value.size() / sizeof(std::uint64_t) - 1) return Damaged("its list of free pages");
    for (std::uint64_t i = 1; i <= count; ++i)
      free_pages_.push_back(Read<std::uint64_t>(value, i * sizeof(std::uint64_t)));
    return {};
  }

  const Bytes file_;
  const Meta& meta_;
  const ScrubOptions& options_;
  std::vector<bool> is_live_;
  std::vector<std::uint64_t> free_pages_;
  std::vector<Range> ranges_;
};

}  // namespace

Result<std::uint64_t> ScrubFile(int fd, const ScrubOptions& options) {
  const Mapping mapping(fd);
  TM_ASSIGN(const Meta meta, NewestMeta(mapping.bytes()));
  if (meta.last_page > kPagesMax) return Damaged("its length");
  Scrubbing scrubbing(mapping.bytes(), meta, options);
  TM_TRY(scrubbing.Find());
  TM_TRY(scrubbing.Overwrite(fd));
  return meta.snapshot;
}

}  // namespace tidemark::lmdb
