// Packs rows for the online store.
#include "engine/online_rows.h"

#include <algorithm>

#include "base/check.h"
#include "base/result.h"
#include "model/key_codec.h"

namespace tidemark {

namespace {

/// Equal in all that a lookup sees and in what orders rows by their own times.
bool IsSameRow(std::span<const std::byte> held, std::span<const std::byte> row) {
  if (held.size() != row.size() || held.size() < kPackedHeaderBytes) return false;
  auto held_header = ReadPackedHeader(held);
  auto header = ReadPackedHeader(row);
  if (!held_header || !header || held_header->order.sequence > header->order.sequence) return false;
  held_header->order.sequence = header->order.sequence;
  held_header->order.origin = header->order.origin;
  return *held_header == *header &&
         std::ranges::equal(held.subspan(kPackedHeaderBytes), row.subspan(kPackedHeaderBytes));
}

}  // namespace

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
      case arrow::Type::LARGE_BINARY:
        AppendKeyBytes(static_cast<const arrow::LargeBinaryArray&>(*column).GetView(row), out);
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

std::vector<OnlineWrite> OnlineBatch::Writes() const {
  std::vector<OnlineWrite> writes;
  writes.reserve(ends_.size());
  const std::string_view all = bytes_;
  std::size_t begin = 0;
  for (const End& end : ends_) {
    writes.push_back({all.substr(begin, end.key - begin),
                      std::as_bytes(std::span(all.substr(end.key, end.value - end.key)))});
    begin = end.value;
  }
  return writes;
}

Result<MergeCounts> OnlineBatch::Merge(OnlineStore& store, const MergeOptions& options) {
  return store.Merge(Writes(), options);
}

Result<MergeCounts> OnlineBatch::MergeChanged(OnlineStore& store, const MergeOptions& options) {
  std::vector<OnlineWrite> writes = Writes();
  std::vector<std::string_view> keys;
  keys.reserve(writes.size());
  for (const OnlineWrite& write : writes)
    keys.push_back(write.key);
  std::vector<char> is_changed(writes.size(), 1);
  TM_TRY(store.Get(keys, [&](std::size_t i, std::span<const std::byte> held) {
    is_changed[i] = IsSameRow(held, writes[i].value) ? 0 : 1;
  }));
  std::size_t i = 0;
  const std::size_t same = std::erase_if(writes, [&](const OnlineWrite&) { return is_changed[i++] == 0; });
  if (writes.empty()) return MergeCounts{0, static_cast<std::int64_t>(same)};
  TM_ASSIGN(MergeCounts counts, store.Merge(writes, options));
  counts.kept += static_cast<std::int64_t>(same);
  return counts;
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
