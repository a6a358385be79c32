// Rows are cut into batches of one size before they are encoded, and row groups are ended by their number of
// rows alone: where pages begin then follows from the rows.
#include "adapters/files/dataset_folder.h"

#include <arrow/table.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "adapters/files/folder_error.h"
#include "adapters/files/table_file.h"
#include "base/crc32c.h"
#include "base/file_descriptor.h"
#include "base/keyed_hash.h"
#include "base/lock_file.h"
#include "base/result.h"
#include "base/sha256.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

namespace stdfs = std::filesystem;

constexpr std::int64_t kDatasetBatchRows = std::int64_t{1} << 16;  // a row group is two of them
constexpr std::size_t kEndBytes = std::size_t{64} << 10;
constexpr std::size_t kSumBytes = std::size_t{1} << 20;
constexpr std::string_view kDatasetEnding = ".parquet";

/// Batches of one size, but for the last; each in memory of its own, so that nothing depends on where it was
/// cut from.
class EvenBatches final : public arrow::RecordBatchReader {
 public:
  explicit EvenBatches(arrow::RecordBatchReader& rows) : rows_(rows) {}

  std::shared_ptr<arrow::Schema> schema() const override { return rows_.schema(); }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    while (!is_done_ && waiting_rows_ < kDatasetBatchRows) {
      ARROW_ASSIGN_OR_RAISE(auto next, rows_.Next());
      is_done_ = next == nullptr;
      if (is_done_ || next->num_rows() == 0) continue;
      waiting_rows_ += next->num_rows();
      waiting_.push_back(std::move(next));
    }
    *batch = nullptr;
    if (waiting_rows_ == 0) return arrow::Status::OK();
    arrow::RecordBatchVector pieces;
    for (std::int64_t wanted = std::min(waiting_rows_, kDatasetBatchRows); wanted > 0;) {
      const auto first = waiting_.front();
      pieces.push_back(first->Slice(0, wanted));
      const std::int64_t taken = pieces.back()->num_rows();
      wanted -= taken;
      waiting_rows_ -= taken;
      waiting_.erase(waiting_.begin());
      if (taken < first->num_rows()) waiting_.insert(waiting_.begin(), first->Slice(taken));
    }
    if (pieces.size() == 1) pieces.push_back(pieces.front()->Slice(0, 0));  // a single one is not copied
    return arrow::ConcatenateRecordBatches(pieces).Value(batch);
  }

 private:
  arrow::RecordBatchReader& rows_;
  arrow::RecordBatchVector waiting_;
  std::int64_t waiting_rows_ = 0;
  bool is_done_ = false;
};

Result<FileSum> SumOfFile(const stdfs::path& path, const std::stop_token& stop) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open() && errno == ENOENT)
    return Fail(ErrorCode::kNotFound, fmt::format("there is no file '{}'", path.string()));
  if (!file.is_open()) return FolderError("open", path, errno);
  FileSum sum;
  Sha256Sum hash;
  std::vector<std::byte> bytes(kSumBytes);
  ssize_t got = 0;
  while ((got = ::read(file.get(), bytes.data(), bytes.size())) > 0 && !stop.stop_requested()) {
    hash.Add(std::span(bytes).first(static_cast<std::size_t>(got)));
    sum.bytes += got;
  }
  if (got < 0) return FolderError("read", path, errno);
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
  sum.hash = ToHex(hash.Finish());
  return sum;
}

Result<void> SyncFolderOf(const stdfs::path& path) {
  const stdfs::path folder = path.parent_path();
  if (const int error = SyncPath(folder); error != 0) return FolderError("sync the folder", folder, error);
  return {};
}

class RowsBesidePlace final : public UnplacedRows {
 public:
  explicit RowsBesidePlace(const stdfs::path& place) : place_(place) {
    static std::atomic<unsigned> numbers = 0;
    path_ = place.parent_path() /
            fmt::format(".{}.{}-{}.new.parquet", place.stem().string(), ::getpid(), ++numbers);
  }
  RowsBesidePlace(const RowsBesidePlace&) = delete;
  RowsBesidePlace& operator=(const RowsBesidePlace&) = delete;
  ~RowsBesidePlace() override {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  Result<void> Write(arrow::RecordBatchReader& rows, std::size_t threads) {
    EvenBatches even(rows);
    TableWriteOptions options;
    options.threads = threads;
    options.row_group_bytes_max = std::numeric_limits<std::int64_t>::max();
    TM_ASSIGN(rows_, WriteTableFile(even, path_, options));
    TM_ASSIGN(sum_, SumOfFile(path_, {}));
    return {};
  }

  std::int64_t rows() const override { return rows_; }
  const FileSum& sum() const override { return sum_; }

  Result<void> Put(bool replace) override {
    // Unlike a rename, a link is never made over a file that has come meanwhile.
    const int failed =
        replace ? ::rename(path_.c_str(), place_.c_str()) : ::link(path_.c_str(), place_.c_str());
    if (failed != 0 && errno == EEXIST && !replace) {
      return Fail(ErrorCode::kAlreadyExists,
                  fmt::format("there is a file '{}' already: name another one, or allow it to be overwritten",
                              place_.string()));
    }
    if (failed != 0) return FolderError("put in its place", place_, errno);
    if (!replace) ::unlink(path_.c_str());
    path_.clear();
    return SyncFolderOf(place_);
  }

 private:
  const stdfs::path place_;
  stdfs::path path_;
  std::int64_t rows_ = 0;
  FileSum sum_;
};

class HeldClaim final : public DatasetClaim {
 public:
  HeldClaim(std::unique_ptr<LockFile> lock, stdfs::path path)
      : lock_(std::move(lock)), path_(std::move(path)) {}
  HeldClaim(const HeldClaim&) = delete;
  HeldClaim& operator=(const HeldClaim&) = delete;
  ~HeldClaim() override {
    if (lock_->is_own()) ::unlink(path_.c_str());
  }

