// plain_frames.h draws the layout of a frame.
#include "engine/tables/plain_row.h"

#include <arrow/array.h>
#include <arrow/type_traits.h>
#include <arrow/util/bit_util.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include "model/feature_table.h"
#include "pit/columns.h"
#include "pit/utf8.h"

namespace tidemark {
namespace {

static_assert(std::endian::native == std::endian::little, "frames have numbers in memory's order");

constexpr std::size_t kPlainTextBytesMax = std::size_t{64} << 10;
constexpr std::size_t kWordBytesMax = 16;
constexpr std::int64_t kBeyondTimes = std::numeric_limits<std::int64_t>::max();

template <typename Number>
void AppendNumber(Number number, std::string& frame) {
  frame.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

}  // namespace

PlainColumns::PlainColumns(const CatalogView& table, std::shared_ptr<arrow::Schema> kept,
                           std::shared_ptr<arrow::Schema> given)
    : kept_(std::move(kept)), given_(std::move(given)) {
  are_plain_ = Place(table);
}

std::optional<PlainColumns::Column> PlainColumns::Given(const arrow::Field& field) const {
  const int given = given_->GetFieldIndex(field.name());
  if (given < 0 || !given_->field(given)->type()->Equals(*field.type())) return std::nullopt;
  const auto type = PlainType::Of(*field.type());
  if (!type) return std::nullopt;
  return Column{.given = given, .type = *type, .is_required = !field.nullable()};
}

bool PlainColumns::Place(const CatalogView& table) {
  const TableOptions& options = table.definition.table;
  if (!table.definition.is_table() || options.timestamp_type.kind != TypeKind::kTimestamp) return false;
  static const std::map<std::string_view, Kind> kOwn{{system_column::kWriteTime, Kind::kWriteTime},
                                                     {system_column::kArrival, Kind::kArrival},
                                                     {system_column::kIsDeleted, Kind::kIsDeleted},
                                                     {system_column::kExpiresAt, Kind::kExpiry},
                                                     {system_column::kOrigin, Kind::kOrigin}};
  for (const auto& field : given_->fields()) {
    // One that is there twice has no index.
    if (given_->GetFieldIndex(field->name()) < 0 || kOwn.contains(field->name()) ||
        field->name() == system_column::kEventTimestamp || field->name() == system_column::kUnfit) {
      return false;
    }
    has_others_ = has_others_ || kept_->GetFieldIndex(field->name()) < 0;
  }
  for (const auto& field : kept_->fields()) {
    const auto own = kOwn.find(field->name());
    if (own != kOwn.end()) {
      columns_.push_back({.kind = own->second});
    } else if (field->name() == options.created_timestamp_column &&
               given_->GetFieldIndex(field->name()) < 0) {
      columns_.push_back({.kind = Kind::kArrival});
    } else if (const auto column = Given(*field)) {
      columns_.push_back(*column);
    } else {
      return false;
    }
  }
  for (const JoinKey& key : table.join_keys)
    keys_.push_back(given_->GetFieldIndex(key.name));
  for (const Field& field : table.definition.fields)
    features_.push_back(given_->GetFieldIndex(field.name));
  event_ = given_->GetFieldIndex(options.timestamp_field);
  if (!options.created_timestamp_column.empty())
    created_ = given_->GetFieldIndex(options.created_timestamp_column);
  return true;
}

std::shared_ptr<const PlainColumns> KnownPlainColumns::Get(const CatalogView& table,
                                                           const std::shared_ptr<arrow::Schema>& kept,
                                                           const std::shared_ptr<arrow::Schema>& given) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& known : known_) {
      if (known != nullptr && known->IsOf(*kept, *given)) return known;
    }
  }
  auto made = std::make_shared<const PlainColumns>(table, kept, given);
  const std::lock_guard lock(mutex_);
  known_[std::exchange(next_, (next_ + 1) % kKept)] = made;
  return made;
}

std::optional<PlainRow> PlainRow::Of(const PlainColumns& columns, const arrow::RecordBatch& batch,
                                     std::int64_t arrival_us) {
  if (!columns.are_plain() || batch.num_rows() != 1) return std::nullopt;
  std::optional<PlainRow> row = PlainRow(columns, batch, arrival_us);
  if (!row->Read()) return std::nullopt;
  return row;
}

std::int64_t PlainRow::TimeOf(int column) const {
  return batch_.column_data(column)->GetValues<std::int64_t>(1)[0];
}

