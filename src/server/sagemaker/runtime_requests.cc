// Over the DOM of simdjson, which checks UTF-8 and nesting.
#include "server/sagemaker/runtime_requests.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <limits>

#include "model/name.h"
#include "rows/json_place.h"

namespace tidemark::sagemaker {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kEntriesMax = 25;
constexpr std::size_t kIdentifiersMax = 100;
constexpr std::size_t kUpdatedFeaturesMax = 100;
constexpr std::int64_t kListMax = 100;
constexpr std::size_t kTokenBytesMax = 8'192;
constexpr std::size_t kBodyBytesMax = std::numeric_limits<std::uint32_t>::max();

std::unexpected<Refusal> Unlike(std::string_view place, std::string_view wanted) {
  return Refuse(Why::kUnreadable, fmt::format("{} is not {}", place, wanted));
}

std::unexpected<Refusal> Missing(std::string_view member) {
  return Refuse(Why::kInvalid, fmt::format("{} is missing: it is required", member));
}

/// A member that is there and not null.
std::optional<dom::element> Member(dom::object object, std::string_view name) {
  dom::element value;
  if (object.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

Answer<std::string_view> TextOf(dom::element value, std::string_view place) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return Unlike(place, "a string");
  return text;
}

Answer<dom::object> ObjectOf(dom::element value, std::string_view place) {
  dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return Unlike(place, "an object");
  return object;
}

Answer<dom::array> ArrayOf(dom::element value, std::string_view place) {
  dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return Unlike(place, "a list");
  return array;
}

Answer<std::string_view> RequiredText(dom::object object, std::string_view name) {
  const auto value = Member(object, name);
  if (!value) return Missing(name);
  return TextOf(*value, name);
}

Answer<std::vector<std::string_view>> TextsOf(dom::element value, std::string_view place) {
  TM_ASSIGN(const dom::array array, ArrayOf(value, place));
  std::vector<std::string_view> texts;
  for (const dom::element item : array) {
    TM_ASSIGN(const std::string_view text, TextOf(item, fmt::format("{}[{}]", place, texts.size())));
    texts.push_back(text);
  }
  return texts;
}

Answer<std::optional<Targets>> ReadTargets(dom::object object) {
  const auto value = Member(object, "TargetStores");
  if (!value) return std::optional<Targets>();
  TM_ASSIGN(const auto names, TextsOf(*value, "TargetStores"));
  TM_ASSIGN(const Targets targets, TargetsOf(names));
  return std::optional(targets);
}

Answer<std::optional<std::int64_t>> ReadTtl(dom::object object) {
  const auto value = Member(object, "TtlDuration");
  if (!value) return std::optional<std::int64_t>();
  TM_ASSIGN(const dom::object ttl, ObjectOf(*value, "TtlDuration"));
  TM_ASSIGN(const std::string_view unit, RequiredText(ttl, "Unit"));
  const auto number = Member(ttl, "Value");
  if (!number) return Missing("TtlDuration.Value");
  std::int64_t count = 0;
  if (number->get(count) != simdjson::SUCCESS) return Unlike("TtlDuration.Value", "a whole number");
  if (const auto us = TtlUs(unit, count)) return us;
  return Refuse(
      Why::kInvalid,
      fmt::format("TtlDuration: {} {} is no length of time; Unit is Seconds, Minutes, Hours, Days or "
                  "Weeks, and Value at least 1",
                  count, Quoted(unit)));
}

Answer<FeatureValue> ReadFeature(dom::element element, std::string_view place) {
  TM_ASSIGN(const dom::object object, ObjectOf(element, place));
  FeatureValue feature;
  TM_ASSIGN(feature.name, RequiredText(object, "FeatureName"));
  const auto text = Member(object, "ValueAsString");
  const auto items = Member(object, "ValueAsStringList");
  if (text.has_value() == items.has_value()) {
    return Refuse(Why::kInvalid,
                  fmt::format("{}, feature {}: exactly one of ValueAsString and ValueAsStringList is given",
                              place, Quoted(feature.name)));
  }
  if (text) {
    TM_ASSIGN(feature.text, TextOf(*text, fmt::format("{}.ValueAsString", place)));
    return feature;
  }
  feature.is_list = true;
  TM_ASSIGN(feature.items, TextsOf(*items, fmt::format("{}.ValueAsStringList", place)));
  return feature;
}

Answer<std::vector<FeatureValue>> ReadRecord(dom::object object, std::string_view member) {
  const auto value = Member(object, member);
  if (!value) return Missing(member);
  TM_ASSIGN(const dom::array array, ArrayOf(*value, member));
  std::vector<FeatureValue> record;
  for (const dom::element element : array) {
    TM_ASSIGN(FeatureValue feature, ReadFeature(element, fmt::format("{}[{}]", member, record.size())));
    record.push_back(std::move(feature));
  }
  if (record.empty())
    return Refuse(Why::kInvalid, fmt::format("{} has no features; at least one is needed", member));
  return record;
}

Answer<WriteEntry> ReadEntry(dom::object object, std::string_view record) {
  WriteEntry entry;
  TM_ASSIGN(entry.record, ReadRecord(object, record));
  TM_ASSIGN(entry.targets, ReadTargets(object));
  TM_ASSIGN(entry.ttl_us, ReadTtl(object));
  return entry;
}

Answer<std::int64_t> ReadCount(dom::object object, std::string_view name, std::int64_t otherwise,
                               std::int64_t max) {
  const auto value = Member(object, name);
  if (!value) return otherwise;
  std::int64_t count = 0;
  if (value->get(count) != simdjson::SUCCESS) return Unlike(name, "a whole number");
  if (count >= 1 && count <= max) return count;
  return Refuse(Why::kInvalid, fmt::format("{} is {}; it may be 1 to {}", name, count, max));
}

Answer<bool> ReadBool(dom::object object, std::string_view name) {
  const auto value = Member(object, name);
  if (!value) return false;
  bool flag = false;
  if (value->get(flag) != simdjson::SUCCESS) return Unlike(name, "true or false");
  return flag;
}

Answer<void> CheckCount(std::string_view what, std::size_t count, std::size_t max) {
  if (count >= 1 && count <= max) return {};
  return Refuse(Why::kInvalid, fmt::format("{} has {} elements; it may have 1 to {}", what, count, max));
}

Answer<BatchIdentifier> ReadIdentifier(dom::element element) {
  TM_ASSIGN(const dom::object object, ObjectOf(element, "Identifiers"));
  BatchIdentifier identifier;
  TM_ASSIGN(identifier.group, RequiredText(object, "FeatureGroupName"));
  const auto values = Member(object, "RecordIdentifiersValueAsString");
  if (!values) return Missing("RecordIdentifiersValueAsString");
  TM_ASSIGN(identifier.identifiers, TextsOf(*values, "RecordIdentifiersValueAsString"));
  TM_TRY(CheckCount("RecordIdentifiersValueAsString", identifier.identifiers.size(), kIdentifiersMax));
  if (const auto names = Member(object, "FeatureNames")) {
    TM_ASSIGN(identifier.features, TextsOf(*names, "FeatureNames"));
  }
  return identifier;
}

}  // namespace

struct RuntimeReader::Parser {
  explicit Parser(std::size_t depth) : depth_max(depth) {}

