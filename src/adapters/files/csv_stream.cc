// A pass for the types that are not stated, then a pass over the blocks.
#include "adapters/files/csv_stream.h"

#include <arrow/table.h>

#include <optional>
#include <utility>

#include "adapters/files/csv_blocks.h"
#include "adapters/files/csv_file.h"
#include "adapters/files/file_listing.h"
#include "adapters/parquet/data_file.h"
#include "base/result.h"
#include "pit/arrow_status.h"

namespace tidemark {
namespace {

class CsvStream final : public arrow::RecordBatchReader {
 public:
  explicit CsvStream(SourceFile file) : file_(std::move(file)) {}

  Result<void> Open(const std::map<std::string, DataType>& column_types, const std::stop_token& stop) {
    TM_ASSIGN(schema_, FindCsvSchema(file_, column_types, /*guesses=*/true, stop));
    CsvRequest request;
    for (const auto& field : schema_->fields())
      request.types[field->name()] = field->type();
    TM_ASSIGN(blocks_, CsvBlocks::Open(file_, std::move(request)));
    return {};
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    const auto read = UnlessChanged(file_, Next(*batch));
    return read ? arrow::Status::OK() : ToStatus(Error(read.error()).In("file " + file_.path));
  }

 private:
  Result<void> Next(std::shared_ptr<arrow::RecordBatch>& batch) {
    while (true) {
      if (batches_) TM_TRY(FromArrowStatus(batches_->ReadNext(&batch)));
      if (batch != nullptr) return {};
      TM_ASSIGN(const auto block, blocks_->Next());
      if (block == nullptr) return {};
      batches_.emplace(block);
    }
  }

  const SourceFile file_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<CsvBlocks> blocks_;
  std::optional<arrow::TableBatchReader> batches_;  // of the block that is being handed over
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> OpenCsvStream(
    const std::filesystem::path& path, const std::map<std::string, DataType>& column_types,
    const std::stop_token& stop) {
  TM_ASSIGN(const struct stat found, StatFile(path));
  SourceFile file = DescribeFile(path, found);
  auto rows = std::make_shared<CsvStream>(std::move(file));
  if (auto opened = rows->Open(column_types, stop); !opened) {
    return std::unexpected(std::move(opened).error().In("file " + path.string()));
  }
  return rows;
}

}  // namespace tidemark
