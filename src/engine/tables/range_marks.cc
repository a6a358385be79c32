// Ranges as text, and their arithmetic.
#include "engine/tables/range_marks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace tidemark {
namespace {

/// The line without its number and the space behind it; nothing if it does not begin so.
std::optional<std::int64_t> CutTime(std::string_view& line) {
  std::int64_t us = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), us);
  if (error != std::errc() || end == line.data() + line.size() || *end != ' ') return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
  return us;
}

std::optional<DoneRange> ReadRange(std::string_view line) {
  const auto start_us = CutTime(line);
  const auto end_us = start_us ? CutTime(line) : std::nullopt;
  if (!end_us || *start_us >= *end_us || line.empty()) return std::nullopt;
  return DoneRange{{*start_us, *end_us}, std::string(line)};
}

}  // namespace

Result<DoneRanges> DoneRangesOf(const TableProperties& properties) {
  DoneRanges ranges;
  const auto property = properties.find(kDoneRangesProperty);
  if (property == properties.end()) return ranges;
  std::string_view text = property->second;
  while (!text.empty()) {
    const auto line_end = std::min(text.find('\n'), text.size());
    auto range = ReadRange(text.substr(0, line_end));
    const bool is_ordered = range && (ranges.empty() || ranges.back().range.end_us <= range->range.start_us);
    if (!is_ordered) {
      return Fail(ErrorCode::kCorruption,
                  fmt::format("the table's property '{}' does not say which ranges were computed",
                              kDoneRangesProperty));
    }
    ranges.push_back(*std::move(range));
    text.remove_prefix(std::min(line_end + 1, text.size()));
  }
  return ranges;
}

std::string DoneRangesText(const DoneRanges& ranges) {
  std::string text;
  for (const DoneRange& each : ranges)
    text += fmt::format("{} {} {}\n", each.range.start_us, each.range.end_us, each.query);
  return text;
}

DoneRanges WithRange(const DoneRanges& ranges, const DoneRange& added) {
  DoneRanges all = WithoutRange(ranges, added.range);
  const auto after = std::ranges::upper_bound(all, added.range.start_us, {},
                                              [](const DoneRange& each) { return each.range.start_us; });
  all.insert(after, added);
  DoneRanges joined;
  for (DoneRange& each : all) {
    const bool goes_on = !joined.empty() && joined.back().range.end_us == each.range.start_us &&
                         joined.back().query == each.query;
    if (goes_on) {
      joined.back().range.end_us = each.range.end_us;
    } else {
      joined.push_back(std::move(each));
    }
  }
  return joined;
}

DoneRanges WithoutRange(const DoneRanges& ranges, TimeSpan removed) {
  DoneRanges kept;
  for (const DoneRange& each : ranges) {
    const TimeSpan before{each.range.start_us, std::min(each.range.end_us, removed.start_us)};
    const TimeSpan after{std::max(each.range.start_us, removed.end_us), each.range.end_us};
    for (const TimeSpan& part : {before, after}) {
      if (part.start_us < part.end_us) kept.push_back({part, each.query});
    }
  }
  return kept;
}

std::vector<TimeSpan> MissingRanges(const DoneRanges& ranges, TimeSpan wanted) {
  std::vector<TimeSpan> missing;
  std::int64_t from_us = wanted.start_us;
  for (const DoneRange& each : ranges) {
    const std::int64_t until_us = std::min(each.range.start_us, wanted.end_us);
    if (from_us < until_us) missing.push_back({from_us, until_us});
    from_us = std::max(from_us, each.range.end_us);
  }
  if (from_us < wanted.end_us) missing.push_back({from_us, wanted.end_us});
  return missing;
}

bool IsDone(const DoneRanges& ranges, TimeSpan wanted) {
  return MissingRanges(ranges, wanted).empty();
}

}  // namespace tidemark