  Answer<dom::object> Parse(std::string_view body) {
    if (body.empty()) body = "{}";
    if (capacity < body.size()) {
      capacity = std::max<std::size_t>(body.size(), 64UL << 10U);
      if (capacity > kBodyBytesMax || parser.allocate(capacity, depth_max) != simdjson::SUCCESS) {
        capacity = 0;
        return Refuse(Why::kUnavailable, "there is no memory for the request's body");
      }
    }
    dom::element root;
    if (const auto code = parser.parse(body.data(), body.size()).get(root); code != simdjson::SUCCESS) {
      const auto place = json::FindProblem(body, depth_max);
      return Refuse(Why::kUnreadable,
                    fmt::format("the body is no JSON that can be read: {} ({})",
                                simdjson::error_message(code), place ? place->Told() : "somewhere"));
    }
    return ObjectOf(root, "the body");
  }

  const std::size_t depth_max;
  std::size_t capacity = 0;
  dom::parser parser;
};

RuntimeReader::RuntimeReader(std::size_t depth_max) : parser_(std::make_unique<Parser>(depth_max)) {}
RuntimeReader::~RuntimeReader() = default;

Answer<WriteEntry> RuntimeReader::Put(std::string_view body) {
  TM_ASSIGN(const dom::object object, parser_->Parse(body));
  return ReadEntry(object, "Record");
}

Answer<UpdateRequest> RuntimeReader::Update(std::string_view body) {
  TM_ASSIGN(const dom::object object, parser_->Parse(body));
  UpdateRequest update;
  TM_ASSIGN(update.identifier, RequiredText(object, "RecordIdentifierValueAsString"));
  TM_ASSIGN(update.entry, ReadEntry(object, "Features"));
  TM_TRY(CheckCount("Features", update.entry.record.size(), kUpdatedFeaturesMax));
  return update;
}

Answer<std::vector<BatchEntry>> RuntimeReader::BatchWrite(std::string_view body) {
  TM_ASSIGN(const dom::object object, parser_->Parse(body));
  TM_ASSIGN(const auto ttl_us, ReadTtl(object));
  const auto value = Member(object, "Entries");
  if (!value) return Missing("Entries");
  TM_ASSIGN(const dom::array array, ArrayOf(*value, "Entries"));
  TM_TRY(CheckCount("Entries", array.size(), kEntriesMax));
  std::vector<BatchEntry> entries;
  for (const dom::element element : array) {
    BatchEntry& entry = entries.emplace_back();
    entry.json = simdjson::minify(element);
    TM_ASSIGN(const dom::object each, ObjectOf(element, "Entries"));
    auto group = RequiredText(each, "FeatureGroupName");
    auto read = ReadEntry(each, "Record");
    if (!read || !group) {
      entry.refusal = group ? std::move(read).error() : std::move(group).error();
      continue;
    }
    entry.entry = *std::move(read);
    entry.entry.group = *group;
    if (!entry.entry.ttl_us) entry.entry.ttl_us = ttl_us;
  }
  return entries;
}

Answer<BatchGetRequest> RuntimeReader::BatchGet(std::string_view body) {
  TM_ASSIGN(const dom::object object, parser_->Parse(body));
  BatchGetRequest request;
  if (const auto expiry = Member(object, "ExpirationTimeResponse")) {
    TM_ASSIGN(const std::string_view text, TextOf(*expiry, "ExpirationTimeResponse"));
    TM_ASSIGN(request.wants_expiry, WantsExpiry(text));
  }
  const auto value = Member(object, "Identifiers");
  if (!value) return Missing("Identifiers");
  TM_ASSIGN(const dom::array array, ArrayOf(*value, "Identifiers"));
  TM_TRY(CheckCount("Identifiers", array.size(), kIdentifiersMax));
  for (const dom::element element : array) {
    TM_ASSIGN(BatchIdentifier identifier, ReadIdentifier(element));
    request.identifiers.push_back(std::move(identifier));
  }
  return request;
}

Answer<ListRequest> RuntimeReader::List(std::string_view body) {
  TM_ASSIGN(const dom::object object, parser_->Parse(body));
  ListRequest request;
  TM_ASSIGN(request.limit, ReadCount(object, "MaxResults", kListMax, kListMax));
  if (const auto next = Member(object, "NextToken")) {
    TM_ASSIGN(request.next, TextOf(*next, "NextToken"));
    if (request.next.size() > kTokenBytesMax)
      return Refuse(Why::kInvalid, "NextToken is longer than any that was given");
  }
  TM_ASSIGN(request.deleted, ReadBool(object, "IncludeSoftDeletedRecords"));
  return request;
}

Answer<Targets> TargetsOf(const std::vector<std::string_view>& names) {
  Targets targets;
  for (const std::string_view name : names) {
    if (name != "OnlineStore" && name != "OfflineStore") {
      return Refuse(Why::kInvalid,
                    fmt::format("TargetStores has {}; there are OnlineStore and OfflineStore", Quoted(name)));
    }
    (name == "OnlineStore" ? targets.online : targets.offline) = true;
  }
  if (names.empty() || names.size() > 2)
    return Refuse(Why::kInvalid,
                  fmt::format("TargetStores has {} elements; it may have 1 or 2", names.size()));
  return targets;
}

Answer<bool> WantsExpiry(std::string_view text) {
  if (text == "Enabled") return true;
  if (text == "Disabled") return false;
  return Refuse(Why::kInvalid,
                fmt::format("ExpirationTimeResponse is {}; it may be Enabled or Disabled", Quoted(text)));
}

}  // namespace tidemark::sagemaker
