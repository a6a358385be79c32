// Some files at a time: their footers are read, then what is wanted of them, piece by piece on all threads.
#include "adapters/iceberg/file_checks.h"

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adapters/iceberg/block_checksums.h"
#include "adapters/iceberg/data_reader.h"
#include "adapters/iceberg/named_file.h"
#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/chunk_begin.h"
#include "adapters/parquet/data_file.h"
#include "adapters/parquet/page_checks.h"
#include "base/parallel.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::size_t kKnownFilesMax = 65'536;
constexpr std::size_t kFilesAtOnce = 64;  // whose footers are held
constexpr std::int64_t kPieceBytes = std::int64_t{16} << 20;
constexpr std::int64_t kReadBytes = std::int64_t{1} << 20;
constexpr int kBareChunksMax = 2;  // without checksums, until it is believed that a file has none
constexpr std::int64_t kAllRows = std::numeric_limits<std::int64_t>::max();

/// How many leading rows of a file were found whole.
struct KnownFile {
  SourceFile file;
  std::int64_t rows = 0;
  std::int64_t whole = 0;                            // of all columns
  std::map<std::string, std::int64_t> columns = {};  // of these

  bool HasChecked(const std::set<std::string>& wanted, bool are_all, std::int64_t rows_max) const {
    const std::int64_t needed = std::min(rows, rows_max);
    if (whole >= needed) return true;
    return !are_all && std::ranges::all_of(wanted, [&](const std::string& column) {
      const auto found = columns.find(column);
      return found != columns.end() && found->second >= needed;
    });
  }
};

std::string IdKey(std::int32_t id) {
  return fmt::format("#{}", id);
}

/// A file on its way.
struct OpenFile {
  SourceFile file;
  bool is_own = false;
  bool is_passed_over = false;
  std::int64_t rows_max = kAllRows;  // that are wanted of it
  std::shared_ptr<parquet::FileMetaData> footer = {};
  std::shared_ptr<const iceberg::CheckedBlocks> blocks = {};
  std::atomic<int> chunks_with = 0;     // checksums
  std::atomic<int> chunks_without = 0;  // any

  /// Leading row groups that have the wanted rows.
  int row_groups() const {
    int count = 0;
    for (std::int64_t rows = 0; count < footer->num_row_groups() && rows < rows_max; ++count)
      rows += footer->RowGroup(count)->num_rows();
    return count;
  }
};

/// A part of a file: a range of bytes of one of ours, a column chunk of another.
struct CheckPiece {
  std::size_t file = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  int row_group = 0;
  int leaf = 0;
};

struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

Result<ByteRange> ChunkRange(const parquet::ColumnChunkMetaData& chunk) {
  const std::int64_t begin = ChunkBegin(chunk);
  const std::int64_t bytes = chunk.total_compressed_size();
  if (begin < 0 || bytes < 0 || bytes > kAllRows - begin)
    return Fail(ErrorCode::kCorruption, "its footer makes no sense");
  return ByteRange{begin, begin + bytes};
}

/// The columns that are wanted, among a footer's leaves.
std::vector<bool> WantedLeaves(const parquet::FileMetaData& footer, const std::set<std::string>& wanted,
                               bool are_all) {
  std::vector<bool> leaves(static_cast<std::size_t>(footer.num_columns()), are_all);
  if (are_all) return leaves;
  for (int leaf = 0; leaf < footer.num_columns(); ++leaf) {
    const parquet::schema::Node& root = *footer.schema()->GetColumnRoot(leaf);
    leaves[static_cast<std::size_t>(leaf)] =
        wanted.contains(FoldName(root.name())) || wanted.contains(IdKey(root.field_id()));
  }
  return leaves;
}

/// What of a file of ours need not be read: columns and rows that are not wanted. All else is, also what lies
/// between the columns.
Result<std::vector<ByteRange>> UnwantedRanges(const OpenFile& file, const std::vector<bool>& leaves) {
  std::vector<ByteRange> unwanted;
  const int wanted_groups = file.row_groups();
  for (int group = 0; group < file.footer->num_row_groups(); ++group) {
    const auto row_group = file.footer->RowGroup(group);
    for (int leaf = 0; leaf < file.footer->num_columns(); ++leaf) {
      if (group < wanted_groups && leaves[static_cast<std::size_t>(leaf)]) continue;
      TM_ASSIGN(const ByteRange range, ChunkRange(*row_group->ColumnChunk(leaf)));
      unwanted.push_back(range);
    }
  }
  std::ranges::sort(unwanted, {}, &ByteRange::begin);
  return unwanted;
}

