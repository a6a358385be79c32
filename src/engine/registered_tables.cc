// Registering, adding partitions, looking up and forgetting; registered_refresh.cc brings tables up to date.
#include "engine/registered_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <thread>
#include <utility>

#include "base/hash.h"
#include "base/lock_file.h"
#include "base/parallel.h"
#include "engine/catalog.h"
#include "engine/registered_tables_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr std::size_t kPartitionsPerCommit = 99;
constexpr auto kLockPause = std::chrono::milliseconds(5);
// So often a change is tried again when somebody else keeps changing the project.
constexpr int kAttemptsMax = 5;

bool IsPath(const std::string& partition) {
  return partition.find('=') != std::string::npos;
}

std::vector<std::string> NamesOf(const std::vector<FolderColumn>& columns) {
  std::vector<std::string> names;
  for (const FolderColumn& column : columns)
    names.push_back(column.name);
  return names;
}

std::string LeftOut(const std::string& column) {
  return fmt::format("column left out, of a type that Tidemark does not have: {}", column);
}

/// What an error after some commits leaves behind.
Error HowFar(Error error, std::size_t batches_done, std::size_t batches, std::size_t partitions) {
  const std::size_t done = std::min(batches_done * kPartitionsPerCommit, partitions);
  return std::move(error).In(
      fmt::format("{} of {} partitions are added ({} of {} commits), the others are not", done, partitions,
                  batches_done, batches));
}

}  // namespace

Result<std::unique_ptr<RegisteredTables::Lock>> RegisteredTables::Lock::Take(const std::string& path,
                                                                             std::string_view full_name,
                                                                             const std::stop_token& stop) {
  auto lock = std::make_unique<Lock>();
  TM_ASSIGN(lock->file_, LockFile::Open(path, LockFile::Access::kFull, true));
  // Tables whose names meet in one byte wait for each other, which does no harm.
  const std::string folded = FoldName(full_name);
  const auto byte = static_cast<off_t>(Hash64(std::as_bytes(std::span(folded))) & 0xFFFFFFF);
  while (true) {
    TM_ASSIGN(const bool is_held, lock->file_->TryLock(byte));
    if (is_held) return lock;
    if (stop.stop_requested())
      return Fail(ErrorCode::kCancelled, "interrupted while another process changed the table");
    std::this_thread::sleep_for(kLockPause);
  }
}

std::size_t RegisteredInfo::partitions() const {
  std::set<std::string> all;
  for (const ForeignFile& file : files)
    all.insert(PartitionOf(file.folders));
  return table.partitions.empty() ? 0 : all.size();
}

Result<std::unique_ptr<RegisteredTables::Lock>> RegisteredTables::LockTable(
    std::string_view full_name, const std::stop_token& stop) const {
  return Lock::Take(parts_.lock_file, full_name, stop);
}

Result<std::vector<RegisteredTables::Object>> RegisteredTables::Objects() const {
  TM_ASSIGN(const RegistryState state, parts_.registry->Load(parts_.project));
  std::vector<Object> objects;
  for (const RegistryObject& object : state.objects) {
    if (object.kind != ObjectKind::kRegisteredTable) continue;
    auto table = RegisteredTableFromJson(object.document);
    if (!table || table->full_name() != object.name) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("the registry's document of registered table '{}' cannot be read: restore the "
                              "registry from a backup",
                              object.name));
    }
    objects.push_back({object.id, *std::move(table), state.serial});
  }
  return objects;
}

/// False for what a process left that was killed between the two steps of registering.
Result<bool> RegisteredTables::IsWhole(const Object& object) const {
  if (object.table.format == FileFormat::kCsv) {
    TM_ASSIGN(const auto note, parts_.registry->GetNote(object.id, kListingNote));
    return note.has_value();
  }
  TM_ASSIGN(const auto entries, parts_.catalog->List());
  return std::ranges::find(entries, object.id, &CatalogEntry::id) != entries.end();
}

