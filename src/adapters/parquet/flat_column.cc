// Typed page readers of Parquet, driven page by page.
#include "adapters/parquet/flat_column.h"

#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <arrow/buffer_builder.h>
#include <arrow/util/bit_util.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/statistics.h>
#include <parquet/types.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "adapters/parquet/column_output_internal.h"
#include "adapters/parquet/column_pages_internal.h"
#include "adapters/parquet/fixed_column_internal.h"
#include "base/check.h"
#include "pit/buffer_pool.h"

namespace tidemark {

using namespace flat_column_internal;  // NOLINT(google-build-using-namespace): this file is a part of it

namespace {

// Rows that are decoded at a time when single rows are picked: values stay in the first-level cache.
constexpr std::int64_t kPickWindowRows = 2048;

// One call of ReadBatch decodes at most this many definition levels.
constexpr std::int64_t kLevelsMax = 64 * 1024;

// What the readers of all types share: the page reader with its filter, definition levels, and picking.
template <typename Parquet>
class TypedColumn : public FlatColumn {
 public:
  using Value = typename Parquet::c_type;

  TypedColumn(ColumnPages pages, const parquet::ColumnDescriptor* descriptor,
              std::shared_ptr<arrow::DataType> type)
      : type_(std::move(type)),
        optional_(descriptor->max_definition_level() > 0),
        filter_(std::move(pages.stream)) {
    pages.reader->set_data_page_filter(
        [this](const parquet::DataPageStats& page) { return filter_.PassOver(page.num_values); });
    reader_ = std::static_pointer_cast<parquet::TypedColumnReader<Parquet>>(
        parquet::ColumnReader::Make(descriptor, std::move(pages.reader)));
  }

 protected:
  // Decodes up to `rows` rows of one page: that many levels, and the values that are not null.
  struct Decoded {
    std::int64_t rows = 0;
    std::int64_t values = 0;
  };
  Decoded Decode(std::int64_t rows, Value* values) {
    Decoded decoded;
    rows = std::min(rows, kLevelsMax);
    if (optional_ && levels_.size() < static_cast<std::size_t>(rows))
      levels_.resize(static_cast<std::size_t>(rows));
    decoded.rows =
        reader_->ReadBatch(rows, optional_ ? levels_.data() : nullptr, nullptr, values, &decoded.values);
    if (decoded.rows <= 0 || decoded.values > decoded.rows ||
        (!optional_ && decoded.values != decoded.rows)) {
      throw parquet::ParquetException("a column has fewer values than its row group has rows");
    }
    return decoded;
  }

  // Calls each(value) for the rows in order; a null pointer stands for null. Where nothing is null it calls
  // each_of(values, first, rows) instead: the value of row r is at values[r - first].
  template <typename Each, typename EachOf>
  void Pick(std::span<const std::int64_t> rows, Each each, EachOf each_of) {
    std::vector<Storage> window(static_cast<std::size_t>(kPickWindowRows));
    auto* const values = reinterpret_cast<Value*>(window.data());
    if (!rows.empty()) filter_.Want(rows.front());
    for (std::size_t at = 0; at < rows.size();) {
      if (!reader_->HasNext()) throw parquet::ParquetException("a column ends before its row group does");
      std::int64_t position = filter_.start();
      while (at < rows.size() && rows[at] < filter_.end()) {
        SkipTo(rows[at], position);
        const std::int64_t until = std::min(position + kPickWindowRows, filter_.end());
        std::size_t end = at + 1;
        while (end < rows.size() && rows[end] < until)
          ++end;
        const Decoded decoded = Decode(rows[end - 1] - position + 1, values);
        if (position + decoded.rows <= rows[end - 1])
          throw parquet::ParquetException("a page is shorter than it says");
        EmitWindow(rows.subspan(at, end - at), position, decoded, values, each, each_of);
        position += decoded.rows;
        at = end;
      }
      // Leaving the page may already load the next one, so the filter must know what is wanted from there on.
      if (at < rows.size()) {
        filter_.Want(rows[at]);
        SkipTo(filter_.end(), position);
      }
    }
  }

  // For Pick: each row of a span by itself.
  template <typename Each>
  static auto ForEach(const Each& each) {
    return [&each](const Value* values, std::int64_t first, std::span<const std::int64_t> rows) {
      for (const std::int64_t row : rows)
        each(values + (row - first));
    };
  }

  const std::int16_t* levels() const { return levels_.data(); }
  const std::shared_ptr<arrow::DataType>& type() const { return type_; }

 private:
  struct alignas(Value) Storage {
    std::byte bytes[sizeof(Value)];
  };