class CheckRun {
 public:
  CheckRun(const FilesToCheck& files, const FileCheckOptions& options) : options_(options) {
    are_all_ = files.are_all_columns;
    for (const CheckedColumn& column : files.columns) {
      wanted_.insert(FoldName(column.name));
      if (column.id > 0) wanted_.insert(IdKey(column.id));
    }
  }

  /// Names and ids of columns.
  const std::set<std::string>& wanted() const { return wanted_; }

  /// Opens and verifies them.
  Result<void> Check(std::span<const std::unique_ptr<OpenFile>> files) const {
    TM_TRY(Each(files.size(), [&](std::size_t index) { return InFile(*files[index], Open(*files[index])); }));
    TM_ASSIGN(const std::vector<CheckPiece> pieces, PiecesOf(files));
    TM_TRY(Each(pieces.size(), [&](std::size_t index) {
      const CheckPiece& piece = pieces[index];
      OpenFile& file = *files[piece.file];
      return InFile(file, file.is_own ? CheckBlocks(file, piece) : CheckChunk(file, piece));
    }));
    for (const auto& file : files) {
      if (file->chunks_with > 0 && file->chunks_without > 0)
        return InFile(*file, Damaged("only some of its columns have checksums"));
    }
    return {};
  }

 private:
  static std::unexpected<Error> Damaged(std::string_view what) {
    return Fail(ErrorCode::kCorruption, fmt::format("it is damaged: {}. Restore it from a backup", what));
  }

  static Result<void> InFile(const OpenFile& file, Result<void> outcome) {
    if (!outcome) return std::unexpected(std::move(outcome).error().In("file " + file.file.path));
    return outcome;
  }

  Result<void> Each(std::size_t count, const std::function<Result<void>(std::size_t)>& task) const {
    return ParallelFor(count, options_.threads, options_.stop,
                       [&](std::size_t index, std::size_t) -> Result<void> {
                         if (options_.deadline && std::chrono::steady_clock::now() >= *options_.deadline)
                           return Fail(ErrorCode::kCancelled, "the time limit was reached");
                         return task(index);
                       });
  }

  static Result<void> Open(OpenFile& file) {
    if (file.is_own) {
      TM_ASSIGN(iceberg::CheckedFooter footer, iceberg::ReadCheckedFooter(file.file.path));
      file.footer = std::move(footer.metadata);
      file.blocks = std::make_shared<const iceberg::CheckedBlocks>(std::move(footer.blocks));
      return {};
    }
    const auto read =
        Guarded(ErrorCode::kCorruption, [&]() -> Result<std::shared_ptr<parquet::FileMetaData>> {
          TM_ASSIGN_ARROW(const auto handle, arrow::io::ReadableFile::Open(file.file.path), ErrorCode::kIo);
          return parquet::ReadMetaData(handle);
        });
    // Who reads it begins with its footer, too.
    file.is_passed_over = !read.has_value();
    if (read) file.footer = *read;
    return {};
  }

  Result<std::vector<CheckPiece>> PiecesOf(std::span<const std::unique_ptr<OpenFile>> files) const {
    std::vector<CheckPiece> pieces;
    for (std::size_t index = 0; index < files.size(); ++index) {
      const OpenFile& file = *files[index];
      if (file.is_passed_over) continue;
      const std::vector<bool> leaves = WantedLeaves(*file.footer, wanted_, are_all_);
      if (file.is_own) {
        auto unwanted = UnwantedRanges(file, leaves);
        if (!unwanted) return std::unexpected(InFile(file, Damaged(unwanted.error().message)).error());
        AddBlocks(index, file.blocks->bytes, *unwanted, pieces);
        continue;
      }
      const int groups = file.row_groups();
      for (int group = 0; group < groups; ++group) {
        for (int leaf = 0; leaf < std::ssize(leaves); ++leaf) {
          if (leaves[static_cast<std::size_t>(leaf)])
            pieces.push_back({.file = index, .row_group = group, .leaf = leaf});
        }
      }
    }
    return pieces;
  }

