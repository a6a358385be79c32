// Marks as text, and back.
#include "engine/tables/stream_marks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/hash.h"

namespace tidemark {
namespace {

constexpr std::string_view kStreamMark = "stream.";
constexpr std::string_view kNothingRead = "-";
constexpr char kPassed = '~';

template <typename Number>
std::optional<Number> MarkNumber(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> MarkWords(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::string MarkText(const StreamMark& mark) {
  const std::string passed = mark.passed ? fmt::format("{}{}", kPassed, mark.passed->text()) : "";
  return fmt::format("{} {}{} {}", mark.epoch, mark.read ? mark.read->text() : kNothingRead, passed,
                     mark.fingerprint.empty() ? kNothingRead : mark.fingerprint);
}

std::optional<StreamMark> ReadMark(std::string_view epoch, std::string_view read,
                                   std::string_view fingerprint) {
  StreamMark mark;
  const auto number = MarkNumber<std::uint64_t>(epoch);
  if (!number) return std::nullopt;
  mark.epoch = *number;
  if (const auto at = read.find(kPassed); at != std::string_view::npos) {
    mark.passed = StreamOffset::Parse(read.substr(at + 1));
    if (!mark.passed) return std::nullopt;
    read = read.substr(0, at);
  }
  if (read != kNothingRead) {
    mark.read = StreamOffset::Parse(read);
    if (!mark.read) return std::nullopt;
  }
  if (fingerprint != kNothingRead) mark.fingerprint = fingerprint;
  return mark;
}

std::string StreamPrefix(const StreamSource& source) {
  if (const auto* const kafka = std::get_if<KafkaSource>(&source))
    return fmt::format("kafka.{}.", kafka->topic);
  return fmt::format("kinesis.{}.", std::get<KinesisSource>(source).stream_name);
}

}  // namespace

std::string StreamPlace(const StreamSource& source, std::string_view partition) {
  return fmt::format("{}{}", StreamPrefix(source), partition);
}

std::optional<std::string> PartitionOfPlace(const StreamSource& source, std::string_view place) {
  const std::string prefix = StreamPrefix(source);
  if (!place.starts_with(prefix)) return std::nullopt;
  place.remove_prefix(prefix.size());
  // A topic's name may have points, a partition's has none.
  if (place.empty() || place.contains('.')) return std::nullopt;
  return std::string(place);
}

std::string FingerprintOf(const StreamMessage& message) {
  std::string bytes = fmt::format("{} {} {} ", message.timestamp_us, message.key.size(), message.has_value);
  for (const auto part : {message.key, message.value})
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  std::string text;
  for (const std::byte byte : Hash128(std::as_bytes(std::span(bytes))))
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

std::string StreamMarkName(std::string_view place) {
  return fmt::format("{}{}", kStreamMark, place);
}

std::string StreamMarkText(const StreamMark& mark, std::int64_t now_us) {
  return fmt::format("{} {} {}", MarkText(mark), now_us, mark.made.empty() ? kNothingRead : mark.made);
}

Result<StreamMarks> StreamMarksOf(const TableProperties& properties) {
  StreamMarks marks;
  for (auto at = properties.lower_bound(std::string(kStreamMark));
       at != properties.end() && at->first.starts_with(kStreamMark); ++at) {
    const auto words = MarkWords(at->second);
    auto mark = words.size() < 3 ? std::nullopt : ReadMark(words[0], words[1], words[2]);
    if (!mark) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("the table's property '{}' does not say how far a stream was read", at->first));
    }
    if (words.size() > 4 && words[4] != kNothingRead) mark->made = words[4];
    marks.emplace(at->first.substr(kStreamMark.size()), *std::move(mark));
  }
  return marks;
}

std::string StreamPartsText(std::span<const StreamPart> parts) {
  std::string text;
  for (const StreamPart& part : parts)
    text += fmt::format("{} {} {}\n", part.place, MarkText(part.mark), part.rows);
  return text;
}

Result<std::vector<StreamPart>> StreamPartsOf(const LogRecord& record) {
  std::string_view text(reinterpret_cast<const char*>(record.stream_offsets.data()),
                        record.stream_offsets.size());
  std::vector<StreamPart> parts;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto words = MarkWords(text.substr(0, end));
    const auto mark = words.size() == 5 ? ReadMark(words[1], words[2], words[3]) : std::nullopt;
    const std::int64_t rows = words.size() == 5 ? MarkNumber<std::int64_t>(words[4]).value_or(-1) : -1;
    if (end == std::string_view::npos || !mark || rows < 0)
      return Fail(ErrorCode::kCorruption, "a logged frame does not say which messages of a stream it has");
    parts.push_back({std::string(words[0]), *mark, rows});
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::size_t PartsThatFit(std::span<const StreamPart> parts) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    bytes += StreamPartsText(parts.subspan(i, 1)).size();
    if (bytes > kStreamOffsetsBytesMax) return i;
  }
  return parts.size();
}

bool StreamPartStands(const StreamPart& part, const StreamMarks& marks) {
  const auto mark = marks.find(part.place);
  return mark == marks.end() || part.mark.epoch >= mark->second.epoch;
}

void ReadOn(StreamMarks& marks, const StreamPart& part) {
  StreamMark& mark = marks[part.place];
  if (std::pair(part.mark.epoch, part.mark.reached()) <= std::pair(mark.epoch, mark.reached())) return;
  std::string made = std::move(mark.made);
  mark = part.mark;
  mark.made = std::move(made);
}

}  // namespace tidemark
