// Packs rows for the online store.
#include "engine/online_rows.h"

#include "base/check.h"
#include "model/key_codec.h"

namespace tidemark {

OnlineKeyWriter::OnlineKeyWriter(std::uint32_t view_id, const arrow::ArrayVector& keys)
    : view_id_(view_id), keys_(keys) {}

void OnlineKeyWriter::FullKey(std::int64_t row, std::string& key) const {
  key.clear();
  AppendViewId(view_id_, key);
  for (const auto& column : keys_) {
    switch (column->type_id()) {
      case arrow::Type::INT64:
        AppendKeyInt64(static_cast<const arrow::Int64Array&>(*column).Value(row), key);
        break;
      case arrow::Type::BOOL:
        AppendKeyBool(static_cast<const arrow::BooleanArray&>(*column).Value(row), key);
        break;
      default:
        TM_CHECK(column->type_id() == arrow::Type::BINARY, "a key column is not canonical");
        AppendKeyBytes(static_cast<const arrow::BinaryArray&>(*column).GetView(row), key);
    }
  }
}

void OnlineBatch::Add(std::int64_t row, const PackedHeader& header) {
  keys_.FullKey(row, full_key_);
  End end{};
  bytes_ += IsLongKey(full_key_) ? StoredKey(full_key_) : full_key_;
  end.key = bytes_.size();
  rows_.Append(row, header, full_key_, bytes_);
  end.value = bytes_.size();
  ends_.push_back(end);
}

Result<MergeCounts> OnlineBatch::Merge(OnlineStore& store, bool durable) {
  std::vector<OnlineWrite> writes;
  writes.reserve(ends_.size());
  const std::string_view all = bytes_;
  std::size_t begin = 0;
  for (const End& end : ends_) {
    writes.push_back({all.substr(begin, end.key - begin),
                      std::as_bytes(std::span(all.substr(end.key, end.value - end.key)))});
    begin = end.value;
  }
  return store.Merge(writes, durable);
}

PackedLayout CurrentLayout(const CatalogView& view) {
  return {static_cast<std::uint32_t>(view.version), view.definition.fields};
}

std::string ViewPrefix(std::uint32_t view_id) {
  std::string prefix;
  AppendViewId(view_id, prefix);
  return prefix;
}

}  // namespace tidemark