Result<RegisteredTables::Object> RegisteredTables::ObjectNamed(std::string_view database,
                                                               std::string_view table) const {
  const std::string full_name = fmt::format("{}.{}", database, table);
  TM_ASSIGN(const auto objects, Objects());
  std::vector<std::string> names;
  for (const Object& object : objects) {
    TM_ASSIGN(const bool is_whole, IsWhole(object));
    if (!is_whole) continue;
    if (object.table.full_name() == full_name) return object;
    names.push_back(object.table.full_name());
  }
  TM_ASSIGN(const auto catalog, Catalog::Load(*parts_.registry, parts_.project));
  if (database == parts_.own_database && catalog->views().contains(std::string(table))) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is a feature view, and no registered table", full_name));
  }
  return Fail(ErrorCode::kNotFound, fmt::format("there is no registered table {}{}: register it first",
                                                Quoted(full_name), Suggest(full_name, names)));
}

Result<TableListing> RegisteredTables::Listing(std::uint32_t id) const {
  TM_ASSIGN(const auto note, parts_.registry->GetNote(id, kListingNote));
  if (!note) return TableListing{};
  return ListingFromJson(*note);
}

Result<void> RegisteredTables::PutListing(std::uint32_t id, TableListing listing) const {
  std::ranges::sort(listing.files, {},
                    [](const ForeignFile& file) -> const std::string& { return file.file.path; });
  return parts_.registry->PutNote(id, kListingNote, ToJson(listing));
}

Result<RegisteredInfo> RegisteredTables::Load(const Object& object) const {
  RegisteredInfo info{.id = object.id, .table = object.table};
  TM_ASSIGN(TableListing listing, Listing(object.id));
  if (object.table.format == FileFormat::kCsv) {
    info.columns = std::move(listing.columns);
    info.files = std::move(listing.files);
    for (const FolderColumn& column : object.table.partitions) {
      if (std::ranges::find(info.columns, column.name, &CsvColumn::name) != info.columns.end()) continue;
      info.columns.push_back({column.name, column.type});
      info.folder_columns.push_back(column.name);
    }
    return info;
  }
  TM_ASSIGN(ForeignState state, parts_.foreign->Load(object.id));
  info.snapshot_id = state.snapshot_id;
  info.folder_columns = std::move(state.folder_columns);
  for (TableColumn& column : state.columns)
    info.columns.push_back({std::move(column.name), std::move(column.type)});
  info.rows = 0;
  std::map<std::string_view, const SourceFile*> seen;
  for (const ForeignFile& file : listing.files)
    seen.emplace(file.file.path, &file.file);
  for (ForeignState::File& file : state.files) {
    info.rows += file.rows;
    const auto known = seen.find(file.path);
    // What the snapshot says counts: the note may be older, if a process was killed between the two.
    SourceFile as_seen;
    if (known != seen.end() && known->second->size == file.bytes) as_seen = *known->second;
    as_seen.path = std::move(file.path);
    as_seen.size = file.bytes;
    info.files.push_back({.file = std::move(as_seen), .folders = std::move(file.folders)});
  }
  return info;
}

/// Nothing for one that is not whole, or that another process drops while it is looked at.
Result<std::optional<RegisteredInfo>> RegisteredTables::LoadIfThere(const Object& object) const {
  TM_ASSIGN(const bool is_whole, IsWhole(object));
  if (!is_whole) return std::nullopt;
  auto info = Load(object);
  if (info) return *std::move(info);
  TM_ASSIGN(const bool is_still_whole, IsWhole(object));
  if (!is_still_whole) return std::nullopt;
  return std::unexpected(std::move(info).error().In("table " + object.table.full_name()));
}

Result<std::vector<RegisteredTable>> RegisteredTables::Registered() const {
  TM_ASSIGN(const auto objects, Objects());
  std::vector<RegisteredTable> tables;
  for (const Object& object : objects) {
    TM_ASSIGN(const bool is_whole, IsWhole(object));
    if (is_whole) tables.push_back(object.table);
  }
  return tables;
}

Result<std::vector<RegisteredInfo>> RegisteredTables::List() const {
  TM_ASSIGN(const auto objects, Objects());
  std::vector<RegisteredInfo> tables;
  for (const Object& object : objects) {
    TM_ASSIGN(auto info, LoadIfThere(object));
    if (info) tables.push_back(*std::move(info));
  }
  return tables;
}

