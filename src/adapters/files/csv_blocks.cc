// Blocks end where Arrow's chunker sees a row end, quotes respected; each is parsed by a table reader of its
// own.
#include "adapters/files/csv_blocks.h"

#include <arrow/buffer.h>
#include <arrow/compute/cast.h>
#include <arrow/csv/api.h>
#include <arrow/csv/chunker.h>
#include <arrow/io/compressed.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "adapters/files/csv_nulls.h"
#include "adapters/parquet/arrow_error.h"
#include "adapters/parquet/data_file.h"
#include "pit/utf8.h"

namespace tidemark {
namespace {

constexpr std::int64_t kBlockBytes = 4 << 20;

// A row that does not end within this is a quote that is never closed.
constexpr std::int64_t kRowBytesMax = 256 << 20;

arrow::csv::ParseOptions ParseOptions() {
  auto options = arrow::csv::ParseOptions::Defaults();
  options.newlines_in_values = true;
  return options;
}

Result<std::shared_ptr<arrow::io::InputStream>> OpenStream(const SourceFile& file) {
  TM_ASSIGN(std::shared_ptr<arrow::io::InputStream> raw, OpenUnchanged(file));
  if (!IsCompressed(file)) return raw;
  TM_ASSIGN_ARROW(const auto codec, arrow::util::Codec::Create(arrow::Compression::GZIP),
                  ErrorCode::kInternal);
  TM_ASSIGN_ARROW(auto stream, arrow::io::CompressedInputStream::Make(codec.get(), raw),
                  ErrorCode::kInvalidData);
  return stream;
}

std::string Shortened(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string shown(text.substr(0, kShown));
  if (shown.size() < text.size()) shown += "...";
  return shown;
}

// The first value that is not of the type, or -1. `values` are binary.
std::int64_t FirstMisfit(const arrow::ChunkedArray& values, const std::shared_ptr<arrow::DataType>& type,
                         std::string* value) {
  const auto nulls = arrow::csv::ConvertOptions::Defaults().null_values;
  std::int64_t row = 0;
  for (const auto& chunk : values.chunks()) {
    const auto& bytes = static_cast<const arrow::BinaryArray&>(*chunk);
    for (std::int64_t i = 0; i < bytes.length(); ++i, ++row) {
      const std::string_view text = bytes.GetView(i);
      bool fits = IsUtf8(text);
      if (fits && type->id() != arrow::Type::STRING && std::ranges::find(nulls, text) == nulls.end()) {
        fits =
            arrow::compute::Cast(arrow::Datum(std::make_shared<arrow::StringScalar>(std::string(text))), type)
                .ok();
      }
      if (fits) continue;
      *value = Shortened(text);
      return row;
    }
  }
  return -1;
}

}  // namespace

bool IsCompressed(const SourceFile& file) {
  return file.path.ends_with(".gz") || file.path.ends_with(".GZ");
}

CsvBlocks::CsvBlocks(std::shared_ptr<arrow::io::InputStream> stream, const CsvPart& part, CsvRequest request)
    : stream_(std::move(stream)),
      request_(std::move(request)),
      chunker_(arrow::csv::MakeChunker(ParseOptions())),
      scanner_(part.first_row),
      left_bytes_(part.bytes),
      next_row_(part.first_row) {}

Result<std::unique_ptr<CsvBlocks>> CsvBlocks::Open(const SourceFile& file, CsvRequest request) {
  if (file.size == 0)
    return Fail(ErrorCode::kInvalidData, "the file is empty (0 bytes): CSV must begin with a header");
  TM_ASSIGN(auto stream, OpenStream(file));
  std::unique_ptr<CsvBlocks> blocks(new CsvBlocks(std::move(stream), {}, std::move(request)));
  TM_TRY(blocks->ReadHeader());
  return blocks;
}

Result<std::unique_ptr<CsvBlocks>> CsvBlocks::OpenPart(const SourceFile& file, const CsvPart& part,
                                                       std::vector<std::string> names, CsvRequest request) {
  TM_ASSIGN(auto stream, OpenUnchanged(file));
  TM_TRY_ARROW(stream->Seek(part.offset), ErrorCode::kIo);
  std::unique_ptr<CsvBlocks> blocks(new CsvBlocks(std::move(stream), part, std::move(request)));
  if (part.first_row == 1) {
    TM_TRY(blocks->ReadHeader());
  } else {
    blocks->names_ = std::move(names);
  }
  return blocks;
}

Result<void> CsvBlocks::ReadHeader() {
  TM_ASSIGN(first_, NextText());
  if (first_ == nullptr)
    return Fail(ErrorCode::kInvalidData, "the file is blank: CSV must begin with a header");
  TM_ASSIGN(const auto table, Parse(first_, {}));
  names_ = table->schema()->field_names();
  std::set<std::string_view> seen;
  for (const std::string& name : names_) {
    if (!seen.insert(name).second) {
      return Fail(ErrorCode::kInvalidData, fmt::format("the header has two columns named '{}'", name));
    }
  }
  return {};
}

Result<std::shared_ptr<arrow::Table>> CsvBlocks::Next() {
  std::shared_ptr<arrow::Buffer> text = first_;
  if (text == nullptr) {
    TM_ASSIGN(text, NextText());
  }
  if (text == nullptr) return nullptr;
  TM_ASSIGN(auto table, Parse(text, request_));
  next_row_ += table->num_rows() + (text == first_ ? 1 : 0);
  first_ = nullptr;
  return table;
}

Result<std::shared_ptr<arrow::Buffer>> CsvBlocks::NextText() {
  while (!ended_) {
    const std::int64_t wanted = left_bytes_ < 0 ? kBlockBytes : std::min(kBlockBytes, left_bytes_);
    TM_ASSIGN_ARROW(auto read, stream_->Read(wanted), ErrorCode::kInvalidData);
    ended_ = read->size() == 0;
    if (ended_) break;
    if (left_bytes_ > 0) left_bytes_ -= read->size();
    TM_TRY(
        scanner_.Take({reinterpret_cast<const char*>(read->data()), static_cast<std::size_t>(read->size())}));
    if (pending_ != nullptr && pending_->size() > 0) {
      TM_ASSIGN_ARROW(read, arrow::ConcatenateBuffers({pending_, read}), ErrorCode::kInternal);
    }
    std::shared_ptr<arrow::Buffer> whole;
    TM_TRY_ARROW(chunker_->Process(read, &whole, &pending_), ErrorCode::kInvalidData);
    if (whole->size() > 0) return whole;
    if (pending_->size() > kRowBytesMax) {
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("row {} (the header is row 1) does not end within {} MB: is a quote that opens there "
                      "never closed?",
                      scanner_.row(), kRowBytesMax >> 20));
    }
  }
  TM_TRY(scanner_.End());
  auto rest = std::exchange(pending_, nullptr);
  if (rest == nullptr || rest->size() == 0) return nullptr;
  return rest;
}

