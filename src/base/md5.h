// MD5 (RFC 1321), where others' formats want it. Not for secrets, and not against anybody.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tidemark {

std::array<std::byte, 16> Md5(std::string_view bytes);

}  // namespace tidemark
