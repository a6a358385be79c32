// The names of spooled bodies begin with the id of the process, so that those of dead ones are known.
#include "server/rows/body_bytes.h"

#include <arrow/buffer.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is of POSIX
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <vector>

#include "base/file_descriptor.h"

namespace tidemark::server {
namespace {

constexpr std::size_t kBlockBytes = 256UL << 10U;

Error SystemError(std::string_view what, int error) {
  const bool is_full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {.code = is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
          .message = fmt::format("the server cannot {} a file for the rows of the body: {}", what,
                                 std::generic_category().message(error)),
          .context = {}};
}

}  // namespace

Result<std::size_t> WholeBody::Read(std::span<std::byte> into) {
  const std::size_t bytes = std::min(into.size(), rest_.size());
  if (bytes > 0) std::memcpy(into.data(), rest_.data(), bytes);
  rest_.remove_prefix(bytes);
  return bytes;
}

Result<std::string> ReadWhole(http::BodyReader& body, std::size_t bytes_max, std::string_view what) {
  std::string bytes;
  std::size_t length = 0;
  while (true) {
    if (bytes.size() < length + kBlockBytes) bytes.resize(std::max(length + kBlockBytes, bytes.size() * 2));
    TM_ASSIGN(const std::size_t got,
              body.Read(std::as_writable_bytes(std::span(bytes.data() + length, bytes.size() - length))));
    if (got == 0) break;
    length += got;
    if (length > bytes_max) {
      return std::unexpected(Error{
          .code = ErrorCode::kInvalidArgument,
          .message = fmt::format("{} has more than {} bytes, which is the limit (body_max): send rows as "
                                 "NDJSON, Arrow, Parquet or CSV, which are read as they arrive",
                                 what, bytes_max),
          .context = std::string(kBodyTooLarge)});
    }
  }
  bytes.resize(length);
  return bytes;
}

arrow::Status BodyStream::Close() {
  is_closed_ = true;
  return arrow::Status::OK();
}

arrow::Result<std::int64_t> BodyStream::Read(std::int64_t bytes, void* out) {
  std::int64_t done = 0;
  auto* const into = static_cast<std::byte*>(out);
  while (done < bytes) {
    auto got = body_.Read(std::span(into + done, static_cast<std::size_t>(bytes - done)));
    if (!got) {
      error_ = std::move(got).error();
      return arrow::Status::IOError(error_->message);
    }
    if (*got == 0) break;
    done += static_cast<std::int64_t>(*got);
  }
  position_ += done;
  return done;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> BodyStream::Read(std::int64_t bytes) {
  // A length that a client claims is believed piece by piece, as the bytes arrive.
  constexpr std::int64_t kPieceBytes = 16 << 20;
  ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(std::min(bytes, kPieceBytes)));
  std::int64_t done = 0;
  while (done < bytes) {
    const std::int64_t piece = std::min(bytes - done, std::max(kPieceBytes, done));
    ARROW_RETURN_NOT_OK(buffer->Resize(done + piece, false));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t got, Read(piece, buffer->mutable_data() + done));
    done += got;
    if (got < piece) break;
  }
  ARROW_RETURN_NOT_OK(buffer->Resize(done, false));
  return std::shared_ptr<arrow::Buffer>(std::move(buffer));
}

Result<std::unique_ptr<SpooledBody>> SpooledBody::Write(http::BodyReader& body,
                                                        const std::filesystem::path& folder,
                                                        std::string_view ending) {
  static std::atomic<std::uint64_t> count = 0;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return std::unexpected(SystemError("make a folder for", error.value()));
  std::unique_ptr<SpooledBody> spooled(
      new SpooledBody(folder / fmt::format("{}-{}{}", getpid(), count.fetch_add(1), ending)));
  const FileDescriptor file(open(spooled->path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.is_open()) return std::unexpected(SystemError("make", errno));
  std::vector<char> block(kBlockBytes);
  while (true) {
    TM_ASSIGN(const std::size_t got, body.Read(std::as_writable_bytes(std::span(block))));
    if (got == 0) return spooled;
    const int error_number = WriteAll(file, std::as_bytes(std::span(block.data(), got)));
    if (error_number != 0) return std::unexpected(SystemError("write", error_number));
  }
}

SpooledBody::~SpooledBody() {
  std::error_code ignored;  // it is looked for again when the next server starts
  std::filesystem::remove(path_, ignored);
}

void RemoveLeftBodies(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    int process = 0;
    const auto [rest, wrong] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (wrong != std::errc{} || rest == name.data() + name.size() || *rest != '-') continue;
    if (process != getpid() && kill(process, 0) != 0 && errno == ESRCH) {
      std::error_code ignored;  // another server may have removed it
      std::filesystem::remove(entry->path(), ignored);
    }
  }
}

}  // namespace tidemark::server