 private:
  const std::unique_ptr<LockFile> lock_;
  const stdfs::path path_;
};

class DatasetFolder final : public DatasetFiles {
 public:
  DatasetFolder(stdfs::path folder, std::size_t threads) : folder_(std::move(folder)), threads_(threads) {}

  stdfs::path OwnPath(std::string_view id, std::string_view name) const override {
    return folder_ / id / name;
  }

  Result<std::unique_ptr<DatasetClaim>> Claim(std::string_view id) override {
    std::error_code failed;
    stdfs::create_directories(folder_ / id, failed);
    if (failed) return FolderError("make the folder", folder_ / id, failed.value());
    TM_ASSIGN(auto lock, LockFile::Open(LockPath(id).string(), LockFile::Access::kFull, /*create=*/true));
    TM_TRY(lock->Lock(0));
    return std::make_unique<HeldClaim>(std::move(lock), LockPath(id));
  }

  Result<bool> IsClaimed(std::string_view id) const override {
    auto lock = LockFile::Open(LockPath(id).string(), LockFile::Access::kShared, /*create=*/false);
    if (!lock && lock.error().code == ErrorCode::kNotFound) return false;
    if (!lock) return std::unexpected(std::move(lock).error());
    return (*lock)->IsHeldElsewhere(0);
  }

  Result<void> RemoveFolder(std::string_view id) override {
    std::error_code failed;
    stdfs::remove_all(folder_ / id, failed);
    if (failed) return FolderError("remove", folder_ / id, failed.value());
    stdfs::remove(LockPath(id), failed);  // of a process that was killed
    return {};
  }

  Result<std::unique_ptr<UnplacedRows>> Write(arrow::RecordBatchReader& rows,
                                              const stdfs::path& path) override {
    if (!path.filename().string().ends_with(kDatasetEnding)) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("'{}' does not end in .parquet: a saved dataset is a Parquet file", path.string()));
    }
    std::error_code failed;
    if (!stdfs::is_directory(path.parent_path(), failed)) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no folder '{}' for '{}'",
                                                    path.parent_path().string(), path.filename().string()));
    }
    auto unplaced = std::make_unique<RowsBesidePlace>(path);
    TM_TRY(unplaced->Write(rows, threads_));
    return unplaced;
  }

  bool IsThere(const stdfs::path& path) const override {
    std::error_code failed;
    return stdfs::exists(path, failed);
  }

  Result<FileSum> SumOf(const stdfs::path& path, const std::stop_token& stop) const override {
    return SumOfFile(path, stop);
  }

  Result<FileLook> LookAt(const stdfs::path& path) const override {
    const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open() && errno == ENOENT)
      return Fail(ErrorCode::kNotFound, fmt::format("there is no file '{}' any more", path.string()));
    if (!file.is_open()) return FolderError("open", path, errno);
    struct stat seen{};
    if (::fstat(file.get(), &seen) != 0) return FolderError("look at", path, errno);
    FileLook look{.bytes = seen.st_size,
                  .mtime_ns = seen.st_mtim.tv_sec * std::int64_t{1'000'000'000} + seen.st_mtim.tv_nsec,
                  .end_crc = 0};
    std::vector<std::byte> end(std::min(kEndBytes, static_cast<std::size_t>(seen.st_size)));
    const auto begin = seen.st_size - static_cast<off_t>(end.size());
    const ssize_t got = ::pread(file.get(), end.data(), end.size(), begin);
    if (got < 0) return FolderError("read", path, errno);
    look.end_crc = Crc32c(std::span(end).first(static_cast<std::size_t>(got)));
    return look;
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Read(const stdfs::path& path,
                                                         const std::stop_token& stop) const override {
    return OpenTableFile(path, threads_, {}, stop);
  }

  Result<void> Remove(const stdfs::path& path) override {
    if (::unlink(path.c_str()) == 0) return SyncFolderOf(path);
    if (errno == ENOENT) return {};
    return FolderError("remove", path, errno);
  }

 private:
  stdfs::path LockPath(std::string_view id) const { return folder_ / fmt::format(".{}.lock", id); }

  const stdfs::path folder_;
  const std::size_t threads_;
};

}  // namespace

std::unique_ptr<DatasetFiles> OpenDatasetFolder(const std::filesystem::path& folder, std::size_t threads) {
  return std::make_unique<DatasetFolder>(folder, threads);
}

}  // namespace tidemark