  void SkipTo(std::int64_t row, std::int64_t& position) {
    if (row == position) return;
    if (reader_->Skip(row - position) != row - position) {
      throw parquet::ParquetException("a page is shorter than it says");
    }
    position = row;
  }

  template <typename Each, typename EachOf>
  void EmitWindow(std::span<const std::int64_t> rows, std::int64_t first, Decoded decoded,
                  const Value* values, Each& each, EachOf& each_of) {
    if (decoded.values == decoded.rows) return each_of(values, first, rows);
    std::int64_t value = 0;
    std::int64_t level = 0;
    for (const std::int64_t row : rows) {
      while (level < row - first)
        value += levels_[static_cast<std::size_t>(level++)];
      each(levels_[static_cast<std::size_t>(level)] != 0 ? values + value : nullptr);
    }
  }

  const std::shared_ptr<arrow::DataType> type_;
  const bool optional_;
  PageFilter filter_;
  std::shared_ptr<parquet::TypedColumnReader<Parquet>> reader_;
  std::vector<std::int16_t> levels_;
};

class BooleanColumn final : public TypedColumn<parquet::BooleanType> {
 public:
  using TypedColumn::TypedColumn;

  std::shared_ptr<arrow::Array> Read(std::int64_t rows) override {
    const auto values = std::make_unique<bool[]>(static_cast<std::size_t>(rows));
    Output out;
    for (std::int64_t done = 0; done < rows;) {
      const Decoded decoded = Decode(rows - done, values.get());
      const bool* value = values.get();
      for (std::int64_t i = 0; i < decoded.rows; ++i) {
        const bool present = decoded.values == decoded.rows || levels()[i] != 0;
        out.Append(present ? value++ : nullptr);
      }
      done += decoded.rows;
    }
    return Finish(rows, out);
  }

  std::shared_ptr<arrow::Array> Take(std::span<const std::int64_t> rows) override {
    Output out;
    const auto append = [&](const bool* value) { out.Append(value); };
    Pick(rows, append, ForEach(append));
    return Finish(static_cast<std::int64_t>(rows.size()), out);
  }

 private:
  struct Output {
    arrow::TypedBufferBuilder<bool> bits{BufferPool()};
    Validity validity;

    void Append(const bool* value) {
      PARQUET_THROW_NOT_OK(bits.Append(value != nullptr && *value));
      validity.AppendOne(value != nullptr);
    }
  };

  std::shared_ptr<arrow::Array> Finish(std::int64_t rows, Output& out) {
    std::shared_ptr<arrow::Buffer> bits;
    PARQUET_THROW_NOT_OK(out.bits.Finish(&bits));
    const std::int64_t nulls = out.validity.nulls();
    return arrow::MakeArray(
        arrow::ArrayData::Make(type(), rows, {out.validity.Finish(), std::move(bits)}, nulls));
  }
};

// Text and bytes: a page's values point into it, so they are copied before the next page.
class BytesColumn final : public TypedColumn<parquet::ByteArrayType> {
 public:
  using TypedColumn::TypedColumn;

  std::shared_ptr<arrow::Array> Read(std::int64_t rows) override {
    if (values_.size() < static_cast<std::size_t>(rows)) values_.resize(static_cast<std::size_t>(rows));
    Output out(rows);
    for (std::int64_t done = 0; done < rows;) {
      const Decoded decoded = Decode(rows - done, values_.data());
      out.Reserve({values_.data(), static_cast<std::size_t>(decoded.values)});
      const parquet::ByteArray* value = values_.data();
      if (decoded.values == decoded.rows) {
        for (std::int64_t i = 0; i < decoded.rows; ++i)
          out.AppendReserved(*value++);
        out.validity.AppendValid(decoded.rows);
      } else {
        const parquet::ByteArray* const end = value + decoded.values;
        for (std::int64_t i = 0; i < decoded.rows; ++i) {
          out.AppendReserved(levels()[i] != 0 && value != end ? *value++ : parquet::ByteArray{});
        }
        out.validity.Append(levels(), decoded.rows);
      }
      done += decoded.rows;
    }
    return Finish(rows, out);
  }

  std::shared_ptr<arrow::Array> Take(std::span<const std::int64_t> rows) override {
    Output out(static_cast<std::int64_t>(rows.size()));
    const auto append = [&](const parquet::ByteArray* value) {
      const parquet::ByteArray bytes = value != nullptr ? *value : parquet::ByteArray{};
      out.Reserve({&bytes, 1});
      out.AppendReserved(bytes);
      out.validity.AppendOne(value != nullptr);
    };
    Pick(rows, append, ForEach(append));
    return Finish(static_cast<std::int64_t>(rows.size()), out);
  }

