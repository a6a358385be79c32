// How the source of a view is opened: files, tables of other engines, warehouses.
#include <fmt/format.h>

#include "adapters/adbc/adbc_source.h"
#include "adapters/files/file_source.h"
#include "adapters/files/spill_file.h"
#include "adapters/iceberg/external_table.h"
#include "model/name.h"
#include "wiring/databases.h"
#include "wiring/embedded_store_internal.h"

namespace tidemark {

SourceOpener EmbeddedStore::Opener(std::stop_token stop, SourceTypes types) const {
  return [this, folder = path_, threads = threads_, stop = std::move(stop), types](
             const BatchSource& source, const std::map<std::string, DataType>& column_types,
             const SourceNeeds& needs) -> Result<std::unique_ptr<Source>> {
    if (source.warehouse) return OpenWarehouse(source, column_types, needs, stop);
    if (!source.table.empty()) {
      TM_ASSIGN(auto csv, existing_.OpenCsv(source, column_types, types == kAllTypes, stop));
      if (csv != nullptr) return csv;
      TM_TRY(existing_.CheckParquet(source));
    }
    if (source.format == FileFormat::kIceberg) return OpenIceberg(source, stop);
    FileSourceOptions options;
    options.threads = threads;
    options.column_types = column_types;
    options.guesses_types = types == kAllTypes;
    options.stop = stop;
    return OpenFileSource(source, folder, options);
  };
}

SourceOpeners EmbeddedStore::Openers(std::stop_token stop, const TableReadOptions& reading) {
  const auto repairing = [this, open = Opener(std::move(stop)),
                          has_past = reading.as_of_us || reading.snapshot_id](
                             const BatchSource& source, const std::map<std::string, DataType>& types,
                             const SourceNeeds& needs) -> Result<std::unique_ptr<Source>> {
    if (has_past) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("as_of is for feature tables: nothing says when the rows of {} were written; "
                              "known_by goes by a created-timestamp column",
                              Quoted(source.place())));
    }
    TM_TRY_IN(tables_.Repair(), "finishing what a writer began that is gone");
    return open(source, types, needs);
  };
  return {repairing, tables_.Opener(reading)};
}

Result<std::unique_ptr<Source>> EmbeddedStore::OpenIceberg(const BatchSource& source,
                                                           const std::stop_token& stop) const {
  std::filesystem::path path = (path_ / source.path).lexically_normal();
  if (!source.table.empty()) {
    TM_ASSIGN(const auto catalog, tables_.Catalog());
    TM_ASSIGN(path, FindTable(*catalog, source.table));
  }
  return OpenExternalTable(path, {.field_mapping = source.field_mapping, .threads = threads_, .stop = stop});
}

Result<std::unique_ptr<Source>> EmbeddedStore::OpenWarehouse(
    const BatchSource& source, const std::map<std::string, DataType>& column_types, const SourceNeeds& needs,
    const std::stop_token& stop) const {
  AdbcSourceOptions options{.column_types = column_types, .needs = needs, .stop = stop};
  options.driver_folders = config_.adbc_driver_folders;
  options.memory_bytes_max = config_.memory_bytes_max;
  options.spill = [folder = path_ / kOwnFolder]() -> Result<std::unique_ptr<Spill>> {
    TM_TRY(MakeFolder(folder));
    return OpenSpillFile(folder);
  };
  return OpenAdbcSource(source, options);
}

}  // namespace tidemark
