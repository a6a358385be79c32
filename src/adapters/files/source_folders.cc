// Finds the place of a new file, and writes it by table_file.h.
#include "adapters/files/source_folders.h"

#include <fmt/format.h>

#include <string_view>

#include "adapters/files/table_file.h"
#include "base/result.h"
#include "model/name.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

std::string_view EndingOf(const BatchSource& source) {
  return source.format == FileFormat::kCsv ? ".csv" : ".parquet";
}

Error FolderError(std::string_view what, const fs::path& path, const std::error_code& error) {
  const bool is_full = error == std::errc::no_space_on_device;
  return {is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
          fmt::format("cannot {} {}: {}", what, Quoted(path.string()), error.message()),
          {}};
}

class Folders final : public SourceFolders {
 public:
  Folders(fs::path folder, std::size_t threads) : folder_(std::move(folder)), threads_(threads) {}

  Result<void> Check(const BatchSource& source) const override {
    TM_TRY(FolderOf(source));
    return {};
  }

  Result<std::optional<std::int64_t>> Add(const BatchSource& source, const SourceFileName& name,
                                          arrow::RecordBatchReader& rows) const override {
    TM_ASSIGN(const fs::path place, PlaceOf(source, name.name));
    std::error_code error;
    fs::create_directories(place.parent_path(), error);
    if (error) return std::unexpected(FolderError("make the folder", place.parent_path(), error));
    if (fs::exists(place, error)) return std::nullopt;
    TM_ASSIGN(const auto folder, FolderOf(source));
    TableWriteOptions options{.threads = threads_};
    if (folder && name.end != nullptr) {
      options.place = [&] { return *folder / (name.name + name.end() + std::string(EndingOf(source))); };
    }
    TM_ASSIGN(const std::int64_t written, WriteTableFile(rows, place, options));
    return written;
  }

  Result<std::vector<std::string>> Names(const BatchSource& source) const override {
    TM_ASSIGN(const auto folder, FolderOf(source));
    std::vector<std::string> names;
    std::error_code error;
    if (!folder || !fs::exists(*folder, error)) return names;
    const std::string_view ending = EndingOf(source);
    for (auto entry = fs::directory_iterator(*folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      std::string name = entry->path().filename().string();
      if (!name.ends_with(ending)) continue;
      name.resize(name.size() - ending.size());
      names.push_back(std::move(name));
    }
    if (error) return std::unexpected(FolderError("list", *folder, error));
    return names;
  }

  Result<void> RemoveRemains(const BatchSource& source, const std::string& name) const override {
    TM_ASSIGN(const fs::path place, PlaceOf(source, name));
    std::error_code error;
    if (!fs::exists(place.parent_path(), error)) return {};
    const std::string begin = "." + place.filename().string() + ".";
    for (auto entry = fs::directory_iterator(place.parent_path(), error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const std::string found = entry->path().filename().string();
      std::error_code gone;  // by another process that repairs the same: as well
      if (found.starts_with(begin) && found.ends_with(kUnfinishedEnding)) fs::remove(entry->path(), gone);
    }
    if (error) return std::unexpected(FolderError("list", place.parent_path(), error));
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

  Result<fs::path> PlaceOf(const BatchSource& source, const std::string& name) const {
    TM_ASSIGN(const auto folder, FolderOf(source));
    return folder ? *folder / (name + std::string(EndingOf(source))) : folder_ / source.path;
  }

  const fs::path folder_;
  const std::size_t threads_;
};

}  // namespace

std::shared_ptr<SourceFolders> OpenSourceFolders(std::filesystem::path folder, std::size_t threads) {
  return std::make_shared<Folders>(std::move(folder), threads);
}

}  // namespace tidemark
