// The public API over the engine, with the concrete adapters put in: opening a store, and what its calls
// share.
#include "tidemark/store.h"

#include <arrow/c/bridge.h>
#include <fmt/format.h>

#include <algorithm>

#include "adapters/http/schema_registry_client.h"
#include "adapters/lmdb/lmdb_online_store.h"
#include "adapters/messages/message_decoders.h"
#include "adapters/sqlite/sqlite_registry.h"
#include "model/name.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "tidemark/python_workers.h"
#include "wiring/databases.h"
#include "wiring/embedded_store_internal.h"
#include "wiring/source_places.h"

namespace tidemark {
namespace {

/// A row group that is being written may take this part of the memory limit: one over it.
constexpr std::int64_t kRowGroupsInMemory = 16;

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> TakeOver(ArrowArrayStream* stream) {
  if (stream == nullptr || stream->release == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "the stream of rows is empty: it was released or read before");
  }
  return FromArrowResult(arrow::ImportRecordBatchReader(stream));
}

Result<void> MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return {};
  const ErrorCode code = error == std::errc::no_space_on_device ? ErrorCode::kOutOfSpace : ErrorCode::kIo;
  return Fail(code, fmt::format("cannot make the folder '{}': {}", folder.string(), error.message()));
}

Result<std::shared_ptr<const Catalog>> EmbeddedStore::LoadCatalog() const {
  TM_ASSIGN(const std::int64_t serial, registry_->Serial(config_.project));
  const std::lock_guard lock(mutex_);
  if (catalog_ != nullptr && catalog_->serial() == serial) return catalog_;
  TM_ASSIGN(catalog_, Catalog::Load(*registry_, config_.project));
  return catalog_;
}

Result<std::string> EmbeddedStore::ViewName(const Catalog& catalog, std::string_view name) const {
  return ViewNameOf(catalog, DatabaseOf(config_.project), name);
}

Result<std::shared_ptr<OnlineStore>> EmbeddedStore::Online() const {
  const std::lock_guard lock(mutex_);
  if (online_ != nullptr) return online_;
  TM_TRY(MakeFolder(config_.online_path));
  TM_TRY(ClaimPlace(config_.online_path, path_));
  LmdbOptions options;
  options.folder = config_.online_path.string();
  options.map_bytes_max = config_.online_bytes_max;
  options.erase_key = (path_ / kOwnFolder / kEraseKeyFile).string();
  TM_ASSIGN(online_, OpenLmdbOnlineStore(options));
  return online_;
}

bool EmbeddedStore::HasOnline() const {
  std::error_code error;
  return std::filesystem::exists(config_.online_path, error);
}

Result<std::shared_ptr<WriteTimes>> EmbeddedStore::OwnWriteTimes() const {
  const std::lock_guard lock(mutex_);
  if (write_times_ != nullptr) return write_times_;
  TM_TRY(MakeFolder(path_ / kOwnFolder));
  TM_ASSIGN(write_times_, WriteTimes::Open((path_ / kOwnFolder / "write_time").string()));
  return write_times_;
}

std::string EmbeddedStore::PlainFolder() const {
  const std::filesystem::path plain = path_.lexically_normal();
  return (plain.has_filename() ? plain : plain.parent_path()).string();
}

TableWriteOptions EmbeddedStore::FileWriting() const {
  TableWriteOptions options;
  options.threads = threads_;
  options.row_group_bytes_max =
      std::min(options.row_group_bytes_max, config_.memory_bytes_max / kRowGroupsInMemory);
  return options;
}

std::function<void(std::string_view, std::int64_t, std::int64_t)> EmbeddedStore::ProgressOf(
    const WorkOptions& work) {
  if (!work.progress) return {};
  return [report = work.progress](std::string_view what, std::int64_t done, std::int64_t total) {
    report({what, done, total});
  };
}

Result<void> EmbeddedStore::StartMaintenance() {
  TM_ASSIGN(const auto tables, tables_.Open());
  if (!tables->parts().is_read_only) maintenance_.Start();
  return {};
}

EmbeddedTablesParts EmbeddedStore::TableParts() {
  return {.folder = path_ / kOwnFolder,
          .folders = OpenSourcePlaces(path_, threads_, config_.adbc_driver_folders),
          .dumps = dumps_,
          .datasets = [this](const KeptRowsErasure& erasure) { return EraseKeptRows(erasure); },
          .config = config_,
          .registry = registry_,
          .clock = clock_,
          .online = [this] { return Online(); },
          .write_times = [this] { return OwnWriteTimes(); },
          .threads = threads_};
}

ExistingData::Parts EmbeddedStore::ExistingParts() const {
  return {.folder = path_,
          .config = config_,
          .registry = registry_,
          .clock = clock_,
          .catalog = [this] { return tables_.Catalog(); },
          .views = [this] { return LoadCatalog(); },
          .opener = [this](const std::stop_token& stop) { return Opener(stop); },
          .threads = threads_};
}

