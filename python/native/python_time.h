// datetime and date objects as microseconds and days since 1970, and back.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>

namespace tidemark::python {

/// Loads Python's datetime API; once, before the others.
void LoadDateTime();

/// Microseconds of a datetime (naive is UTC); nothing if `value` is not one.
std::optional<std::int64_t> MicrosFrom(nanobind::handle value);

/// An aware datetime in UTC; raises for years that Python does not have.
nanobind::object DateTimeFrom(std::int64_t us);

/// A date; raises for years that Python does not have.
nanobind::object DateFrom(std::int32_t days);

}  // namespace tidemark::python