PlainRow::Value PlainRow::ValueOf(const PlainColumns::Column& column) const {
  const arrow::ArrayData& data = *batch_.column_data(column.given);
  if (data.IsNull(0)) return {.is_null = true};
  if (column.type.kind == PlainType::Kind::kText) {
    const auto* const ends = data.GetValues<std::int32_t>(1);
    const auto size = static_cast<std::size_t>(ends[1] - ends[0]);
    return {.bytes = size == 0 ? nullptr : data.buffers[2]->data() + ends[0], .size = size};
  }
  const std::uint8_t* const bytes = data.buffers[1]->data();
  if (column.type.kind == PlainType::Kind::kFlag)
    return {.is_set = arrow::bit_util::GetBit(bytes, data.offset)};
  return {.bytes = bytes + data.offset * static_cast<std::int64_t>(column.type.bytes)};
}

/// False if anything is to be said against the row.
bool PlainRow::Read() {
  values_.reserve(columns_.columns_.size());
  for (const PlainColumns::Column& column : columns_.columns_) {
    const Value value = column.given < 0 ? Value{} : ValueOf(column);
    if (column.is_required && value.is_null) return false;
    if (column.type.is_utf8 && value.size > 0 &&
        !IsUtf8({reinterpret_cast<const char*>(value.bytes), value.size})) {
      return false;
    }
    text_bytes_ += value.size;
    values_.push_back(value);
  }
  if (text_bytes_ > kPlainTextBytesMax) return false;
  event_us_ = TimeOf(columns_.event_);
  created_us_ = columns_.created_ < 0 ? arrival_us_ : TimeOf(columns_.created_);
  return event_us_ < kBeyondTimes && event_us_ > -kBeyondTimes;
}

void PlainRow::AppendGiven(const PlainType& type, const Value& value, std::string& frame) {
  switch (type.kind) {
    case PlainType::Kind::kWord:
      frame.append(reinterpret_cast<const char*>(value.bytes), type.bytes);
      return;
    case PlainType::Kind::kFlag:
      frame.push_back(value.is_set ? '\1' : '\0');
      return;
    case PlainType::Kind::kText:
      AppendNumber(static_cast<std::uint32_t>(value.size), frame);
      if (value.size > 0) frame.append(reinterpret_cast<const char*>(value.bytes), value.size);
      return;
  }
}

// False if the value is null.
bool PlainRow::Append(std::size_t i, std::int64_t write_time_us, std::string& frame) const {
  using Kind = PlainColumns::Kind;
  const PlainColumns::Column& column = columns_.columns_[i];
  const Value& value = values_[i];
  if (value.is_null) return false;
  switch (column.kind) {
    case Kind::kGiven:
      AppendGiven(column.type, value, frame);
      return true;
    case Kind::kWriteTime:
      AppendNumber(write_time_us, frame);
      return true;
    case Kind::kArrival:
      AppendNumber(arrival_us_, frame);
      return true;
    case Kind::kIsDeleted:
      frame.push_back('\0');
      return true;
    case Kind::kExpiry:
      return false;
    case Kind::kOrigin:
      AppendNumber(std::int32_t{0}, frame);
      return true;
  }
  return false;
}

std::string PlainRow::Frame(std::string_view plain_schema, std::int64_t write_time_us) const {
  const std::size_t columns = values_.size();
  const std::size_t nulls_at = plain_schema.size();
  std::string frame;
  frame.reserve(nulls_at + columns * (1 + kWordBytesMax) + text_bytes_);
  frame.append(plain_schema).resize(nulls_at + (columns + 7) / 8);
  for (std::size_t i = 0; i < columns; ++i) {
    if (Append(i, write_time_us, frame)) continue;
    char& nulls = frame[nulls_at + i / 8];
    nulls = static_cast<char>(nulls | 1 << i % 8);
  }
  return frame;
}

Result<arrow::ArrayVector> PlainRow::Keys(const CatalogView& table) const {
  arrow::ArrayVector keys;
  keys.reserve(columns_.keys_.size());
  for (std::size_t i = 0; i < columns_.keys_.size(); ++i) {
    const JoinKey& key = table.join_keys[i];
    TM_ASSIGN(auto canonical, CanonicalKey(batch_.column(columns_.keys_[i]), *key.type, key.name, 0));
    keys.push_back(std::move(canonical));
  }
  return keys;
}

arrow::ArrayVector PlainRow::Features() const {
  arrow::ArrayVector features;
  features.reserve(columns_.features_.size());
  for (const int column : columns_.features_)
    features.push_back(batch_.column(column));
  return features;
}

PackedHeader PlainRow::Header(std::uint32_t schema_version, std::int64_t write_time_us) const {
  PackedHeader header;
  header.order = {EventTime{event_us_}, CreatedTime{created_us_}, write_time_us, 0};
  header.schema_version = schema_version;
  return header;
}

}  // namespace tidemark
