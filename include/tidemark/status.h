// What a lookup of one feature says of itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "tidemark/export.h"

namespace tidemark {

/// The numbers are stable: they are in files and on the wire.
enum class Status : std::uint8_t {
  kPresent = 0,        // a value
  kNullValue = 1,      // the row is there and current; this value in it is null
  kNotFound = 2,       // no row of this entity at that moment, or a deleted one
  kOutsideMaxAge = 3,  // the latest row is older than the view's ttl, or past its own expiry
};

/// "PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE".
TIDEMARK_EXPORT std::string_view StatusName(Status status);

}  // namespace tidemark