Result<std::optional<RegisteredInfo>> RegisteredTables::Find(std::string_view full_name) const {
  TM_ASSIGN(const auto objects, Objects());
  for (const Object& object : objects) {
    if (FoldName(object.table.full_name()) != FoldName(full_name)) continue;
    TM_ASSIGN(auto info, LoadIfThere(object));
    if (info) return *std::move(info);
  }
  return std::nullopt;
}

Result<void> RegisteredTables::CheckFree(const RegisterRequest& request) const {
  TM_ASSIGN(const auto databases, parts_.databases());
  if (std::ranges::find(databases, request.database) == databases.end()) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no database {}{}: make it by `tidemark databases create`, or "
                            "create_database",
                            Quoted(request.database), Suggest(request.database, databases)));
  }
  TM_TRY(CheckName("table", request.table));
  const std::string folded = FoldName(request.database + "." + request.table);
  TM_ASSIGN(const auto catalog, Catalog::Load(*parts_.registry, parts_.project));
  for (const auto& [name, view] : catalog->views()) {
    const std::string& own = view.definition.table.database;
    const std::string full_name = fmt::format("{}.{}", own.empty() ? parts_.own_database : own, name);
    if (FoldName(full_name) != folded) continue;
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("there is a feature view '{}' already (names that differ only in case are the same)",
                    full_name));
  }
  TM_ASSIGN(const auto objects, Objects());
  for (const Object& object : objects) {
    if (FoldName(object.table.full_name()) != folded) continue;
    return Fail(
        ErrorCode::kAlreadyExists,
        fmt::format("table '{}' is registered already: add_partitions and refresh extend it, drop_table "
                    "forgets it",
                    object.table.full_name()));
  }
  if (!parts_.catalog->FindLocation(request.database, request.table)) return {};
  return Fail(ErrorCode::kAlreadyExists,
              fmt::format("the catalog has a table '{}.{}' already, of another program", request.database,
                          request.table));
}

Result<void> RegisteredTables::RemoveObject(const Object& object) const {
  for (int attempt = 1;; ++attempt) {
    TM_ASSIGN(const std::int64_t serial, parts_.registry->Serial(parts_.project));
    const std::vector<RegistryChange> changes{{.id = object.id,
                                               .kind = ObjectKind::kRegisteredTable,
                                               .name = object.table.full_name(),
                                               .document = {},
                                               .remove = true}};
    const auto done = parts_.registry->Commit(parts_.project, serial, changes, parts_.clock->now_us());
    if (done || done.error().code == ErrorCode::kNotFound) return {};
    if (done.error().code != ErrorCode::kBusy || attempt == kAttemptsMax)
      return std::unexpected(done.error());
  }
}

/// Of a process that was killed: its lock is free, and its table is not whole.
Result<void> RegisteredTables::RemoveRemains(std::string_view full_name) const {
  TM_ASSIGN(const auto objects, Objects());
  for (const Object& object : objects) {
    if (FoldName(object.table.full_name()) != FoldName(full_name)) continue;
    TM_ASSIGN(const bool is_whole, IsWhole(object));
    if (!is_whole) TM_TRY(RemoveObject(object));
  }
  return {};
}

Result<RegisteredTables::Object> RegisteredTables::AddObject(const RegisteredTable& table) const {
  for (int attempt = 1;; ++attempt) {
    TM_ASSIGN(const std::int64_t serial, parts_.registry->Serial(parts_.project));
    // Against the very state that is committed on: an apply meanwhile may have taken the name.
    TM_TRY(CheckFree({.database = table.database, .table = table.name, .path = {}}));
    const std::vector<RegistryChange> changes{{.id = 0,
                                               .kind = ObjectKind::kRegisteredTable,
                                               .name = table.full_name(),
                                               .document = ToJson(table)}};
    const auto state = parts_.registry->Commit(parts_.project, serial, changes, parts_.clock->now_us());
    if (state) {
      for (const RegistryObject& object : state->objects) {
        if (object.kind == ObjectKind::kRegisteredTable && object.name == table.full_name())
          return Object{object.id, table, state->serial};
      }
      return Fail(ErrorCode::kInternal, "a table that was registered is not in the registry");
    }
    if (state.error().code != ErrorCode::kBusy || attempt == kAttemptsMax)
      return std::unexpected(state.error());
  }
}

