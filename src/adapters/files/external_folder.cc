#include "adapters/files/external_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "adapters/files/csv_file.h"
#include "adapters/files/file_listing.h"
#include "adapters/files/file_source.h"
#include "adapters/parquet/data_file.h"
#include "base/result.h"
#include "model/name.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

bool IsBelow(const fs::path& path, const fs::path& folder) {
  const auto [mine, theirs] = std::ranges::mismatch(folder, path);
  return mine == folder.end();
}

/// Without a slash at the end, by which a path would have an empty last part.
fs::path Plain(const fs::path& path) {
  const fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

class ExternalFolder final : public ExternalFiles {
 public:
  ExternalFolder(fs::path folder, std::vector<fs::path> own)
      : folder_(std::move(folder)), own_(std::move(own)) {
    for (fs::path& each : own_)
      each = Plain(each);
  }

  Result<ExternalPlace> Locate(const std::string& path) const override {
    if (path.empty()) return Fail(ErrorCode::kInvalidArgument, "the path is empty: name a file or a folder");
    TM_TRY(CheckIsPath(path));
    const fs::path full = Plain(folder_ / path);
    TM_TRY(CheckOutside(full));
    auto found = StatFile(full);
    if (!found && found.error().code == ErrorCode::kNotFound && HasWildcard(full.string()))
      return ExternalPlace{.root = full.string()};
    if (!found) return std::unexpected(std::move(found).error());
    fs::path root = S_ISDIR(found->st_mode) ? full : full.parent_path();
    fs::path folders;
    for (; IsPartition(root.filename().string()); root = root.parent_path())
      folders = folders.empty() ? root.filename() : root.filename() / folders;
    std::string partition = folders.string();
    if (!S_ISDIR(found->st_mode) && partition.empty()) return ExternalPlace{.root = full.string()};
    return ExternalPlace{.root = root.string(), .is_folder = true, .partition = std::move(partition)};
  }

  Result<FoundFiles> Find(const std::string& root, const std::string& partition,
                          std::optional<FileFormat> format) const override {
    const fs::path path = partition.empty() ? fs::path(root) : fs::path(root) / partition;
    TM_ASSIGN(FileListing listing, ListFiles(path, format));
    FoundFiles found{.format = listing.format};
    FolderValues above;
    for (const fs::path& part : fs::path(partition)) {
      if (auto value = ReadFolderName(part.string())) above.emplace_back(value->name, value->value);
    }
    for (ListedFile& file : listing.files) {
      ForeignFile made{.file = std::move(file.file), .folders = above};
      for (PartitionValue& value : file.partitions)
        made.folders.emplace_back(std::move(value.name), std::move(value.value));
      found.files.push_back(std::move(made));
    }
    return found;
  }

  Result<SourceFile> Look(const std::string& path) const override {
    TM_ASSIGN(const struct stat found, StatFile(path));
    return DescribeFile(path, found);
  }

  Result<std::vector<CsvColumn>> CsvColumns(const SourceFile& file,
                                            const std::stop_token& stop) const override {
    const auto read = [&]() -> Result<std::vector<CsvColumn>> {
      TM_ASSIGN(const auto schema, FindCsvSchema(file, {}, /*guesses=*/true, stop));
      std::vector<CsvColumn> columns;
      for (const auto& field : schema->fields()) {
        CsvColumn column{.name = field->name(), .type = std::nullopt};
        if (field->type()->id() != arrow::Type::NA) {
          TM_ASSIGN(column.type, FromArrow(*field->type()));
        }
        columns.push_back(std::move(column));
      }
      return columns;
    };
    auto columns = read();
    if (!columns) return std::unexpected(std::move(columns).error().In("file " + file.path));
    return columns;
  }

  Result<std::unique_ptr<Source>> OpenCsv(const CsvReading& reading) const override {
    FileListing listing{.format = FileFormat::kCsv, .files = {}};
    for (const ForeignFile& file : reading.files) {
      TM_ASSIGN(SourceFile now, LookAgain(file.file));
      ListedFile listed{.file = std::move(now), .partitions = {}};
      for (const auto& [name, value] : file.folders)
        listed.partitions.push_back({name, value});
      listing.files.push_back(std::move(listed));
    }
    BatchSource definition;
    definition.format = FileFormat::kCsv;
    definition.field_mapping = reading.mapping;
    FileSourceOptions options;
    options.column_types = reading.types;
    options.guesses_types = reading.guesses_types;
    options.threads = reading.threads;
    options.stop = reading.stop;
    return OpenListedFiles(definition, std::move(listing), options);
  }

 private:
  static bool IsPartition(const std::string& name) { return ReadFolderName(name).has_value(); }

  Result<void> CheckOutside(const fs::path& path) const {
    for (const fs::path& own : own_) {
      if (!IsBelow(path, own) && !IsBelow(own, path)) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} holds, or lies in, files of Tidemark's own ({}), which cannot be registered",
                      path.string(), own.string()));
    }
    return {};
  }

  const fs::path folder_;
  std::vector<fs::path> own_;
};

}  // namespace

std::shared_ptr<const ExternalFiles> OpenExternalFolder(fs::path folder, std::vector<fs::path> own) {
  return std::make_shared<ExternalFolder>(std::move(folder), std::move(own));
}

}  // namespace tidemark
