// Values of features: the texts that SageMaker sends and wants, and what a table keeps.
#pragma once

#include <arrow/array/builder_base.h>
#include <arrow/type.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/type.h"
#include "server/sagemaker/group.h"
#include "server/sagemaker/refusal.h"
#include "tidemark/event_time.h"

namespace tidemark::sagemaker {

/// `{"FeatureName": ..., "ValueAsString": ...}`, or with a list. Views into what was parsed.
struct FeatureValue {
  std::string_view name;
  std::string_view text;
  std::vector<std::string_view> items = {};
  bool is_list = false;
};

/// An event time as it is compared, and how it was spelt.
struct EventText {
  std::int64_t us = 0;
  TimeSpelling spelling = {};
};
/// Reads `2024-05-01T12:00:00Z` with 0 to 9 digits of a fraction, or seconds since 1970 where the group keeps
/// numbers.
Answer<EventText> ReadEventTime(const Feature& feature, std::string_view text);
/// The text that ReadEventTime read.
std::string EventTimeText(const Feature& feature, const EventText& time);

/// Whether a value fits its feature: its member (text or list), its type, its length.
Answer<void> CheckValue(const Feature& feature, const FeatureValue& value);

/// Appends what CheckValue took; nullptr: null.
void AppendValue(const Feature& feature, const FeatureValue* value, arrow::ArrayBuilder& builder);

/// A number as text that reads back as itself.
void AppendIntegral(std::int64_t value, std::string& out);
void AppendFractional(double value, std::string& out);
void AppendFractional(float value, std::string& out);

std::optional<std::int64_t> ReadIntegral(std::string_view text);
std::optional<double> ReadFractional(std::string_view text);

}  // namespace tidemark::sagemaker
