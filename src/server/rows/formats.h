// The formats that rows come and go in.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::server {

enum class RowFormat : std::uint8_t { kJson, kNdjson, kCsv, kArrow, kParquet };

/// "application/json", ...: a constant.
std::string_view ContentTypeOf(RowFormat format);

/// The format that a Content-Type names, its parameters passed over; also the usual other spellings
/// (application/x-parquet, application/jsonl). kUnsupported with those there are. Empty: JSON.
Result<RowFormat> FormatOfContentType(std::string_view content_type);

/// The format of a short name: "json", "ndjson", "csv", "arrow", "parquet". kInvalidArgument.
Result<RowFormat> FormatOfName(std::string_view name);

/// The format that a request wants its answer in: its query parameter `format`, or else the best of its
/// Accept; JSON if it says nothing. kUnsupported if it accepts none of ours.
Result<RowFormat> WantedFormat(const http::Request& request);

/// The value of a parameter of a header's value: of `multipart/form-data; boundary="x"`, that of "boundary".
std::optional<std::string_view> HeaderParameter(std::string_view value, std::string_view name);

/// A header's value without its parameters, white space trimmed.
std::string_view WithoutParameters(std::string_view value);

/// Whether two texts of ASCII are the same in any case.
bool EqualInAnyCase(std::string_view one, std::string_view other);

}  // namespace tidemark::server
