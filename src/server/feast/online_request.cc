// Two walks over the body: the first one finds what is asked for, the second one reads the entities, whose
// types are then known.
#include "server/feast/online_request.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <utility>

#include "model/name.h"
#include "server/feast/body_shape.h"
#include "server/json/json_text.h"

namespace tidemark::server::feast {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::array<BodyField, 5> kFields{
    {{.name = "entities", .shape = Shape::kColumns, .is_required = true},
     {.name = "feature_service", .shape = Shape::kTextOrNull},
     {.name = "features", .shape = Shape::kTexts},
     {.name = "full_feature_names", .shape = Shape::kFlag},
     {.name = "include_feature_view_version_metadata", .shape = Shape::kFlag}}};

/// The token with what follows it cut off: simdjson gives it out with the white space behind it.
std::string_view Token(std::string_view token) {
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

/// Whether a name needs unescaping, so that comparing its bytes would not do.
bool IsEscaped(ondemand::raw_json_string name) {
  for (const char* at = name.raw(); *at != '"'; ++at) {
    if (*at == '\\') return true;
  }
  return false;
}

bool TakeFlag(ondemand::value value, bool& flag) {
  return value.get_bool().get(flag) == simdjson::SUCCESS;
}

bool TakesIntegers(const DataType& type) {
  return type.kind == TypeKind::kInt64 || type.kind == TypeKind::kInt32;
}

std::unexpected<Refusal> RefuseValue(std::string_view name, std::size_t row, const DataType& type,
                                     std::string_view token) {
  if (token == "null") {
    return Refuse(400, fmt::format("entity column {}, row {}: a join key cannot be null", Quoted(name), row));
  }
  return Refuse(400, fmt::format("entity column {}, row {}: {} is no value of the join key's type {}",
                                 Quoted(name), row, Quoted(token.substr(0, 64)), type.ToString()));
}

}  // namespace

// The walks over one body, and what simdjson needs for them.
class OnlineRequestReader::Walk {
 public:
  bool Open(std::string_view body, Asked& asked, bool& wants_versions);
  Answer<Read> ReadColumns(const PreparedLookup& lookup, std::size_t rows_max, Entities& entities);

 private:
  bool TakeField(ondemand::field& field, Asked& asked, bool& wants_versions);
  Answer<void> TakeRequest(std::string_view name, ondemand::array values, std::size_t rows_max,
                           Entities& entities);
  Answer<Read> ReadColumn(std::string_view name, ondemand::array values, const PreparedLookup::Key& key,
                          std::size_t rows_max, EntityColumn& column);

