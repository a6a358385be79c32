// The file of records, and the way back to a root.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <span>
#include <utility>

#include "adapters/lmdb/lmdb_synced_root_internal.h"
#include "base/crc32c.h"
#include "base/file_descriptor.h"

namespace tidemark::lmdb {
namespace {

constexpr std::uint64_t kRecordMagic = 0x3120746F6F726D74;  // "tmroot 1"
constexpr off_t kSecondRecord = 4096;
constexpr std::size_t kRootFileBytes = 2 * static_cast<std::size_t>(kSecondRecord);

// As it lies in the file. Of the root's place only the first kRootBytes are used.
struct StoredRecord {
  std::uint64_t magic = kRecordMagic;
  std::uint64_t sequence = 0;
  std::uint32_t state = 0;
  std::uint32_t unused = 0;
  BootId boot{};
  std::uint64_t holder = 0;
  std::uint64_t root_bytes = kRootBytes;
  std::array<std::byte, 256> root{};
  std::uint32_t checksum = 0;
  std::uint32_t end = 0;
};
static_assert(sizeof(StoredRecord) == 320 && offsetof(StoredRecord, checksum) == 312);

std::uint32_t ChecksumOf(const StoredRecord& stored) {
  return Crc32c(std::as_bytes(std::span(&stored, 1)).first(offsetof(StoredRecord, checksum)));
}

std::optional<RootRecord> DecodeRecord(const StoredRecord& stored) {
  if (stored.magic != kRecordMagic || stored.checksum != ChecksumOf(stored) ||
      stored.root_bytes != kRootBytes || stored.state > std::to_underlying(RootRecord::State::kSuspect))
    return std::nullopt;
  RootRecord record{.sequence = stored.sequence,
                    .state = RootRecord::State{stored.state},
                    .boot = stored.boot,
                    .holder = stored.holder,
                    .root = {}};
  std::copy_n(stored.root.begin(), kRootBytes, record.root.bytes.begin());
  return record;
}

StoredRecord EncodeRecord(const RootRecord& record) {
  StoredRecord stored;
  stored.sequence = record.sequence;
  stored.state = std::to_underlying(record.state);
  stored.boot = record.boot;
  stored.holder = record.holder;
  std::ranges::copy(record.root.bytes, stored.root.begin());
  stored.checksum = ChecksumOf(stored);
  return stored;
}

// 0 or an errno. A file that ends before that is EIO.
int ReadAt(int fd, off_t at, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pread(fd, bytes.data(), bytes.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += count;
  }
  return 0;
}

int WriteAt(int fd, off_t at, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    at += count;
  }
  return 0;
}

std::string RootFile(const Place& place) {
  return place.folder + "/synced.root";
}

template <typename Number>
Number NumberAt(const Root& root, std::size_t at) {
  Number number = 0;
  std::memcpy(&number, root.bytes.data() + at, sizeof(number));
  return number;
}

// Places in a meta page; lmdb_scrub.cc draws it.
constexpr std::size_t kPageBytesAt = 40;
constexpr std::size_t kSnapshotAt = 144;

// The valid record of the greater sequence. Without any the file is new, or its first record was never
// finished, and then nothing ran ahead.
Result<RootRecord> ReadRecords(int fd, const Place& place) {
  RootRecord newest;
  for (const off_t at : {off_t{0}, kSecondRecord}) {
    StoredRecord stored;
    const int code = ReadAt(fd, at, std::as_writable_bytes(std::span(&stored, 1)));
    if (code == EIO) continue;  // the file is being made
    if (code != 0) return FailWith(code, "read synced.root", place);
    const auto record = DecodeRecord(stored);
    if (record && record->sequence > newest.sequence) newest = *record;
  }
  return newest;
}

std::mutex g_boot_mutex;
std::optional<BootId> g_boot;  // guarded by g_boot_mutex

BootId ReadBoot() {
  BootId boot{};
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  file >> text;
  std::erase(text, '-');
  if (text.size() != 2 * boot.size()) return boot;
  for (std::size_t i = 0; i < boot.size(); ++i) {
    unsigned byte = 0;
    if (std::sscanf(text.c_str() + 2 * i, "%2x", &byte) != 1) return BootId{};
    boot[i] = static_cast<std::byte>(byte);
  }
  return boot;
}

}  // namespace

BootId ThisBoot() {
  const std::lock_guard lock(g_boot_mutex);
  if (!g_boot) g_boot = ReadBoot();
  return *g_boot;
}

BootId RunOf(const std::string& path) {
  BootId run = ThisBoot();
  struct stat about{};
  if (run == BootId{} || ::stat(path.c_str(), &about) != 0) return {};
  const std::array<std::uint64_t, 2> file{about.st_dev, about.st_ino};
  const auto bytes = std::as_bytes(std::span(file));
  for (std::size_t i = 0; i < run.size(); ++i)
    run[i] ^= bytes[i];
  return run;
}

void SetBootForTests(const BootId& boot) {
  const std::lock_guard lock(g_boot_mutex);
  g_boot = boot;
}

std::uint64_t Root::snapshot() const {
  return NumberAt<std::uint64_t>(*this, kSnapshotAt);
}

std::size_t Root::page_bytes() const {
  return NumberAt<std::uint32_t>(*this, kPageBytesAt);
}

