// Compressed bytes of other engines' metadata, whole again.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::iceberg {

enum class PackedForm : bool { kDeflate, kGzip };

/// kCorruption for what is no such stream, ends early or late, or would grow beyond a GiB: a few bytes could
/// stand for any amount of zeros.
Result<std::string> Inflate(std::string_view packed, PackedForm form);

/// True for what begins as gzip does.
bool IsGzip(std::string_view bytes);

}  // namespace tidemark::iceberg
