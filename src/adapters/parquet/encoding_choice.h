// How a column is worth writing: with a dictionary, and compressed.
#pragma once

#include <arrow/array.h>
#include <arrow/util/type_fwd.h>

namespace tidemark {

/// False for numbers and times of which a sample hardly repeats: looking each one up in a dictionary would
/// cost more than writing it, and the file would not be smaller. True for all other columns; the writer
/// itself gives dictionaries up that grow too large.
bool DictionaryPays(const arrow::Array& column);

/// True for numbers and times half of which or more are the value before them, as keys in sorted rows are: a
/// dictionary then takes next to no time and space, however many different values there are.
bool HasRuns(const arrow::Array& column);

/// True for integers and times that never go down within a sample and mostly go up by little, as the keys of
/// sorted rows do: what each adds to the one before it takes an eighth of the bytes or less, packed as
/// Parquet's DELTA_BINARY_PACKED packs it, and is read four times as fast as a compressed dictionary. False
/// where values repeat so often that a dictionary has next to none.
bool StepsPay(const arrow::Array& column);

/// False for numbers and times of which `codec` cannot save a fifth, on a sample: taking that little off
/// again would cost more, with every read, than reading it. True for all other columns.
bool CompressionPays(const arrow::Array& column, arrow::Compression::type codec);

}  // namespace tidemark
