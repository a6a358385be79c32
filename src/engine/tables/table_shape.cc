// Shapes are made without a lock: two writers may make the same one, and either is kept.
#include "engine/tables/table_shape.h"

#include "engine/online_rows.h"
#include "engine/tables/plain_frames.h"
#include "engine/tables/source_rows.h"
#include "engine/tables/table_rows.h"

namespace tidemark {

Result<std::shared_ptr<const TableShape>> TableShape::Of(const CatalogView& view) {
  CatalogView table = AsTable(view);
  auto schema = TableSchema(table);
  TM_ASSIGN(std::string encoded, EncodeSchema(*schema));
  TM_ASSIGN(std::string plain, EncodePlainSchema(*schema));
  PackedLayout layout = CurrentLayout(view);
  return std::make_shared<const TableShape>(TableShape{
      std::move(table), std::move(schema), std::move(encoded), std::move(plain), std::move(layout)});
}

Result<std::shared_ptr<const TableShape>> TableShapes::Get(const CatalogView& view) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(view.id);
    if (known != known_.end() && known->second.form.Is(view)) return known->second.shape;
  }
  TM_ASSIGN(auto shape, TableShape::Of(view));
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(view.id, Known{TableForm::Of(view), shape});
  return shape;
}

}  // namespace tidemark
