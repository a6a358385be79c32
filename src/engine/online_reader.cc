// One lookup for all views; each packed row is decoded in place, straight into the result's columns.
#include "engine/online_reader.h"

#include <arrow/builder.h>
#include <fmt/format.h>

#include <atomic>
#include <cstring>

#include "base/result.h"
#include "engine/on_demand_rows.h"
#include "engine/online_result.h"
#include "model/key_codec.h"
#include "model/type_width.h"
#include "model/widening.h"
#include "pit/arrow_status.h"
#include "pit/rule.h"
#include "store/packed_row.h"

namespace tidemark {
namespace {

/// A feature as one view's rows hold it.
struct Target {
  std::size_t column = 0;  // of the answer
  std::int32_t field_id = 0;
};

/// A value of eight bytes that is copied as it is.
struct Move {
  std::size_t offset = 0;  // in the row
  std::size_t column = 0;
  std::size_t fixed_base = 0;  // of the column
};

/// The place of each target in rows of one schema version; null where the version lacks the field.
struct VersionSlots {
  PackedLayout layout;
  std::vector<const PackedLayout::Slot*> slots;
  // The same for rows without a null, which most are.
  std::vector<Move> moves;
  std::vector<std::size_t> others;  // targets that are more than a move
};

/// One view of a prepared request.
struct PreparedView {
  std::string name;
  std::string prefix;  // of the view's keys
  std::vector<std::size_t>
      keys;  // indexes into the request's key columns, in the order of the view's join keys
  std::int64_t ttl_us = 0;
  std::vector<Target> targets;
  std::vector<std::unique_ptr<VersionSlots>> versions;  // by version - 1
};

ValueForm FormOf(const DataType& type) {
  if (type.kind == TypeKind::kString || type.kind == TypeKind::kBinary) return ValueForm::kText;
  return type.is_nested() ? ValueForm::kNested : ValueForm::kFixed;
}

/// Which alternative of KeyColumn a key's type takes.
std::size_t FormOfKey(const DataType& type) {
  if (type.kind == TypeKind::kBool) return 2;
  return type.kind == TypeKind::kString || type.kind == TypeKind::kBinary ? 1 : 0;
}

template <typename Narrow, typename Wide>
void WidenAs(const std::byte* from, std::byte* to) {
  Narrow narrow{};
  std::memcpy(&narrow, from, sizeof(narrow));
  const Wide wide{narrow};
  std::memcpy(to, &wide, sizeof(wide));
}

/// A value of a field that was narrower when its row was written.
void Widen(const DataType& type, const std::byte* from, std::byte* to) {
  if (type.kind == TypeKind::kInt32) return WidenAs<std::int32_t, std::int64_t>(from, to);
  WidenAs<float, double>(from, to);
}

std::size_t LengthOf(const KeyColumn& column) {
  return std::visit([](const auto& values) { return values.size(); }, column);
}

void AppendKey(const KeyColumn& column, std::size_t row, std::string& out) {
  if (const auto* integers = std::get_if<0>(&column)) return AppendKeyInt64((*integers)[row], out);
  if (const auto* texts = std::get_if<1>(&column)) return AppendKeyBytes((*texts)[row], out);
  AppendKeyBool(std::get<2>(column)[row], out);
}

class Reader final : public OnlineReader {
 public:
  explicit Reader(OnlineReaderParts parts) : parts_(std::move(parts)) {}

  Result<void> Prepare() {
    const Selection& selection = parts_.selection;
    for (const SelectedView& selected : selection.views)
      TM_TRY(PrepareView(selected));
    std::vector<ResultColumn> columns;
    for (const Selection::Column& column : selection.columns) {
      const SelectedFeature& feature = selection.feature(column);
      ResultColumn shape;
      shape.name = feature.output_name;
      shape.type = feature.field.type;
      shape.form = FormOf(shape.type);
      shape.width = FixedWidth(shape.type.kind);
      shape.view = column.view;
      features_.push_back({shape.name, shape.type.ToString()});
      views_[column.view].targets.push_back({columns.size(), feature.field.id});
      columns.push_back(std::move(shape));
    }
    shape_ = ResultShape::Make(std::move(columns), views_.size());
    for (std::size_t i = 0; i < views_.size(); ++i)
      PrepareVersions(*selection.views[i].view, views_[i]);
    return {};
  }

