// The frames of /push and /write-to-online-store: {"column": [values]} as rows for the store.
#pragma once

#include <arrow/record_batch.h>
#include <simdjson.h>

#include <cstddef>
#include <memory>
#include <span>

#include "server/catalog/definitions.h"
#include "server/feast/refusal.h"

namespace tidemark::server::feast {

/// Rows for all of these views: their columns, each once, of their types; other columns of the frame are
/// passed over. Values are read as Feast reads them: numbers from text and fractions cut off where an integer
/// is wanted, text from numbers, feature times from seconds since 1970, event times from ISO-8601 text, lists
/// from arrays, structs and maps from objects or their JSON text.
///
/// The event time may be called `event_timestamp`, as Feast's client calls it, whatever the view calls it. A
/// created time that the views have not, or that is null throughout, is as if it were not there.
///
/// Refused: a column that is missing, lists of different lengths, more than `rows_max` rows, a value that
/// does not fit its type.
Answer<std::shared_ptr<arrow::RecordBatch>> ReadFrame(simdjson::dom::object frame,
                                                      std::span<const KnownView* const> views,
                                                      std::size_t rows_max);

}  // namespace tidemark::server::feast
