// Packs rows for the online store.
#include "engine/online_rows.h"

#include "base/check.h"
#include "base/result.h"
#include "model/key_codec.h"

namespace tidemark {

OnlineKeyWriter::OnlineKeyWriter(std::uint32_t view_id, const arrow::ArrayVector& keys)
    : view_id_(view_id), keys_(keys) {}

void OnlineKeyWriter::Append(std::int64_t row, std::string& out) const {
  AppendViewId(view_id_, out);
  for (const auto& column : keys_) {
    switch (column->type_id()) {
      case arrow::Type::INT64:
        AppendKeyInt64(static_cast<const arrow::Int64Array&>(*column).Value(row), out);
        break;
      case arrow::Type::BOOL:
        AppendKeyBool(static_cast<const arrow::BooleanArray&>(*column).Value(row), out);
        break;
      default:
        TM_CHECK(column->type_id() == arrow::Type::BINARY, "a key column is not canonical");
        AppendKeyBytes(static_cast<const arrow::BinaryArray&>(*column).GetView(row), out);
    }
  }
}

Result<void> OnlineBatch::Add(std::int64_t row, const PackedHeader& header) {
  const std::size_t begin = bytes_.size();
  keys_.Append(row, bytes_);
  End end{};
  end.key = bytes_.size();
  const std::string key = bytes_.substr(begin);  // packing appends to bytes_, which may move
  TM_TRY(rows_.Append(row, header, key, bytes_));
  end.value = bytes_.size();
  ends_.push_back(end);
  return {};
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
