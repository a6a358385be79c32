// The conformance suite of Stream: what every adapter must do. An adapter's test registers what makes a
// topic:
//
//   INSTANTIATE_TEST_SUITE_P(Kafka, StreamConformance, testing::Values(StreamUnderTest{"kafka", MakeTopic}),
//                            StreamName);
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/stream.h"

namespace tidemark::testing_support {

/// A topic with two partitions, "0" and "1", that a test writes to.
class TestTopic {
 public:
  virtual ~TestTopic() = default;
  /// No value: a tombstone. The message is there when this returns.
  virtual void Add(int partition, const std::string& key, const std::optional<std::string>& value) = 0;
  virtual std::unique_ptr<Stream> Open(const std::string& group) = 0;
};

struct StreamUnderTest {
  std::string name;
  std::function<std::unique_ptr<TestTopic>()> make;
  bool has_groups = true;  // members share partitions
};

class StreamConformance : public testing::TestWithParam<StreamUnderTest> {};

/// The name of an instance, for INSTANTIATE_TEST_SUITE_P.
std::string StreamName(const testing::TestParamInfo<StreamUnderTest>& info);

}  // namespace tidemark::testing_support
