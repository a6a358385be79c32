// Types say how a value is read, so that a string key "007" stays text and an integer key stays exact.
#include "cli/entity_arguments.h"

#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "tidemark/store.h"

namespace tidemark::cli {
namespace {

Error Misfit(const ColumnInfo& key, std::string_view value) {
  return {ErrorCode::kTypeMismatch,
          fmt::format("join key {} is of type {}, and '{}' is not", key.name, key.type, value),
          {}};
}

Result<Json> ParseValue(const ColumnInfo& key, std::string_view text) {
  if (key.type == "int64" || key.type == "int32") {
    std::int64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size()) return std::unexpected(Misfit(key, text));
    return value;
  }
  if (key.type == "bool") {
    if (text != "true" && text != "false") return std::unexpected(Misfit(key, text));
    return text == "true";
  }
  if (key.type == "timestamp") {
    if (!ParseTime(text)) return std::unexpected(Misfit(key, text));
  }
  return std::string(text);
}

Result<Json> CheckJson(const ColumnInfo& key, const Json& value) {
  if (value.is_string()) return ParseValue(key, value.get<std::string>());
  const bool integer = key.type == "int64" || key.type == "int32";
  const bool fits = integer ? value.is_number_integer() : key.type == "bool" && value.is_boolean();
  if (!fits) return std::unexpected(Misfit(key, value.dump()));
  return value;
}

/// Request data: numbers as text or as JSON has them, everything else that is no text of its own as text.
Result<Json> RequestValue(const ColumnInfo& data, const Json& value) {
  const bool is_whole = data.type == "int64" || data.type == "int32";
  const bool is_real = data.type == "float64" || data.type == "float32";
  const bool is_text = data.type == "string" || data.type == "timestamp" || data.type == "date";
  if (!is_whole && !is_real && !is_text && data.type != "bool") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("request data {} is {}, which cannot be written on a command line", data.name,
                            data.type));
  }
  if (value.is_null()) return value;
  const auto wrong = [&](std::string_view shown) {
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("request data {} is of type {}, and '{}' is not", data.name, data.type, shown));
  };
  if (!value.is_string()) {
    const bool fits = is_whole ? value.is_number_integer() : is_real ? value.is_number() : value.is_boolean();
    if (!fits || is_text) return wrong(value.dump());
    return is_real ? Json(value.get<double>()) : value;
  }
  const std::string text = value.get<std::string>();
  if (is_text) return value;
  if (is_real) {
    double number = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failed != std::errc() || end != text.data() + text.size()) return wrong(text);
    return Json(number);
  }
  auto parsed = ParseValue(data, text);
  if (!parsed) return wrong(text);
  return parsed;
}

/// `a=1,b=2` as name and text; a comma within a value needs the JSON form.
Result<Json> SplitPairs(std::string_view text) {
  Json made = Json::object();
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("'{}' is not an entity: write it as driver_id=1001, as a=1,b=2, or as JSON", pair));
    }
    made[std::string(pair.substr(0, equals))] = std::string(pair.substr(equals + 1));
  }
  return made;
}

template <typename Builder, typename Value>
Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::vector<Json>& entities, const std::string& key) {
  Builder builder;
  for (const Json& entity : entities) {
    if (!builder.Append(entity.at(key).get<Value>()).ok())
      return Fail(ErrorCode::kOutOfSpace, "no memory is left");
  }
  auto column = builder.Finish();
  if (!column.ok()) return Fail(ErrorCode::kOutOfSpace, column.status().message());
  return *std::move(column);
}

}  // namespace

Result<Json> ParseEntity(std::string_view text, const std::vector<ColumnInfo>& keys,
                         const std::vector<ColumnInfo>& requests) {
  Json given;
  if (text.starts_with('{')) {
    given = ParseJson(text).value_or(nullptr);
    if (!given.is_object()) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("the entity {} is not JSON", text));
    }
  } else {
    TM_ASSIGN(given, SplitPairs(text));
  }
  std::vector<std::string> names;
  for (const ColumnInfo& key : keys)
    names.push_back(key.name);
  for (const auto& [name, value] : given.items()) {
    if (std::ranges::find(names, name) != names.end()) continue;
    if (std::ranges::find(requests, name, &ColumnInfo::name) != requests.end()) continue;
    return Fail(ErrorCode::kNotFound, fmt::format("'{}' is not a join key here; the join keys are: {}", name,
                                                  fmt::join(names, ", ")));
  }
  Json made = Json::object();
  for (const ColumnInfo& key : keys) {
    if (!given.contains(key.name)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the entity '{}' lacks join key {}", text, key.name));
    }
    TM_ASSIGN(made[key.name], CheckJson(key, given[key.name]));
  }
  for (const ColumnInfo& data : requests) {
    if (!given.contains(data.name)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the entity '{}' lacks request data {} ({})", text, data.name, data.type));
    }
    TM_ASSIGN(made[data.name], RequestValue(data, given[data.name]));
  }
  return made;
}

Result<void> ExportEntities(const std::vector<ColumnInfo>& keys, const std::vector<Json>& entities,
                            ArrowArrayStream* out) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (const ColumnInfo& key : keys) {
    const Json& first = entities.front().at(key.name);
    Result<std::shared_ptr<arrow::Array>> column =
        first.is_boolean()  ? ColumnOf<arrow::BooleanBuilder, bool>(entities, key.name)
        : first.is_number() ? ColumnOf<arrow::Int64Builder, std::int64_t>(entities, key.name)
                            : ColumnOf<arrow::StringBuilder, std::string>(entities, key.name);
    if (!column) return std::unexpected(column.error());
    fields.push_back(arrow::field(key.name, (*column)->type()));
    columns.push_back(*std::move(column));
  }
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema(fields), static_cast<std::int64_t>(entities.size()), columns);
  const auto reader = arrow::RecordBatchReader::Make({batch});
  if (!reader.ok() || !arrow::ExportRecordBatchReader(*reader, out).ok())
    return Fail(ErrorCode::kInternal, "the entities cannot be handed over");
  return {};
}

}  // namespace tidemark::cli
