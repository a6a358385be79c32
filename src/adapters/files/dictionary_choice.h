// Whether a column's values repeat enough for a dictionary.
#pragma once

#include <arrow/array.h>

namespace tidemark {

/// False for numbers and times of which a sample hardly repeats: looking each one up in a dictionary would
/// cost more than writing it, and the file would not be smaller. True for all other columns; the writer
/// itself gives dictionaries up that grow too large.
bool DictionaryPays(const arrow::Array& column);

}  // namespace tidemark
