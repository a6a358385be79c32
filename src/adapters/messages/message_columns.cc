// Over the columns that JSON bodies fill.
#include "adapters/messages/message_columns_internal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"
#include "model/name.h"
#include "rows/json_place.h"

namespace tidemark::messages {
namespace {

namespace dom = simdjson::dom;
using Role = WantedColumn::Role;

/// "true" is true of deletions: some connectors write them as text.
JsonPolicy PolicyOf(const WantedColumn& column, bool texts_as_csv) {
  return {.text_numbers = column.role == Role::kDeletion, .texts_as_csv = texts_as_csv};
}

std::vector<std::string> KeyNames(const WantedColumns& wanted) {
  std::vector<std::string> names;
  for (const WantedColumn& column : wanted.columns()) {
    if (column.role == Role::kJoinKey) names.push_back(column.name);
  }
  return names;
}

}  // namespace

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<void> PrepareParser(dom::parser& parser) {
  constexpr std::size_t kFirstBytes = 4'096;  // it grows with the texts
  if (parser.allocate(kFirstBytes, kJsonDepthMax) == simdjson::SUCCESS) return {};
  return Fail(ErrorCode::kOutOfSpace, "there is no memory for a JSON parser");
}

bool ParseMessageJson(dom::parser& parser, std::string_view text, dom::element& root, std::string& why) {
  const auto code = ParseJsonTree(parser, text, false, root);
  if (code == simdjson::SUCCESS) [[likely]]
    return true;
  if (code == simdjson::DEPTH_ERROR) {
    why = fmt::format("the JSON is nested deeper than {}", kJsonDepthMax);
    return false;
  }
  const auto place = json::FindProblem(text, kJsonDepthMax);
  why = fmt::format("no JSON: {}{}", simdjson::error_message(code),
                    place ? fmt::format(" ({})", place->Told()) : "");
  return false;
}

MessageColumns::MessageColumns(const WantedColumns& wanted, bool texts_as_csv) : wanted_(wanted) {
  for (const WantedColumn& column : wanted.columns())
    columns_.emplace_back(column.name, column.type, PolicyOf(column, texts_as_csv));
}

template <typename AppendTo>
bool MessageColumns::AppendWith(std::size_t member, std::int64_t row, std::string& why,
                                const AppendTo& append) {
  for (const std::size_t number : wanted_.members()[member].columns) {
    JsonColumn& column = columns_[number];
    if (column.rows() > row) {
      why = fmt::format("{} is there twice", Quoted(wanted_.members()[member].name));
      return false;
    }
    if (!append(column)) return false;
  }
  return true;
}

bool MessageColumns::Append(std::size_t member, dom::element value, std::int64_t row, std::string& why) {
  return AppendWith(member, row, why,
                    [&](JsonColumn& column) { return column.AppendOrPlaceholder(value, why); });
}

bool MessageColumns::AppendText(std::size_t member, std::string_view text, std::int64_t row,
                                std::string& why) {
  return AppendWith(member, row, why,
                    [&](JsonColumn& column) { return column.AppendTextOrPlaceholder(text, why); });
}

Result<void> MessageColumns::FillWithNulls(std::int64_t rows) {
  for (JsonColumn& column : columns_)
    TM_TRY(column.FillWithNulls(rows));
  return {};
}

Result<arrow::ArrayVector> MessageColumns::Finish() {
  arrow::ArrayVector arrays;
  for (JsonColumn& column : columns_) {
    TM_ASSIGN(arrays.emplace_back(), column.Finish());
  }
  return arrays;
}

bool MessageColumns::AppendKeyObject(dom::object object, std::int64_t row, std::string& why) {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const WantedColumn& wanted = wanted_.columns()[i];
    if (wanted.role != Role::kJoinKey) continue;
    dom::element value;
    if (object.at_key(wanted.member).get(value) != simdjson::SUCCESS &&
        object.at_key(wanted.name).get(value) != simdjson::SUCCESS) {
      why = fmt::format("the key of a tombstone has no {}", Quoted(wanted.member));
      return false;
    }
    if (columns_[i].rows() == row && !columns_[i].AppendOrPlaceholder(value, why)) return false;
  }
  return true;
}

bool MessageColumns::AppendOnlyKey(std::string_view key, std::int64_t row, std::string& why) {
  const auto wanted = std::ranges::find(wanted_.columns(), Role::kJoinKey, &WantedColumn::role);
  JsonColumn& column = columns_[static_cast<std::size_t>(wanted - wanted_.columns().begin())];
  TM_CHECK(column.rows() == row, "tombstones fill keys only");
  dom::element value;
  std::string_view text;
  std::string no_json;
  const bool is_quoted = key.starts_with('"') && ParseMessageJson(key_parser_, key, value, no_json) &&
                         value.get_string().get(text) == simdjson::SUCCESS;
  return column.AppendTextOrPlaceholder(is_quoted ? text : key, why);
}

bool MessageColumns::AppendKey(std::string_view key, std::int64_t row, std::string& why) {
  if (!is_prepared_) {
    if (const auto prepared = PrepareParser(key_parser_); !prepared) {
      why = prepared.error().message;
      return false;
    }
    is_prepared_ = true;
  }
  if (key.empty() || !simdjson::validate_utf8(key.data(), key.size())) {
    why = key.empty() ? "a tombstone without a key" : "the key of a tombstone is no UTF-8 text";
    return false;
  }
  dom::element root;
  dom::object object;
  if (key.starts_with('{') && ParseMessageJson(key_parser_, key, root, why) &&
      root.get_object().get(object) == simdjson::SUCCESS) {
    return AppendKeyObject(object, row, why);
  }
  if (wanted_.join_keys() == 1) return AppendOnlyKey(key, row, why);
  why = fmt::format("the key of a tombstone, {}, is no JSON object with the join keys {}", Quoted(key),
                    fmt::join(KeyNames(wanted_), ", "));
  return false;
}

Result<void> AddTombstone(const StreamMessage& message, std::size_t number, MessageColumns& columns,
                          DecodedRows& rows) {
  std::string why;
  if (columns.AppendKey(TextOf(message.key), rows.count(), why)) {
    rows.Add(number, true);
  } else {
    rows.AddBroken(number, std::move(why));
  }
  return columns.FillWithNulls(rows.count());
}

}  // namespace tidemark::messages
