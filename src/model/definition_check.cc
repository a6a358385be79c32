// Checks definitions: first each by itself, then names and renames, then what they say of each other.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "model/definition.h"
#include "model/feature_ref.h"
#include "model/name.h"

namespace tidemark {
namespace {

// Names, case folded, each with what it stands for, as a message shows it.
using Taken = std::map<std::string, std::string>;

// Takes `name` for `what`, or says what has it already.
Result<void> Take(Taken& taken, std::string_view name, std::string what) {
  const auto [at, added] = taken.try_emplace(FoldName(name), what);
  if (added) return {};
  return Fail(ErrorCode::kAlreadyExists, fmt::format("{} and {} have one name (names that differ only in "
                                                     "case are the same)",
                                                     at->second, what));
}

// --- Each by itself ---

Result<void> CheckContent(const Entity& entity) {
  TM_TRY(CheckName("entity", entity.name));
  if (entity.join_keys.empty())
    return Fail(ErrorCode::kInvalidArgument, "has no join key; give at least one");
  Taken taken;
  for (const JoinKey& key : entity.join_keys) {
    TM_TRY_IN(CheckFieldName(key.name), "join key");
    TM_TRY(Take(taken, key.name, fmt::format("join key {}", Quoted(key.name))));
    if (key.type && !CanBeJoinKey(*key.type)) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("join key {} is {}; a join key is string, int32, "
                                                           "int64, binary, bool or timestamp",
                                                           Quoted(key.name), key.type->ToString()));
    }
  }
  return {};
}

// A table of another engine's, by its name in the store's Iceberg catalog.
Result<void> CheckTableSource(const BatchSource& source) {
  if (!source.path.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the source has a path, {}, and a table, {}: give one", Quoted(source.path),
                            Quoted(source.table)));
  }
  if (source.format != FileFormat::kIceberg) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("table {} is one of Iceberg's: its format is iceberg", Quoted(source.table)));
  }
  const std::size_t dot = source.table.rfind('.');
  if (dot == 0 || dot == std::string::npos || dot + 1 == source.table.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is no name of a table: write database.name", Quoted(source.table)));
  }
  return CheckFieldMapping(source.field_mapping);
}

Result<void> CheckSource(const BatchSource& source) {
  if (!source.name.empty()) {
    TM_TRY(CheckName("source", source.name));
  }
  if (source.warehouse) {
    if (!source.path.empty() || !source.table.empty() || source.format) {
      return Fail(ErrorCode::kInvalidArgument, "a source in a warehouse has no path and no format");
    }
    TM_TRY(CheckWarehouse(*source.warehouse));
    return CheckFieldMapping(source.field_mapping);
  }
  if (!source.table.empty()) return CheckTableSource(source);
  if (source.path.empty()) return Fail(ErrorCode::kInvalidArgument, "the source has no path");
  if (source.path.find('\0') != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("path {} has a null character", Quoted(source.path)));
  }
  return CheckFieldMapping(source.field_mapping);
}

Result<void> CheckTable(const TableOptions& table) {
  TM_TRY_IN(CheckFieldName(table.timestamp_field), "timestamp_field");
  if (!CanBeEventTime(table.timestamp_type)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("event times cannot be kept as {}; they are timestamp, string (ISO-8601), int64 or "
                    "float64",
                    table.timestamp_type.ToString()));
  }
  if (!table.created_timestamp_column.empty()) {
    TM_TRY_IN(CheckFieldName(table.created_timestamp_column), "created_timestamp_column");
  }
  for (const std::string& partition : table.partitions)
    TM_TRY(ParsePartition(partition));
  return table.database.empty() ? Result<void>() : CheckName("database", table.database);
}

// What it computes is checked where the view's columns are known.
Result<void> CheckTransformation(const FeatureView& view) {
  if (!view.transformation) return {};
  if (!view.kafka && !view.kinesis) {
    return Fail(ErrorCode::kInvalidArgument,
                "it has a transformation, which messages of a stream go through, and reads none: give it a "
                "Kafka or Kinesis source");
  }
  Taken taken;
  for (const Field& input : view.transformation->inputs) {
    TM_TRY_IN(CheckFieldName(input.name), "input");
    TM_TRY(Take(taken, input.name, fmt::format("input {}", Quoted(input.name))));
  }
  for (const auto& [column, expression] : view.transformation->expressions) {
    if (!expression.empty()) continue;
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} has an empty expression", Quoted(column)));
  }
  return {};
}

