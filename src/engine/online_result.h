// What an OnlineResult holds: flat buffers that are filled again and again.
#pragma once

#include <arrow/builder.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/type.h"
#include "tidemark/online.h"

namespace tidemark {

/// How one column of the answer is held.
struct ResultColumn {
  std::string name;
  DataType type;
  ValueForm form = ValueForm::kFixed;
  std::size_t width = 0;       // kFixed: bytes of a value
  std::size_t fixed_base = 0;  // kFixed: widths of the columns laid before it; times rows is where it begins
  std::size_t place = 0;       // kText, kNested: index among the columns of that form
  std::size_t view = 0;        // index into the views of the request
};

/// The columns of a prepared request; shared by all results that it filled.
struct ResultShape {
  std::vector<ResultColumn> columns;
  std::size_t fixed_width = 0;  // of all kFixed columns together
  std::size_t texts = 0;
  std::size_t nesteds = 0;
  std::size_t views = 0;

  /// Lays fixed columns out widest first, so that each begins at a multiple of its width for any rows.
  static std::shared_ptr<const ResultShape> Make(std::vector<ResultColumn> columns, std::size_t views);
};

/// A column of a result as an array; what is not kPresent is null.
Result<std::shared_ptr<arrow::Array>> ArrayOfColumn(OnlineResult& result, std::size_t column);

struct OnlineResult::Impl {
  /// Makes room for `row_count` rows of `wanted`, all kNotFound.
  void Reset(std::shared_ptr<const ResultShape> wanted, std::size_t row_count);
  /// Neither rows nor columns.
  void Clear();

  std::byte* FixedAt(const ResultColumn& column, std::size_t row) {
    return fixed.data() + column.fixed_base * rows + row * column.width;
  }
  Status& StatusAt(std::size_t column, std::size_t row) { return statuses[column * rows + row]; }
  StoredRow& StoredAt(std::size_t view, std::size_t row) { return stored[view * rows + row]; }
  std::int64_t& EventAt(std::size_t view, std::size_t row) { return events[view * rows + row]; }

  std::unique_ptr<OnlineResult> fetched;  // what computed columns are computed from

  /// Text columns are filled row by row, each row once.
  struct Text {
    std::string bytes;
    std::vector<std::size_t> ends;
  };

  std::shared_ptr<const ResultShape> shape;
  std::size_t rows = 0;
  std::vector<std::byte> fixed;
  std::vector<Status> statuses;      // column by column
  std::vector<StoredRow> stored;     // view by view
  std::vector<std::int64_t> events;  // view by view; 0 where there is no row, or a deletion
  std::vector<Text> texts;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> nested;
  std::vector<std::shared_ptr<arrow::Array>> nested_done;  // finished builders
  // Scratch of the reader, kept here so that a lookup allocates nothing.
  std::string key_bytes;
  std::vector<std::size_t> key_ends;
  std::vector<std::string_view> keys;
};

}  // namespace tidemark
