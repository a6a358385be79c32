// Fills in what a feature view leaves to its source, and checks the rest against it.
#pragma once

#include <arrow/type_fwd.h>

#include <vector>

#include "engine/catalog.h"
#include "model/definition.h"
#include "store/source.h"

namespace tidemark {

/// Opens the view's source and completes `view` by its columns:
///   join keys        of `entities`: each is a column; a key without a type gets the column's
///   timestamp_field  if not given: the only timestamp column, or else `event_timestamp`
///   fields           if none are given: all columns but join keys and timestamps
/// and checks that every column that is declared is there and can be read as its type. Errors name the view,
/// the column and both types. A source without any data yet is kNotFound unless nothing had to be found out
/// from it.
Result<void> CompleteView(const std::vector<Entity*>& entities, const SourceOpener& open, FeatureView& view);

/// The same for a view whose rows a query computes: its columns are `columns`, of which the event time is the
/// one of table.timestamp_field.
Result<void> CompleteByQuery(const std::vector<Entity*>& entities, const arrow::Schema& columns,
                             FeatureView& view);

/// Gives every field of `view` its id, and clears `renamed_from`. A field keeps the id of the field of its
/// name and type, or of the one it is renamed from, in `before` (null: a new view) or in an older version. So
/// does one whose type has become wider: stored values are widened when they are read. A field of any other
/// type gets a new id, so that no stored value is ever read as what it is not.
void AssignFieldIds(const CatalogView* before, FeatureView& view);

}  // namespace tidemark
