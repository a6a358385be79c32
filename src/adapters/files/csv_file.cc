// Types that hold for all rows, and reading by blocks.
#include "adapters/files/csv_file.h"

#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "adapters/files/csv_blocks.h"
#include "adapters/files/schema_union.h"
#include "adapters/parquet/arrow_error.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

using TypePtr = std::shared_ptr<arrow::DataType>;
using Types = std::map<std::string, TypePtr>;

// What a column of a stated type is read as: times are text, which is read by the kernel's rule.
Result<TypePtr> StatedType(const std::string& column, const DataType& type) {
  switch (type.kind) {
    case TypeKind::kTimestamp:
      return arrow::utf8();
    case TypeKind::kList:
    case TypeKind::kStruct:
    case TypeKind::kMap:
      return Fail(
          ErrorCode::kTypeMismatch,
          fmt::format("column '{}' is {}, which CSV cannot hold: use Parquet", column, type.ToString()));
    default:
      return ToArrow(type);
  }
}

// One pass over the columns that are not stated.
Result<void> GuessTypes(const SourceFile& file, Types& types, const std::vector<std::string>& unknown,
                        const std::stop_token& stop) {
  TM_ASSIGN(const auto blocks, CsvBlocks::Open(file, {unknown, {}}));
  std::vector<TypePtr> guessed(unknown.size(), arrow::null());
  while (true) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
    TM_ASSIGN(const auto table, blocks->Next());
    if (table == nullptr) break;
    for (std::size_t i = 0; i < unknown.size(); ++i) {
      guessed[i] = UniteCsvTypes(guessed[i], table->schema()->field(static_cast<int>(i))->type());
    }
  }
  for (std::size_t i = 0; i < unknown.size(); ++i)
    types[unknown[i]] = guessed[i];
  return {};
}

class CsvFile final : public DataFile {
 public:
  CsvFile(SourceFile file, std::shared_ptr<arrow::Schema> schema, CsvFileOptions options)
      : file_(std::move(file)), schema_(std::move(schema)), options_(std::move(options)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }

  Result<std::span<const FilePart>> Parts() const override {
    const std::lock_guard lock(mutex_);
    if (parts_.empty()) TM_TRY(Cut());
    return parts_;
  }

  std::optional<ColumnRange> Range(std::size_t, int) const override { return std::nullopt; }

  Result<void> Scan(std::size_t part, std::span<const int> columns, const Sink& sink) const override {
    const auto each = [&](const arrow::ArrayVector& arrays, std::int64_t rows,
                          std::int64_t first) -> Result<bool> {
      for (std::int64_t at = 0; at < rows; at += kBatchRows) {
        const std::int64_t some = std::min(kBatchRows, rows - at);
        arrow::ArrayVector slices;
        for (const auto& array : arrays)
          slices.push_back(array->Slice(at, some));
        TM_TRY(sink(std::move(slices), some, first + at));
      }
      return true;
    };
    return ForEachBlock(part, columns, each);
  }

