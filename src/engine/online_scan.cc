// Keys are read back out of their bytes; what counts is decided by the rule, at one moment.
#include "engine/online_scan.h"

#include <arrow/array/builder_base.h>
#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/array/builder_time.h>
#include <arrow/builder.h>
#include <fmt/format.h>

#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/online_rows.h"
#include "model/key_codec.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/rule.h"
#include "store/packed_row.h"

namespace tidemark {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

std::string ToHex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text.push_back(kHexDigits[value >> 4U]);
    text.push_back(kHexDigits[value & 15U]);
  }
  return text;
}

std::optional<std::string> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::size_t high = kHexDigits.find(text[i]);
    const std::size_t low = kHexDigits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4U | low));
  }
  return bytes;
}

/// The columns of a page.
class PageBuilder {
 public:
  explicit PageBuilder(const CatalogView& view) : view_(view) {
    const auto time = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    for (const JoinKey& key : view.join_keys) {
      fields_.push_back(arrow::field(key.name, ToArrow(*key.type)));
      builders_.push_back(
          arrow::MakeBuilder(fields_.back()->type()).ValueOrDie());  // fails for no key's type
    }
    for (const auto& [name, type] :
         {std::pair<const char*, std::shared_ptr<arrow::DataType>>{"event_timestamp", time},
          {"write_time", time},
          {"is_deleted", arrow::boolean()},
          {"expires_at", time}}) {
      fields_.push_back(arrow::field(name, type));
      builders_.push_back(arrow::MakeBuilder(type).ValueOrDie());
    }
  }

  Result<void> Add(std::string_view key, const PackedHeader& header) {
    std::size_t column = 0;
    for (const JoinKey& join_key : view_.join_keys) {
      const auto value = TakeKeyValue(*join_key.type, key, text_);
      if (!value) {
        return Fail(ErrorCode::kCorruption,
                    fmt::format("view {}: an online row has a key that is none of its entities'",
                                view_.definition.name));
      }
      TM_TRY(AddKey(*join_key.type, *value, *builders_[column++]));
    }
    TM_TRY(AddTime(header.order.event.us, *builders_[column++]));
    TM_TRY(AddTime(header.order.sequence, *builders_[column++]));
    auto& deleted = static_cast<arrow::BooleanBuilder&>(*builders_[column++]);
    TM_TRY(FromArrowStatus(deleted.Append(header.is_deleted)));
    ++rows_;
    if (header.expires_at_us == kNeverExpires) return FromArrowStatus(builders_[column]->AppendNull());
    return AddTime(header.expires_at_us, *builders_[column]);
  }

  std::int64_t rows() const { return rows_; }

  Result<std::shared_ptr<arrow::RecordBatch>> Finish() {
    arrow::ArrayVector columns;
    for (const auto& builder : builders_) {
      TM_ASSIGN(auto column, FromArrowResult(builder->Finish()));
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(arrow::schema(fields_), rows_, std::move(columns));
  }

 private:
  static Result<void> AddTime(std::int64_t us, arrow::ArrayBuilder& builder) {
    return FromArrowStatus(static_cast<arrow::TimestampBuilder&>(builder).Append(us));
  }

  static Result<void> AddKey(const DataType& type, const KeyValue& value, arrow::ArrayBuilder& builder) {
    switch (type.kind) {
      case TypeKind::kBool:
        return FromArrowStatus(static_cast<arrow::BooleanBuilder&>(builder).Append(std::get<bool>(value)));
      case TypeKind::kInt32:
        return FromArrowStatus(static_cast<arrow::Int32Builder&>(builder).Append(
            static_cast<std::int32_t>(std::get<std::int64_t>(value))));
      case TypeKind::kInt64:
        return FromArrowStatus(
            static_cast<arrow::Int64Builder&>(builder).Append(std::get<std::int64_t>(value)));
      case TypeKind::kTimestamp:
        return AddTime(std::get<std::int64_t>(value), builder);
      case TypeKind::kString:
        return FromArrowStatus(
            static_cast<arrow::StringBuilder&>(builder).Append(std::get<std::string_view>(value)));
      default:
        return FromArrowStatus(
            static_cast<arrow::BinaryBuilder&>(builder).Append(std::get<std::string_view>(value)));
    }
  }

  const CatalogView& view_;
  arrow::FieldVector fields_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
  std::int64_t rows_ = 0;
  std::string text_;
};

}  // namespace

Result<ScannedPage> ScanOnlineRows(const CatalogView& view, const OnlineStore& online,
                                   const OnlineRowsOptions& options, std::int64_t now_us) {
  if (options.limit < 1) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a page of online rows has at least one row, not {}", options.limit));
  }
  const std::string prefix = ViewPrefix(view.id);
  const auto after = FromHex(options.after);
  if (!after || (!after->empty() && !after->starts_with(prefix))) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the page to go on after is none of view '{}': give `next` of the page before",
                            view.definition.name));
  }
  PageBuilder page(view);
  std::string last;
  bool is_more = false;
  Result<void> added;
  const auto visit = [&](std::string_view key, std::span<const std::byte> row) {
    const auto header = ReadPackedHeader(row);
    if (!header) {
      added = std::unexpected(header.error());
      return false;
    }
    const bool is_stale = header->expires_at_us <= now_us;
    const Status status = StatusAt({header->order.event, header->is_deleted, header->expires_at_us}, now_us,
                                   view.definition.ttl_us);
    if (status != Status::kPresent && (!header->is_deleted || !options.deleted || is_stale)) return true;
    is_more = page.rows() == options.limit;
    if (is_more) return false;
    added = page.Add(key.substr(prefix.size()), *header);
    last = key;
    return added.has_value();
  };
  TM_TRY_IN(online.ScanAfter(prefix, *after, visit), "view " + view.definition.name);
  TM_TRY(added);
  ScannedPage scanned;
  TM_ASSIGN(scanned.rows, page.Finish());
  if (is_more) scanned.next = ToHex(last);
  return scanned;
}

}  // namespace tidemark
