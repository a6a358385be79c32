// Compares definitions member by member.
#include "engine/definition_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/redaction.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark {
namespace {

using Lines = std::vector<std::string>;

/// Collects the lines of one comparison.
class Comparison {
 public:
  void Value(std::string_view what, const std::string& before, const std::string& after) {
    if (before != after) lines_.push_back(fmt::format("{}: {} -> {}", what, Shown(before), Shown(after)));
  }
  void Text(std::string_view what, const std::string& before, const std::string& after) {
    Value(what, before.empty() ? "" : Quoted(before), after.empty() ? "" : Quoted(after));
  }
  void Map(std::string_view what, const Tags& before, const Tags& after) {
    for (const auto& [key, value] : before) {
      const auto kept = after.find(key);
      Text(fmt::format("{} {}", what, Quoted(key)), value, kept == after.end() ? "" : kept->second);
    }
    for (const auto& [key, value] : after) {
      if (!before.contains(key)) Add(fmt::format("{} {}: added ({})", what, Quoted(key), Quoted(value)));
    }
  }
  void About(const Metadata& before, const Metadata& after) {
    Text("description", before.description, after.description);
    Text("owner", before.owner, after.owner);
    Map("tag", before.tags, after.tags);
  }
  void Add(std::string line) { lines_.push_back(std::move(line)); }
  Lines Take() { return std::move(lines_); }