 private:
  struct Output {
    std::shared_ptr<arrow::Buffer> offsets;
    std::int32_t* next_offset;
    arrow::BufferBuilder data;
    Validity validity;

    explicit Output(std::int64_t rows)
        : offsets(Allocate((rows + 1) * std::int64_t{sizeof(std::int32_t)})),
          next_offset(DataOf<std::int32_t>(*offsets)) {
      *next_offset++ = 0;
    }

    void Reserve(std::span<const parquet::ByteArray> values) {
      std::int64_t more = 0;
      for (const parquet::ByteArray& value : values)
        more += value.len;
      if (data.length() + more > std::numeric_limits<std::int32_t>::max()) {
        throw parquet::ParquetException("texts of more than 2 GB in one batch of rows");
      }
      PARQUET_THROW_NOT_OK(data.Reserve(more));
    }

    void AppendReserved(const parquet::ByteArray& value) {
      data.UnsafeAppend(value.ptr, value.len);
      *next_offset++ = static_cast<std::int32_t>(data.length());
    }
  };

  std::shared_ptr<arrow::Array> Finish(std::int64_t rows, Output& out) {
    std::shared_ptr<arrow::Buffer> data;
    PARQUET_THROW_NOT_OK(out.data.Finish(&data));
    const std::int64_t nulls = out.validity.nulls();
    return arrow::MakeArray(arrow::ArrayData::Make(
        type(), rows, {out.validity.Finish(), std::move(out.offsets), std::move(data)}, nulls));
  }

  std::vector<parquet::ByteArray> values_;
};

// What all rows of a column chunk have: null, or the bits of a number.
struct OneValue {
  bool is_null = false;
  std::int64_t bits = 0;
};

template <typename Statistics>
std::optional<OneValue> OneValueIn(const parquet::Statistics& statistics) {
  const auto& typed = static_cast<const Statistics&>(statistics);
  if (typed.min() != typed.max()) return std::nullopt;
  return OneValue{.bits = static_cast<std::int64_t>(typed.min())};
}

// Nothing if the statistics do not say so, or the type is none of those that a row's marks and times have.
std::optional<OneValue> OneValueOf(const parquet::ColumnChunkMetaData& chunk) {
  if (!chunk.is_stats_set()) return std::nullopt;
  const auto statistics = chunk.statistics();
  if (statistics == nullptr || !statistics->HasNullCount()) return std::nullopt;
  if (statistics->null_count() == chunk.num_values()) return OneValue{.is_null = true};
  if (statistics->null_count() != 0 || !statistics->HasMinMax()) return std::nullopt;
  switch (statistics->physical_type()) {
    case parquet::Type::BOOLEAN:
      return OneValueIn<parquet::BoolStatistics>(*statistics);
    case parquet::Type::INT32:
      return OneValueIn<parquet::Int32Statistics>(*statistics);
    case parquet::Type::INT64:
      return OneValueIn<parquet::Int64Statistics>(*statistics);
    default:
      return std::nullopt;
  }
}

// The one value that all rows have; no page is read. Arrays share their memory.
class ConstantColumn final : public FlatColumn {
 public:
  ConstantColumn(OneValue value, std::shared_ptr<arrow::DataType> type)
      : value_(value), type_(std::move(type)) {}

  std::shared_ptr<arrow::Array> Read(std::int64_t rows) override {
    if (made_ == nullptr || made_->length() < rows) made_ = Make(rows);
    return made_->Slice(0, rows);
  }
  std::shared_ptr<arrow::Array> Take(std::span<const std::int64_t> rows) override {
    return Read(std::ssize(rows));
  }

 private:
  std::shared_ptr<arrow::Array> Make(std::int64_t rows) const {
    if (value_.is_null) {
      PARQUET_ASSIGN_OR_THROW(auto nulls, arrow::MakeArrayOfNull(type_, rows, BufferPool()));
      return nulls;
    }
    const auto count = static_cast<std::size_t>(rows);
    std::shared_ptr<arrow::Buffer> values;
    if (type_->id() == arrow::Type::BOOL) {
      values = Allocate(arrow::bit_util::BytesForBits(rows));
      std::fill_n(DataOf<std::uint8_t>(*values), values->size(), value_.bits != 0 ? 0xFF : 0);
    } else if (type_->byte_width() == sizeof(std::int32_t)) {
      values = Allocate(rows * std::int64_t{sizeof(std::int32_t)});
      std::fill_n(DataOf<std::int32_t>(*values), count, static_cast<std::int32_t>(value_.bits));
    } else {
      values = Allocate(rows * std::int64_t{sizeof(std::int64_t)});
      std::fill_n(DataOf<std::int64_t>(*values), count, value_.bits);
    }
    return arrow::MakeArray(arrow::ArrayData::Make(type_, rows, {nullptr, std::move(values)}, 0));
  }

