// Finds the place of a new file, and writes it by table_file.h.
#include "adapters/files/source_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "adapters/files/folder_shape.h"
#include "adapters/files/table_file.h"
#include "base/result.h"
#include "model/name.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEndings[] = {".parquet", ".csv"};

std::string_view EndingOf(FileFormat format) {
  return kEndings[format == FileFormat::kCsv ? 1 : 0];
}

/// Where a file goes, and what those beside it are like.
struct Place {
  fs::path path;
  bool is_in_folder = false;  // else the source is a single file
  std::optional<FolderShape> others = {};
};

Error FolderError(std::string_view what, const fs::path& path, const std::error_code& error) {
  const bool is_full = error == std::errc::no_space_on_device;
  return {is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
          fmt::format("cannot {} {}: {}", what, Quoted(path.string()), error.message()),
          {}};
}

class Folders final : public SourceFolders {
 public:
  Folders(fs::path folder, std::size_t threads) : folder_(std::move(folder)), threads_(threads) {}

  Result<void> Check(const BatchSource& source, const arrow::Schema& rows) const override {
    TM_ASSIGN(const Place place, PlaceOf(source, "file"));
    TM_TRY(CheckCanHold(place.path, rows));
    if (place.others) TM_TRY(FittedSchema(*place.others, rows));
    return {};
  }

  Result<std::optional<std::int64_t>> Add(const BatchSource& source, const SourceFileName& name,
                                          arrow::RecordBatchReader& rows) const override {
    TM_ASSIGN(const Place place, PlaceOf(source, name.name));
    const fs::path folder = place.path.parent_path();
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return std::unexpected(FolderError("make the folder", folder, error));
    if (fs::exists(place.path, error)) return std::nullopt;
    auto schema = rows.schema();
    if (place.others) {
      TM_ASSIGN(schema, FittedSchema(*place.others, *schema));
    }
    const auto fitted = FittedRows(rows, std::move(schema));
    TableWriteOptions options{.threads = threads_};
    if (place.is_in_folder && name.end != nullptr) {
      options.place = [&] { return folder / (name.name + name.end() + place.path.extension().string()); };
    }
    TM_ASSIGN(const std::int64_t written, WriteTableFile(*fitted, place.path, options));
    return written;
  }

  Result<std::vector<std::string>> Names(const BatchSource& source) const override {
    TM_ASSIGN(const auto folder, FolderOf(source));
    std::vector<std::string> names;
    std::error_code error;
    if (!folder || !fs::exists(*folder, error)) return names;
    for (auto entry = fs::directory_iterator(*folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      std::string name = entry->path().filename().string();
      const auto* const ending =
          std::ranges::find_if(kEndings, [&](std::string_view each) { return name.ends_with(each); });
      if (ending == std::end(kEndings)) continue;
      name.resize(name.size() - ending->size());
      names.push_back(std::move(name));
    }
    if (error) return std::unexpected(FolderError("list", *folder, error));
    return names;
  }

  Result<void> RemoveRemains(const BatchSource& source, const std::string& name) const override {
    TM_ASSIGN(const auto folder, FolderOf(source));
    const fs::path file = folder ? *folder / name : folder_ / source.path;
    std::error_code error;
    if (!fs::exists(file.parent_path(), error)) return {};
    const std::string begin = "." + file.filename().string() + ".";
    for (auto entry = fs::directory_iterator(file.parent_path(), error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string found = entry->path().filename().string();
      std::error_code gone;  // by another process that repairs the same: as well
      if (found.starts_with(begin) && found.ends_with(kUnfinishedEnding)) fs::remove(entry->path(), gone);
    }
    if (error) return std::unexpected(FolderError("list", file.parent_path(), error));
    return {};
  }

 private:
  /// The folder that files are added to; nothing if the source is a single file that is not there yet.
  Result<std::optional<fs::path>> FolderOf(const BatchSource& source) const {
    if (source.format == FileFormat::kIceberg) {
      return Fail(ErrorCode::kUnsupported,
                  "the source is an Iceberg table of another engine, which adds rows to it");
    }
    const fs::path path = folder_ / source.path;
    std::error_code error;
    const auto status = fs::status(path, error);
    if (fs::is_directory(status)) return path;
    if (fs::exists(status)) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("the source is the single file {}, which is not written over: make it a folder, to "
                      "which files are added, or leave the source out and Tidemark keeps the rows",
                      Quoted(path.string())));
    }
    if (source.path.find_first_of("*?[") != std::string::npos) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format(
              "the source {} is a pattern, which does not say where a new file goes: make it a folder",
              Quoted(source.path)));
    }
    if (path.has_extension()) return std::nullopt;
    return path;
  }

  Result<Place> PlaceOf(const BatchSource& source, const std::string& name) const {
    TM_ASSIGN(const auto folder, FolderOf(source));
    Place place{.path = folder_ / source.path};
    if (!folder) return place;
    place.is_in_folder = true;
    TM_ASSIGN(place.others, LookIntoFolder(*folder, source.format));
    const FileFormat stated = source.format.value_or(FileFormat::kParquet);
    place.path = *folder / (name + std::string(EndingOf(place.others ? place.others->format : stated)));
    return place;
  }

  const fs::path folder_;
  const std::size_t threads_;
};

}  // namespace

std::shared_ptr<SourceFolders> OpenSourceFolders(std::filesystem::path folder, std::size_t threads) {
  return std::make_shared<Folders>(std::move(folder), threads);
}

}  // namespace tidemark