Result<FoundFiles> RegisteredTables::FilesToRegister(const RegisterRequest& request,
                                                     const ExternalPlace& place) const {
  const auto paths = std::ranges::count_if(request.partitions, IsPath);
  if (paths != 0 && paths != std::ssize(request.partitions)) {
    return Fail(ErrorCode::kInvalidArgument,
                "partitions are names of columns (\"y\") or folders (\"y=2019/m=07\"), not some of each");
  }
  if (paths == 0) return parts_.files->Find(place.root, place.partition, std::nullopt);
  if (!place.is_folder) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no folder, so it has no partitions", Quoted(request.path)));
  }
  std::set<std::string> wanted;
  for (const std::string& partition : request.partitions) {
    TM_ASSIGN(std::string normal, NormalPartition(partition, place.root, nullptr));
    wanted.insert(std::move(normal));
  }
  FoundFiles all;
  std::optional<FileFormat> format;
  for (const std::string& partition : wanted) {
    TM_ASSIGN(FoundFiles found, parts_.files->Find(place.root, partition, format));
    format = all.format = found.format;
    std::ranges::move(found.files, std::back_inserter(all.files));
  }
  return all;
}

Result<RegisteredInfo> RegisteredTables::Register(const RegisterRequest& request) {
  const std::string full_name = fmt::format("{}.{}", request.database, request.table);
  TM_ASSIGN(const auto lock, LockTable(full_name, request.stop));
  TM_TRY(RemoveRemains(full_name));
  TM_TRY(CheckFree(request));
  TM_ASSIGN(const ExternalPlace place, parts_.files->Locate(request.path));
  TM_ASSIGN(const FoundFiles found, FilesToRegister(request, place));
  TM_ASSIGN(std::vector<FolderColumn> columns, FolderColumnsOf(found.files));
  const bool states_names = !request.partitions.empty() && !IsPath(request.partitions.front());
  if (states_names && NamesOf(columns) != request.partitions) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the folders of {} say the columns ({}), and not ({})", Quoted(place.root),
                            fmt::join(NamesOf(columns), ", "), fmt::join(request.partitions, ", ")));
  }
  return Make(request, place, found, std::move(columns));
}

Result<RegisteredInfo> RegisteredTables::Make(const RegisterRequest& request, const ExternalPlace& place,
                                              const FoundFiles& found, std::vector<FolderColumn> columns) {
  const RegisteredTable table{.database = request.database,
                              .name = request.table,
                              .path = place.root,
                              .format = found.format,
                              .partitions = std::move(columns)};
  TM_ASSIGN(const Object object, AddObject(table));
  auto filled = Fill(object, found, request.stop);
  if (!filled) {
    if (filled.error().code == ErrorCode::kUnknownFate) return std::unexpected(std::move(filled).error());
    TM_TRY_IN(RemoveObject(object),
              fmt::format("taking back the registration that failed ({})", filled.error().ToString()));
    return std::unexpected(std::move(filled).error());
  }
  TM_ASSIGN(RegisteredInfo info, Load(object));
  info.warnings = *std::move(filled);
  return info;
}

/// Makes the table whole. Returns warnings.
Result<std::vector<std::string>> RegisteredTables::Fill(const Object& object, const FoundFiles& found,
                                                        const std::stop_token& stop) {
  TableListing listing{.columns = {}, .files = found.files};
  std::vector<std::string> warnings;
  if (found.format == FileFormat::kCsv) {
    TM_ASSIGN(const auto columns, CsvColumnsOf(found.files, stop));
    CsvGrowth growth;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      TM_TRY_IN(MergeCsvColumns(columns[i], object.table.partitions, CsvMerge::kTextFitsAll, listing.columns,
                                growth),
                "file " + found.files[i].file.path);
    }
    TM_TRY(PutListing(object.id, std::move(listing)));
    return warnings;
  }
  ForeignLayout layout;
  for (const FolderColumn& column : object.table.partitions)
    layout.folder_columns.push_back({.name = column.name, .type = column.type});
  layout.properties["tidemark.registered-path"] = object.table.path;
  const ForeignWork work{.threads = parts_.threads, .stop = stop};
  TM_ASSIGN(const ForeignOutcome outcome,
            parts_.foreign->Create(object.id, {.database = object.table.database, .name = object.table.name},
                                   layout, found.files, work));
  for (const std::string& column : outcome.left_out)
    warnings.push_back(LeftOut(column));
  TM_TRY(PutListing(object.id, std::move(listing)));
  return warnings;
}