  const std::vector<ColumnInfo>& keys() const override { return keys_; }
  const std::vector<ColumnInfo>& features() const override { return features_; }

  Result<void> Read(std::span<const KeyColumn> keys, std::size_t rows, OnlineResult& result) const override {
    TM_TRY(CheckKeys(keys, rows));
    OnlineResult::Impl& out = result.impl();
    out.Reset(shape_, rows);
    auto filled = Fill(keys, out);
    if (!filled) out.Clear();  // half an answer is none
    return filled;
  }

  Result<bool> IsCurrent(std::int64_t max_age_ms) const override {
    const std::int64_t now_us = parts_.clock->now_us();
    const std::int64_t checked_us = checked_us_.load(std::memory_order_relaxed);
    if (now_us >= checked_us && (now_us - checked_us) / 1000 < max_age_ms) return current_.load();
    TM_ASSIGN(const std::int64_t serial, parts_.registry->Serial(parts_.project));
    current_.store(serial == parts_.catalog->serial());
    checked_us_.store(now_us, std::memory_order_relaxed);
    return current_.load();
  }

 private:
  /// All views in one lookup: they are seen at one moment, and the store is entered once.
  Result<void> Fill(std::span<const KeyColumn> keys, OnlineResult::Impl& out) const {
    const std::int64_t now_us = parts_.clock->now_us();
    MakeKeys(keys, out);
    Result<void> decoded;
    std::size_t view = 0;
    std::size_t row = 0;
    const auto visit = [&](std::size_t /*key*/, std::span<const std::byte> value) {
      if (!decoded) return;
      decoded = value.empty() ? Skip(views_[view], row, Status::kNotFound, out)
                              : Decode(view, row, value, now_us, out);
      if (!decoded || ++row < out.rows) return;
      row = 0;
      ++view;
    };
    if (out.rows > 0) {
      const auto in_view = [&] { return "view " + views_[view].name; };
      if (auto got = parts_.online->Get(out.keys, visit); !got)
        return std::unexpected(std::move(got).error().In(in_view()));
      if (!decoded) return std::unexpected(std::move(decoded).error().In(in_view()));
    }
    for (auto& builder : out.nested) {
      TM_ASSIGN(auto array, FromArrowResult(builder->Finish()));
      out.nested_done.push_back(std::move(array));
    }
    return {};
  }

  Result<void> PrepareView(const SelectedView& selected) {
    const CatalogView& view = *selected.view;
    if (!view.definition.online) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("view '{}' is not kept online (online: false)", view.definition.name));
    }
    PreparedView prepared;
    prepared.name = view.definition.name;
    AppendViewId(view.id, prepared.prefix);
    prepared.ttl_us = view.definition.ttl_us;
    for (std::size_t i = 0; i < view.join_keys.size(); ++i) {
      TM_ASSIGN(const std::size_t at,
                KeyNamed(selected.key_columns[i], *view.join_keys[i].type, prepared.name));
      prepared.keys.push_back(at);
    }
    views_.push_back(std::move(prepared));
    return {};
  }

