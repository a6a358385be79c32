// Dates as text.
#pragma once

#include <cstdint>
#include <string>

namespace tidemark {

/// `2024-05-01` of days since 1970-01-01, for every number that fits a microsecond count or 32 bits: years
/// outside 0000 to 9999 have a sign.
std::string FormatDate(std::int64_t days);

}  // namespace tidemark
