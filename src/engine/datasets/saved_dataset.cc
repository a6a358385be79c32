// The document of a saved dataset.
#include "engine/datasets/saved_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/json.h"

namespace tidemark {
namespace {

constexpr std::array<std::string_view, 3> kStateNames{"being made", "ready", "erased"};

Json OfTexts(const std::map<std::string, std::string>& texts) {
  Json json = Json::object();
  for (const auto& [name, text] : texts)
    json[name] = text;
  return json;
}

template <typename T>
Json Maybe(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

std::optional<std::int64_t> MaybeTime(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<std::int64_t>();
}

Json SumJson(const FileSum& sum) {
  return {{"bytes", sum.bytes}, {"sha256", sum.hash}};
}

FileSum SumOfJson(const Json& json) {
  return {.bytes = json.at("bytes").get<std::int64_t>(), .hash = json.at("sha256").get<std::string>()};
}

Json RequestJson(const DatasetRequest& request) {
  Json known_by;
  if (request.known_by.kind == KnownBy::Kind::kTime) known_by = request.known_by.time_us;
  if (request.known_by.kind == KnownBy::Kind::kEntityRow) known_by = "event";
  Json range;
  if (request.range)
    range = Json{{"start_us", Maybe(request.range->start_us)}, {"end_us", Maybe(request.range->end_us)}};
  return {{"features", request.features.features},
          {"service", request.features.service},
          {"selection", request.features.selection},
          {"event_timestamp", request.event_timestamp_column},
          {"full_feature_names", request.full_feature_names},
          {"include_status", request.include_status},
          {"known_by", std::move(known_by)},
          {"as_of_us", Maybe(request.as_of_us)},
          {"range", std::move(range)}};
}

DatasetRequest RequestOf(const Json& json) {
  DatasetRequest request;
  json.at("features").get_to(request.features.features);
  json.at("service").get_to(request.features.service);
  json.at("selection").get_to(request.features.selection);
  json.at("event_timestamp").get_to(request.event_timestamp_column);
  json.at("full_feature_names").get_to(request.full_feature_names);
  json.at("include_status").get_to(request.include_status);
  const Json& known_by = json.at("known_by");
  if (known_by.is_string()) {
    request.known_by = {KnownBy::Kind::kEntityRow, 0};
  } else if (!known_by.is_null()) {
    request.known_by = {KnownBy::Kind::kTime, known_by.get<std::int64_t>()};
  }
  request.as_of_us = MaybeTime(json.at("as_of_us"));
  const Json& range = json.at("range");
  if (!range.is_null())
    request.range = DatasetRequest::Range{MaybeTime(range.at("start_us")), MaybeTime(range.at("end_us"))};
  return request;
}

Json TableJson(const UsedTable& table) {
  Json logs = Json::object();
  for (const auto& [log, lsn] : table.pinned.logs)
    logs[log] = lsn;
  Json key_columns = Json::array();
  for (const auto& each : table.key_columns)
    key_columns.push_back(each);
  return {{"view", table.view},
          {"view_id", table.view_id},
          {"snapshot", table.pinned.id},
          {"committed_us", table.pinned.committed_us},
          {"columns", table.pinned.columns_number},
          {"logs", std::move(logs)},
          {"key_columns", std::move(key_columns)}};
}

UsedTable TableOf(const Json& json) {
  UsedTable table;
  json.at("view").get_to(table.view);
  json.at("view_id").get_to(table.view_id);
  json.at("snapshot").get_to(table.pinned.id);
  json.at("committed_us").get_to(table.pinned.committed_us);
  json.at("columns").get_to(table.pinned.columns_number);
  for (const auto& [log, lsn] : json.at("logs").items())
    table.pinned.logs.emplace(log, lsn.get<std::uint64_t>());
  for (const Json& each : json.at("key_columns"))
    table.key_columns.push_back(each.get<std::vector<std::string>>());
  return table;
}

Json SourceJson(const UsedSource& source) {
  Json files = Json::array();
  for (const UsedFile& file : source.files) {
    files.push_back({{"path", file.path},
                     {"bytes", file.look.bytes},
                     {"mtime_ns", file.look.mtime_ns},
                     {"end_crc32c", file.look.end_crc}});
  }
  return {{"view", source.view}, {"warehouse", source.is_warehouse}, {"files", std::move(files)}};
}

UsedSource SourceOf(const Json& json) {
  UsedSource source;
  json.at("view").get_to(source.view);
  json.at("warehouse").get_to(source.is_warehouse);
  for (const Json& each : json.at("files")) {
    UsedFile file;
    each.at("path").get_to(file.path);
    each.at("bytes").get_to(file.look.bytes);
    each.at("mtime_ns").get_to(file.look.mtime_ns);
    each.at("end_crc32c").get_to(file.look.end_crc);
    source.files.push_back(std::move(file));
  }
  return source;
}

Json DefinitionJson(const UsedDefinition& definition) {
  return {{"id", definition.id},
          {"kind", static_cast<int>(definition.kind)},
          {"name", definition.name},
          {"version", definition.version},
          {"document", definition.document}};
}

UsedDefinition DefinitionOf(const Json& json) {
  UsedDefinition definition;
  json.at("id").get_to(definition.id);
  definition.kind = static_cast<ObjectKind>(json.at("kind").get<int>());
  json.at("name").get_to(definition.name);
  json.at("version").get_to(definition.version);
  json.at("document").get_to(definition.document);
  return definition;
}

template <typename T>
Json ListJson(const std::vector<T>& items, Json (*json_of)(const T&)) {
  Json list = Json::array();
  for (const T& item : items)
    list.push_back(json_of(item));
  return list;
}

template <typename T>
std::vector<T> ListOf(const Json& list, T (*of)(const Json&)) {
  std::vector<T> items;
  for (const Json& each : list)
    items.push_back(of(each));
  return items;
}

Result<SavedDataset> Damaged(std::string_view why) {
  return Fail(ErrorCode::kCorruption,
              fmt::format("the registry's document of a saved dataset cannot be read: {}. Restore the "
                          "registry from a backup",
                          why));
}

}  // namespace

std::string NewDatasetId() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

std::string_view StateName(SavedDataset::State state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

std::string ToJson(const SavedDataset& dataset) {
  return Json{{"id", dataset.id},
              {"name", dataset.name},
              {"state", StateName(dataset.state)},
              {"created_us", dataset.created_us},
              {"tags", OfTexts(dataset.tags)},
              {"feature_service", dataset.feature_service},
              {"request", RequestJson(dataset.request)},
              {"columns", dataset.columns},
              {"features", dataset.features},
              {"join_keys", dataset.join_keys},
              {"definitions", ListJson(dataset.definitions, &DefinitionJson)},
              {"tables", ListJson(dataset.tables, &TableJson)},
              {"sources", ListJson(dataset.sources, &SourceJson)},
              {"entity_rows", dataset.entity_rows ? SumJson(*dataset.entity_rows) : Json()},
              {"storage", dataset.storage},
              {"rows", dataset.rows},
              {"sum", SumJson(dataset.sum)},
              {"memory_bytes", dataset.memory_bytes_max},
              {"writer", dataset.writer},
              {"erasure", dataset.erasure},
              {"rows_removed", dataset.are_rows_removed}}
      .dump();
}

Result<SavedDataset> SavedDatasetFromJson(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    SavedDataset dataset;
    json.at("id").get_to(dataset.id);
    json.at("name").get_to(dataset.name);
    const auto state = json.at("state").get<std::string>();
    const auto* const found = std::ranges::find(kStateNames, state);
    if (found == kStateNames.end()) return Damaged("its state is unknown");
    dataset.state = static_cast<SavedDataset::State>(found - kStateNames.begin());
    json.at("created_us").get_to(dataset.created_us);
    for (const auto& [name, value] : json.at("tags").items())
      dataset.tags.emplace(name, value.get<std::string>());
    json.at("feature_service").get_to(dataset.feature_service);
    dataset.request = RequestOf(json.at("request"));
    json.at("columns").get_to(dataset.columns);
    json.at("features").get_to(dataset.features);
    json.at("join_keys").get_to(dataset.join_keys);
    dataset.definitions = ListOf(json.at("definitions"), &DefinitionOf);
    dataset.tables = ListOf(json.at("tables"), &TableOf);
    dataset.sources = ListOf(json.at("sources"), &SourceOf);
    if (!json.at("entity_rows").is_null()) dataset.entity_rows = SumOfJson(json.at("entity_rows"));
    json.at("storage").get_to(dataset.storage);
    json.at("rows").get_to(dataset.rows);
    dataset.sum = SumOfJson(json.at("sum"));
    json.at("memory_bytes").get_to(dataset.memory_bytes_max);
    json.at("writer").get_to(dataset.writer);
    json.at("erasure").get_to(dataset.erasure);
    json.at("rows_removed").get_to(dataset.are_rows_removed);
    return dataset;
  } catch (const JsonError& error) {
    return Damaged(error.what());
  }
}

}  // namespace tidemark