 private:
  static std::string_view Shown(std::string_view value) { return value.empty() ? "(none)" : value; }
  Lines lines_;
};

/// As std::ranges::contains, which this compiler's library lacks.
template <typename Range, typename Value, typename Projection = std::identity>
bool Contains(const Range& range, const Value& value, Projection projection = {}) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

std::string TypeText(const std::optional<DataType>& type) {
  return type ? type->ToString() : "";
}

std::string FormatText(const std::optional<FileFormat>& format) {
  return format ? std::string(FileFormatName(*format)) : "";
}

const JoinKey* FindKey(const Entity& entity, std::string_view name) {
  const auto found = std::ranges::find(entity.join_keys, name, &JoinKey::name);
  return found == entity.join_keys.end() ? nullptr : &*found;
}

/// What place() is of.
std::string_view PlaceWord(const BatchSource& source) {
  if (source.warehouse) return WarehouseKindName(source.warehouse->kind);
  return source.table.empty() ? "path" : "table";
}

std::string SourceType(const BatchSource& source) {
  return source.warehouse ? std::string(WarehouseKindName(source.warehouse->kind)) : "file";
}

/// A line, which shows no secret, says that one has changed.
void CompareSecret(std::string_view what, std::string_view name, const std::string& before,
                   const std::string& after, Comparison& comparison) {
  const std::string shown = RedactOption(name, after);
  comparison.Text(what, RedactOption(name, before), shown);
  if (before != after && RedactOption(name, before) == shown)
    comparison.Add(fmt::format("{}: another secret", what));
}

void CompareWarehouses(const Warehouse& before, const Warehouse& after, Comparison& comparison) {
  comparison.Text("source driver", before.driver, after.driver);
  comparison.Text("source entrypoint", before.entrypoint, after.entrypoint);
  CompareSecret("source uri", "uri", before.uri, after.uri, comparison);
  comparison.Text("source catalog", before.catalog, after.catalog);
  comparison.Text("source schema", before.schema, after.schema);
  comparison.Text("source table", before.table, after.table);
  comparison.Text("source query", before.query, after.query);
  comparison.Value("source timeout", FormatDurationUs(before.timeout_us), FormatDurationUs(after.timeout_us));
  std::set<std::string> names;
  for (const auto* options : {&before.options, &after.options}) {
    for (const auto& [name, value] : *options)
      names.insert(name);
  }
  const auto value_of = [](const auto& options, const std::string& name) {
    const auto found = options.find(name);
    return found == options.end() ? std::string() : found->second;
  };
  for (const std::string& name : names) {
    CompareSecret(fmt::format("source option {}", Quoted(name)), name, value_of(before.options, name),
                  value_of(after.options, name), comparison);
  }
}

void CompareSources(const BatchSource& before, const BatchSource& after, Comparison& comparison) {
  comparison.Text("source name", before.name, after.name);
  comparison.Text("source path", before.path, after.path);
  comparison.Text("source table", before.table, after.table);
  comparison.Value("source format", FormatText(before.format), FormatText(after.format));
  comparison.Value("source type", SourceType(before), SourceType(after));
  if (before.warehouse || after.warehouse) {
    const Warehouse none;
    CompareWarehouses(before.warehouse.value_or(none), after.warehouse.value_or(none), comparison);
  }
  comparison.Value("timestamp field", before.timestamp_field, after.timestamp_field);
  comparison.Value("created timestamp column", before.created_timestamp_column,
                   after.created_timestamp_column);
  comparison.Map("source column", before.field_mapping, after.field_mapping);
  comparison.Text("source description", before.metadata.description, after.metadata.description);
  comparison.Text("source owner", before.metadata.owner, after.metadata.owner);
  comparison.Map("source tag", before.metadata.tags, after.metadata.tags);
}

void CompareTables(const TableOptions& before, const TableOptions& after, Comparison& comparison) {
  comparison.Value("timestamp field", before.timestamp_field, after.timestamp_field);
  comparison.Value("timestamp type", before.timestamp_type.ToString(), after.timestamp_type.ToString());
  comparison.Value("timestamp unit", std::string(TimeUnitName(before.timestamp_unit)),
                   std::string(TimeUnitName(after.timestamp_unit)));
  comparison.Value("created timestamp column", before.created_timestamp_column,
                   after.created_timestamp_column);
  comparison.Value("partitions", fmt::format("{}", fmt::join(before.partitions, ", ")),
                   fmt::format("{}", fmt::join(after.partitions, ", ")));
  comparison.Text("database", before.database, after.database);
  comparison.Value("in the catalog", before.catalog ? "yes" : "no", after.catalog ? "yes" : "no");
}

/// What a query reads, as a plan shows it.
std::string QuerySources(const BatchQuery& batch) {
  std::vector<std::string> texts = batch.views;
  for (const BatchSource& source : batch.sources)
    texts.push_back(fmt::format("{} ({})", source.name, source.place()));
  return fmt::format("{}", fmt::join(texts, ", "));
}

void CompareQueries(const BatchQuery& before, const BatchQuery& after, Comparison& comparison) {
  comparison.Text("query", before.sql, after.sql);
  comparison.Value("query sources", QuerySources(before), QuerySources(after));
  if (before.sql != after.sql || before.sources != after.sources || before.views != after.views) {
    comparison.Add(
        "rows that were computed before stay as they are: `tidemark backfill --restart` computes a range "
        "anew");
  }
  for (const BatchSource& source : after.sources) {
    const auto old = std::ranges::find(before.sources, source.name, &BatchSource::name);
    if (old != before.sources.end()) CompareSources(*old, source, comparison);
  }
}

std::string PushText(const FeatureView& view) {
  return view.push ? Quoted(view.push->name) : "";
}

/// The members of the stream that the view reads; none if it reads none.
std::map<std::string, std::string> StreamOf(const FeatureView& view) {
  if (view.kafka) return StreamMembers(*view.kafka);
  if (view.kinesis) return StreamMembers(*view.kinesis);
  return {};
}

/// `kafka 'driver_events'`: what a view reads, in short.
std::string StreamText(const FeatureView& view) {
  if (view.kafka) return "kafka " + Quoted(view.kafka->name);
  if (view.kinesis) return "kinesis " + Quoted(view.kinesis->name);
  return "";
}

void CompareStreams(const FeatureView& before, const FeatureView& after, Comparison& comparison) {
  comparison.Value("push source", PushText(before), PushText(after));
  const auto stream_before = StreamOf(before);
  const auto stream_after = StreamOf(after);
  if (stream_before.empty() || stream_after.empty() || before.kafka.has_value() != after.kafka.has_value()) {
    comparison.Value("stream source", StreamText(before), StreamText(after));
  } else {
    comparison.Map("stream source", stream_before, stream_after);
  }
}

std::string InputsText(const StreamTransformation& transformation) {
  std::vector<std::string> inputs;
  for (const Field& input : transformation.inputs)
    inputs.push_back(fmt::format("{} {}", input.name, input.type.ToString()));
  return fmt::format("{}", fmt::join(inputs, ", "));
}

/// Rows that are there stay what they are.
void CompareTransformations(const FeatureView& before, const FeatureView& after, Comparison& comparison) {
  const StreamTransformation none;
  const StreamTransformation& was = before.transformation ? *before.transformation : none;
  const StreamTransformation& is = after.transformation ? *after.transformation : none;
  comparison.Value("inputs of messages", InputsText(was), InputsText(is));
  comparison.Map("expression of", was.expressions, is.expressions);
  comparison.Text("filter", was.filter, is.filter);
  if (was != is) comparison.Add("messages that were read before are not computed again");
  if (before.transformation.has_value() != after.transformation.has_value())
    comparison.Value("a stream feature view", before.transformation ? "yes" : "no",
                     after.transformation ? "yes" : "no");
}

void CompareField(const Field& before, const Field& after, Comparison& comparison) {
  if (before.name != after.name)
    comparison.Add(fmt::format("field {} renamed from {}", after.name, before.name));
  if (before.type != after.type) {  // of one id: it has become wider
    comparison.Add(fmt::format("field {}: {} -> {} (online values are widened when they are read)",
                               after.name, before.type.ToString(), after.type.ToString()));
  }
  comparison.Text(fmt::format("field {} description", after.name), before.description, after.description);
  comparison.Map(fmt::format("field {} tag", after.name), before.tags, after.tags);
}

void CompareFields(const std::vector<Field>& before, const std::vector<Field>& after,
                   Comparison& comparison) {
  for (const Field& field : before) {
    const bool is_kept = Contains(after, field.id, &Field::id);
    const bool is_retyped = !is_kept && Contains(after, field.name, &Field::name);
    if (!is_kept && !is_retyped)
      comparison.Add(fmt::format("field {}: removed ({})", field.name, field.type.ToString()));
  }
  for (const Field& field : after) {
    if (const auto same = std::ranges::find(before, field.id, &Field::id); same != before.end()) {
      CompareField(*same, field, comparison);
    } else if (const auto old = std::ranges::find(before, field.name, &Field::name);
               old != before.end() && !Contains(after, old->id, &Field::id)) {
      comparison.Add(fmt::format("field {}: {} -> {} (online values read as null until materialized again)",
                                 field.name, old->type.ToString(), field.type.ToString()));
    } else {
      comparison.Add(fmt::format("field {}: added ({})", field.name, field.type.ToString()));
    }
  }
  const auto ids = [](const std::vector<Field>& fields, const std::vector<Field>& others) {
    std::vector<std::int32_t> kept;
    for (const Field& field : fields) {
      if (Contains(others, field.id, &Field::id)) kept.push_back(field.id);
    }
    return kept;
  };
  if (ids(before, after) != ids(after, before)) comparison.Add(fmt::format("fields: in another order"));
}

std::string SourcesText(const OnDemandView& view) {
  std::vector<std::string> texts;
  for (const OnDemandSource& source : view.sources) {
    std::string text = source.view;
    if (!source.features.empty()) text += fmt::format(" ({})", fmt::join(source.features, ", "));
    if (!source.alias.empty()) text += fmt::format(" as {}", source.alias);
    for (const auto& [key, column] : source.join_key_map)
      text += fmt::format(" ({} = {})", key, column);
    texts.push_back(std::move(text));
  }
  for (const RequestSource& request : view.requests) {
    std::vector<std::string> fields;
    for (const Field& field : request.fields)
      fields.push_back(fmt::format("{} {}", field.name, field.type.ToString()));
    texts.push_back(fmt::format("request {} ({})", request.name, fmt::join(fields, ", ")));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// What a field is computed by, as a plan shows it.
std::string ExpressionText(const OnDemandView& view, std::size_t field) {
  return field < view.expressions.size() ? Quoted(view.expressions[field]) : "";
}

std::string SelectionText(const ViewSelection& selection) {
  std::string text = selection.view;
  if (!selection.features.empty()) text += fmt::format(": {}", fmt::join(selection.features, ", "));
  if (!selection.alias.empty()) text += fmt::format(" as {}", selection.alias);
  for (const auto& [key, column] : selection.join_key_map)
    text += fmt::format(" ({} = {})", key, column);
  return text;
}

}  // namespace

Lines Differences(const Entity& before, const Entity& after) {
  Comparison comparison;
  for (const JoinKey& key : before.join_keys) {
    if (FindKey(after, key.name) == nullptr) comparison.Add(fmt::format("join key {}: removed", key.name));
  }
  for (const JoinKey& key : after.join_keys) {
    const JoinKey* old = FindKey(before, key.name);
    if (old == nullptr) {
      comparison.Add(
          fmt::format("join key {}: added ({})", key.name, key.type ? TypeText(key.type) : "type not known"));
    } else {
      comparison.Value(fmt::format("join key {}", key.name), TypeText(old->type), TypeText(key.type));
    }
  }
  comparison.About(before.metadata, after.metadata);
  Lines lines = comparison.Take();
  if (lines.empty() && before.join_keys != after.join_keys) lines.emplace_back("join keys: in another order");
  return lines;
}

Lines Differences(const FeatureView& before, const FeatureView& after) {
  Comparison comparison;
  comparison.Value("entities", fmt::format("{}", fmt::join(before.entities, ", ")),
                   fmt::format("{}", fmt::join(after.entities, ", ")));
  CompareFields(before.fields, after.fields, comparison);
  comparison.Value("ttl", FormatDurationUs(before.ttl_us), FormatDurationUs(after.ttl_us));
  comparison.Value("online", before.online ? "yes" : "no", after.online ? "yes" : "no");
  if (before.source && after.source) {
    CompareSources(*before.source, *after.source, comparison);
  } else if (before.source || after.source) {
    comparison.Text("source", before.source ? before.source->place() : "",
                    after.source ? after.source->place() : "");
  } else {
    CompareTables(before.table, after.table, comparison);
  }
  if (before.batch || after.batch) {
    const BatchQuery none;
    CompareQueries(before.batch.value_or(none), after.batch.value_or(none), comparison);
  }
  CompareStreams(before, after, comparison);
  CompareTransformations(before, after, comparison);
  comparison.About(before.metadata, after.metadata);
  return comparison.Take();
}

Lines Differences(const OnDemandView& before, const OnDemandView& after) {
  Comparison comparison;
  comparison.Value("mode", std::string(OnDemandModeName(before.mode)),
                   std::string(OnDemandModeName(after.mode)));
  comparison.Value("sources", SourcesText(before), SourcesText(after));
  const auto find = [](const OnDemandView& view, const std::string& name) {
    const auto found = std::ranges::find(view.fields, name, &Field::name);
    return static_cast<std::size_t>(found - view.fields.begin());
  };
  for (const Field& field : before.fields) {
    if (!Contains(after.fields, field.name, &Field::name))
      comparison.Add(fmt::format("field {}: removed", field.name));
  }
  for (std::size_t i = 0; i < after.fields.size(); ++i) {
    const Field& field = after.fields[i];
    const std::size_t old = find(before, field.name);
    if (old == before.fields.size()) {
      comparison.Add(fmt::format("field {}: added ({})", field.name, field.type.ToString()));
      continue;
    }
    comparison.Value("field " + field.name, before.fields[old].type.ToString(), field.type.ToString());
    comparison.Value(fmt::format("expression of {}", field.name), ExpressionText(before, old),
                     ExpressionText(after, i));
    comparison.Text(fmt::format("description of {}", field.name), before.fields[old].description,
                    field.description);
  }
  comparison.Value("singleton", before.singleton ? "yes" : "no", after.singleton ? "yes" : "no");
  if (before.function_source != after.function_source || before.function_name != after.function_name) {
    comparison.Add(fmt::format("function {}: another text", after.function_name));
  }
  comparison.About(before.metadata, after.metadata);
  Lines lines = comparison.Take();
  if (lines.empty() && before != after)
    lines.emplace_back("fields or sources: in another order, or described otherwise");
  return lines;
}

Lines Differences(const FeatureService& before, const FeatureService& after) {
  Comparison comparison;
  for (const ViewSelection& selection : before.views) {
    if (!Contains(after.views, selection)) comparison.Add("without " + SelectionText(selection));
  }
  for (const ViewSelection& selection : after.views) {
    if (!Contains(before.views, selection)) comparison.Add("with " + SelectionText(selection));
  }
  comparison.About(before.metadata, after.metadata);
  Lines lines = comparison.Take();
  if (lines.empty() && before.views != after.views) lines.emplace_back("features: in another order");
  return lines;
}

Lines Summary(const Entity& entity) {
  Lines lines;
  for (const JoinKey& key : entity.join_keys) {
    lines.push_back(
        fmt::format("join key {} ({})", key.name, key.type ? key.type->ToString() : "type not known yet"));
  }
  return lines;
}

Lines Summary(const FeatureView& view) {
  Lines lines;
  if (!view.entities.empty()) lines.push_back(fmt::format("entities: {}", fmt::join(view.entities, ", ")));
  for (const Field& field : view.fields)
    lines.push_back(fmt::format("field {} ({})", field.name, field.type.ToString()));
  if (view.ttl_us != 0) lines.push_back("ttl: " + FormatDurationUs(view.ttl_us));
  if (view.source) {
    lines.push_back(fmt::format("source {}: {}", PlaceWord(*view.source), Quoted(view.source->place())));
    lines.push_back("timestamp field: " + view.source->timestamp_field);
  } else {
    lines.emplace_back(view.batch ? "a feature table: a query computes its rows"
                                  : "a feature table: Tidemark keeps its rows");
    if (view.batch) lines.push_back("query sources: " + QuerySources(*view.batch));
    if (!view.table.database.empty()) lines.push_back("database: " + view.table.database);
    lines.push_back("timestamp field: " + view.table.timestamp_field);
  }
  if (view.push) lines.push_back("push source: " + PushText(view));
  if (const std::string stream = StreamText(view); !stream.empty())
    lines.push_back("stream source: " + stream);
  if (view.transformation) {
    const StreamTransformation& transformation = *view.transformation;
    if (!transformation.inputs.empty()) lines.push_back("inputs of messages: " + InputsText(transformation));
    for (const auto& [column, expression] : transformation.expressions)
      lines.push_back(fmt::format("expression of {}: {}", column, Quoted(expression)));
    if (!transformation.filter.empty()) lines.push_back("filter: " + Quoted(transformation.filter));
  }
  return lines;
}

Lines Summary(const OnDemandView& view) {
  Lines lines{fmt::format("mode: {}", OnDemandModeName(view.mode)), "sources: " + SourcesText(view)};
  for (std::size_t i = 0; i < view.fields.size(); ++i) {
    const std::string expression = ExpressionText(view, i);
    lines.push_back(fmt::format("field {} ({}){}{}", view.fields[i].name, view.fields[i].type.ToString(),
                                expression.empty() ? "" : ": ", expression));
  }
  if (!view.function_name.empty()) lines.push_back(fmt::format("function: {}", view.function_name));
  return lines;
}

Lines Summary(const FeatureService& service) {
  Lines lines;
  for (const ViewSelection& selection : service.views)
    lines.push_back("with " + SelectionText(selection));
  return lines;
}

}  // namespace tidemark
