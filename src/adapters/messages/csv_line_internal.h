// One line of CSV as RFC 4180 has it: values between delimiters, quoted ones with their quotes doubled.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::messages {

struct CsvValue {
  std::string_view text;  // of the line, or of what CsvLine has unquoted
  bool is_quoted = false;
};

/// Used again for the next line.
class CsvLine {
 public:
  explicit CsvLine(char delimiter) : delimiter_(delimiter) {}

  /// Takes a line apart; it may end in a line end. False, with why, for a quote that is never closed, text
  /// behind a closing quote, and more than one line.
  bool Read(std::string_view line, std::string& why);
  /// Valid until the next Read, and as long as its line.
  const std::vector<CsvValue>& values() const { return values_; }

 private:
  bool ReadQuoted(std::string_view line, std::size_t& at, std::string& why);

  const char delimiter_;
  std::vector<CsvValue> values_;
  std::string unquoted_;  // of values with doubled quotes
};

}  // namespace tidemark::messages