Result<void> CheckStreamSource(const FeatureView& view) {
  if (view.push.has_value() + view.kafka.has_value() + view.kinesis.has_value() > 1)
    return Fail(ErrorCode::kInvalidArgument, "it has several stream sources; give one");
  if (view.push) TM_TRY(CheckName("push source", view.push->name));
  if (view.kafka) TM_TRY_IN(CheckStream(*view.kafka), "stream source");
  if (view.kinesis) TM_TRY_IN(CheckStream(*view.kinesis), "stream source");
  return {};
}

// A query's rows are kept in a table whose times are timestamps: ranges of them are computed again.
Result<void> CheckBatch(const FeatureView& view) {
  const BatchQuery& batch = *view.batch;
  if (view.source || view.push || view.kafka || view.kinesis) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "its rows are computed by a query, so it has no other source: leave out `batch`, or the source");
  }
  if (batch.sql.find_first_not_of(" \t\r\n") == std::string::npos)
    return Fail(ErrorCode::kInvalidArgument, "its query is empty");
  if (batch.sources.empty() && batch.views.empty())
    return Fail(ErrorCode::kInvalidArgument, "its query has no source; give at least one");
  if (view.table.timestamp_type.kind != TypeKind::kTimestamp) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("its event times are kept as {}: those of a query's rows are timestamps",
                            view.table.timestamp_type.ToString()));
  }
  if (!view.table.created_timestamp_column.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "it has a created_timestamp_column: rows of a query are created when they are computed, so that "
        "those computed again count");
  }
  Taken taken;
  for (const std::string& name : batch.views)
    TM_TRY(Take(taken, name, fmt::format("feature view {}", Quoted(name))));
  for (const BatchSource& source : batch.sources) {
    TM_TRY_IN(CheckSource(source), fmt::format("source {}", Quoted(source.name)));
    if (source.name.empty())
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the source {} has no name for the query to use", Quoted(source.place())));
    TM_TRY(Take(taken, source.name, fmt::format("source {}", Quoted(source.name))));
    if (!source.warehouse) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("source {} lies in a warehouse, which has SQL of its own: give the query to a "
                            "source of a feature view there, or bring the rows into a feature table first",
                            Quoted(source.name)));
  }
  return {};
}

Result<void> CheckContent(const FeatureView& view) {
  TM_TRY(CheckName("feature view", view.name));
  Taken entities;
  for (const std::string& entity : view.entities) {
    TM_TRY(Take(entities, entity, fmt::format("entity {}", Quoted(entity))));
  }
  Taken fields;
  for (const Field& field : view.fields) {
    TM_TRY(CheckFieldName(field.name));
    TM_TRY(Take(fields, field.name, fmt::format("feature {}", Quoted(field.name))));
  }
  if (view.ttl_us < 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("its ttl is negative ({} us); 0 means that rows never go stale", view.ttl_us));
  }
  if (view.source) {
    TM_TRY_IN(CheckSource(*view.source), "source");
    if (view.table != TableOptions{}) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "it has a batch source, so it is no table of Tidemark's own: leave out `table`, or the source");
    }
  } else {
    TM_TRY_IN(CheckTable(view.table), "table");
  }
  if (view.batch) TM_TRY_IN(CheckBatch(view), "batch");
  TM_TRY(CheckStreamSource(view));
  TM_TRY_IN(CheckTransformation(view), "transformation");
  return {};
}

// The fields of a list have names, each its own.
Result<void> CheckFieldNames(const std::vector<Field>& fields) {
  if (fields.empty()) return Fail(ErrorCode::kInvalidArgument, "has no field; give at least one");
  Taken taken;
  for (const Field& field : fields) {
    TM_TRY(CheckFieldName(field.name));
    TM_TRY(Take(taken, field.name, fmt::format("field {}", Quoted(field.name))));
  }
  return {};
}