Result<std::vector<std::vector<CsvColumn>>> RegisteredTables::CsvColumnsOf(
    const std::vector<ForeignFile>& files, const std::stop_token& stop) const {
  std::vector<std::vector<CsvColumn>> columns(files.size());
  const auto read = [&](std::size_t index, std::size_t) -> Result<void> {
    TM_ASSIGN(columns[index], parts_.files->CsvColumns(files[index].file, stop));
    return {};
  };
  TM_TRY(ParallelFor(files.size(), ThreadCount(parts_.threads), stop, read));
  return columns;
}

Result<AddedPartitions> RegisteredTables::AddPartitions(std::string_view database, std::string_view table,
                                                        const std::vector<std::string>& partitions,
                                                        const std::stop_token& stop) {
  const std::string full_name = fmt::format("{}.{}", database, table);
  TM_ASSIGN(const auto lock, LockTable(full_name, stop));
  TM_ASSIGN(const Object object, ObjectNamed(database, table));
  TM_ASSIGN(const RegisteredInfo info, Load(object));
  std::set<std::string> present;
  for (const ForeignFile& file : info.files)
    present.insert(file.file.path);
  AddedPartitions report;
  std::set<std::string> seen;
  std::vector<std::vector<ForeignFile>> batches;
  std::size_t in_batch = 0;
  for (const std::string& text : partitions) {
    TM_ASSIGN(const std::string partition,
              NormalPartition(text, object.table.path, &object.table.partitions));
    if (!seen.insert(partition).second) continue;
    auto found = parts_.files->Find(object.table.path, partition, object.table.format);
    if (!found) return std::unexpected(std::move(found).error().In("partition " + partition));
    std::vector<ForeignFile> fresh;
    for (ForeignFile& file : found->files) {
      TM_TRY_IN(CheckFolders(file, object.table.partitions), "partition " + partition);
      if (!present.contains(file.file.path)) fresh.push_back(std::move(file));
    }
    if (fresh.empty()) {
      report.present.push_back(partition);
      continue;
    }
    report.added.push_back(partition);
    report.files += std::ssize(fresh);
    if (batches.empty() || in_batch == kPartitionsPerCommit) {
      batches.emplace_back();
      in_batch = 0;
    }
    ++in_batch;
    std::ranges::move(fresh, std::back_inserter(batches.back()));
  }
  report.batches = batches.size();
  if (batches.empty()) return report;
  if (object.table.format == FileFormat::kCsv) {
    TM_TRY(AddCsv(object, batches, stop, report));
  } else {
    TM_TRY(AddParquet(object, std::move(batches), stop, report));
  }
  return report;
}

Result<void> RegisteredTables::AddParquet(const Object& object, std::vector<std::vector<ForeignFile>> batches,
                                          const std::stop_token& stop, AddedPartitions& report) {
  TM_ASSIGN(TableListing listing, Listing(object.id));
  std::size_t done = 0;
  const ForeignWork work{
      .threads = parts_.threads, .stop = stop, .committed = [&](std::size_t count) { done = count; }};
  const std::size_t count = batches.size();
  const ForeignChange change{.added = std::move(batches), .removed = {}};
  const auto outcome = parts_.foreign->Change(object.id, change, work);
  for (std::size_t i = 0; i < done; ++i)
    Remember(change.added[i], listing.files);
  if (done > 0) TM_TRY(PutListing(object.id, std::move(listing)));
  if (!outcome && done == 0) return std::unexpected(outcome.error());
  if (!outcome) return std::unexpected(HowFar(outcome.error(), done, count, report.added.size()));
  report.new_columns = outcome->new_columns;
  report.widened = outcome->widened;
  for (const std::string& column : outcome->left_out)
    report.warnings.push_back(LeftOut(column));
  return {};
}

