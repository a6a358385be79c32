// Pages come as they are stored. Values that are neither encoded nor compressed, which snappy too leaves most
// numbers as, are picked out of the bytes that were read; pages of other encodings go through their decoder.
#include <arrow/array/data.h>
#include <arrow/array/util.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/encoding.h>
#include <parquet/exception.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "adapters/parquet/column_output_internal.h"
#include "adapters/parquet/fixed_column_internal.h"
#include "adapters/parquet/page_bytes.h"

namespace tidemark::flat_column_internal {
namespace {

// Values that are decoded at a time when single ones are picked: they stay in the first-level cache.
constexpr std::int64_t kDecodedValues = 2048;

constexpr std::int64_t kLevelsSizeBytes = 4;  // before the levels of a page of version 1

// Where the parts of a data page begin, and which of its rows are null.
class PageLevels {
 public:
  explicit PageLevels(std::int16_t level_max) : level_max_(level_max) {}

  // Reads the levels at the beginning of the page's bytes. Tells where the values begin.
  std::int64_t Read(const parquet::DataPage& page, PageBytes& bytes) {
    rows_ = page.num_values();
    values_ = rows_;
    std::int64_t begin = 0;
    if (page.type() == parquet::PageType::DATA_PAGE_V2) {
      const auto& own = static_cast<const parquet::DataPageV2&>(page);
      const std::int64_t before = own.repetition_levels_byte_length();
      begin = before + own.definition_levels_byte_length();
      if (level_max_ > 0) {
        const auto size = own.definition_levels_byte_length();
        const std::uint8_t* const data = bytes.View(before, size);
        Count([&] { decoder_.SetDataV2(size, level_max_, static_cast<int>(rows_), data); });
      }
    } else if (level_max_ > 0) {
      const auto encoding = static_cast<const parquet::DataPageV1&>(page).definition_level_encoding();
      begin = SizeOf(encoding, bytes);
      const std::uint8_t* const data = bytes.View(0, begin);
      Count([&] {
        decoder_.SetData(encoding, level_max_, static_cast<int>(rows_), data, static_cast<int>(begin));
      });
    }
    return begin;
  }

  std::int64_t rows() const { return rows_; }
  std::int64_t values() const { return values_; }  // that are not null
  bool has_nulls() const { return values_ < rows_; }
  // For each row 1 if it has a value; only with nulls.
  std::span<const std::int16_t> levels() const { return levels_; }

 private:
  std::int64_t SizeOf(parquet::Encoding::type encoding, PageBytes& bytes) const {
    if (encoding != parquet::Encoding::RLE) return (rows_ + 7) / 8;
    std::int32_t size = 0;
    std::memcpy(&size, bytes.View(0, kLevelsSizeBytes), sizeof size);
    return kLevelsSizeBytes + size;
  }

  // Most pages have no nulls, and to count says so without a number for each row.
  template <typename Begin>
  void Count(const Begin& begin) {
    const int rows = static_cast<int>(rows_);
    begin();
    values_ = 0;
    for (int done = 0; done < rows;) {
      const auto counted = decoder_.CountUpTo(level_max_, rows - done);
      if (counted.processed_count <= 0) throw parquet::ParquetException("a page is shorter than it says");
      values_ += counted.matching_count;
      done += counted.processed_count;
    }
    if (!has_nulls()) return;
    levels_.resize(static_cast<std::size_t>(rows));
    begin();
    if (decoder_.Decode(rows, levels_.data()) != rows)
      throw parquet::ParquetException("a page is shorter than it says");
  }

  const std::int16_t level_max_;
  parquet::LevelDecoder decoder_;
  std::int64_t rows_ = 0;
  std::int64_t values_ = 0;
  std::vector<std::int16_t> levels_;
};

template <typename Parquet>
class FixedColumn final : public FlatColumn {
 public:
  using Value = typename Parquet::c_type;

  FixedColumn(ColumnPages pages, const parquet::ColumnDescriptor* descriptor,
              std::shared_ptr<arrow::DataType> type)
      : type_(std::move(type)),
        descriptor_(descriptor),
        filter_(std::move(pages.stream)),
        reader_(std::move(pages.reader)),
        bytes_(pages.compression),
        levels_(descriptor->max_definition_level()) {
    reader_->set_data_page_filter(
        [this](const parquet::DataPageStats& page) { return filter_.PassOver(page.num_values); });
  }

  std::shared_ptr<arrow::Array> Read(std::int64_t rows) override {
    auto buffer = Allocate(rows * kWidth);
    auto* const out = DataOf<Value>(*buffer);
    Validity validity;
    for (std::int64_t done = 0; done < rows;) {
      while (row_ == levels_.rows())
        NextPage();
      const std::int64_t some = std::min(rows - done, levels_.rows() - row_);
      ReadRows(some, out + done, validity);
      done += some;
    }
    return Finish(rows, std::move(buffer), validity);
  }

