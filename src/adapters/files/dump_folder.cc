// A dump appears by one rename; its id never reaches a path before it was seen to be one.
#include "adapters/files/dump_folder.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <random>
#include <span>
#include <sstream>
#include <system_error>

#include "adapters/files/folder_error.h"
#include "adapters/files/table_file.h"
#include "base/crc32c.h"
#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/lock_file.h"
#include "base/result.h"
#include "model/name.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kDataFile = "data.parquet";
constexpr std::string_view kInfoFile = "dump.json";
constexpr std::string_view kUnfinished = ".new";
constexpr std::string_view kLock = ".lock";
constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

Result<void> Sync(const fs::path& path) {
  if (const int error = SyncPath(path); error != 0) return FolderError("sync", path, error);
  return {};
}

/// The type with the names that Arrow gives what lies within lists; Parquet has others.
std::shared_ptr<arrow::DataType> PlainType(const std::shared_ptr<arrow::DataType>& type) {
  const auto plain = [](const std::shared_ptr<arrow::Field>& field) {
    return arrow::field(field->name(), PlainType(field->type()), field->nullable());
  };
  if (type->id() == arrow::Type::LIST)
    return arrow::list(arrow::field("item", PlainType(type->field(0)->type()), type->field(0)->nullable()));
  if (type->id() == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(*type);
    return arrow::map(PlainType(map.key_type()), PlainType(map.item_type()));
  }
  if (type->id() != arrow::Type::STRUCT) return type;
  arrow::FieldVector fields;
  for (const auto& field : type->fields())
    fields.push_back(plain(field));
  return arrow::struct_(fields);
}

/// Rows of a Parquet file under Arrow's own names.
class PlainRows final : public arrow::RecordBatchReader {
 public:
  explicit PlainRows(std::shared_ptr<arrow::RecordBatchReader> rows) : rows_(std::move(rows)) {
    arrow::FieldVector fields;
    for (const auto& field : rows_->schema()->fields())
      fields.push_back(arrow::field(field->name(), PlainType(field->type()), field->nullable()));
    schema_ = arrow::schema(std::move(fields));
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    ARROW_RETURN_NOT_OK(rows_->ReadNext(batch));
    if (*batch == nullptr) return arrow::Status::OK();
    arrow::ArrayVector columns;
    for (int i = 0; i < schema_->num_fields(); ++i) {
      const auto& column = (*batch)->column(i);
      const auto& type = schema_->field(i)->type();
      std::shared_ptr<arrow::Array> plain = column;
      if (arrow::is_nested(type->id())) {
        ARROW_ASSIGN_OR_RAISE(plain, column->View(type));
      }
      columns.push_back(std::move(plain));
    }
    *batch = arrow::RecordBatch::Make(schema_, (*batch)->num_rows(), std::move(columns));
    return arrow::Status::OK();
  }

 private:
  const std::shared_ptr<arrow::RecordBatchReader> rows_;
  std::shared_ptr<arrow::Schema> schema_;
};

/// Ids as NewId makes them; nothing else is looked for.
bool IsId(std::string_view text) {
  const auto is_fine = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'; };
  return !text.empty() && text.size() <= 64 && text.front() != '-' && std::ranges::all_of(text, is_fine);
}

std::string NewId(std::int64_t now_us) {
  std::random_device random;
  return fmt::format("{:014x}-{:08x}{:08x}", static_cast<std::uint64_t>(now_us), random(), random());
}

struct FileSum {
  std::int64_t bytes = 0;
  std::uint32_t crc = 0;
};

Result<FileSum> SumOf(const fs::path& path, const std::stop_token& stop) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return FolderError("open", path, errno);
  FileSum sum;
  std::vector<std::byte> bytes(kCopyBytes);
  ssize_t got = 0;
  while ((got = ::read(file.get(), bytes.data(), bytes.size())) > 0 && !stop.stop_requested()) {
    sum.crc = Crc32c(std::span(bytes).first(static_cast<std::size_t>(got)), sum.crc);
    sum.bytes += got;
  }
  if (got < 0) return FolderError("read", path, errno);
  if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
  return sum;
}

/// What is kept of a dump: its information, and what its file must be.
struct KeptDump {
  DumpInfo info;
  std::uint32_t crc = 0;
};

std::string ToText(const KeptDump& kept) {
  const DumpInfo& info = kept.info;
  Json columns = Json::array();
  for (const DumpColumn& column : info.columns)
    columns.push_back({{"name", column.name}, {"type", column.type}});
  return Json{{"id", info.id},
              {"sql", info.sql},
              {"begun_us", info.begun_us},
              {"tables", info.tables},
              {"feature_tables", info.feature_tables},
              {"rows", info.rows},
              {"bytes", info.bytes},
              {"crc32c", kept.crc},
              {"columns", std::move(columns)}}
      .dump(1);
}

