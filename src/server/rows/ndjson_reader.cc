// Lines are parsed where they lie: the block has the padding behind it that the parser reads into.
#include "server/rows/ndjson_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace tidemark::server {
namespace {

constexpr std::size_t kNdjsonBlockBytes = 4UL << 20U;

bool IsBlank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<NdjsonReader>> NdjsonReader::Open(http::BodyReader& body, JsonRowsOptions options,
                                                         std::size_t line_bytes_max) {
  std::unique_ptr<NdjsonReader> reader(new NdjsonReader(body, std::move(options), line_bytes_max));
  TM_TRY(reader->Fill());
  TM_TRY(reader->ForEachLine([&](simdjson::dom::element row) { return reader->objects_.Learn(row); }));
  TM_ASSIGN(reader->first_, reader->Read());
  reader->schema_ = reader->first_->schema();
  return reader;
}

Result<void> NdjsonReader::Fill() {
  if (lines_ > 0) std::memmove(bytes_.data(), bytes_.data() + lines_, held_ - lines_);
  held_ -= std::exchange(lines_, 0);
  while (!is_at_end_ && lines_ == 0) {
    const std::size_t wanted = held_ + kNdjsonBlockBytes;
    if (bytes_.size() < wanted + simdjson::SIMDJSON_PADDING)
      bytes_.resize(wanted + simdjson::SIMDJSON_PADDING);
    while (held_ < wanted) {
      TM_ASSIGN(const std::size_t got,
                body_.Read(std::as_writable_bytes(std::span(bytes_.data() + held_, wanted - held_))));
      if (got == 0) {
        is_at_end_ = true;
        break;
      }
      held_ += got;
    }
    const std::size_t last = std::string_view(bytes_.data(), held_).rfind('\n');
    if (last != std::string_view::npos) lines_ = last + 1;
    if (lines_ == 0 && held_ > line_bytes_max_) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("row {}: the line has more than {} bytes", rows_before_, line_bytes_max_));
    }
  }
  if (is_at_end_) lines_ = held_;
  return {};
}

template <typename Function>
Result<void> NdjsonReader::ForEachLine(const Function& function) {
  std::int64_t row = rows_before_;
  for (std::string_view rest(bytes_.data(), lines_); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (IsBlank(line)) continue;
    if (parser_.max_depth() != depth_max_ || parser_.capacity() < line.size()) {
      if (const auto code = parser_.allocate(std::max(line.size(), parser_.capacity()), depth_max_);
          code != simdjson::SUCCESS) {
        return std::unexpected(JsonErrorOf(code, line, depth_max_).In(fmt::format("row {}", row)));
      }
    }
    simdjson::dom::element value;
    if (const auto code = ParseJsonTree(parser_, line, true, value); code != simdjson::SUCCESS) {
      return std::unexpected(JsonErrorOf(code, line, depth_max_).In(fmt::format("row {}", row)));
    }
    TM_TRY(function(value));
    ++row;
  }
  return {};
}

Result<std::shared_ptr<arrow::RecordBatch>> NdjsonReader::Read() {
  TM_TRY(ForEachLine([&](simdjson::dom::element row) { return objects_.Add(row); }));
  rows_before_ += objects_.rows();
  return objects_.Finish();
}

Result<std::shared_ptr<arrow::RecordBatch>> NdjsonReader::Next() {
  if (first_ != nullptr) return std::exchange(first_, nullptr);
  while (true) {
    TM_TRY(Fill());
    if (lines_ == 0) return nullptr;
    TM_ASSIGN(auto batch, Read());
    if (batch->num_rows() > 0) return batch;
  }
}

}  // namespace tidemark::server
