// Brings registered tables up to what lies in their folders by now.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/registered_tables.h"
#include "engine/registered_tables_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

// What crashed writers left of metadata is older by then than any writer takes.
constexpr std::int64_t kDayUs = std::int64_t{24} * 3600 * 1'000'000;
constexpr std::int64_t kSnapshotAgeUs = 7 * kDayUs;

const std::string& PathOf(const ForeignFile& file) {
  return file.file.path;
}

void Forget(const std::vector<std::string>& paths, std::vector<ForeignFile>& listing) {
  const std::set<std::string> gone(paths.begin(), paths.end());
  std::erase_if(listing, [&](const ForeignFile& file) { return gone.contains(file.file.path); });
}

}  // namespace

void Remember(const std::vector<ForeignFile>& files, std::vector<ForeignFile>& listing) {
  std::vector<std::string> paths;
  for (const ForeignFile& file : files)
    paths.push_back(file.file.path);
  Forget(paths, listing);
  listing.insert(listing.end(), files.begin(), files.end());
}

/// What lies in the folders and is not as the table has it.
struct RegisteredTables::Differences {
  std::vector<ForeignFile> added = {};
  std::vector<ForeignFile> changed = {};
  std::vector<std::string> gone = {};          // paths
  std::vector<ForeignFile> unremembered = {};  // in the table, and never looked at
  TableListing known = {};
  std::vector<std::string> partitions_before = {};
};

Result<std::vector<RefreshedTable>> RegisteredTables::Refresh(const std::vector<std::string>& names,
                                                              const std::stop_token& stop) {
  TM_ASSIGN(const auto objects, Objects());
  std::vector<std::string> wanted = names;
  if (names.empty()) {
    for (const Object& object : objects)
      wanted.push_back(object.table.full_name());
  }
  for (const std::string& name : names) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is no name of a registered table: write database.table", Quoted(name)));
    }
    TM_TRY(ObjectNamed(name.substr(0, dot), name.substr(dot + 1)));
  }
  std::vector<RefreshedTable> reports;
  for (const std::string& name : wanted) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted between two tables");
    TM_ASSIGN(const auto lock, LockTable(name, stop));
    TM_TRY(RemoveRemains(name));
    const std::size_t dot = name.rfind('.');
    // Another process may have dropped it meanwhile.
    const auto object = ObjectNamed(name.substr(0, dot), name.substr(dot + 1));
    if (!object && names.empty() && object.error().code == ErrorCode::kNotFound) continue;
    if (!object) return std::unexpected(object.error());
    RefreshedTable report{.table = name};
    auto done = RefreshOne(*object, stop, report);
    if (!done && done.error().code == ErrorCode::kCancelled) return std::unexpected(std::move(done).error());
    if (!done) report.error = std::move(done).error();
    reports.push_back(std::move(report));
  }
  return reports;
}

Result<void> RegisteredTables::RefreshOne(const Object& object, const std::stop_token& stop,
                                          RefreshedTable& report) {
  TM_ASSIGN(const RegisteredInfo info, Load(object));
  TM_ASSIGN(const TableListing known, Listing(object.id));
  TM_ASSIGN(const Differences differences, Compare(object, info, known, report));
  if (object.table.format == FileFormat::kCsv) {
    TM_TRY(RefreshCsv(object, differences, stop, report));
  } else {
    TM_TRY(RefreshParquet(object, differences, stop, report));
  }
  std::set<std::string> partitions;
  const std::set<std::string> added(report.files_added.begin(), report.files_added.end());
  for (const ForeignFile& file : differences.added) {
    if (added.contains(file.file.path) && !file.folders.empty()) partitions.insert(PartitionOf(file.folders));
  }
  for (const std::string& before : differences.partitions_before)
    partitions.erase(before);
  report.partitions_added.assign(partitions.begin(), partitions.end());
  return {};
}

Result<RegisteredTables::Differences> RegisteredTables::Compare(const Object& object,
                                                                const RegisteredInfo& info,
                                                                const TableListing& known,
                                                                RefreshedTable& report) const {
  auto found = parts_.files->Find(object.table.path, "", object.table.format);
  if (!found && found.error().code == ErrorCode::kNotFound) {
    // Rather a folder that is not mounted, or a mistake, than the end of all files.
    return Fail(ErrorCode::kNotFound,
                fmt::format("none of the table's files is there any more ({}): nothing was changed. Put them "
                            "back, or drop the table",
                            found.error().message));
  }
  if (!found) return std::unexpected(std::move(found).error());
  std::map<std::string, const ForeignFile*> before;
  for (const ForeignFile& file : info.files)
    before.emplace(PathOf(file), &file);
  std::map<std::string, const ForeignFile*> seen;
  for (const ForeignFile& file : known.files)
    seen.emplace(PathOf(file), &file);
  Differences differences{.known = known};
  std::set<std::string> partitions;
  for (ForeignFile& file : found->files) {
    const auto there = before.find(PathOf(file));
    if (there == before.end()) {
      const auto fits = CheckFolders(file, object.table.partitions);
      if (fits) {
        differences.added.push_back(std::move(file));
      } else {
        report.warnings.push_back("left out: " + fits.error().ToString());
      }
      continue;
    }
    const auto last = seen.find(PathOf(file));
    const bool is_same =
        there->second->file.size == file.file.size && (last == seen.end() || last->second->file == file.file);
    partitions.insert(PartitionOf(file.folders));
    before.erase(there);
    if (!is_same) {
      differences.changed.push_back(std::move(file));
    } else if (last == seen.end()) {
      differences.unremembered.push_back(std::move(file));
    }
  }
  differences.partitions_before.assign(partitions.begin(), partitions.end());
  for (const auto& [path, file] : before)
    differences.gone.push_back(path);
  return differences;
}