Result<void> CheckContent(const OnDemandView& view) {
  TM_TRY(CheckName("on-demand feature view", view.name));
  TM_TRY(CheckFieldNames(view.fields));
  Taken sources;
  for (const OnDemandSource& source : view.sources) {
    if (!source.alias.empty()) TM_TRY(CheckName("alias", source.alias));
    TM_TRY(Take(sources, source.shown(), fmt::format("source {}", Quoted(source.shown()))));
  }
  for (const RequestSource& request : view.requests) {
    TM_TRY(CheckName("request source", request.name));
    TM_TRY(Take(sources, request.name, fmt::format("request source {}", Quoted(request.name))));
    TM_TRY_IN(CheckFieldNames(request.fields), fmt::format("request source {}", Quoted(request.name)));
  }
  if (view.mode == OnDemandMode::kSql) {
    if (view.expressions.size() != view.fields.size()) {
      return Fail(ErrorCode::kInvalidArgument, "its mode is sql: every field needs an expression");
    }
    if (!view.function_name.empty() || !view.function_source.empty() || view.singleton) {
      return Fail(ErrorCode::kInvalidArgument, "its mode is sql, so it has no function");
    }
    return {};
  }
  if (!view.expressions.empty() || view.function_name.empty() || view.function_source.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("its mode is {}: it needs the source text of a function, and no expressions",
                            OnDemandModeName(view.mode)));
  }
  if (view.singleton && view.mode != OnDemandMode::kPython) {
    return Fail(ErrorCode::kInvalidArgument, "only a function of mode python can be a singleton");
  }
  return {};
}

Result<void> CheckContent(const FeatureService& service) {
  TM_TRY(CheckName("feature service", service.name));
  if (service.views.empty()) return Fail(ErrorCode::kInvalidArgument, "lists no features; give at least one");
  for (const ViewSelection& selection : service.views) {
    if (!selection.alias.empty()) {
      TM_TRY_IN(CheckName("alias", selection.alias), fmt::format("view {}", Quoted(selection.view)));
    }
    for (const auto& [key, column] : selection.join_key_map) {
      if (!column.empty()) continue;
      return Fail(ErrorCode::kInvalidArgument, fmt::format("view {}: the join key map gives {} no column",
                                                           Quoted(selection.view), Quoted(key)));
    }
  }
  return {};
}

template <typename Object>
Result<void> CheckContents(std::string_view kind, const std::vector<Object>& objects) {
  for (const Object& object : objects) {
    TM_TRY_IN(CheckContent(object), fmt::format("{} {}", kind, Quoted(object.name)));
  }
  return {};
}

// --- Names and renames ---

template <typename Object>
const Object* FindNamed(const std::vector<Object>& objects, std::string_view name) {
  const auto at = std::ranges::find(objects, name, &Object::name);
  return at == objects.end() ? nullptr : &*at;
}

template <typename Object>
std::vector<std::string> NamesOf(const std::vector<Object>& objects) {
  std::vector<std::string> names;
  for (const Object& object : objects)
    names.push_back(object.name);
  return names;
}

// The object of `known` that `object` changes the name of; null if it is new, keeps its name, or was
// renamed by an earlier apply.
template <typename Object>
const Object* RenamedFrom(const Object& object, const std::vector<Object>& known) {
  return object.renamed_from ? FindNamed(known, *object.renamed_from) : nullptr;
}

