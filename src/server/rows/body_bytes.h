// Bodies as bytes: whole ones, parts of multipart ones, and those that Arrow reads or that go to a file
// first.
#pragma once

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::server {

/// The context of errors about bodies that are larger than a limit: 413.
inline constexpr std::string_view kBodyTooLarge = "size of the body";

/// A body that is there already, which must outlive it.
class WholeBody final : public http::BodyReader {
 public:
  explicit WholeBody(std::string_view bytes) : rest_(bytes) {}
  Result<std::size_t> Read(std::span<std::byte> into) override;

 private:
  std::string_view rest_;
};

/// All of a body. kInvalidArgument, with kBodyTooLarge as its context, if it is longer than `bytes_max`,
/// which `what` is limited to.
Result<std::string> ReadWhole(http::BodyReader& body, std::size_t bytes_max, std::string_view what);

/// A body as Arrow reads it. Arrow knows errors as text only: `error` tells that of the body.
class BodyStream final : public arrow::io::InputStream {
 public:
  explicit BodyStream(http::BodyReader& body) : body_(body) {}

  arrow::Status Close() override;
  bool closed() const override { return is_closed_; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  arrow::Result<std::int64_t> Read(std::int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t bytes) override;

  const std::optional<Error>& error() const { return error_; }

 private:
  http::BodyReader& body_;
  std::int64_t position_ = 0;
  bool is_closed_ = false;
  std::optional<Error> error_;
};

/// A file that a body was written to, removed with this object.
class SpooledBody {
 public:
  /// Writes all of the body to a new file of `folder` (made if it is not there) whose name ends in `ending`.
  /// kOutOfSpace if the disk is full.
  static Result<std::unique_ptr<SpooledBody>> Write(http::BodyReader& body,
                                                    const std::filesystem::path& folder,
                                                    std::string_view ending);
  SpooledBody(const SpooledBody&) = delete;
  SpooledBody& operator=(const SpooledBody&) = delete;
  ~SpooledBody();

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit SpooledBody(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Removes what processes that are gone have left in the folder of spooled bodies.
void RemoveLeftBodies(const std::filesystem::path& folder);

}  // namespace tidemark::server
