// Parquet bodies, read from the file that they were put into.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include <filesystem>
#include <memory>

namespace tidemark::server {

/// Batches of the file, row order kept. A few kilobytes may say that they unfold to terabytes: what is
/// unfolded at a time is taken from BodyMemory, and a batch that goes beyond is a CapacityError. Invalid or
/// IOError for a file that is damaged or no Parquet.
arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> OpenParquetRows(const std::filesystem::path& path);

}  // namespace tidemark::server
