// A machine of five states over the bytes; long stretches without meaning are skipped by memchr.
#include "adapters/files/csv_rows.h"

#include <arrow/io/file.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "adapters/files/arrow_error.h"
#include "adapters/files/data_file.h"

namespace tidemark {
namespace {

constexpr std::int64_t kReadBytes = 4 << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsRowEnd(char c) {
  return c == '\n' || c == '\r';
}

}  // namespace

void CsvRowScanner::BeginRow(std::int64_t offset) {
  ++row_;
  if (part_bytes_ == 0) return;
  if (parts_.empty()) {
    parts_.push_back({0, -1, row_});
  } else if (offset - parts_.back().offset >= part_bytes_) {
    parts_.back().bytes = offset - parts_.back().offset;
    parts_.push_back({offset, -1, row_});
  }
}

std::size_t CsvRowScanner::SkipPlain(std::string_view text, std::size_t at) const {
  if (place_ == Place::kQuotedValue) {
    const void* quote = std::memchr(text.data() + at, '"', text.size() - at);
    return quote == nullptr ? text.size()
                            : static_cast<std::size_t>(static_cast<const char*>(quote) - text.data());
  }
  while (at < text.size() && text[at] != ',' && !IsRowEnd(text[at]))
    ++at;
  return at;
}

Result<void> CsvRowScanner::Take(std::string_view text) {
  const std::int64_t begin = offset_;
  offset_ += static_cast<std::int64_t>(text.size());
  std::size_t at = begin == 0 && text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  for (; at < text.size(); ++at) {
    if (place_ == Place::kPlainValue || place_ == Place::kQuotedValue) {
      at = SkipPlain(text, at);
      if (at == text.size()) break;
    }
    const char c = text[at];
    switch (place_) {
      case Place::kQuotedValue:
        place_ = Place::kQuoteInQuoted;
        continue;
      case Place::kQuoteInQuoted:
        if (c == '"') {
          place_ = Place::kQuotedValue;
          continue;
        }
        if (c != ',' && !IsRowEnd(c)) {
          return Fail(
              ErrorCode::kInvalidData,
              fmt::format("row {} (the header is row 1): text follows a closing quote: a quote before it was "
                          "never closed, or one within a quoted value is not doubled",
                          row_));
        }
        break;
      case Place::kRowStart:
        if (IsRowEnd(c)) continue;
        BeginRow(begin + static_cast<std::int64_t>(at));
        [[fallthrough]];
      case Place::kValueStart:
        if (c == '"') {
          place_ = Place::kQuotedValue;
          continue;
        }
        break;
      case Place::kPlainValue:
        break;
    }
    place_ = c == ',' ? Place::kValueStart : IsRowEnd(c) ? Place::kRowStart : Place::kPlainValue;
  }
  return {};
}

Result<void> CsvRowScanner::End() const {
  if (place_ != Place::kQuotedValue) return {};
  return Fail(ErrorCode::kInvalidData,
              fmt::format("row {} (the header is row 1): a quote that opens there is never closed", row_));
}

Result<std::vector<CsvPart>> CutCsv(const SourceFile& file, std::int64_t part_bytes,
                                    const std::stop_token& stop) {
  CsvRowScanner scanner;
  scanner.CutEvery(part_bytes);
  const auto scan = [&]() -> Result<void> {
    TM_ASSIGN(const auto input, OpenUnchanged(file));
    while (true) {
      if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      TM_ASSIGN_ARROW(const auto read, input->Read(kReadBytes), ErrorCode::kIo);
      if (read->size() == 0) return scanner.End();
      TM_TRY(scanner.Take(
          {reinterpret_cast<const char*>(read->data()), static_cast<std::size_t>(read->size())}));
    }
  };
  TM_TRY(UnlessChanged(file, scan()));
  return scanner.parts();
}

}  // namespace tidemark