template <typename Object>
Result<void> CheckRename(std::string_view kind, const Object& object, const std::vector<Object>& stated,
                         const std::vector<Object>& known) {
  const std::string from = Quoted(*object.renamed_from);
  const std::string to = Quoted(object.name);
  if (object.name == *object.renamed_from) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} {} is renamed from itself; leave it out", kind, to));
  }
  const bool target_known = FindNamed(known, object.name) != nullptr;
  if (RenamedFrom(object, known) == nullptr) {
    if (target_known) return {};  // done by an earlier apply of the same definitions
    return Fail(ErrorCode::kNotFound, fmt::format("{} {} is renamed from {}, which does not exist{}", kind,
                                                  to, from, Suggest(*object.renamed_from, NamesOf(known))));
  }
  if (target_known) {
    return Fail(ErrorCode::kAlreadyExists, fmt::format("{} {} cannot be renamed to {}: both exist; remove "
                                                       "one of them first",
                                                       kind, from, to));
  }
  if (FindNamed(stated, *object.renamed_from) != nullptr) {
    return Fail(ErrorCode::kAlreadyExists, fmt::format("{} {} is renamed to {} and is also defined again; "
                                                       "leave one of the two out",
                                                       kind, from, to));
  }
  for (const Object& other : stated) {
    if (&other == &object || other.renamed_from != object.renamed_from) continue;
    return Fail(ErrorCode::kAlreadyExists,
                fmt::format("{} {} and {} are both renamed from {}", kind, Quoted(other.name), to, from));
  }
  return {};
}

// An object that differs from a known one only in case would be a second one of its name.
template <typename Object>
Result<void> CheckAgainstKnown(std::string_view kind, const std::vector<Object>& stated,
                               const std::vector<Object>& known) {
  std::map<std::string, const Object*> by_folded_name;
  for (const Object& object : known)
    by_folded_name.emplace(FoldName(object.name), &object);
  for (const Object& object : stated) {
    const auto at = by_folded_name.find(FoldName(object.name));
    if (at == by_folded_name.end() || at->second->name == object.name) continue;
    const std::string& existing = at->second->name;
    const bool renamed_away =
        std::ranges::any_of(stated, [&](const Object& other) { return other.renamed_from == existing; });
    if (renamed_away) continue;
    return Fail(ErrorCode::kAlreadyExists,
                fmt::format("{} {} differs only in case from {}, which exists; "
                            "if it is the same, say renamed_from {}",
                            kind, Quoted(object.name), Quoted(existing), Quoted(existing)));
  }
  return {};
}

template <typename Object>
Result<void> CheckNames(std::string_view kind, const std::vector<Object>& stated,
                        const std::vector<Object>& known) {
  Taken taken;
  for (const Object& object : stated) {
    TM_TRY(Take(taken, object.name, fmt::format("{} {}", kind, Quoted(object.name))));
  }
  for (const Object& object : stated) {
    if (!object.renamed_from) continue;
    TM_TRY(CheckRename(kind, object, stated, known));
  }
  return CheckAgainstKnown(kind, stated, known);
}

Result<void> CheckFieldRenames(const std::vector<FeatureView>& stated,
                               const std::vector<FeatureView>& known) {
  for (const FeatureView& view : stated) {
    const FeatureView* before = RenamedFrom(view, known);
    if (before == nullptr) before = FindNamed(known, view.name);
    const std::vector<Field> none;
    for (const Field& field : view.fields) {
      if (!field.renamed_from) continue;
      TM_TRY_IN(CheckRename("feature", field, view.fields, before == nullptr ? none : before->fields),
                fmt::format("feature view {}", Quoted(view.name)));
    }
  }
  return {};
}

// --- What they say of each other ---

// All objects of one kind as they will be: those stated, and the known ones that are neither stated nor
// renamed.
template <typename Object>
class Merged {
 public:
  Merged(std::string_view kind, const std::vector<Object>& stated, const std::vector<Object>& known)
      : kind_(kind) {
    for (const Object& object : stated) {
      Add(object, fmt::format("{} {}", kind, Quoted(object.name)));
      if (object.renamed_from) renamed_.emplace(*object.renamed_from, object.name);
    }
    for (const Object& object : known) {
      if (by_name_.contains(object.name) || renamed_.contains(object.name)) continue;
      Add(object, fmt::format("{} {}, applied before", kind, Quoted(object.name)));
    }
  }

  struct Item {
    const Object* object;
    std::string place;  // for messages
  };
  const std::vector<Item>& items() const { return items_; }

  const Object* FindOrNull(const std::string& name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : at->second;
  }

