// What every write of rows into a view needs of its definition, made once for each version of it.
#pragma once

#include <arrow/type.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/catalog.h"
#include "store/packed_row.h"

namespace tidemark {

/// Immutable; shared by the writes that are going on.
struct TableShape {
  CatalogView table;                      // the view as a table (source_rows.h)
  std::shared_ptr<arrow::Schema> schema;  // TableSchema(table)
  std::string encoded_schema;             // as EncodeSchema has it: what frames of rows begin with
  std::string plain_schema;               // as EncodePlainSchema has it: those of plain rows
  PackedLayout layout;                    // of the rows that come online

  static Result<std::shared_ptr<const TableShape>> Of(const CatalogView& view);
};

/// What the columns of a view's table follow from: its version, and its keys, which entities state.
struct TableForm {
  std::int64_t version = 0;
  std::vector<JoinKey> join_keys;

  static TableForm Of(const CatalogView& view) { return {view.version, view.join_keys}; }
  bool Is(const CatalogView& view) const { return version == view.version && join_keys == view.join_keys; }
};

/// The shapes of the views that were written to last, each as it was then. Thread safe.
class TableShapes {
 public:
  Result<std::shared_ptr<const TableShape>> Get(const CatalogView& view);

 private:
  struct Known {
    TableForm form;
    std::shared_ptr<const TableShape> shape;
  };
  std::mutex mutex_;
  std::map<std::uint32_t, Known> known_;  // by the view's id
};

}  // namespace tidemark
