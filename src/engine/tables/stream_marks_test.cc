// Goal: how far a stream was read reads back from properties and frames, and what is damaged is told.
#include "engine/tables/stream_marks.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

StreamMark MarkOf(std::optional<std::string> read, std::optional<std::string> passed,
                  std::string fingerprint = {}) {
  StreamMark mark{.epoch = 7, .read = {}, .fingerprint = std::move(fingerprint)};
  if (read) mark.read = StreamOffset::Parse(*read);
  if (passed) mark.passed = StreamOffset::Parse(*passed);
  return mark;
}

const std::vector<StreamMark> kMarks = {MarkOf({}, {}), MarkOf("17", {}, "f00"), MarkOf("17.2", {}),
                                        MarkOf("17", "19", "f0"), MarkOf({}, "4")};

TEST(StreamMarks, PropertiesReadBack) {
  TableProperties properties{{"other", "1"}};
  StreamMarks marks;
  for (StreamMark mark : kMarks) {
    const std::string place = "kafka.t." + std::to_string(marks.size());
    mark.made = marks.empty() ? "" : "1700000000";
    properties.emplace(StreamMarkName(place), StreamMarkText(mark, 5));
    marks.emplace(place, mark);
  }
  EXPECT_EQ(StreamMarksOf(properties).value(), marks);
}

TEST(StreamMarks, FramesReadBack) {
  std::vector<StreamPart> parts;
  for (const StreamMark& mark : kMarks)
    parts.push_back({"kafka.t." + std::to_string(parts.size()), mark, std::ssize(parts)});
  const std::string text = StreamPartsText(parts);
  LogRecord record;
  record.stream_offsets = std::as_bytes(std::span(text));
  EXPECT_EQ(StreamPartsOf(record).value(), parts);
}

TEST(StreamMarks, DamageIsToldAndNotPassedOver) {
  for (const char* text : {"", "7", "7 17", "x 17 - 5 -", "7 x - 5 -", "7 17~ - 5 -", "7 17~x - 5 -"}) {
    const auto read = StreamMarksOf({{StreamMarkName("kafka.t.0"), text}});
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  }
}

TEST(StreamMarks, ReadingOnNeverGoesBack) {
  StreamMarks marks;
  const auto read_on = [&](const StreamMark& mark) {
    ReadOn(marks, {"p", mark, 0});
    return marks.at("p");
  };
  EXPECT_EQ(read_on(MarkOf("3", {}, "a")), MarkOf("3", {}, "a"));
  EXPECT_EQ(read_on(MarkOf("3", "4", "a")), MarkOf("3", "4", "a"));
  EXPECT_EQ(read_on(MarkOf("3", {}, "a")), MarkOf("3", "4", "a"));
  EXPECT_EQ(read_on(MarkOf("5", {}, "b")), MarkOf("5", {}, "b"));
}

}  // namespace
}  // namespace tidemark
