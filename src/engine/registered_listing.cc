#include "engine/registered_listing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "base/json.h"
#include "model/name.h"

namespace tidemark {
namespace {

bool IsInteger(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size();
}

std::string NamesOf(const FolderValues& folders) {
  std::vector<std::string> names;
  for (const auto& [name, value] : folders)
    names.push_back(name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string PatternOf(const std::vector<FolderColumn>& columns) {
  std::vector<std::string> parts;
  for (const FolderColumn& column : columns)
    parts.push_back(column.name + "=...");
  return fmt::format("{}", fmt::join(parts, "/"));
}

std::unexpected<Error> BadNote() {
  return Fail(
      ErrorCode::kCorruption,
      "the registry's list of the table's files cannot be read: restore the registry from a backup, or "
      "drop the table and register it again");
}

std::string TypeText(const std::optional<DataType>& type) {
  return type ? type->ToString() : "empty";
}

/// The type for both; nothing if there is none.
std::optional<DataType> United(const DataType& table, const DataType& file, CsvMerge how) {
  const auto either = [&](TypeKind narrow, TypeKind wide) {
    return (table.kind == narrow && file.kind == wide) || (table.kind == wide && file.kind == narrow);
  };
  if (table == file || table.kind == TypeKind::kString) return table;
  if (either(TypeKind::kInt64, TypeKind::kFloat64)) return DataType{.kind = TypeKind::kFloat64};
  if (either(TypeKind::kDate, TypeKind::kTimestamp)) return DataType{.kind = TypeKind::kTimestamp};
  if (how == CsvMerge::kTextFitsAll) return DataType{.kind = TypeKind::kString};
  return std::nullopt;
}

std::vector<std::string> PartsOf(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    std::string part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::string ToJson(const TableListing& listing) {
  Json columns = Json::array();
  for (const CsvColumn& column : listing.columns)
    columns.push_back({column.name, column.type ? Json(column.type->ToString()) : Json()});
  Json files = Json::array();
  for (const ForeignFile& each : listing.files) {
    Json folders = Json::array();
    for (const auto& [name, value] : each.folders)
      folders.push_back({name, value ? Json(*value) : Json()});
    files.push_back({each.file.path, each.file.id, each.file.size, each.file.mtime_ns, std::move(folders)});
  }
  const Json json{{"columns", std::move(columns)}, {"files", std::move(files)}};
  return json.dump();
}

Result<TableListing> ListingFromJson(std::string_view text) {
  const Json json = ParseJson(text).value_or(nullptr);
  if (!json.is_object() || !json.contains("columns") || !json.contains("files")) return BadNote();
  TableListing listing;
  for (const Json& each : json["columns"]) {
    const bool is_good = each.is_array() && each.size() == 2 && each[0].is_string() &&
                         (each[1].is_string() || each[1].is_null());
    if (!is_good) return BadNote();
    CsvColumn column{.name = each[0].get<std::string>(), .type = std::nullopt};
    if (each[1].is_string()) {
      TM_ASSIGN(column.type, DataType::Parse(each[1].get<std::string>()));
    }
    listing.columns.push_back(std::move(column));
  }
  for (const Json& each : json["files"]) {
    const bool is_good = each.is_array() && each.size() == 5 && each[0].is_string() && each[1].is_string() &&
                         each[2].is_number_integer() && each[3].is_number_integer() && each[4].is_array();
    if (!is_good) return BadNote();
    ForeignFile file{.file = {.path = each[0].get<std::string>(),
                              .id = each[1].get<std::string>(),
                              .size = each[2].get<std::int64_t>(),
                              .mtime_ns = each[3].get<std::int64_t>()}};
    for (const Json& folder : each[4]) {
      if (!folder.is_array() || folder.size() != 2 || !folder[0].is_string()) return BadNote();
      std::optional<std::string> value;
      if (folder[1].is_string()) value = folder[1].get<std::string>();
      file.folders.emplace_back(folder[0].get<std::string>(), std::move(value));
    }
    listing.files.push_back(std::move(file));
  }
  return listing;
}

Result<void> MergeCsvColumns(const std::vector<CsvColumn>& file, const std::vector<FolderColumn>& folders,
                             CsvMerge how, std::vector<CsvColumn>& table, CsvGrowth& growth) {
  for (const CsvColumn& column : file) {
    // A column that folders say too is the file's own, as with any folder of files.
    const auto folder = std::ranges::find(folders, column.name, &FolderColumn::name);
    const auto same = std::ranges::find(table, column.name, &CsvColumn::name);
    if (same == table.end()) {
      const auto alike = std::ranges::find_if(
          table, [&](const CsvColumn& other) { return FoldName(other.name) == FoldName(column.name); });
      if (alike != table.end()) {
        return Fail(
            ErrorCode::kTypeMismatch,
            fmt::format("column '{}' differs only in case from the table's '{}'", column.name, alike->name));
      }
      table.push_back(column);
      if (folder == folders.end()) growth.added.push_back(column.name);
      continue;
    }
    if (!column.type) continue;
    if (!same->type) {
      same->type = column.type;
      continue;
    }
    const auto united = United(*same->type, *column.type, how);
    if (!united) {
      return Fail(
          ErrorCode::kTypeMismatch,
          fmt::format("column '{}' is {} in the file and {} in the table: the file is of another schema",
                      column.name, TypeText(column.type), TypeText(same->type)));
    }
    if (*united == *same->type) continue;
    growth.widened.push_back(
        fmt::format("{}: {} -> {}", column.name, same->type->ToString(), united->ToString()));
    same->type = united;
  }
  return {};
}

Result<std::vector<FolderColumn>> FolderColumnsOf(const std::vector<ForeignFile>& files) {
  const ForeignFile& first = files.front();
  std::vector<FolderColumn> columns;
  for (const auto& [name, value] : first.folders) {
    TM_TRY_IN(CheckName("partition column", name), "file " + first.file.path);
    const auto same = [&](const FolderColumn& other) { return FoldName(other.name) == FoldName(name); };
    if (std::ranges::any_of(columns, same)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("file {} lies in two folders '{}=...'", first.file.path, name));
    }
    columns.push_back({name, {.kind = TypeKind::kString}});
  }
  for (const ForeignFile& file : files)
    TM_TRY(CheckFolders(file, columns));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    bool has_value = false;
    bool has_text = false;
    for (const ForeignFile& file : files) {
      const auto& value = file.folders[i].second;
      has_value = has_value || value;
      has_text = has_text || (value && !IsInteger(*value));
    }
    if (has_value && !has_text) columns[i].type.kind = TypeKind::kInt64;
  }
  return columns;
}

Result<void> CheckFolders(const ForeignFile& file, const std::vector<FolderColumn>& columns) {
  const bool same =
      std::ranges::equal(file.folders, columns, {}, &FolderValues::value_type::first, &FolderColumn::name);
  if (!same) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("file {} is in no partition of the table: it lies in {}, and the table's partitions "
                    "are {}",
                    file.file.path,
                    file.folders.empty() ? "no folder name=value" : "folders of " + NamesOf(file.folders),
                    columns.empty() ? "none" : PatternOf(columns)));
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& value = file.folders[i].second;
    if (!value || columns[i].type.kind != TypeKind::kInt64 || IsInteger(*value)) continue;
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("file {}: partition column '{}' is int64 in the table, and '{}' is string: the "
                            "partition is of another schema",
                            file.file.path, columns[i].name, *value));
  }
  return {};
}

