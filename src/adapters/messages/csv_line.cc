// One pass; only values with doubled quotes are copied.
#include "adapters/messages/csv_line_internal.h"

#include <fmt/format.h>

namespace tidemark::messages {

bool CsvLine::ReadQuoted(std::string_view line, std::size_t& at, std::string& why) {
  const std::size_t begin = ++at;
  const std::size_t copied = unquoted_.size();
  bool is_copied = false;
  std::size_t from = begin;
  while (true) {
    const std::size_t quote = line.find('"', at);
    if (quote == std::string_view::npos) {
      why = fmt::format("value {}: a quote that is never closed", values_.size() + 1);
      return false;
    }
    at = quote + 1;
    if (at == line.size() || line[at] != '"') break;
    unquoted_.append(line.substr(from, at - from));  // one of the two quotes
    from = ++at;
    is_copied = true;
  }
  std::string_view text = line.substr(begin, at - 1 - begin);
  if (is_copied) {
    unquoted_.append(line.substr(from, at - 1 - from));
    text = std::string_view(unquoted_).substr(copied);
  }
  values_.push_back({.text = text, .is_quoted = true});
  if (at == line.size() || line[at] == delimiter_) return true;
  why = fmt::format("value {}: text behind a closing quote", values_.size());
  return false;
}

bool CsvLine::Read(std::string_view line, std::string& why) {
  values_.clear();
  unquoted_.clear();
  unquoted_.reserve(line.size());  // so that values in it stay where they are
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const char plain_ends[] = {delimiter_, '\n', '\r'};
  std::size_t at = 0;
  while (true) {
    if (at < line.size() && line[at] == '"') {
      if (!ReadQuoted(line, at, why)) return false;
    } else {
      const std::size_t end = std::min(line.find_first_of(std::string_view(plain_ends, 3), at), line.size());
      if (end < line.size() && line[end] != delimiter_) {
        why = "more than one line";
        return false;
      }
      values_.push_back({.text = line.substr(at, end - at)});
      at = end;
    }
    if (at == line.size()) return true;
    ++at;  // the delimiter; behind it there is a value, maybe an empty one
  }
}

}  // namespace tidemark::messages