Root Root::OneOlder() const {
  Root older = *this;
  const std::uint64_t number = snapshot() - 1;
  std::memcpy(older.bytes.data() + kSnapshotAt, &number, sizeof(number));
  return older;
}

Result<Root> ReadNewestRoot(int fd, const Place& place) {
  Root first;
  Root second;
  int code = ReadAt(fd, 0, first.bytes);
  if (code == 0) code = ReadAt(fd, static_cast<off_t>(first.page_bytes()), second.bytes);
  if (code != 0) return FailWith(code, "read its roots", place);
  return second.snapshot() > first.snapshot() ? second : first;
}

SyncedRoot::SyncedRoot(Place place, std::unique_ptr<LockFile> locks, int fd)
    : place_(std::move(place)), locks_(std::move(locks)), fd_(fd) {}

SyncedRoot::~SyncedRoot() {
  ::close(fd_);
}

Result<std::unique_ptr<SyncedRoot>> SyncedRoot::Open(const Place& place) {
  const std::string path = RootFile(place);
  TM_ASSIGN(auto locks, LockFile::Open(path, LockFile::Access::kFull, /*create=*/true));
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return FailWith(errno, "open synced.root", place);
  std::unique_ptr<SyncedRoot> opened(new SyncedRoot(place, std::move(locks), fd));
  TM_TRY(opened->TakeTurn());
  auto begun = opened->Begin();
  opened->GiveTurnBack();
  if (!begun) return std::unexpected(std::move(begun).error());
  return opened;
}

// Within a turn.
Result<void> SyncedRoot::Begin() {
  struct stat about{};
  if (::fstat(fd_, &about) != 0) return FailWith(errno, "look at synced.root", place_);
  if (about.st_size < static_cast<off_t>(kRootFileBytes)) {
    const std::array<std::byte, kRootFileBytes> zeros{};
    int code = WriteAt(fd_, 0, zeros);
    if (code == 0 && ::fsync(fd_) != 0) code = errno;
    if (code == 0) code = SyncPath(place_.folder);
    if (code != 0) return FailWith(code, "make synced.root", place_);
  }
  TM_ASSIGN(RootRecord record, Read());
  if (record.is_behind(RunOf(place_.folder + "/data.mdb"))) {
    TM_ASSIGN(const bool is_alone, locks_->TryLock(kOpen));
    if (!is_alone) {
      return Fail(ErrorCode::kBusy,
                  fmt::format("{} {}: the disk failed when what had been written was to be synced: end all "
                              "processes that have it open, and open it again",
                              place_.contents->name, place_.folder));
    }
    TM_TRY(GoBack(record.root));
    record.state = RootRecord::State::kClean;
    record.holder = 0;
    TM_TRY(Write(record));
  }
  TM_TRY(locks_->LockShared(kOpen));
  std::random_device random;
  for (bool is_mine = false; !is_mine;) {
    self_ = 1 + (std::uint64_t{random()} << 16U);
    TM_ASSIGN(is_mine, locks_->TryLock(kHolders + static_cast<off_t>(self_)));
  }
  return {};
}

Result<void> SyncedRoot::CheckToRead(const Place& place) {
  const FileDescriptor file(::open(RootFile(place).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return errno == ENOENT ? Result<void>() : FailWith(errno, "open synced.root", place);
  TM_ASSIGN(const RootRecord record, ReadRecords(file.get(), place));
  if (!record.is_behind(RunOf(place.folder + "/data.mdb"))) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("{} {}: the system ended while rows were being written, and it has to be brought "
                          "back to what was synced, which this user may not do: open it once as one who may "
                          "write the folder",
                          place.contents->name, place.folder));
}

// A file that is not there has nothing in it that could be torn.
Result<void> SyncedRoot::GoBack(const Root& root) {
  const FileDescriptor file(::open((place_.folder + "/data.mdb").c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open())
    return errno == ENOENT ? Result<void>() : FailWith(errno, "bring it back to what was synced", place_);
  const auto page = [&](std::uint64_t number) {
    return static_cast<off_t>((number & 1U) * root.page_bytes());
  };
  int code = WriteAt(file.get(), page(root.snapshot()), root.bytes);
  if (code == 0) code = WriteAt(file.get(), page(root.snapshot() - 1), root.OneOlder().bytes);
  if (code == 0 && ::fdatasync(file.get()) != 0) code = errno;
  return code == 0 ? Result<void>() : FailWith(code, "bring it back to what was synced", place_);
}

Result<RootRecord> SyncedRoot::Read() const {
  return ReadRecords(fd_, place_);
}

Result<void> SyncedRoot::Write(RootRecord record) {
  TM_ASSIGN(const RootRecord last, Read());
  record.sequence = last.sequence + 1;
  const StoredRecord stored = EncodeRecord(record);
  // The first goes to the first place.
  const off_t at = record.sequence % 2 == 1 ? 0 : kSecondRecord;
  int code = WriteAt(fd_, at, std::as_bytes(std::span(&stored, 1)));
  if (code == 0 && ::fdatasync(fd_) != 0) code = errno;
  return code == 0 ? Result<void>() : FailWith(code, "write synced.root", place_);
}

Result<bool> SyncedRoot::IsAlive(std::uint64_t holder) const {
  if (holder == self_) return true;
  return locks_->IsHeldElsewhere(kHolders + static_cast<off_t>(holder));
}

}  // namespace tidemark::lmdb
