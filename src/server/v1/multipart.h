// Bodies of several parts: multipart/form-data (RFC 7578), read as they arrive.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::server {

/// One part after the other; this reads the bytes of the present one.
class MultipartBody final : public http::BodyReader {
 public:
  struct Part {
    std::string name;
    std::string content_type;
  };

  /// `boundary` is that of the Content-Type.
  MultipartBody(http::BodyReader& body, std::string_view boundary);

  /// Passes over what is left of the present part. Nothing at the end. kInvalidArgument for a body that is no
  /// multipart, or ends within a part.
  Result<std::optional<Part>> Next();
  Result<std::size_t> Read(std::span<std::byte> into) override;

 private:
  Result<bool> Fill();  // false: there is no more
  Result<std::string> TakeLine();
  std::string_view held() const { return std::string_view(bytes_).substr(begin_); }

  http::BodyReader& body_;
  const std::string delimiter_;
  std::string bytes_ = "\r\n";  // so that a boundary at the front looks like the others
  std::size_t begin_ = 0;
  bool is_at_end_ = false;
  bool is_over_ = false;  // the last boundary was seen
};

}  // namespace tidemark::server