  Result<const Object*> Find(const std::string& name) const {
    if (const auto at = by_name_.find(name); at != by_name_.end()) return at->second;
    if (const auto to = renamed_.find(name); to != renamed_.end()) {
      return Fail(ErrorCode::kNotFound, fmt::format("{} {} is renamed to {}; use the new name here too",
                                                    kind_, Quoted(name), Quoted(to->second)));
    }
    std::vector<std::string> names;
    for (const Item& item : items_)
      names.push_back(item.object->name);
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} {} is not defined{}", kind_, Quoted(name), Suggest(name, names)));
  }

 private:
  void Add(const Object& object, std::string place) {
    by_name_.emplace(object.name, &object);
    items_.push_back({&object, std::move(place)});
  }

  std::string_view kind_;
  std::vector<Item> items_;
  std::map<std::string, const Object*, std::less<>> by_name_;
  std::map<std::string, std::string, std::less<>> renamed_;  // old name -> new
};

// The name that a column of the source has in definitions.
const std::string& MappedName(const BatchSource& source, const std::string& column) {
  const auto at = source.field_mapping.find(column);
  return at == source.field_mapping.end() ? column : at->second;
}

// The columns of a table that its files can be parted by, with their types as far as they are known.
std::map<std::string, std::optional<DataType>> PartitionColumns(const FeatureView& view,
                                                                const std::vector<JoinKey>& keys) {
  std::map<std::string, std::optional<DataType>> columns{
      {view.table.timestamp_field, view.table.timestamp_type}};
  if (const std::string& created = view.table.created_timestamp_column; !created.empty())
    columns.emplace(created, DataType{.kind = TypeKind::kTimestamp});
  for (const JoinKey& key : keys)
    columns.emplace(key.name, key.type);
  for (const Field& field : view.fields)
    columns.emplace(field.name, field.type);
  return columns;
}

// A table's files can be parted by the columns that it has, each in one way.
Result<void> CheckPartitions(const FeatureView& view, const std::vector<JoinKey>& keys) {
  const auto columns = PartitionColumns(view, keys);
  std::set<std::string> parted;
  for (const std::string& text : view.table.partitions) {
    TM_ASSIGN(const Partition partition, ParsePartition(text));
    const bool is_day = partition.kind == Partition::Kind::kDay;
    if (!parted.insert(is_day ? text : partition.column).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("partition {} comes twice, or parts files by a column that does already",
                              Quoted(text)));
    }
    if (is_day) continue;
    const auto column = columns.find(partition.column);
    if (column == columns.end()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("partition {} names column {}, which the table does not have", Quoted(text),
                              Quoted(partition.column)));
    }
    if (!column->second || CanPartition(partition.kind, *column->second)) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("partition {}: column {} is {}; files are parted by the values of bool, int32, "
                            "int64, string, binary, date and timestamp columns, and by their hashes but for "
                            "bool",
                            Quoted(text), Quoted(partition.column), column->second->ToString()));
  }
  return {};
}

// Features and the event time are computed; all other columns of rows are columns of messages.
Result<void> CheckComputed(const FeatureView& view, const std::vector<JoinKey>& keys) {
  if (!view.transformation) return {};
  const StreamTransformation& transformation = *view.transformation;
  const std::string& event = view.source ? view.source->timestamp_field : view.table.timestamp_field;
  const std::string& created =
      view.source ? view.source->created_timestamp_column : view.table.created_timestamp_column;
  const std::string& stated =
      view.kafka ? view.kafka->rows.timestamp_field : view.kinesis->rows.timestamp_field;
  if (transformation.expressions.contains(event) && !stated.empty()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the event time {} is computed, so no column of messages is taken for it: leave out "
                    "the stream source's timestamp_field",
                    Quoted(event)));
  }
  for (const auto& [column, expression] : transformation.expressions) {
    if (std::ranges::find(keys, column, &JoinKey::name) != keys.end()) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("expression of {}: a join key is not computed, as a message without a value "
                              "deletes by its key alone; give it another name by the source's field_mapping",
                              Quoted(column)));
    }
    if (column == event || FindNamed(view.fields, column) != nullptr) continue;
    if (view.fields.empty()) continue;  // they are found later
    return Fail(ErrorCode::kNotFound, fmt::format("expression of {}: the view has no such feature{}",
                                                  Quoted(column), Suggest(column, NamesOf(view.fields))));
  }
  for (const Field& input : transformation.inputs) {
    const bool is_key = std::ranges::find(keys, input.name, &JoinKey::name) != keys.end();
    const bool is_column =
        input.name == event || input.name == created || FindNamed(view.fields, input.name) != nullptr;
    if (!is_key && (!is_column || transformation.expressions.contains(input.name))) continue;
    return Fail(ErrorCode::kAlreadyExists,
                fmt::format("input {} is a column that rows take from messages as it is: leave the input "
                            "out, or give {} an expression",
                            Quoted(input.name), Quoted(input.name)));
  }
  return {};
}

