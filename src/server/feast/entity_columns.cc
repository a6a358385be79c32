// Coercion of single values, by the key's type.
#include "server/feast/entity_columns.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "rows/base64.h"

namespace tidemark::server::feast {
namespace {

constexpr std::int64_t kUsPerSecond = 1'000'000;

/// All of `text` as an integer, or as a float that is one.
std::optional<std::int64_t> WholeNumber(std::string_view text) {
  const char* const end = text.data() + text.size();
  std::int64_t value = 0;
  if (const auto [at, code] = std::from_chars(text.data(), end, value); code == std::errc{} && at == end) {
    return value;
  }
  double number = 0;
  const auto [at, code] = std::from_chars(text.data(), end, number);
  constexpr double kExactMax = 9007199254740992.0;  // 2^53: beyond, a float may stand for another integer
  if (code != std::errc{} || at != end || std::abs(number) > kExactMax || std::trunc(number) != number) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(number);
}

std::string_view Trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  return text;
}

bool AddInteger(const DataType& type, std::string_view text, EntityColumn& column) {
  auto value = WholeNumber(Trimmed(text));
  if (!value) return false;
  if (type.kind == TypeKind::kInt32 && *value != static_cast<std::int32_t>(*value)) return false;
  if (type.kind == TypeKind::kTimestamp) {
    constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / kUsPerSecond;
    if (*value > kSecondsMax || *value < -kSecondsMax) return false;
    *value *= kUsPerSecond;
  }
  column.Add(*value);
  return true;
}

bool AddBool(std::string_view text, EntityColumn& column) {
  if (text == "true" || text == "1" || text == "True") {
    column.Add(true);
  } else if (text == "false" || text == "0" || text == "False") {
    column.Add(false);
  } else {
    return false;
  }
  return true;
}

bool AddText(const DataType& type, std::string_view text, bool is_text, EntityColumn& column) {
  if (type.kind == TypeKind::kString) {
    if (!is_text && (text == "true" || text == "false")) return false;
    column.Add(column.Keep(std::string(text)));
    return true;
  }
  std::string bytes;
  if (!is_text || !DecodeBase64(text, bytes)) return false;
  column.Add(column.Keep(std::move(bytes)));
  return true;
}

}  // namespace

void EntityColumn::Clear() {
  count_ = 0;
  integers_.clear();
  texts_.clear();
  kept_.clear();
}

void EntityColumn::Add(bool value) {
  if (count_ == bools_room_) {
    const std::size_t room = std::max<std::size_t>(64, bools_room_ * 2);
    auto more = std::make_unique<bool[]>(room);  // NOLINT(modernize-avoid-c-arrays)
    std::copy_n(bools_.get(), count_, more.get());
    bools_ = std::move(more);
    bools_room_ = room;
  }
  bools_[count_++] = value;
}

KeyColumn EntityColumn::Values(const DataType& type) const {
  switch (type.kind) {
    case TypeKind::kBool:
      return std::span<const bool>(bools_.get(), count_);
    case TypeKind::kString:
    case TypeKind::kBinary:
      return std::span<const std::string_view>(texts_);
    default:
      return std::span<const std::int64_t>(integers_);
  }
}

void Entities::Clear(std::size_t keys) {
  columns.resize(std::max(columns.size(), keys));
  for (EntityColumn& column : columns)
    column.Clear();
  given.clear();
  requests.clear();
  requested.clear();
  rows = 0;
}

bool AddCoerced(const DataType& type, std::string_view token, EntityColumn& column) {
  token = Trimmed(token);
  const bool is_text = token.starts_with('"');
  std::string unescaped;
  if (is_text) {
    simdjson::dom::parser parser;
    std::string_view text;
    if (parser.parse(simdjson::padded_string(token)).get(text) != simdjson::SUCCESS) return false;
    unescaped = text;
    token = unescaped;
  } else if (token.starts_with('[') || token.starts_with('{') || token == "null") {
    return false;
  }
  switch (type.kind) {
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kTimestamp:
      return AddInteger(type, token, column);
    case TypeKind::kBool:
      return AddBool(token, column);
    case TypeKind::kString:
    case TypeKind::kBinary:
      return AddText(type, token, is_text, column);
    default:
      return false;
  }
}

}  // namespace tidemark::server::feast