  ondemand::parser parser_;
  std::string text_;  // the body with the padding that the parser asks for
  ondemand::document document_;
  bool has_entities_ = false;
};

OnlineRequestReader::OnlineRequestReader() : walk_(std::make_unique<Walk>()) {}
OnlineRequestReader::~OnlineRequestReader() = default;

bool OnlineRequestReader::Open(std::string_view body) {
  return walk_->Open(body, asked_, wants_versions_);
}

Answer<OnlineRequestReader::Read> OnlineRequestReader::ReadEntities(const PreparedLookup& lookup,
                                                                    std::size_t rows_max,
                                                                    Entities& entities) {
  entities.Clear(lookup.keys.size());
  TM_ASSIGN(const Read read, walk_->ReadColumns(lookup, rows_max, entities));
  if (read == Read::kMalformed) return read;
  std::string missing;
  for (std::size_t i = 0; i < lookup.keys.size(); ++i) {
    if (std::ranges::find(entities.given, i) != entities.given.end()) continue;
    missing.append(missing.empty() ? "" : ", ").append(Quoted(lookup.keys[i].name));
  }
  if (!missing.empty()) {
    return Refuse(
        400,
        fmt::format("Missing join key values for keys: {}. Give a column of each in \"entities\"", missing));
  }
  for (const auto& [name, type] : lookup.requests) {
    if (std::ranges::find(entities.requested, name) != entities.requested.end()) continue;
    return RefuseAs(404, "RequestDataNotFoundInEntityRowsException",
                    fmt::format("Missing request data {} of type {}, which on-demand features are computed "
                                "from. Give a column of it in \"entities\"",
                                Quoted(name), type.ToString()));
  }
  if (entities.rows == 0)
    return Refuse(400, "\"entities\" has no rows: give at least one value of each join key");
  return read;
}

bool OnlineRequestReader::Walk::Open(std::string_view body, Asked& asked, bool& wants_versions) {
  asked = {};
  wants_versions = has_entities_ = false;
  text_.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  text_.assign(body);
  ondemand::object root;
  if (parser_.iterate(text_.data(), text_.size(), text_.size() + simdjson::SIMDJSON_PADDING).get(document_) !=
          simdjson::SUCCESS ||
      document_.get_object().get(root) != simdjson::SUCCESS) {
    return false;
  }
  for (auto each : root) {
    ondemand::field field;
    if (std::move(each).get(field) != simdjson::SUCCESS || !TakeField(field, asked, wants_versions))
      return false;
  }
  // Nothing may follow: there is no place behind the end.
  if (document_.current_location().error() != simdjson::OUT_OF_BOUNDS) return false;
  // A service counts where both are given.
  if (!asked.service.empty()) asked.features = {};
  return has_entities_ && !(asked.service.empty() && asked.features.empty());
}

bool OnlineRequestReader::Walk::TakeField(ondemand::field& field, Asked& asked, bool& wants_versions) {
  const ondemand::raw_json_string name = field.key();
  if (IsEscaped(name)) return false;
  ondemand::value& value = field.value();
  if (name == "features") {
    ondemand::array list;
    return asked.features.empty() && value.get_array().get(list) == simdjson::SUCCESS &&
           list.raw_json().get(asked.features) == simdjson::SUCCESS;
  }
  if (name == "entities") {
    ondemand::object columns;
    return !std::exchange(has_entities_, true) && value.get_object().get(columns) == simdjson::SUCCESS;
  }
  if (name == "feature_service") {
    if (!asked.service.empty()) return false;
    ondemand::json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    if (type == ondemand::json_type::null) return value.is_null();
    if (type != ondemand::json_type::string) return false;
    asked.service = Token(value.raw_json_token());
    ondemand::raw_json_string text;
    return value.get_raw_json_string().get(text) == simdjson::SUCCESS && asked.service.size() > 2;
  }
  if (name == "full_feature_names") return TakeFlag(value, asked.full_feature_names);
  if (name == "include_feature_view_version_metadata") return TakeFlag(value, wants_versions);
  return true;
}

Answer<OnlineRequestReader::Read> OnlineRequestReader::Walk::ReadColumns(const PreparedLookup& lookup,
                                                                         std::size_t rows_max,
                                                                         Entities& entities) {
  document_.rewind();
  ondemand::object root;
  ondemand::object columns;
  if (document_.get_object().get(root) != simdjson::SUCCESS ||
      root.find_field("entities").get_object().get(columns) != simdjson::SUCCESS) {
    return Read::kMalformed;
  }
  std::string_view first;
  for (auto each : columns) {
    ondemand::field field;
    std::string_view name;
    ondemand::array values;
    if (std::move(each).get(field) != simdjson::SUCCESS ||
        field.unescaped_key().get(name) != simdjson::SUCCESS ||
        field.value().get_array().get(values) != simdjson::SUCCESS) {
      return Read::kMalformed;
    }
    std::size_t rows = 0;
    if (const std::size_t key = lookup.KeyOf(name); key == PreparedLookup::kNoKey) {
      if (values.count_elements().get(rows) != simdjson::SUCCESS) return Read::kMalformed;
      if (lookup.IsRequest(name)) {
        TM_TRY(TakeRequest(name, values, rows_max, entities));
      }
    } else {
      EntityColumn& column = entities.columns[key];
      if (std::ranges::find(entities.given, key) == entities.given.end()) entities.given.push_back(key);
      column.Clear();
      TM_ASSIGN(const Read read, ReadColumn(name, values, lookup.keys[key], rows_max, column));
      if (read == Read::kMalformed) return read;
      rows = column.size();
    }
    if (first.data() == nullptr) {
      first = name;
      entities.rows = rows;
    } else if (rows != entities.rows) {
      return Refuse(400,
                    fmt::format("All entity rows must have the same columns: {} has {} values and {} has {}",
                                Quoted(first), entities.rows, Quoted(name), rows));
    }
  }
  return Read::kDone;
}

// Request data are kept as they are written: they have types that keys have not.
Answer<void> OnlineRequestReader::Walk::TakeRequest(std::string_view name, ondemand::array values,
                                                    std::size_t rows_max, Entities& entities) {
  std::size_t rows = 0;
  std::string_view written;
  if (values.count_elements().get(rows) != simdjson::SUCCESS ||
      values.raw_json().get(written) != simdjson::SUCCESS) {
    return Refuse(422, fmt::format("entity column {} is not a list", Quoted(name)));
  }
  if (rows > rows_max) {
    return Refuse(400,
                  fmt::format("entity column {} has more than {} values, which is the limit of one request",
                              Quoted(name), rows_max));
  }
  if (std::ranges::find(entities.requested, name) != entities.requested.end()) {
    return Refuse(422, fmt::format("entity column {} is given twice", Quoted(name)));
  }
  if (!entities.requests.empty()) entities.requests.push_back(',');
  json::AppendText(entities.requests, name);
  entities.requests.append(":").append(written);
  entities.requested.emplace_back(name);
  return {};
}

Answer<OnlineRequestReader::Read> OnlineRequestReader::Walk::ReadColumn(std::string_view name,
                                                                        ondemand::array values,
                                                                        const PreparedLookup::Key& key,
                                                                        std::size_t rows_max,
                                                                        EntityColumn& column) {
  const bool takes_integers = TakesIntegers(key.type);
  const bool takes_texts = key.type.kind == TypeKind::kString;
  for (auto each : values) {
    ondemand::value value;
    if (std::move(each).get(value) != simdjson::SUCCESS) return Read::kMalformed;
    if (column.size() >= rows_max) {
      return Refuse(400,
                    fmt::format("entity column {} has more than {} values, which is the limit of one request",
                                Quoted(name), rows_max));
    }
    if (takes_integers) {
      std::int64_t integer = 0;
      if (value.get_int64().get(integer) == simdjson::SUCCESS) {
        if (key.type.kind == TypeKind::kInt32 && integer != static_cast<std::int32_t>(integer)) {
          return RefuseValue(name, column.size(), key.type, std::to_string(integer));
        }
        column.Add(integer);
        continue;
      }
    } else if (takes_texts) {
      std::string_view text;
      if (value.get_string().get(text) == simdjson::SUCCESS) {
        column.Add(text);
        continue;
      }
    }
    const std::string_view token = Token(value.raw_json_token());
    if (!AddCoerced(key.type, token, column)) return RefuseValue(name, column.size(), key.type, token);
  }
  return Read::kDone;
}

Answer<std::string> Normalize(std::string_view body, std::size_t depth_max) {
  BodyReader reader;
  TM_ASSIGN(const auto root, reader.Read(body, depth_max, kFields));
  std::string text = "{\"entities\":";
  text.append(simdjson::minify(*Find(root, "entities")));
  if (const auto service = TextOf(root, "feature_service"); service && !service->empty()) {
    text.append(",\"feature_service\":");
    json::AppendText(text, *service);
  }
  text.append(",\"features\":");
  const auto features = Find(root, "features");
  text.append(features ? simdjson::minify(*features) : "[]");
  for (const std::string_view flag : {"full_feature_names", "include_feature_view_version_metadata"})
    text.append(fmt::format(",\"{}\":{}", flag, FlagOf(root, flag, false)));
  text.push_back('}');
  return text;
}

}  // namespace tidemark::server::feast