SavedDatasetsParts EmbeddedStore::DatasetParts() {
  return {.project = config_.project,
          .registry = registry_,
          .clock = clock_,
          .files = dataset_files_,
          .catalog = [this] { return LoadCatalog(); },
          .tables = [this] { return tables_.Open(); },
          .sources = [this](const std::stop_token& stop) { return Openers(stop).file; },
          .functions = config_.functions,
          .writer = std::string(kVersion),
          .threads = threads_,
          .memory_bytes_max = config_.memory_bytes_max};
}

StoreSql::Parts EmbeddedStore::SqlParts() {
  return {.folder = path_,
          .config = config_,
          .threads = threads_,
          .registry = registry_,
          .clock = clock_,
          .dumps = dumps_,
          .tables = tables_,
          .catalog = [this] { return LoadCatalog(); },
          .openers = [this](const std::stop_token& stop,
                            const TableReadOptions& reading) { return Openers(stop, reading); },
          .check_folder = [this](const CatalogView& view,
                                 const std::string& token) { return CheckSeenInFolders({&view}, token); },
          .others = [this] { return existing_.SqlTables(); },
          .registered = [this](const std::string& name) { return existing_.ForSql(name); }};
}

StoreStreams::Parts EmbeddedStore::StreamParts() {
  StoreStreams::Parts parts;
  parts.folder = path_ / kOwnFolder;
  parts.clock = clock_;
  parts.catalog = [this] { return LoadCatalog(); };
  parts.tables = [this] { return tables_.Open(); };
  parts.decoder = MessageDecoders({.folder = path_, .open_registry = http::OpenSchemaRegistry});
  parts.apply = [this](const Definitions& definitions) -> Result<void> {
    TM_TRY(tidemark::Apply(*registry_, config_.project, definitions, {}, Opener({}), *clock_));
    return {};
  };
  return parts;
}

TableMaintenance::Parts EmbeddedStore::MaintenanceParts() {
  TableMaintenance::Parts parts;
  parts.settings = config_.maintenance;
  parts.tables = [this] { return tables_.Open(); };
  parts.views = [this]() -> Result<TableMaintenance::Views> {
    TM_ASSIGN(const auto catalog, LoadCatalog());
    TableMaintenance::Views views;
    for (const auto& [name, view] : catalog->views()) {
      if (view.definition.is_table() && view.is_typed()) views.emplace_back(catalog, &view);
    }
    return views;
  };
  parts.clock = clock_;
  parts.tell = [path = path_](const std::string& message) {
    fmt::print(stderr, "tidemark: store {}: {}\n", path.string(), message);
  };
  return parts;
}

namespace {

/// A new registry gives views the numbers that others had: logged and online rows of a registry that is gone
/// would be taken for rows of other views.
Result<void> CheckNothingIsLeft(const std::filesystem::path& folder, const Config& config) {
  const std::filesystem::path own = folder / kOwnFolder;
  std::filesystem::path left;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(own / "log", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->is_directory(error)) left = entry->path();
  }
  const std::filesystem::path online = config.online_path / "data.mdb";
  if (config.online_path.parent_path() == own && std::filesystem::exists(online, error)) left = online;
  // Looked for last: whoever makes a store at this moment makes it first.
  if (left.empty() || std::filesystem::exists(config.registry_path, error)) return {};
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("there is no registry {}, but rows of views that only it knows are in {}: restore it from "
                  "a backup; without one, move the folder {} away, run apply on the definitions again, and "
                  "materialize (rows of feature tables do not come back)",
                  Quoted(config.registry_path.string()), Quoted(left.string()), Quoted(own.string())));
}

}  // namespace

Result<std::unique_ptr<Store>> Store::Open(const StoreOptions& options) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(options.path, error);
  if (error) return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no path", options.path.string()));
  if (std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a folder: a store is opened by its folder", path.string()));
  }
  TM_ASSIGN(Config config, ReadConfig(path));
  if (!options.project.empty()) {
    TM_TRY(CheckName("project", options.project));
    config.project = options.project;
  }
  config.adbc_driver_folders = options.adbc_driver_folders;
  if (options.python_workers != nullptr) config.functions = options.python_workers->runner();
  TM_TRY(CheckNothingIsLeft(path, config));
  if (!options.create && !std::filesystem::exists(config.registry_path, error)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no store in '{}': make one with `tidemark init`, or apply "
                            "definitions to it",
                            path.string()));
  }
  TM_TRY(MakeFolder(config.registry_path.parent_path()));
  SqliteRegistryOptions registry_options;
  registry_options.path = config.registry_path.string();
  registry_options.busy_timeout_ms = static_cast<int>(config.busy_timeout_ms);
  TM_ASSIGN(std::shared_ptr<Registry> registry, OpenSqliteRegistry(registry_options));
  auto store = std::make_unique<EmbeddedStore>(path, std::move(config), std::move(registry));
  if (options.maintain) TM_TRY(store->Maintain());
  return store;
}

void StopBackgroundWork() {
  StopAllMaintenance();
}

Result<std::int64_t> ParseSize(std::string_view text) {
  return ParseBytes(text);
}

Result<std::int64_t> ParseDuration(std::string_view text) {
  return ParseDurationUs(text);
}

Result<std::int64_t> ParseTime(std::string_view text) {
  if (const auto us = ParseTimestampUs(text)) return *us;
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is not a time: write 2024-05-01T12:00:00Z", text));
}

}  // namespace tidemark