  /// All but the unwanted, which are sorted.
  static void AddBlocks(std::size_t index, std::int64_t bytes, const std::vector<ByteRange>& unwanted,
                        std::vector<CheckPiece>& pieces) {
    const auto add = [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; begin += kPieceBytes)
        pieces.push_back({.file = index, .begin = begin, .end = std::min(end, begin + kPieceBytes)});
    };
    std::int64_t at = 0;
    for (const ByteRange& range : unwanted) {
      add(at, std::min(range.begin, bytes));
      at = std::max(at, range.end);
    }
    add(at, bytes);
  }

  static Result<void> CheckBlocks(const OpenFile& file, const CheckPiece& piece) {
    TM_ASSIGN_ARROW(auto handle, arrow::io::ReadableFile::Open(file.file.path), ErrorCode::kIo);
    const auto checked = iceberg::WithCheckedBlocks(std::move(handle), file.blocks);
    TM_ASSIGN_ARROW(const auto buffer, arrow::AllocateBuffer(std::min(kReadBytes, piece.end - piece.begin)),
                    ErrorCode::kOutOfSpace);
    for (std::int64_t at = piece.begin; at < piece.end; at += kReadBytes) {
      const auto got = checked->ReadAt(at, std::min(kReadBytes, piece.end - at), buffer->mutable_data());
      if (got.ok()) continue;
      Error error = FromStatus(got.status(), ErrorCode::kCorruption);
      if (error.code == ErrorCode::kCorruption) return Damaged(error.message);
      return std::unexpected(std::move(error));
    }
    return {};
  }

  static Result<void> CheckChunk(OpenFile& file, const CheckPiece& piece) {
    if (file.chunks_with == 0 && file.chunks_without >= kBareChunksMax) return {};
    const auto checked = Guarded(ErrorCode::kCorruption, [&]() -> Result<PageChecksums> {
      TM_ASSIGN_ARROW(const auto handle, arrow::io::ReadableFile::Open(file.file.path), ErrorCode::kIo);
      return CheckPages(*handle, *file.footer, piece.row_group, piece.leaf);
    });
    if (checked) {
      ++(*checked == PageChecksums::kHold ? file.chunks_with : file.chunks_without);
      return {};
    }
    TM_TRY(CheckUnchanged(file.file));
    if (checked.error().code == ErrorCode::kCorruption) return Damaged(checked.error().message);
    return std::unexpected(checked.error());
  }

  const FileCheckOptions& options_;
  bool are_all_ = true;
  std::set<std::string> wanted_;
};

class ParquetFileChecks final : public FileChecks {
 public:
  Result<void> Check(const FilesToCheck& files, const FileCheckOptions& options) override {
    const CheckRun run(files, options);
    std::int64_t rows_left = files.rows_max.value_or(kAllRows);
    const std::size_t at_once = files.rows_max ? 1 : kFilesAtOnce;
    bool is_begun = false;
    for (std::size_t first = 0; first < files.paths.size() && rows_left > 0; first += at_once) {
      std::vector<std::unique_ptr<OpenFile>> unknown;
      const std::size_t last = std::min(files.paths.size(), first + at_once);
      for (std::size_t index = first; index < last; ++index)
        Look(files.paths[index], files, run, rows_left, unknown);
      if (unknown.empty()) continue;
      if (!std::exchange(is_begun, true) && options.before) TM_TRY(options.before());
      TM_TRY(run.Check(unknown));
      for (const auto& file : unknown)
        Note(*file, files, run, rows_left);
    }
    return {};
  }

 private:
  /// Adds the file if it has to be read.
  void Look(const std::string& path, const FilesToCheck& files, const CheckRun& run, std::int64_t& rows_left,
            std::vector<std::unique_ptr<OpenFile>>& unknown) {
    const auto found = StatFile(path);
    auto open = std::make_unique<OpenFile>();
    open->is_own = files.are_own && iceberg::ChecksumOf(path).has_value();
    if (!found && !open->is_own) return;
    open->file.path = path;
    if (found) open->file = DescribeFile(path, *found);
    open->rows_max = rows_left;
    {
      const std::lock_guard lock(mutex_);
      const auto known = known_.find(path);
      if (known != known_.end() && known->second.file == open->file &&
          known->second.HasChecked(run.wanted(), files.are_all_columns, rows_left)) {
        if (rows_left != kAllRows) rows_left -= std::min(rows_left, known->second.rows);
        return;
      }
    }
    unknown.push_back(std::move(open));
  }

  void Note(const OpenFile& file, const FilesToCheck& files, const CheckRun& run, std::int64_t& rows_left) {
    if (file.is_passed_over) return;
    const std::int64_t rows = file.footer->num_rows();
    if (rows_left != kAllRows) rows_left -= std::min(rows_left, rows);
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kKnownFilesMax && !known_.contains(file.file.path)) known_.clear();
    KnownFile& known = known_[file.file.path];
    if (known.file != file.file) known = {.file = file.file};
    known.rows = rows;
    const std::int64_t checked = std::min(rows, file.rows_max);
    if (files.are_all_columns) known.whole = std::max(known.whole, checked);
    for (const std::string& column : run.wanted())
      known.columns[column] = std::max(known.columns[column], checked);
  }

  std::mutex mutex_;
  std::unordered_map<std::string, KnownFile> known_;  // by path
};

}  // namespace

std::unique_ptr<FileChecks> MakeFileChecks() {
  return std::make_unique<ParquetFileChecks>();
}

}  // namespace tidemark