Result<KeptDump> ReadInfo(const fs::path& folder) {
  const fs::path path = folder / kInfoFile;
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Fail(ErrorCode::kCorruption, fmt::format("'{}' cannot be read", path.string()));
  KeptDump kept;
  DumpInfo& info = kept.info;
  try {
    const Json json = Json::parse(text.str());
    json.at("id").get_to(info.id);
    json.at("sql").get_to(info.sql);
    json.at("begun_us").get_to(info.begun_us);
    json.at("tables").get_to(info.tables);
    json.at("feature_tables").get_to(info.feature_tables);
    json.at("rows").get_to(info.rows);
    json.at("bytes").get_to(info.bytes);
    json.at("crc32c").get_to(kept.crc);
    for (const Json& column : json.at("columns"))
      info.columns.push_back({column.at("name").get<std::string>(), column.at("type").get<std::string>()});
  } catch (const JsonError& error) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("'{}' is not what was written: {}", path.string(), error.what()));
  }
  info.path = folder / kDataFile;
  return kept;
}

Result<void> WriteInfo(const fs::path& folder, const KeptDump& kept) {
  const fs::path path = folder / kInfoFile;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << ToText(kept);
  file.close();
  if (!file) return FolderError("write", path, errno);
  return {};
}

/// Whether a writer holds the lock.
Result<bool> IsHeld(const fs::path& path) {
  auto lock = LockFile::Open(path.string(), LockFile::Access::kShared, /*create=*/false);
  if (!lock && lock.error().code == ErrorCode::kNotFound) return false;
  if (!lock) return std::unexpected(std::move(lock).error());
  return (*lock)->IsHeldElsewhere(0);
}

class DumpWriter final : public UnfinishedDump {
 public:
  static Result<std::unique_ptr<UnfinishedDump>> Begin(const fs::path& folder, DumpInfo info) {
    std::unique_ptr<DumpWriter> writer(new DumpWriter(folder, std::move(info)));
    TM_TRY(writer->Announce());
    return writer;
  }

  ~DumpWriter() override {
    std::error_code ignored;
    fs::remove_all(unfinished_, ignored);
    if (lock_ != nullptr && lock_->is_own()) fs::remove(lock_path_, ignored);
  }
  DumpWriter(const DumpWriter&) = delete;
  DumpWriter& operator=(const DumpWriter&) = delete;

  const fs::path& path() const override { return path_; }

  Result<DumpInfo> Finish(std::int64_t rows) override {
    DumpInfo& info = kept_.info;
    info.rows = rows;
    TM_TRY(Sync(path_));
    TM_ASSIGN(const FileSum sum, SumOf(path_, {}));
    info.bytes = sum.bytes;
    kept_.crc = sum.crc;
    {
      TM_ASSIGN(const auto reader, OpenTableFile(path_, 1));
      for (const auto& field : reader->schema()->fields())
        info.columns.push_back({field->name(), PlainType(field->type())->ToString()});
    }
    TM_TRY(WriteInfo(unfinished_, kept_));
    TM_TRY(Sync(unfinished_ / kInfoFile));
    TM_TRY(Sync(unfinished_));
    const fs::path place = folder_ / info.id;
    std::error_code failed;
    fs::rename(unfinished_, place, failed);
    if (failed) return FolderError("name", place, failed.value());
    for (const fs::path& each : {folder_, folder_.parent_path()}) {
      auto synced = Sync(each);
      if (synced) continue;
      fs::remove_all(place, failed);  // nobody was told of it
      return std::unexpected(std::move(synced).error());
    }
    info.path = place / kDataFile;
    return info;
  }

 private:
  DumpWriter(fs::path folder, DumpInfo info)
      : folder_(std::move(folder)),
        kept_{.info = std::move(info)},
        unfinished_(folder_ / fmt::format(".{}{}", kept_.info.id, kUnfinished)),
        lock_path_(folder_ / fmt::format(".{}{}", kept_.info.id, kLock)),
        path_(unfinished_ / kDataFile) {}

  Result<void> Announce() {
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed) return FolderError("make the folder", folder_, failed.value());
    // The lock first: a folder without one is taken for what a killed writer left.
    while (lock_ == nullptr) {
      TM_ASSIGN(lock_, LockFile::Open(lock_path_.string(), LockFile::Access::kFull, /*create=*/true));
      TM_TRY(lock_->Lock(0));
      if (!lock_->is_in_place()) lock_.reset();  // removed between the two
    }
    fs::create_directory(unfinished_, failed);
    if (failed) return FolderError("make the folder", unfinished_, failed.value());
    return WriteInfo(unfinished_, kept_);
  }

  const fs::path folder_;
  KeptDump kept_;
  const fs::path unfinished_;
  const fs::path lock_path_;
  const fs::path path_;
  std::unique_ptr<LockFile> lock_;
};

class DumpFolder final : public Dumps {
 public:
  DumpFolder(fs::path folder, std::size_t threads) : folder_(std::move(folder)), threads_(threads) {}