  std::shared_ptr<arrow::Array> Take(std::span<const std::int64_t> rows) override {
    auto buffer = Allocate(std::ssize(rows) * kWidth);
    auto* const out = DataOf<Value>(*buffer);
    Validity validity;
    for (std::size_t at = 0; at < rows.size();) {
      filter_.Want(rows[at]);
      NextPage();
      std::size_t end = at;
      while (end < rows.size() && rows[end] < filter_.end())
        ++end;
      TakeRows(rows.subspan(at, end - at), out + at, validity);
      at = end;
    }
    return Finish(std::ssize(rows), std::move(buffer), validity);
  }

 private:
  static constexpr auto kWidth = std::int64_t{sizeof(Value)};

  // To the next data page that is not passed over.
  void NextPage() {
    row_ = 0;
    value_ = 0;
    page_ = nullptr;  // so that the stream may use its memory again
    for (page_ = reader_->NextPage(); page_ != nullptr; page_ = reader_->NextPage()) {
      if (page_->type() == parquet::PageType::DICTIONARY_PAGE) {
        ReadDictionary(static_cast<const parquet::DictionaryPage&>(*page_));
      } else if (page_->type() == parquet::PageType::DATA_PAGE) {
        return OpenPage(static_cast<const parquet::DataPage&>(*page_), 0, true);
      } else if (page_->type() == parquet::PageType::DATA_PAGE_V2) {
        const auto& page = static_cast<const parquet::DataPageV2&>(*page_);
        return OpenPage(page, page.repetition_levels_byte_length() + page.definition_levels_byte_length(),
                        page.is_compressed());
      }
    }
    throw parquet::ParquetException("a column ends before its row group does");
  }

  void ReadDictionary(const parquet::DictionaryPage& page) {
    if (dictionary_ != nullptr) throw parquet::ParquetException("a column with two dictionaries");
    if (page.encoding() != parquet::Encoding::PLAIN && page.encoding() != parquet::Encoding::PLAIN_DICTIONARY)
      throw parquet::ParquetException("a dictionary that is not plain");
    const std::int64_t size = page.num_values() * kWidth;
    bytes_.Reset({.data = page.data(), .bytes = page.size()}, size, true);
    auto values = parquet::MakeTypedDecoder<Parquet>(parquet::Encoding::PLAIN, descriptor_);
    values->SetData(page.num_values(), bytes_.View(0, size), static_cast<int>(size));
    dictionary_ = parquet::MakeDictDecoder<Parquet>(descriptor_, BufferPool());
    dictionary_->SetDict(values.get());
  }

  void OpenPage(const parquet::DataPage& page, std::int64_t plain_bytes, bool is_compressed) {
    bytes_.Reset({.data = page.data(), .bytes = page.size(), .plain = plain_bytes}, page.uncompressed_size(),
                 is_compressed);
    values_at_ = levels_.Read(page, bytes_);
    decoder_ = nullptr;
    if (page.encoding() == parquet::Encoding::PLAIN) {
      if (values_at_ > bytes_.size() || levels_.values() > (bytes_.size() - values_at_) / kWidth)
        throw parquet::ParquetException("a page is shorter than it says");
      return;
    }
    decoder_ = DecoderOf(page.encoding());
    const std::int64_t size = bytes_.size() - values_at_;
    decoder_->SetData(static_cast<int>(levels_.rows()), bytes_.View(values_at_, size),
                      static_cast<int>(size));
  }

  parquet::TypedDecoder<Parquet>* DecoderOf(parquet::Encoding::type encoding) {
    if (encoding == parquet::Encoding::RLE_DICTIONARY || encoding == parquet::Encoding::PLAIN_DICTIONARY) {
      if (dictionary_ == nullptr) throw parquet::ParquetException("a page without its dictionary");
      return dictionary_.get();
    }
    if (other_ == nullptr || other_->encoding() != encoding)
      other_ = parquet::MakeTypedDecoder<Parquet>(encoding, descriptor_, BufferPool());
    return other_.get();
  }

  void DecodeValues(std::int64_t count, Value* out) {
    if (decoder_->Decode(out, static_cast<int>(count)) != count)
      throw parquet::ParquetException("a page is shorter than it says");
  }

  // The next values that are not null.
  void ReadValues(std::int64_t count, Value* out) {
    if (decoder_ == nullptr) {
      bytes_.Copy(values_at_ + value_ * kWidth, count * kWidth, out);
    } else {
      DecodeValues(count, out);
    }
    value_ += count;
  }

  // The next rows of the page.
  void ReadRows(std::int64_t rows, Value* out, Validity& validity) {
    if (!levels_.has_nulls()) {
      ReadValues(rows, out);
      validity.AppendValid(rows);
    } else {
      const auto levels =
          levels_.levels().subspan(static_cast<std::size_t>(row_), static_cast<std::size_t>(rows));
      const std::int64_t values = std::ranges::count(levels, std::int16_t{1});
      ReadValues(values, out);
      if (values == rows) {  // the page's nulls are elsewhere
        validity.AppendValid(rows);
      } else {
        Spread(levels, values, out);
        validity.Append(levels.data(), rows);
      }
    }
    row_ += rows;
  }

