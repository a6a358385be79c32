// Bytes are given out up to where a boundary could begin.
#include "server/v1/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "server/rows/formats.h"

namespace tidemark::server {
namespace {

constexpr std::size_t kBlockBytes = 64UL << 10U;
constexpr std::size_t kHeaderBytesMax = 8UL << 10U;
constexpr std::size_t kHeadersMax = 32;

std::unexpected<Error> Malformed(std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("the multipart body {}", why));
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

MultipartBody::MultipartBody(http::BodyReader& body, std::string_view boundary)
    : body_(body), delimiter_(fmt::format("\r\n--{}", boundary)) {}

Result<bool> MultipartBody::Fill() {
  if (is_at_end_) return false;
  bytes_.erase(0, begin_);
  begin_ = 0;
  const std::size_t length = bytes_.size();
  bytes_.resize(length + kBlockBytes);
  auto got = body_.Read(std::as_writable_bytes(std::span(bytes_.data() + length, kBlockBytes)));
  bytes_.resize(length + (got ? *got : 0));
  if (!got) return std::unexpected(std::move(got).error());
  is_at_end_ = *got == 0;
  return !is_at_end_;
}

Result<std::string> MultipartBody::TakeLine() {
  while (true) {
    const std::size_t end = held().find("\r\n");
    if (end != std::string_view::npos) {
      std::string line(held().substr(0, end));
      begin_ += end + 2;
      return line;
    }
    if (held().size() > kHeaderBytesMax) return Malformed("has a header that is too long");
    TM_ASSIGN(const bool has_more, Fill());
    if (!has_more) return Malformed("ends within the headers of a part");
  }
}

Result<std::size_t> MultipartBody::Read(std::span<std::byte> into) {
  while (true) {
    const std::size_t boundary = held().find(delimiter_);
    std::size_t ready = boundary;
    if (boundary == std::string_view::npos) {
      // What may be the beginning of a boundary stays.
      ready = held().size() - std::min(held().size(), delimiter_.size() - 1);
      if (ready == 0) {
        TM_ASSIGN(const bool has_more, Fill());
        if (!has_more) return Malformed("ends within a part, without its boundary");
        continue;
      }
    }
    const std::size_t bytes = std::min(ready, into.size());
    if (bytes > 0) std::memcpy(into.data(), held().data(), bytes);
    begin_ += bytes;
    return bytes;
  }
}

Result<std::optional<MultipartBody::Part>> MultipartBody::Next() {
  if (is_over_) return std::nullopt;
  std::array<std::byte, 4'096> passed{};
  while (true) {
    TM_ASSIGN(const std::size_t got, Read(passed));
    if (got == 0) break;
  }
  begin_ += delimiter_.size();
  while (held().size() < 2) {
    TM_ASSIGN(const bool has_more, Fill());
    if (!has_more) return Malformed("ends within a boundary");
  }
  if (held().starts_with("--")) {
    is_over_ = true;
    while (true) {  // what is behind the last boundary means nothing
      begin_ = bytes_.size();
      TM_ASSIGN(const bool has_more, Fill());
      if (!has_more) return std::nullopt;
    }
  }
  TM_ASSIGN(const std::string rest, TakeLine());
  if (!Trimmed(rest).empty()) return Malformed("has something behind a boundary");
  Part part;
  for (std::size_t i = 0; i < kHeadersMax; ++i) {
    TM_ASSIGN(const std::string line, TakeLine());
    if (line.empty()) return part;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view name = Trimmed(std::string_view(line).substr(0, colon));
    const std::string_view value = Trimmed(std::string_view(line).substr(std::min(colon + 1, line.size())));
    if (EqualInAnyCase(name, "content-type")) part.content_type = value;
    if (EqualInAnyCase(name, "content-disposition")) part.name = HeaderParameter(value, "name").value_or("");
  }
  return Malformed("has a part with too many headers");
}

}  // namespace tidemark::server