  Result<arrow::ArrayVector> Take(std::size_t part, std::span<const int> columns,
                                  std::span<const std::int64_t> rows) const override {
    std::vector<arrow::ArrayVector> picked(columns.size());
    std::size_t at = 0;
    const auto each = [&](const arrow::ArrayVector& arrays, std::int64_t count,
                          std::int64_t first) -> Result<bool> {
      arrow::Int64Builder indices;
      for (; at < rows.size() && rows[at] < first + count; ++at) {
        TM_TRY_ARROW(indices.Append(rows[at] - first), ErrorCode::kInternal);
      }
      if (indices.length() == 0) return at < rows.size();
      TM_ASSIGN_ARROW(const auto wanted, indices.Finish(), ErrorCode::kInternal);
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        TM_ASSIGN_ARROW(auto taken, arrow::compute::Take(*arrays[i], *wanted), ErrorCode::kInternal);
        picked[i].push_back(std::move(taken));
      }
      return at < rows.size();
    };
    TM_TRY(ForEachBlock(part, columns, each));
    if (at < rows.size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("row {} is asked of a file that has fewer", rows[at]));
    }
    return Join(columns, picked);
  }

 private:
  // What is in the file is found once: where its parts begin, and the names in its header if there are
  // several.
  Result<void> Cut() const {
    std::vector<CsvPart> cut{CsvPart{}};
    if (!IsCompressed(file_) && file_.size > options_.part_bytes) {
      TM_ASSIGN(const auto header, CsvBlocks::Open(file_, {}));
      names_ = header->names();
      TM_ASSIGN(cut, CutCsv(file_, options_.part_bytes, options_.stop));
    }
    for (std::size_t i = 0; i < cut.size(); ++i) {
      const std::int64_t first = i == 0 ? kCsvFirstDataRow : cut[i].first_row;
      parts_.push_back({first, i + 1 < cut.size() ? cut[i + 1].first_row - first : -1});
    }
    cut_ = std::move(cut);
    return {};
  }

  Result<std::unique_ptr<CsvBlocks>> OpenPart(std::size_t part, CsvRequest request) const {
    TM_TRY(Parts());
    if (cut_.size() == 1) return CsvBlocks::Open(file_, std::move(request));
    return CsvBlocks::OpenPart(file_, cut_[part], names_, std::move(request));
  }

  // Calls each(arrays, rows, first_row) until it returns false.
  template <typename Each>
  Result<void> ForEachBlock(std::size_t part, std::span<const int> columns, const Each& each) const {
    const auto read = [&]() -> Result<void> {
      CsvRequest request;
      for (const int column : columns) {
        request.columns.push_back(schema_->field(column)->name());
        request.types[request.columns.back()] = schema_->field(column)->type();
      }
      // A file is never read as no columns at all: the rows would not be counted.
      if (columns.empty()) request.columns = {schema_->field(0)->name()};
      TM_ASSIGN(const auto blocks, OpenPart(part, std::move(request)));
      std::int64_t first = 0;
      for (bool more = true; more;) {
        TM_ASSIGN(const auto table, blocks->Next());
        if (table == nullptr) break;
        arrow::ArrayVector arrays;
        for (std::size_t i = 0; i < columns.size(); ++i) {
          TM_ASSIGN(auto array, OneArray(*table->column(static_cast<int>(i))));
          arrays.push_back(std::move(array));
        }
        TM_ASSIGN(more, each(arrays, table->num_rows(), first));
        first += table->num_rows();
      }
      return {};
    };
    return UnlessChanged(file_, read());
  }

  static Result<std::shared_ptr<arrow::Array>> OneArray(const arrow::ChunkedArray& chunks) {
    if (chunks.num_chunks() == 1) return chunks.chunk(0);
    if (chunks.num_chunks() == 0) {
      TM_ASSIGN_ARROW(auto none, arrow::MakeEmptyArray(chunks.type()), ErrorCode::kInternal);
      return none;
    }
    TM_ASSIGN_ARROW(auto joined, arrow::Concatenate(chunks.chunks()), ErrorCode::kInvalidData);
    return joined;
  }

  Result<arrow::ArrayVector> Join(std::span<const int> columns,
                                  const std::vector<arrow::ArrayVector>& picked) const {
    arrow::ArrayVector out;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      TM_ASSIGN(auto array, OneArray(arrow::ChunkedArray(picked[i], schema_->field(columns[i])->type())));
      out.push_back(std::move(array));
    }
    return out;
  }

  const SourceFile file_;
  const std::shared_ptr<arrow::Schema> schema_;
  const CsvFileOptions options_;
  mutable std::mutex mutex_;  // guards those below until they are there; then they stay as they are
  mutable std::vector<FilePart> parts_;
  mutable std::vector<CsvPart> cut_;
  mutable std::vector<std::string> names_;
};

}  // namespace

Result<std::shared_ptr<arrow::Schema>> FindCsvSchema(const SourceFile& file,
                                                     const std::map<std::string, DataType>& stated,
                                                     bool guesses, const std::stop_token& stop) {
  std::shared_ptr<arrow::Schema> schema;
  const auto find = [&]() -> Result<void> {
    TM_ASSIGN(const auto header, CsvBlocks::Open(file, {}));
    Types types;
    std::vector<std::string> unknown;
    for (const std::string& name : header->names()) {
      const auto found = stated.find(name);
      if (found == stated.end() && !guesses) {
        types[name] = arrow::utf8();
      } else if (found == stated.end()) {
        unknown.push_back(name);
      } else {
        TM_ASSIGN(types[name], StatedType(name, found->second));
      }
    }
    if (!unknown.empty()) TM_TRY(GuessTypes(file, types, unknown, stop));
    arrow::FieldVector fields;
    for (const std::string& name : header->names())
      fields.push_back(arrow::field(name, types[name]));
    schema = arrow::schema(std::move(fields));
    return {};
  };
  TM_TRY(UnlessChanged(file, find()));
  return schema;
}

std::unique_ptr<DataFile> MakeCsvFile(const SourceFile& file, std::shared_ptr<arrow::Schema> schema,
                                      const CsvFileOptions& options) {
  return std::make_unique<CsvFile>(file, std::move(schema), options);
}

}  // namespace tidemark
