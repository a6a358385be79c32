// Packs rows for the online store.
#include "engine/online_rows.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/result.h"
#include "model/key_codec.h"

namespace tidemark {

namespace {

constexpr std::size_t kSpareShare = 8;  // rows that come may be larger by this part of one

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

Result<void> OnlineBatch::Add(std::int64_t row, const PackedHeader& header, PackedRows& packed) const {
  std::string& bytes = packed.bytes_;
  const std::size_t begin = bytes.size();
  keys_.Append(row, bytes);
  PackedRows::End end{};
  end.key = bytes.size();
  const std::string key = bytes.substr(begin);  // packing appends to the bytes, which may move
  TM_TRY(rows_.Append(row, header, key, bytes));
  end.value = bytes.size();
  packed.ends_.push_back(end);
  return {};
}

void PackedRows::Reserve(std::int64_t rows) {
  if (ends_.empty()) return;
  const std::size_t of_one = bytes_.size() / ends_.size() + 1;
  const std::size_t all = ends_.size() + static_cast<std::size_t>(rows);
  ends_.reserve(all);
  bytes_.reserve(all * (of_one + of_one / kSpareShare));
}

std::int64_t PackedRows::Place::end() const {
  return offset + static_cast<std::int64_t>(bytes + rows * sizeof(End));
}

Result<PackedRows::Place> PackedRows::PutAside(std::int64_t offset, Spill& spill) const {
  TM_TRY(spill.Append(bytes_));
  TM_TRY(spill.Append({reinterpret_cast<const char*>(ends_.data()), ends_.size() * sizeof(End)}));
  return Place{offset, ends_.size(), bytes_.size()};
}

Result<PackedRows> PackedRows::Read(const Place& from, const Spill& spill) {
  PackedRows rows;
  const auto bytes = static_cast<std::int64_t>(from.bytes);
  TM_ASSIGN(rows.bytes_, spill.Read(from.offset, bytes));
  TM_ASSIGN(const std::string ends, spill.Read(from.offset + bytes, from.end() - from.offset - bytes));
  rows.ends_.resize(from.rows);
  std::memcpy(rows.ends_.data(), ends.data(), ends.size());
  return rows;
}

std::vector<OnlineWrite> PackedRows::Writes() const {
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

Result<MergeCounts> PackedRows::Merge(OnlineStore& store, const MergeOptions& options) const {
  return store.Merge(Writes(), options);
}

Result<MergeCounts> PackedRows::MergeChanged(OnlineStore& store, const MergeOptions& options) const {
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
