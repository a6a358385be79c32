// Straight from the result's columns into the answer; collections by way of Arrow.
#include "server/sagemaker/record_reads.h"

#include <arrow/array/array_binary.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/c/bridge.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "model/name.h"
#include "model/time.h"
#include "server/json/json_text.h"

namespace tidemark::sagemaker {
namespace {

/// An identifier as it is stored: a number without what its text had before it.
std::string Canonical(const Feature& feature, std::string_view text) {
  if (feature.type != FeatureType::kIntegral) return std::string(text);
  std::string canonical;
  AppendIntegral(ReadIntegral(text).value_or(0), canonical);
  return canonical;
}

Result<void> LookUp(const OnlineReader& reader, const Feature& feature,
                    std::span<const std::string_view> identifiers, std::vector<std::int64_t>& numbers,
                    OnlineResult& result) {
  const std::size_t count = identifiers.size();
  switch (feature.kept_as.kind) {
    case TypeKind::kString: {
      const KeyColumn column = identifiers;
      return reader.Read({&column, 1}, count, result);
    }
    case TypeKind::kBool: {
      const auto values =
          std::make_unique<bool[]>(count);  // NOLINT(modernize-avoid-c-arrays): no vector<bool>
      std::ranges::transform(identifiers, values.get(), [](std::string_view text) { return text == "true"; });
      const KeyColumn column = std::span<const bool>(values.get(), count);
      return reader.Read({&column, 1}, count, result);
    }
    default: {
      const bool is_time = feature.kept_as.kind == TypeKind::kTimestamp;
      numbers.clear();
      for (const std::string_view text : identifiers)
        numbers.push_back((is_time ? ParseTimestampUs(text) : ReadIntegral(text)).value_or(0));
      const KeyColumn column = std::span<const std::int64_t>(numbers);
      return reader.Read({&column, 1}, count, result);
    }
  }
}

}  // namespace

std::string ItemText(const arrow::Array& items, std::int64_t at) {
  std::string text;
  switch (items.type_id()) {
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(items).Value(at) ? "true" : "false";
    case arrow::Type::INT32:
      AppendIntegral(static_cast<const arrow::Int32Array&>(items).Value(at), text);
      return text;
    case arrow::Type::INT64:
      AppendIntegral(static_cast<const arrow::Int64Array&>(items).Value(at), text);
      return text;
    case arrow::Type::FLOAT:
      AppendFractional(static_cast<const arrow::FloatArray&>(items).Value(at), text);
      return text;
    case arrow::Type::DOUBLE:
      AppendFractional(static_cast<const arrow::DoubleArray&>(items).Value(at), text);
      return text;
    case arrow::Type::TIMESTAMP:
      return FormatTimestampUs(static_cast<const arrow::TimestampArray&>(items).Value(at));
    default:
      return std::string(static_cast<const arrow::StringArray&>(items).GetView(at));
  }
}

Result<void> RecordLookup::Read(const OpenGroup& group, std::span<const std::string_view> identifiers) {
  group_ = &group.group();
  nested_.reset();
  const Feature& feature = group_->features[group_->identifier];
  identifiers_.clear();
  for (const std::string_view identifier : identifiers)
    identifiers_.push_back(Canonical(feature, identifier));
  TM_ASSIGN(const auto reader, group.Reader());
  TM_TRY(LookUp(*reader, feature, identifiers, numbers_, result_));
  const bool is_nested = std::ranges::any_of(
      group_->features, [](const Feature& each) { return each.kept_as.kind == TypeKind::kList; });
  return is_nested ? Nested() : Result<void>();
}

Result<void> RecordLookup::Nested() {
  ArrowSchema schema{};
  ArrowArray array{};
  TM_TRY(result_.ToArrow(/*statuses=*/false, /*event_times=*/false, &schema, &array));
  auto batch = arrow::ImportRecordBatch(&array, &schema);
  if (!batch.ok()) return Fail(ErrorCode::kInternal, batch.status().ToString());
  nested_ = *std::move(batch);
  return {};
}

bool RecordLookup::is_found(std::size_t row) const {
  const Status status = result_.status(0, row);
  return status == Status::kPresent || status == Status::kNullValue;
}

StoredRow RecordLookup::stored(std::size_t row) const {
  return result_.stored_row(0, row);
}

EventText RecordLookup::event(std::size_t row) const {
  const StoredRow stored = result_.stored_row(0, row);
  return {stored.event_time_us, stored.spelling};
}

void RecordLookup::AppendText(std::size_t row, const Feature& feature, std::string& out) const {
  if (feature.role == Role::kIdentifier) {
    out += identifiers_[row];
    return;
  }
  if (feature.role == Role::kEventTime) {
    out += EventTimeText(feature, event(row));
    return;
  }
  const std::size_t column = feature.column;
  switch (feature.kept_as.kind) {
    case TypeKind::kBool:
      out += result_.Fixed<bool>(column)[row] ? "true" : "false";
      break;
    case TypeKind::kInt32:
      AppendIntegral(result_.Fixed<std::int32_t>(column)[row], out);
      break;
    case TypeKind::kInt64:
      AppendIntegral(result_.Fixed<std::int64_t>(column)[row], out);
      break;
    case TypeKind::kFloat32:
      AppendFractional(result_.Fixed<float>(column)[row], out);
      break;
    case TypeKind::kFloat64:
      AppendFractional(result_.Fixed<double>(column)[row], out);
      break;
    case TypeKind::kTimestamp:
      out += FormatTimestampUs(result_.Fixed<std::int64_t>(column)[row]);
      break;
    default:
      out += result_.text(column, row);
  }
}

Result<std::vector<std::string>> RecordLookup::Items(std::size_t row, const Feature& feature) const {
  const auto& list = static_cast<const arrow::ListArray&>(*nested_->column(static_cast<int>(feature.column)));
  const auto items = list.value_slice(static_cast<std::int64_t>(row));
  std::vector<std::string> texts;
  for (std::int64_t i = 0; i < items->length(); ++i) {
    // SageMaker has no word for a null among items, which other writers may have put there.
    if (items->IsValid(i)) texts.push_back(ItemText(*items, i));
  }
  return texts;
}

bool RecordLookup::is_null(std::size_t row, const Feature& feature) const {
  return feature.role == Role::kFeature && result_.status(feature.column, row) != Status::kPresent;
}

Result<void> RecordLookup::AppendRecord(std::size_t row, std::span<const std::size_t> features,
                                        std::string& out) const {
  out.push_back('[');
  for (const std::size_t index : features) {
    const Feature& feature = group_->features[index];
    if (is_null(row, feature)) continue;
    if (out.back() != '[') out.push_back(',');
    out += group_->openings[index];
    switch (feature.kept_as.kind) {
      case TypeKind::kList:
        TM_TRY(AppendItems(row, feature, out));
        out += "]}";
        break;
      case TypeKind::kString: {
        std::string text;
        AppendText(row, feature, text);
        json::AppendText(out, text);
        out.push_back('}');
        break;
      }
      default:  // digits and the like, in which nothing is escaped
        AppendText(row, feature, out);
        out += "\"}";
    }
  }
  out.push_back(']');
  return {};
}

Result<void> RecordLookup::AppendItems(std::size_t row, const Feature& feature, std::string& out) const {
  TM_ASSIGN(const auto items, Items(row, feature));
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.push_back(',');
    json::AppendText(out, items[i]);
  }
  return {};
}