Result<std::string> NormalPartition(const std::string& text, const std::string& root,
                                    const std::vector<FolderColumn>* columns) {
  std::string path = text;
  if (path.starts_with(root + "/")) path.erase(0, root.size() + 1);
  const std::vector<std::string> parts = PartsOf(path);
  std::vector<std::string> names;
  for (const std::string& part : parts)
    names.push_back(part.substr(0, part.find('=')));
  const bool is_partition =
      !path.starts_with('/') && !parts.empty() && std::ranges::all_of(parts, [](const std::string& part) {
        const std::size_t equals = part.find('=');
        return equals != std::string::npos && equals > 0 && equals + 1 < part.size();
      });
  if (!is_partition) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is no partition: partitions are folders of name=value, such as {}", Quoted(text),
                    columns == nullptr || columns->empty() ? "y=2019/m=07/d=01" : PatternOf(*columns)));
  }
  if (columns != nullptr && !std::ranges::equal(names, *columns, {}, {}, &FolderColumn::name)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no partition of the table, which are {}", Quoted(text),
                            columns->empty() ? "none: it is not partitioned" : PatternOf(*columns)));
  }
  return fmt::format("{}", fmt::join(parts, "/"));
}

std::string PartitionOf(const FolderValues& folders) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : folders)
    parts.push_back(name + "=" + value.value_or("__HIVE_DEFAULT_PARTITION__"));
  return fmt::format("{}", fmt::join(parts, "/"));
}

}  // namespace tidemark
