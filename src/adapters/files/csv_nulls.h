// Empty text and no text, told apart.
#pragma once

#include <arrow/csv/options.h>
#include <arrow/result.h>
#include <arrow/table.h>

#include <functional>
#include <memory>

namespace tidemark {

/// Parses the same text again with other options for its columns.
using CsvReread =
    std::function<arrow::Result<std::shared_ptr<arrow::Table>>(const arrow::csv::ConvertOptions& convert)>;

/// `table` with nulls in its text and binary columns where the file has nothing between two commas; `""`
/// stays empty text, and words such as NA stay words. Arrow has one list of null words for all columns of a
/// file, so columns with empty values, and only those, are read a second time.
arrow::Result<std::shared_ptr<arrow::Table>> WithNullText(std::shared_ptr<arrow::Table> table,
                                                          const CsvReread& reread);

}  // namespace tidemark