  // Moves the values, which lie without gaps, to their rows; the rows between are zero.
  static void Spread(std::span<const std::int16_t> levels, std::int64_t values, Value* out) {
    for (std::int64_t row = std::ssize(levels) - 1; row >= 0; --row) {
      const bool is_present = levels[static_cast<std::size_t>(row)] != 0;
      out[row] = is_present ? out[--values] : Value{};
    }
  }

  // Rows of the page, as they are numbered in the row group.
  void TakeRows(std::span<const std::int64_t> rows, Value* out, Validity& validity) {
    if (!levels_.has_nulls()) {
      TakeValues(rows, filter_.start(), out);
      return validity.AppendValid(std::ssize(rows));
    }
    // The places of the values that are there, which are taken to the end of `out`.
    places_.clear();
    present_.clear();
    std::int64_t row = 0;
    std::int64_t value = 0;
    for (const std::int64_t wanted : rows) {
      for (; row < wanted - filter_.start(); ++row)
        value += levels_.levels()[static_cast<std::size_t>(row)];
      present_.push_back(levels_.levels()[static_cast<std::size_t>(row)]);
      if (present_.back() != 0) places_.push_back(value);
    }
    TakeValues(places_, 0, out);
    Spread(present_, std::ssize(places_), out);
    for (const std::int16_t level : present_)
      validity.AppendOne(level != 0);
  }

  // The values at places[i] - first, ascending.
  void TakeValues(std::span<const std::int64_t> places, std::int64_t first, Value* out) {
    if (decoder_ == nullptr) return PickPlain(places, first, out);
    std::array<Value, static_cast<std::size_t>(kDecodedValues)> decoded;
    std::int64_t begin = 0;
    std::int64_t end = 0;  // of the decoded values
    for (const std::int64_t place : places) {
      while (place - first >= end) {
        begin = end;
        end += std::min(kDecodedValues, levels_.values() - begin);
        if (end == begin) throw parquet::ParquetException("a page is shorter than it says");
        DecodeValues(end - begin, decoded.data());
      }
      *out++ = decoded[static_cast<std::size_t>(place - first - begin)];
    }
  }

  void PickPlain(std::span<const std::int64_t> places, std::int64_t first, Value* out) const {
    const PageBytes::Piece* piece = bytes_.pieces().data();
    for (const std::int64_t place : places) {
      const std::int64_t at = values_at_ + (place - first) * kWidth;
      while (at >= piece[1].begin)
        ++piece;
      if (at + kWidth <= piece[1].begin) [[likely]] {
        std::memcpy(out, piece->data + (at - piece->begin), sizeof(Value));
      } else {
        bytes_.Copy(at, kWidth, out);
      }
      ++out;
    }
  }

  std::shared_ptr<arrow::Array> Finish(std::int64_t rows, std::shared_ptr<arrow::Buffer> values,
                                       Validity& validity) const {
    const std::int64_t nulls = validity.nulls();
    return arrow::MakeArray(
        arrow::ArrayData::Make(type_, rows, {validity.Finish(), std::move(values)}, nulls));
  }

  const std::shared_ptr<arrow::DataType> type_;
  const parquet::ColumnDescriptor* const descriptor_;
  PageFilter filter_;
  const std::unique_ptr<parquet::PageReader> reader_;
  PageBytes bytes_;  // of the page
  PageLevels levels_;
  std::shared_ptr<parquet::Page> page_;  // holds what bytes_ lies in
  std::int64_t values_at_ = 0;
  std::int64_t row_ = 0;  // the next row and value of the page, for Read
  std::int64_t value_ = 0;
  std::unique_ptr<parquet::DictDecoder<Parquet>> dictionary_;
  std::unique_ptr<parquet::TypedDecoder<Parquet>> other_;
  parquet::TypedDecoder<Parquet>* decoder_ = nullptr;  // one of the two; null: the page is plain
  std::vector<std::int64_t> places_;
  std::vector<std::int16_t> present_;
};

}  // namespace

std::unique_ptr<FlatColumn> OpenFixedColumn(const ColumnPlace& place, std::shared_ptr<arrow::DataType> type) {
  const auto open = [&]<typename Parquet>(Parquet) -> std::unique_ptr<FlatColumn> {
    return std::make_unique<FixedColumn<Parquet>>(OpenPages(place, /*as_stored=*/true), place.descriptor(),
                                                  std::move(type));
  };
  switch (place.descriptor()->physical_type()) {
    case parquet::Type::INT32:
      return open(parquet::Int32Type{});
    case parquet::Type::INT64:
      return open(parquet::Int64Type{});
    case parquet::Type::FLOAT:
      return open(parquet::FloatType{});
    case parquet::Type::DOUBLE:
      return open(parquet::DoubleType{});
    default:
      return nullptr;
  }
}

}  // namespace tidemark::flat_column_internal