Result<void> RegisteredTables::RefreshParquet(const Object& object, const Differences& differences,
                                              const std::stop_token& stop, RefreshedTable& report) {
  // A file that was written over with one that cannot be read stays in the table, so that reading it says so.
  const ForeignWork work{.threads = parts_.threads, .stop = stop, .skips_bad_files = true};
  TableListing listing = differences.known;
  std::vector<ForeignFile> fresh = differences.added;
  std::vector<std::string> gone = differences.gone;
  std::vector<ForeignFile> readable;
  for (const ForeignFile& file : differences.changed) {
    // One by one: only those that can be read are taken out to be put in anew.
    const ForeignChange one{.added = {{file}}, .removed = {file.file.path}};
    const ForeignWork strict{.threads = 1, .stop = stop};
    const auto outcome = parts_.foreign->Change(object.id, one, strict);
    if (!outcome && outcome.error().code == ErrorCode::kCancelled) return std::unexpected(outcome.error());
    if (!outcome) {
      report.warnings.push_back("changed, and left as the table had it: " + outcome.error().ToString());
      continue;
    }
    report.files_changed.push_back(file.file.path);
    report.new_columns.insert(report.new_columns.end(), outcome->new_columns.begin(),
                              outcome->new_columns.end());
    report.widened.insert(report.widened.end(), outcome->widened.begin(), outcome->widened.end());
    readable.push_back(file);
  }
  if (!fresh.empty() || !gone.empty()) {
    ForeignChange change{.added = {}, .removed = gone};
    if (!fresh.empty()) change.added.push_back(fresh);
    TM_ASSIGN(const ForeignOutcome outcome, parts_.foreign->Change(object.id, change, work));
    report.files_added = outcome.added;
    report.files_removed = outcome.removed;
    report.new_columns.insert(report.new_columns.end(), outcome.new_columns.begin(),
                              outcome.new_columns.end());
    report.widened.insert(report.widened.end(), outcome.widened.begin(), outcome.widened.end());
    for (const Error& bad : outcome.bad_files)
      report.warnings.push_back("left out: " + bad.ToString());
  }
  const std::set<std::string> taken(report.files_added.begin(), report.files_added.end());
  std::erase_if(fresh, [&](const ForeignFile& file) { return !taken.contains(file.file.path); });
  Forget(report.files_removed, listing.files);
  Remember(fresh, listing.files);
  Remember(readable, listing.files);
  Remember(differences.unremembered, listing.files);
  const bool is_new = !differences.unremembered.empty() || !fresh.empty() || !readable.empty() ||
                      !report.files_removed.empty();
  if (is_new) TM_TRY(PutListing(object.id, std::move(listing)));
  const std::int64_t now_us = parts_.clock->now_us();
  TM_TRY(parts_.foreign->CleanUp(
      object.id, {.snapshots_before_us = now_us - kSnapshotAgeUs, .orphans_before_us = now_us - kDayUs}));
  return {};
}

Result<void> RegisteredTables::RefreshCsv(const Object& object, const Differences& differences,
                                          const std::stop_token& stop, RefreshedTable& report) {
  TableListing listing = differences.known;
  CsvGrowth growth;
  const auto take = [&](const ForeignFile& file, std::vector<std::string>& told,
                        std::string_view otherwise) -> Result<void> {
    auto columns = parts_.files->CsvColumns(file.file, stop);
    if (!columns && columns.error().code == ErrorCode::kCancelled)
      return std::unexpected(std::move(columns).error());
    std::vector<CsvColumn> merged = listing.columns;
    Result<void> fits;
    if (columns) {
      fits = MergeCsvColumns(*columns, object.table.partitions, CsvMerge::kStrict, merged, growth);
    } else {
      fits = std::unexpected(std::move(columns).error());
    }
    if (!fits) {
      report.warnings.push_back(
          fmt::format("{}: {}", otherwise, std::move(fits).error().In("file " + file.file.path).ToString()));
      return {};
    }
    listing.columns = std::move(merged);
    Remember({file}, listing.files);
    told.push_back(file.file.path);
    return {};
  };
  for (const ForeignFile& file : differences.changed)
    TM_TRY(take(file, report.files_changed, "changed, and left as the table had it"));
  for (const ForeignFile& file : differences.added)
    TM_TRY(take(file, report.files_added, "left out"));
  Forget(differences.gone, listing.files);
  report.files_removed = differences.gone;
  report.new_columns = std::move(growth.added);
  report.widened = std::move(growth.widened);
  const bool is_changed =
      !report.files_changed.empty() || !report.files_added.empty() || !report.files_removed.empty();
  return is_changed ? PutListing(object.id, std::move(listing)) : Result<void>();
}

}  // namespace tidemark
