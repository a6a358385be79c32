// A source in memory: for tests of what lies above a source, with everything a real one may do to them.
// Batches are slices with an offset, fragments may not know their rows, and every read is counted.
#pragma once

#include <arrow/record_batch.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/source.h"

namespace tidemark::testing_support {

struct MemoryFile {
  std::string path;
  std::shared_ptr<arrow::RecordBatch> rows;
  std::int64_t fragment_rows =
      0;  // like Parquet: fragments of so many rows, with ranges; 0: like CSV, one, uncounted
  std::int64_t mtime_ns = 0;  // another one is a changed file
};

class MemorySource final : public Source {
 public:
  struct Reads {
    std::atomic<std::int64_t> scanned_fragments{0};
    std::atomic<std::int64_t> taken_rows{0};
  };

  /// Files in the order of their paths, all with the columns of the first. `reads` may be null.
  MemorySource(std::vector<MemoryFile> files, std::shared_ptr<Reads> reads);

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<SourceFile>& files() const override { return source_files_; }
  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                            const std::vector<std::string>& columns) const override;
  Result<void> Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                    const BatchSink& sink) const override;
  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                   const std::vector<std::string>& columns,
                                                   std::span<const std::int64_t> rows) const override;

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> Rows(const Fragment& fragment,
                                                   const std::vector<std::string>& columns) const;

  std::vector<MemoryFile> files_;
  std::shared_ptr<Reads> reads_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<SourceFile> source_files_;
};

/// One column of a batch that a test writes down: `["1", null, "2"]` as JSON of Arrow's testing form.
struct TextColumn {
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  std::string json;
};
std::shared_ptr<arrow::RecordBatch> BatchOf(const std::vector<TextColumn>& columns);

}  // namespace tidemark::testing_support