Result<bool> RecordLookup::Value(std::size_t row, std::size_t index, std::deque<std::string>& texts,
                                 FeatureValue& value) const {
  const Feature& feature = group_->features[index];
  value.name = feature.name;
  if (is_null(row, feature)) return false;
  if (feature.kept_as.kind != TypeKind::kList) {
    std::string& text = texts.emplace_back();
    AppendText(row, feature, text);
    value.text = text;
    return true;
  }
  value.is_list = true;
  TM_ASSIGN(auto items, Items(row, feature));
  for (std::string& item : items)
    value.items.push_back(texts.emplace_back(std::move(item)));
  return true;
}

Answer<std::vector<std::size_t>> FeaturesNamed(const Group& group, std::span<const std::string_view> names) {
  std::vector<std::size_t> features;
  if (names.empty()) {
    features.resize(group.features.size());
    std::iota(features.begin(), features.end(), std::size_t{0});
    return features;
  }
  for (const std::string_view name : names) {
    const auto found = group.by_name.find(name);
    if (found == group.by_name.end()) {
      return Refuse(Why::kInvalid,
                    fmt::format("feature group {} has no feature {}", group.name(), Quoted(name)));
    }
    if (std::ranges::find(features, found->second) == features.end()) features.push_back(found->second);
  }
  return features;
}

}  // namespace tidemark::sagemaker
