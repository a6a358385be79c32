// Binary values as text: RFC 4648, section 4.
#pragma once

#include <string>
#include <string_view>

namespace tidemark {

/// Appends `bytes` as base64 with padding.
void AppendBase64(std::string& out, std::string_view bytes);

/// Reads base64, with or without padding, into `out` (replaced). False for anything else, also for bits that
/// stand for nothing.
bool DecodeBase64(std::string_view text, std::string& out);

}  // namespace tidemark