Result<void> CheckView(const FeatureView& view, const Merged<Entity>& entities) {
  Taken taken;
  std::vector<JoinKey> keys;
  for (const std::string& name : view.entities) {
    TM_ASSIGN(const Entity* entity, entities.Find(name));
    keys.insert(keys.end(), entity->join_keys.begin(), entity->join_keys.end());
    for (const JoinKey& key : entity->join_keys) {
      TM_TRY(Take(taken, key.name, fmt::format("join key {} of entity {}", Quoted(key.name), Quoted(name))));
    }
  }
  if (view.source) {
    const BatchSource& source = *view.source;
    // A join key may be the timestamp too; only features may be neither.
    for (const auto& [what, column] :
         {std::pair("timestamp_field", &source.timestamp_field),
          std::pair("created_timestamp_column", &source.created_timestamp_column)}) {
      if (column->empty()) continue;
      const std::string& name = MappedName(source, *column);
      taken.try_emplace(FoldName(name), fmt::format("{} {}", what, Quoted(name)));
    }
  } else {
    const TableOptions& table = view.table;
    TM_TRY(
        Take(taken, table.timestamp_field, fmt::format("timestamp_field {}", Quoted(table.timestamp_field))));
    if (const std::string& created = table.created_timestamp_column; !created.empty())
      TM_TRY(Take(taken, created, fmt::format("created_timestamp_column {}", Quoted(created))));
  }
  for (const Field& field : view.fields) {
    TM_TRY(Take(taken, field.name, fmt::format("feature {}", Quoted(field.name))));
  }
  TM_TRY_IN(CheckComputed(view, keys), "transformation");
  return view.is_table() ? CheckPartitions(view, keys) : Result<void>();
}

// The features that a selection stands for, all of them known to the view where its fields are.
Result<std::vector<std::string>> SelectedFeatures(const ViewSelection& selection, const FeatureView& view) {
  if (selection.features.empty()) return NamesOf(view.fields);
  for (const std::string& feature : selection.features) {
    if (view.fields.empty() || FindNamed(view.fields, feature) != nullptr) continue;
    for (const Field& field : view.fields) {
      if (field.renamed_from != feature) continue;
      return Fail(ErrorCode::kNotFound, fmt::format("feature {} is renamed to {}; use the new name here too",
                                                    Quoted(feature), Quoted(field.name)));
    }
    return Fail(ErrorCode::kNotFound, fmt::format("feature view {} has no feature {}{}", Quoted(view.name),
                                                  Quoted(feature), Suggest(feature, NamesOf(view.fields))));
  }
  return selection.features;
}

Result<void> CheckJoinKeyMap(const ViewSelection& selection, const FeatureView& view,
                             const Merged<Entity>& entities) {
  if (selection.join_key_map.empty()) return {};
  std::vector<std::string> keys;
  for (const std::string& name : view.entities) {
    TM_ASSIGN(const Entity* entity, entities.Find(name));
    for (const JoinKey& key : entity->join_keys)
      keys.push_back(key.name);
  }
  for (const auto& [key, column] : selection.join_key_map) {
    if (std::ranges::find(keys, key) != keys.end()) continue;
    return Fail(ErrorCode::kNotFound,
                fmt::format("the join key map gives column {} to {}, which is "
                            "no join key of feature view {}{}",
                            Quoted(column), Quoted(key), Quoted(view.name), Suggest(key, keys)));
  }
  return {};
}