  const OneValue value_;
  const std::shared_ptr<arrow::DataType> type_;
  std::shared_ptr<arrow::Array> made_;
};

bool IsTextOrBytes(const arrow::DataType& type) {
  return arrow::is_base_binary_like(type.id()) || arrow::is_binary_view_like(type.id());
}

std::shared_ptr<arrow::DataType> BytesType(const std::shared_ptr<arrow::DataType>& stored) {
  const arrow::DataType& plain = stored->id() == arrow::Type::DICTIONARY
                                     ? *static_cast<const arrow::DictionaryType&>(*stored).value_type()
                                     : *stored;
  if (!IsTextOrBytes(plain)) return nullptr;
  const bool text = plain.id() == arrow::Type::STRING || plain.id() == arrow::Type::LARGE_STRING ||
                    plain.id() == arrow::Type::STRING_VIEW;
  return text ? arrow::utf8() : arrow::binary();
}

bool SameUnit(const parquet::ColumnDescriptor& descriptor, const arrow::TimestampType& type) {
  const auto& logical = descriptor.logical_type();
  if (logical == nullptr || !logical->is_timestamp()) return false;
  switch (static_cast<const parquet::TimestampLogicalType&>(*logical).time_unit()) {
    case parquet::LogicalType::TimeUnit::MILLIS:
      return type.unit() == arrow::TimeUnit::MILLI;
    case parquet::LogicalType::TimeUnit::MICROS:
      return type.unit() == arrow::TimeUnit::MICRO;
    case parquet::LogicalType::TimeUnit::NANOS:
      return type.unit() == arrow::TimeUnit::NANO;
    default:
      return false;
  }
}

}  // namespace

std::shared_ptr<arrow::DataType> FlatColumnType(const parquet::ColumnDescriptor& descriptor,
                                                const std::shared_ptr<arrow::DataType>& stored) {
  if (descriptor.max_repetition_level() > 0 || descriptor.max_definition_level() > 1) return nullptr;
  if (descriptor.path()->ToDotVector().size() != 1) return nullptr;
  using Id = arrow::Type;
  const Id::type id = stored->id();
  switch (descriptor.physical_type()) {
    case parquet::Type::BOOLEAN:
      return id == Id::BOOL ? stored : nullptr;
    case parquet::Type::INT32:
      return id == Id::INT32 || id == Id::UINT32 || id == Id::DATE32 ? stored : nullptr;
    case parquet::Type::INT64:
      if (id == Id::INT64 || id == Id::UINT64) return stored;
      if (id != Id::TIMESTAMP) return nullptr;
      return SameUnit(descriptor, static_cast<const arrow::TimestampType&>(*stored)) ? stored : nullptr;
    case parquet::Type::FLOAT:
      return id == Id::FLOAT ? stored : nullptr;
    case parquet::Type::DOUBLE:
      return id == Id::DOUBLE ? stored : nullptr;
    case parquet::Type::BYTE_ARRAY:
      return BytesType(stored);
    default:
      return nullptr;
  }
}

std::unique_ptr<FlatColumn> FlatColumn::Open(const parquet::FileMetaData& metadata, int row_group, int column,
                                             std::shared_ptr<arrow::DataType> type,
                                             const std::shared_ptr<arrow::io::RandomAccessFile>& file,
                                             bool is_checked) {
  const parquet::ColumnDescriptor* const descriptor = metadata.schema()->Column(column);
  if (is_checked) {
    if (auto value = OneValueOf(*metadata.RowGroup(row_group)->ColumnChunk(column)))
      return std::make_unique<ConstantColumn>(*value, std::move(type));
  }
  const ColumnPlace place{
      .metadata = metadata, .row_group = row_group, .column = column, .file = file, .is_checked = is_checked};
  if (auto fixed = OpenFixedColumn(place, type)) return fixed;
  auto pages = OpenPages(place, /*as_stored=*/false);
  if (descriptor->physical_type() == parquet::Type::BOOLEAN)
    return std::make_unique<BooleanColumn>(std::move(pages), descriptor, std::move(type));
  TM_CHECK(descriptor->physical_type() == parquet::Type::BYTE_ARRAY, "FlatColumnType admits no other type");
  return std::make_unique<BytesColumn>(std::move(pages), descriptor, std::move(type));
}

}  // namespace tidemark