  Result<std::unique_ptr<UnfinishedDump>> Begin(DumpInfo info) override {
    TM_TRY(BeingWritten());  // and what is left of others goes
    info.id = NewId(info.begun_us);
    return DumpWriter::Begin(folder_, std::move(info));
  }

  Result<std::vector<DumpInfo>> List() override {
    TM_TRY(BeingWritten());
    std::vector<DumpInfo> dumps;
    TM_ASSIGN(const auto names, Names());
    for (const std::string& name : names) {
      if (!IsId(name)) continue;
      auto kept = ReadInfo(folder_ / name);
      std::error_code ignored;
      if (!kept && !fs::exists(folder_ / name, ignored)) continue;  // removed just now
      DumpInfo info;
      if (kept) {
        info = std::move(kept->info);
        const auto bytes = fs::file_size(info.path, ignored);
        if (ignored || static_cast<std::int64_t>(bytes) != info.bytes) info.damage = "its file was cut off";
      } else {
        info.damage = kept.error().message;
      }
      info.id = name;
      dumps.push_back(std::move(info));
    }
    std::ranges::sort(dumps, {}, [](const DumpInfo& info) { return std::pair(info.begun_us, info.id); });
    return dumps;
  }

  Result<std::vector<std::pair<std::string, std::vector<TableId>>>> BeingWritten() override {
    std::vector<std::pair<std::string, std::vector<TableId>>> written;
    TM_ASSIGN(const auto names, Names());
    for (const std::string& name : names) {
      const bool is_lock = name.ends_with(kLock);
      if (!name.starts_with('.') || (!is_lock && !name.ends_with(kUnfinished))) continue;
      const std::string id = name.substr(1, name.size() - 1 - (is_lock ? kLock : kUnfinished).size());
      if (!IsId(id)) continue;
      TM_ASSIGN(const bool is_held, IsHeld(folder_ / fmt::format(".{}{}", id, kLock)));
      std::error_code ignored;
      if (!is_held) {
        fs::remove_all(folder_ / name, ignored);
      } else if (!is_lock) {
        auto kept = ReadInfo(folder_ / name);
        // One that was named just now is listed, one that has not said its tables yet has not read them.
        if (kept) written.emplace_back(id, std::move(kept->info.feature_tables));
      }
    }
    return written;
  }

  Result<DumpInfo> Find(std::string_view id) const override {
    TM_ASSIGN(KeptDump kept, FindKept(id));
    return std::move(kept.info);
  }

  Result<std::shared_ptr<arrow::RecordBatchReader>> Read(std::string_view id,
                                                         const std::stop_token& stop) const override {
    TM_ASSIGN(const KeptDump kept, FindKept(id));
    const auto damaged = [&](std::string_view why) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("dump '{}' is not what was written: {}. Remove it, and dump again", id, why));
    };
    std::error_code failed;
    if (!fs::exists(kept.info.path, failed)) return damaged("its file is not there");
    TM_ASSIGN(const FileSum sum, SumOf(kept.info.path, stop));
    if (sum.bytes != kept.info.bytes)
      return damaged(fmt::format("its file has {} bytes of {}", sum.bytes, kept.info.bytes));
    if (sum.crc != kept.crc) return damaged("its checksum does not hold");
    TM_ASSIGN(auto rows, OpenTableFile(kept.info.path, threads_, {}, stop));
    return std::make_shared<PlainRows>(std::move(rows));
  }

  Result<void> Remove(std::string_view id) override {
    TM_TRY(Known(id));
    const fs::path place = folder_ / id;
    // Under a name that nobody lists, so that no half of it is ever found.
    const fs::path gone = folder_ / fmt::format(".{}{}", id, kUnfinished);
    std::error_code failed;
    fs::rename(place, gone, failed);
    if (failed) return FolderError("remove", place, failed.value());
    fs::remove_all(gone, failed);
    if (failed) return FolderError("remove", gone, failed.value());
    return Sync(folder_);
  }

 private:
  Result<std::vector<std::string>> Names() const {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator entry(folder_, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed))
      names.push_back(entry->path().filename().string());
    if (failed && failed != std::errc::no_such_file_or_directory)
      return FolderError("list", folder_, failed.value());
    return names;
  }

  Result<void> Known(std::string_view id) const {
    std::error_code failed;
    if (IsId(id) && fs::is_directory(folder_ / id, failed)) return {};
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no dump {}: `tidemark dumps` lists them", Quoted(id)));
  }

  Result<KeptDump> FindKept(std::string_view id) const {
    TM_TRY(Known(id));
    auto kept = ReadInfo(folder_ / id);
    if (!kept) return std::unexpected(std::move(kept).error().In(fmt::format("dump {}", id)));
    return kept;
  }

  const fs::path folder_;
  const std::size_t threads_;
};

}  // namespace

std::unique_ptr<Dumps> OpenDumpFolder(const std::filesystem::path& folder, std::size_t threads) {
  return std::make_unique<DumpFolder>(folder, threads);
}

}  // namespace tidemark