// The features of an on-demand view that a service or another view names.
Result<std::vector<std::string>> ComputedFeatures(const std::vector<std::string>& wanted,
                                                  const OnDemandView& view) {
  if (wanted.empty()) return NamesOf(view.fields);
  for (const std::string& feature : wanted) {
    if (FindNamed(view.fields, feature) != nullptr) continue;
    return Fail(ErrorCode::kNotFound,
                fmt::format("on-demand feature view {} has no feature {}{}", Quoted(view.name),
                            Quoted(feature), Suggest(feature, NamesOf(view.fields))));
  }
  return wanted;
}

std::unexpected<Error> NoKeysToMap(const std::string& view) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} is an on-demand feature view, which has no join keys to map", Quoted(view)));
}

Result<void> CheckOnDemandSources(const OnDemandView& view, const Merged<FeatureView>& views,
                                  const Merged<OnDemandView>& on_demand, const Merged<Entity>& entities) {
  for (const OnDemandSource& source : view.sources) {
    if (const OnDemandView* other = on_demand.FindOrNull(source.view)) {
      if (!source.join_key_map.empty()) return NoKeysToMap(source.view);
      TM_TRY(ComputedFeatures(source.features, *other));
      continue;
    }
    TM_ASSIGN(const FeatureView* found, views.Find(source.view));
    const ViewSelection selection{.view = source.view,
                                  .features = source.features,
                                  .join_key_map = source.join_key_map,
                                  .alias = source.alias};
    TM_TRY(CheckJoinKeyMap(selection, *found, entities));
    TM_TRY(SelectedFeatures(selection, *found));
  }
  return {};
}

// Walks from a view to those that it is computed from; one that is met again on the way is a circle.
Result<void> CheckNoCircle(const OnDemandView& view, const Merged<OnDemandView>& on_demand,
                           std::vector<std::string>& way, std::set<std::string>& done) {
  if (std::ranges::find(way, view.name) != way.end()) {
    way.push_back(view.name);
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("it is computed from itself: {}", fmt::join(way, " <- ")));
  }
  if (done.contains(view.name)) return {};
  way.push_back(view.name);
  for (const OnDemandSource& source : view.sources) {
    const OnDemandView* other = on_demand.FindOrNull(source.view);
    if (other != nullptr) TM_TRY(CheckNoCircle(*other, on_demand, way, done));
  }
  way.pop_back();
  done.insert(view.name);
  return {};
}

// Walks from a view to those that its query reads.
Result<void> CheckNoCircle(const FeatureView& view, const Merged<FeatureView>& views,
                           std::vector<std::string>& way, std::set<std::string>& done) {
  if (std::ranges::find(way, view.name) != way.end()) {
    way.push_back(view.name);
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("its query reads its own rows: {}", fmt::join(way, " <- ")));
  }
  if (!view.batch || done.contains(view.name)) return {};
  way.push_back(view.name);
  for (const std::string& name : view.batch->views) {
    TM_ASSIGN(const FeatureView* other, views.Find(name));
    TM_TRY(CheckNoCircle(*other, views, way, done));
  }
  way.pop_back();
  done.insert(view.name);
  return {};
}

Result<void> CheckBatchQueries(const Merged<FeatureView>& views) {
  std::set<std::string> done;
  for (const auto& [view, place] : views.items()) {
    std::vector<std::string> way;
    TM_TRY_IN(CheckNoCircle(*view, views, way, done), place);
  }
  return {};
}

// Both kinds of view are asked for in the same way, so a name stands for one of them.
Result<void> CheckViewNames(const Merged<FeatureView>& views, const Merged<OnDemandView>& on_demand) {
  Taken taken;
  for (const auto& [view, place] : views.items())
    taken.emplace(FoldName(view->name), place);
  for (const auto& [view, place] : on_demand.items())
    TM_TRY(Take(taken, view->name, place));
  return {};
}

Result<void> CheckOnDemandViews(const Merged<FeatureView>& views, const Merged<OnDemandView>& on_demand,
                                const Merged<Entity>& entities) {
  TM_TRY(CheckViewNames(views, on_demand));
  std::set<std::string> done;
  for (const auto& [view, place] : on_demand.items()) {
    TM_TRY_IN(CheckOnDemandSources(*view, views, on_demand, entities), place);
    std::vector<std::string> way;
    TM_TRY_IN(CheckNoCircle(*view, on_demand, way, done), place);
  }
  return {};
}

