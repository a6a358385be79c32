// An Avro file written anew with some of its values replaced, whatever its schema; all else stays as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adapters/iceberg/avro_file.h"
#include "base/function_ref.h"
#include "base/result.h"

namespace tidemark::iceberg {

/// Asked for every field of a row (from 0) that is no record, those of records in it included: reads the
/// value from `in` and writes another one of `type` to `out`, or answers false without reading.
using AvroReplacement = FunctionRef<Result<bool>(std::int64_t row, int field_id, const AvroType& type,
                                                 AvroDecoder& in, AvroEncoder& out)>;

/// The new file's bytes, not compressed. kCorruption, kUnsupported as OpenAvroFile and ReadAvroRows.
Result<std::string> RewriteAvroFile(std::string_view bytes, AvroReplacement replace);

}  // namespace tidemark::iceberg