Result<std::shared_ptr<arrow::Table>> CsvBlocks::Parse(const std::shared_ptr<arrow::Buffer>& text,
                                                       const CsvRequest& request) {
  auto read = arrow::csv::ReadOptions::Defaults();
  read.use_threads = false;
  read.block_size = static_cast<std::int32_t>(text->size() + 1);
  if (text != first_) read.column_names = names_;
  auto parse = ParseOptions();
  ragged_row_ = 0;
  parse.invalid_row_handler = [this](const arrow::csv::InvalidRow& row) {
    if (ragged_row_ == 0) {
      ragged_row_ = row.number;
      ragged_ = fmt::format("{} values where the header has {}: {}", row.actual_columns, row.expected_columns,
                            Shortened(row.text));
    }
    return arrow::csv::InvalidRowResult::Error;
  };
  const auto parsed =
      [&](const arrow::csv::ConvertOptions& convert) -> arrow::Result<std::shared_ptr<arrow::Table>> {
    ARROW_ASSIGN_OR_RAISE(
        const auto reader,
        arrow::csv::TableReader::Make(arrow::io::default_io_context(),
                                      std::make_shared<arrow::io::BufferReader>(text), read, parse, convert));
    return reader->Read();
  };
  auto convert = arrow::csv::ConvertOptions::Defaults();
  convert.include_columns = request.columns;
  convert.column_types = {request.types.begin(), request.types.end()};
  auto table = parsed(convert);
  if (table.ok()) table = WithNullText(*std::move(table), parsed);
  if (!table.ok()) return std::unexpected(Locate(text, table.status()));
  return std::move(table).ValueUnsafe();
}

Error CsvBlocks::Locate(const std::shared_ptr<arrow::Buffer>& text, const arrow::Status& status) {
  if (ragged_row_ > 0) {
    return {ErrorCode::kInvalidData,
            fmt::format("row {} (the header is row 1): {}", next_row_ + ragged_row_ - 1, ragged_),
            {}};
  }
  for (const auto& [name, type] : request_.types) {
    if (std::ranges::find(names_, name) == names_.end()) continue;
    CsvRequest one;
    one.columns = {name};
    one.types = {{name, arrow::binary()}};
    if (type->id() == arrow::Type::BINARY) continue;
    const auto table = Parse(text, one);
    if (!table) continue;
    std::string value;
    const std::int64_t row = FirstMisfit(*(*table)->column(0), type, &value);
    if (row < 0) continue;
    return {ErrorCode::kInvalidData,
            fmt::format("row {} (the header is row 1), column '{}': '{}' is not {}",
                        next_row_ + row + (text == first_ ? 1 : 0), name, value,
                        type->id() == arrow::Type::STRING ? "UTF-8 text" : type->ToString()),
            {}};
  }
  return FromStatus(status, ErrorCode::kInvalidData).In(fmt::format("after row {}", next_row_ - 1));
}

}  // namespace tidemark
