// Both sources answer the same questions, so that a route need not know which of them it has.
#include "server/v1/request_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "model/name.h"
#include "model/time.h"

namespace tidemark::server {
namespace {

namespace dom = simdjson::dom;

std::optional<std::int64_t> ToInteger(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> ToTime(std::string_view text) {
  if (const auto us = ToInteger(text)) return us;
  return ParseTimestampUs(text);
}

}  // namespace

RequestOptions::RequestOptions(const http::Request& request) : request_(&request), what_("the query") {}

RequestOptions::RequestOptions(dom::element object, std::string_view what) : what_(what) {
  dom::object members;
  if (object.get_object().get(members) == simdjson::SUCCESS) {
    object_ = members;
  } else {
    error_ = Error{.code = ErrorCode::kInvalidArgument,
                   .message = fmt::format("{} is no JSON object", what),
                   .context = {}};
  }
}

void RequestOptions::Wrong(std::string_view name, std::string_view wanted) {
  if (error_) return;
  error_ = Error{.code = ErrorCode::kInvalidArgument,
                 .message = fmt::format("'{}' must be {}", name, wanted),
                 .context = what_};
}

std::optional<dom::element> RequestOptions::Member(std::string_view name) {
  asked_.emplace_back(name);
  dom::element value;
  if (!object_ || object_->at_key(name).get(value) != simdjson::SUCCESS || value.is_null())
    return std::nullopt;
  return value;
}

std::optional<std::string> RequestOptions::Parameter(std::string_view name) {
  asked_.emplace_back(name);
  return request_->Query(name);
}

std::string RequestOptions::Text(std::string_view name) {
  if (request_ != nullptr) return Parameter(name).value_or("");
  const auto value = Member(name);
  if (!value) return {};
  std::string_view text;
  if (value->get_string().get(text) != simdjson::SUCCESS) Wrong(name, "a text");
  return std::string(text);
}

std::string RequestOptions::NeededText(std::string_view name) {
  std::string text = Text(name);
  if (text.empty()) Wrong(name, "given, as a text that is not empty");
  return text;
}

bool RequestOptions::Flag(std::string_view name, bool otherwise) {
  if (request_ != nullptr) {
    const auto text = Parameter(name);
    if (!text) return otherwise;
    if (*text != "true" && *text != "false") Wrong(name, "true or false");
    return *text == "true";
  }
  const auto value = Member(name);
  bool flag = otherwise;
  if (value && value->get_bool().get(flag) != simdjson::SUCCESS) Wrong(name, "true or false");
  return flag;
}

std::optional<std::int64_t> RequestOptions::Integer(std::string_view name) {
  std::optional<std::int64_t> number;
  if (request_ != nullptr) {
    const auto text = Parameter(name);
    if (!text) return std::nullopt;
    number = ToInteger(*text);
  } else {
    const auto value = Member(name);
    if (!value) return std::nullopt;
    if (value->is_int64()) number = value->get_int64().value_unsafe();
  }
  if (!number) Wrong(name, "an integer");
  return number;
}

std::optional<std::int64_t> RequestOptions::Time(std::string_view name) {
  std::optional<std::int64_t> us;
  if (request_ != nullptr) {
    const auto text = Parameter(name);
    if (!text) return std::nullopt;
    us = ToTime(*text);
  } else {
    const auto value = Member(name);
    if (!value) return std::nullopt;
    if (value->is_int64()) us = value->get_int64().value_unsafe();
    if (std::string_view text; value->get_string().get(text) == simdjson::SUCCESS)
      us = ParseTimestampUs(text);
  }
  if (!us) Wrong(name, "a time: ISO-8601, or an integer of microseconds since 1970");
  return us;
}

std::vector<std::string> RequestOptions::Texts(std::string_view name) {
  if (request_ != nullptr) {
    asked_.emplace_back(name);
    repeatable_.emplace_back(name);
    return request_->QueryAll(name);
  }
  std::vector<std::string> texts;
  const auto value = Member(name);
  if (!value) return texts;
  dom::array array;
  if (value->get_array().get(array) != simdjson::SUCCESS) {
    Wrong(name, "a list of texts");
    return texts;
  }
  for (const dom::element item : array) {
    std::string_view text;
    if (item.get_string().get(text) != simdjson::SUCCESS) {
      Wrong(name, "a list of texts");
      return {};
    }
    texts.emplace_back(text);
  }
  return texts;
}

std::optional<dom::element> RequestOptions::Element(std::string_view name) {
  return Member(name);
}

TableReadOptions RequestOptions::Reading() {
  return {.as_of_us = Time("as_of"), .snapshot_id = Integer("snapshot_id"), .at_least = Text("at_least")};
}

// An option that was misread would be one that its sender did not mean: a dry run that writes.
Result<void> RequestOptions::End() {
  if (error_) return std::unexpected(*error_);
  std::vector<std::string> seen;
  const auto check = [&](std::string_view name) -> Result<void> {
    if (std::ranges::find(asked_, name) == asked_.end()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} has no option '{}'{}", what_, name, Suggest(name, asked_)));
    }
    if (std::ranges::find(repeatable_, name) != repeatable_.end()) return {};
    if (std::ranges::find(seen, name) != seen.end()) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{} has '{}' twice", what_, name));
    }
    seen.emplace_back(name);
    return {};
  };
  if (object_) {
    for (const auto [name, value] : *object_)
      TM_TRY(check(name));
    return {};
  }
  TM_TRY(request_->CheckQuery());
  asked_.emplace_back("format");  // of the answer: WantedFormat reads it
  for (std::string_view rest = request_->query; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    std::string name;
    http::PercentDecode(pair.substr(0, pair.find('=')), name);
    TM_TRY(check(name));
  }
  return {};
}

}  // namespace tidemark::server