Result<void> RegisteredTables::AddCsv(const Object& object,
                                      const std::vector<std::vector<ForeignFile>>& batches,
                                      const std::stop_token& stop, AddedPartitions& report) {
  TM_ASSIGN(TableListing listing, Listing(object.id));
  CsvGrowth growth;
  for (const std::vector<ForeignFile>& files : batches) {
    TM_ASSIGN(const auto columns, CsvColumnsOf(files, stop));
    for (std::size_t i = 0; i < files.size(); ++i) {
      TM_TRY_IN(
          MergeCsvColumns(columns[i], object.table.partitions, CsvMerge::kStrict, listing.columns, growth),
          "file " + files[i].file.path);
    }
  }
  for (std::size_t i = 0; i < batches.size(); ++i) {
    Remember(batches[i], listing.files);
    auto put = PutListing(object.id, listing);
    if (!put && i == 0) return put;
    if (!put) return std::unexpected(HowFar(put.error(), i, batches.size(), report.added.size()));
  }
  report.new_columns = std::move(growth.added);
  report.widened = std::move(growth.widened);
  return {};
}

Result<bool> RegisteredTables::Drop(std::string_view full_name) {
  TM_ASSIGN(const auto lock, LockTable(full_name, {}));
  TM_TRY(RemoveRemains(full_name));
  TM_ASSIGN(const auto objects, Objects());
  const auto object =
      std::ranges::find_if(objects, [&](const Object& each) { return each.table.full_name() == full_name; });
  if (object == objects.end()) return false;
  TM_ASSIGN(const auto catalog, Catalog::Load(*parts_.registry, parts_.project));
  for (const auto& [name, view] : catalog->views()) {
    const bool reads =
        view.definition.source && FoldName(view.definition.source->table) == FoldName(full_name);
    if (!reads) continue;
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("table '{}' is the batch source of feature view '{}': remove the view, or give it "
                    "another source, first",
                    full_name, name));
  }
  if (object->table.format == FileFormat::kParquet) TM_TRY(parts_.foreign->Drop(object->id));
  TM_TRY(RemoveObject(*object));
  return true;
}

Result<std::unique_ptr<Source>> RegisteredTables::OpenCsv(const RegisteredInfo& info,
                                                          ExternalFiles::CsvReading reading) const {
  reading.files = info.files;
  for (const FolderColumn& column : info.table.partitions) {
    const auto mapped = reading.mapping.find(column.name);
    reading.types.emplace(mapped == reading.mapping.end() ? column.name : mapped->second, column.type);
  }
  auto source = parts_.files->OpenCsv(reading);
  if (!source) return std::unexpected(std::move(source).error().In("table " + info.table.full_name()));
  return source;
}

Result<void> RegisteredTables::CheckFiles(const RegisteredInfo& info) const {
  for (const ForeignFile& file : info.files)
    TM_TRY_IN(parts_.files->LookAgain(file.file), "table " + info.table.full_name());
  return {};
}

Result<SqlTable> RegisteredTables::ForSql(const RegisteredInfo& info) const {
  SqlTable table{.schema = info.table.database, .name = info.table.name};
  const bool is_csv = info.table.format == FileFormat::kCsv;
  table.files.format = is_csv ? SqlFiles::Format::kCsv : SqlFiles::Format::kParquet;
  table.files.hive_columns = info.folder_columns;
  for (const CsvColumn& column : info.columns)
    table.columns.push_back({.name = column.name,
                             .type = column.type.value_or(DataType{.kind = TypeKind::kString}),
                             .in_file = {}});
  table.identity = fmt::format("registered {} {}", info.id, info.snapshot_id);
  for (const ForeignFile& file : info.files) {
    TM_ASSIGN(const SourceFile now, parts_.files->LookAgain(file.file));
    table.identity += fmt::format(" {}:{}:{}", now.id, now.size, now.mtime_ns);
    table.files.paths.push_back(file.file.path);
  }
  return table;
}

}  // namespace tidemark