Result<std::vector<std::string>> FeaturesOfService(const ViewSelection& selection,
                                                   const Merged<FeatureView>& views,
                                                   const Merged<OnDemandView>& on_demand,
                                                   const Merged<Entity>& entities) {
  if (const OnDemandView* computed = on_demand.FindOrNull(selection.view)) {
    if (!selection.join_key_map.empty()) return NoKeysToMap(selection.view);
    return ComputedFeatures(selection.features, *computed);
  }
  TM_ASSIGN(const FeatureView* view, views.Find(selection.view));
  TM_TRY(CheckJoinKeyMap(selection, *view, entities));
  return SelectedFeatures(selection, *view);
}

Result<void> CheckService(const FeatureService& service, const Merged<FeatureView>& views,
                          const Merged<OnDemandView>& on_demand, const Merged<Entity>& entities) {
  Taken outputs;
  for (const ViewSelection& selection : service.views) {
    TM_ASSIGN(const std::vector<std::string> features,
              FeaturesOfService(selection, views, on_demand, entities));
    const std::string& shown = selection.alias.empty() ? selection.view : selection.alias;
    const std::string as = selection.alias.empty() ? "" : fmt::format(" as {}", Quoted(selection.alias));
    for (const std::string& feature : features) {
      const std::string output = OutputName(shown, feature, true);
      const std::string what = fmt::format("feature {}{}", Quoted(selection.view + ':' + feature), as);
      const auto [at, added] = outputs.try_emplace(FoldName(output), what);
      if (added) continue;
      return Fail(ErrorCode::kAlreadyExists, fmt::format("{} and {} would both come out as column {}; "
                                                         "leave one out, or give one view an alias",
                                                         at->second, what, Quoted(output)));
    }
  }
  return {};
}

}  // namespace

Result<void> CheckDefinitions(const Definitions& definitions, const Definitions& known) {
  if (!definitions.project.empty()) {
    TM_TRY(CheckName("project", definitions.project));
  }
  TM_TRY(CheckContents("entity", definitions.entities));
  TM_TRY(CheckContents("feature view", definitions.views));
  TM_TRY(CheckContents("on-demand feature view", definitions.on_demand));
  TM_TRY(CheckContents("feature service", definitions.services));
  TM_TRY(CheckNames("entity", definitions.entities, known.entities));
  TM_TRY(CheckNames("feature view", definitions.views, known.views));
  TM_TRY(CheckNames("on-demand feature view", definitions.on_demand, known.on_demand));
  TM_TRY(CheckNames("feature service", definitions.services, known.services));
  TM_TRY(CheckFieldRenames(definitions.views, known.views));

  const Merged<Entity> entities("entity", definitions.entities, known.entities);
  const Merged<FeatureView> views("feature view", definitions.views, known.views);
  const Merged<OnDemandView> on_demand("on-demand feature view", definitions.on_demand, known.on_demand);
  const Merged<FeatureService> services("feature service", definitions.services, known.services);
  for (const auto& [view, place] : views.items())
    TM_TRY_IN(CheckView(*view, entities), place);
  TM_TRY(CheckBatchQueries(views));
  TM_TRY(CheckOnDemandViews(views, on_demand, entities));
  for (const auto& [service, place] : services.items())
    TM_TRY_IN(CheckService(*service, views, on_demand, entities), place);
  return {};
}

std::string_view OnDemandModeName(OnDemandMode mode) {
  switch (mode) {
    case OnDemandMode::kSql:
      return "sql";
    case OnDemandMode::kPandas:
      return "pandas";
    case OnDemandMode::kPython:
      break;
  }
  return "python";
}

std::string BatchSource::place() const {
  if (warehouse) return warehouse->place();
  return table.empty() ? path : table;
}

std::string_view FileFormatName(FileFormat format) {
  switch (format) {
    case FileFormat::kCsv:
      return "csv";
    case FileFormat::kIceberg:
      return "iceberg";
    case FileFormat::kParquet:
      break;
  }
  return "parquet";
}

}  // namespace tidemark