  Result<std::size_t> KeyNamed(const std::string& name, const DataType& type, const std::string& view) {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i].name != name) continue;
      if (key_forms_[i] == FormOfKey(type)) return i;
      return Fail(ErrorCode::kTypeMismatch,
                  fmt::format("key '{}' is {} for view '{}' and {} for another view", name, type.ToString(),
                              view, keys_[i].type));
    }
    keys_.push_back({name, type.ToString()});
    key_forms_.push_back(FormOfKey(type));
    return keys_.size() - 1;
  }

  void PrepareVersions(const CatalogView& view, PreparedView& prepared) const {
    for (std::size_t i = 0; i < view.field_versions.size(); ++i) {
      auto version = std::make_unique<VersionSlots>(
          VersionSlots{PackedLayout(static_cast<std::uint32_t>(i + 1), view.field_versions[i]), {}, {}, {}});
      for (const Target& target : prepared.targets) {
        const PackedLayout::Slot* slot = version->layout.Find(target.field_id);
        // A field that has become wider keeps its id; one of any other type has another, and were it not so,
        // its bytes would be read as what they are not.
        const DataType& type = shape_->columns[target.column].type;
        const bool fits = slot != nullptr && (slot->type == type || IsWidened(slot->type, type));
        version->slots.push_back(fits ? slot : nullptr);
        AddMove(target, *version);
      }
      prepared.versions.push_back(std::move(version));
    }
  }

  /// What a row without a null needs for the target whose slot was added last.
  void AddMove(const Target& target, VersionSlots& version) const {
    const PackedLayout::Slot* slot = version.slots.back();
    const ResultColumn& column = shape_->columns[target.column];
    if (slot != nullptr && column.form == ValueForm::kFixed && slot->width == 8 && column.width == 8) {
      version.moves.push_back({slot->offset, target.column, column.fixed_base});
    } else {
      version.others.push_back(version.slots.size() - 1);
    }
  }

  Result<void> CheckKeys(std::span<const KeyColumn> keys, std::size_t rows) const {
    if (keys.size() != keys_.size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} key columns are needed and {} were given", keys_.size(), keys.size()));
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i].index() != key_forms_[i]) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("the values of key '{}' are not in the form of its type {}", keys_[i].name,
                                keys_[i].type));
      }
      if (LengthOf(keys[i]) != rows) {
        return Fail(ErrorCode::kInvalidArgument, fmt::format("key '{}' has {} values for {} entities",
                                                             keys_[i].name, LengthOf(keys[i]), rows));
      }
    }
    return {};
  }

  /// The keys of every row for the first view, then for the second, and so on.
  void MakeKeys(std::span<const KeyColumn> keys, OnlineResult::Impl& out) const {
    out.key_bytes.clear();
    out.key_ends.clear();
    for (const PreparedView& view : views_) {
      for (std::size_t row = 0; row < out.rows; ++row) {
        out.key_bytes += view.prefix;
        for (const std::size_t key : view.keys)
          AppendKey(keys[key], row, out.key_bytes);
        out.key_ends.push_back(out.key_bytes.size());
      }
    }
    out.keys.clear();
    std::size_t begin = 0;
    for (const std::size_t end : out.key_ends) {
      out.keys.push_back(std::string_view(out.key_bytes).substr(begin, end - begin));
      begin = end;
    }
  }

  /// A row without values: all its columns get the status, texts stay empty.
  Result<void> Skip(const PreparedView& view, std::size_t row, Status status, OnlineResult::Impl& out) const {
    for (const Target& target : view.targets)
      TM_TRY(SetNull(target.column, row, status, out));
    return {};
  }

  Result<void> SetNull(std::size_t at, std::size_t row, Status status, OnlineResult::Impl& out) const {
    const ResultColumn& column = shape_->columns[at];
    out.StatusAt(at, row) = status;
    if (column.form == ValueForm::kText) {
      out.texts[column.place].ends.push_back(out.texts[column.place].bytes.size());
    } else if (column.form == ValueForm::kNested) {
      return FromArrowStatus(out.nested[column.place]->AppendNull());
    }
    return {};
  }

  Result<void> Decode(std::size_t index, std::size_t row, std::span<const std::byte> value,
                      std::int64_t now_us, OnlineResult::Impl& out) const {
    const PreparedView& view = views_[index];
    TM_ASSIGN(const PackedHeader header, ReadPackedHeader(value));
    const Status status =
        StatusAt({header.order.event, header.is_deleted, header.expires_at_us}, now_us, view.ttl_us);
    out.StoredAt(index, row) = {.is_there = true,
                                .is_deleted = header.is_deleted,
                                .spelling = header.spelling,
                                .event_time_us = header.order.event.us,
                                .expires_at_us = header.expires_at_us};
    if (!header.is_deleted) out.EventAt(index, row) = header.order.event.us;
    if (status != Status::kPresent) return Skip(view, row, status, out);
    if (header.schema_version == 0 || header.schema_version > view.versions.size()) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("a row was written by version {} of the view, which the registry does not have",
                              header.schema_version));
    }
    const VersionSlots& version = *view.versions[header.schema_version - 1];
    TM_TRY(CheckPacked(version.layout, value));
    const auto decode = [&](std::size_t i) {
      return DecodeValue(version.layout, version.slots[i], view.targets[i].column, row, value, out);
    };
    if (PackedHasNulls(version.layout, value)) {
      for (std::size_t i = 0; i < view.targets.size(); ++i)
        TM_TRY(decode(i));
      return {};
    }
    std::byte* const fixed = out.fixed.data();
    Status* const statuses = out.statuses.data();
    for (const Move& move : version.moves) {
      std::memcpy(fixed + move.fixed_base * out.rows + row * 8, value.data() + move.offset, 8);
      statuses[move.column * out.rows + row] = Status::kPresent;
    }
    for (const std::size_t i : version.others)
      TM_TRY(decode(i));
    return {};
  }

  Result<void> DecodeValue(const PackedLayout& layout, const PackedLayout::Slot* slot, std::size_t at,
                           std::size_t row, std::span<const std::byte> value, OnlineResult::Impl& out) const {
    const ResultColumn& column = shape_->columns[at];
    if (slot == nullptr) return SetNull(at, row, Status::kNullValue, out);
    if (column.form == ValueForm::kFixed) {
      const std::byte* bytes = PackedFixed(layout, *slot, value);
      if (bytes == nullptr) return SetNull(at, row, Status::kNullValue, out);
      if (slot->width == column.width) {
        std::memcpy(out.FixedAt(column, row), bytes, column.width);
      } else {
        Widen(slot->type, bytes, out.FixedAt(column, row));
      }
    } else {
      const auto bytes = PackedVariable(layout, *slot, value);
      if (!bytes) return SetNull(at, row, Status::kNullValue, out);
      if (column.form == ValueForm::kNested) {
        TM_TRY(AppendPacked(layout, *slot, value, *out.nested[column.place]));
      } else {
        OnlineResult::Impl::Text& text = out.texts[column.place];
        text.bytes += *bytes;
        text.ends.push_back(text.bytes.size());
      }
    }
    out.StatusAt(at, row) = Status::kPresent;
    return {};
  }

  const OnlineReaderParts parts_;
  std::vector<ColumnInfo> keys_;
  std::vector<std::size_t> key_forms_;
  std::vector<ColumnInfo> features_;
  std::vector<PreparedView> views_;
  std::shared_ptr<const ResultShape> shape_;
  mutable std::atomic<std::int64_t> checked_us_{0};
  mutable std::atomic<bool> current_{true};
};

}  // namespace

Result<std::shared_ptr<const OnlineReader>> MakeOnlineReader(OnlineReaderParts parts) {
  const std::shared_ptr<const OnDemandPlan> computed = parts.selection.on_demand;
  const std::shared_ptr<Clock> clock = parts.clock;
  auto reader = std::make_shared<Reader>(std::move(parts));
  TM_TRY(reader->Prepare());
  if (computed != nullptr) return MakeComputingReader(std::move(reader), computed, clock);
  return reader;
}

}  // namespace tidemark
