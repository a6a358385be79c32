// What a user defines: entities, fields, sources, feature views, on-demand feature views and feature
// services. Pure values.
//
// The JSON form of each (definition_json.h) is what the SDK sends, what YAML files hold, and what the
// registry keeps. Lists keep the user's order; maps are sorted by name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/feature_table.h"
#include "model/metadata.h"
#include "model/stream_source.h"
#include "model/type.h"
#include "model/warehouse.h"

namespace tidemark {

/// One column by which rows are looked up.
struct JoinKey {
  std::string name;
  std::optional<DataType> type;  // not given: found from the first source of a view that uses it
  bool operator==(const JoinKey&) const = default;
};

struct Entity {
  std::string name;
  std::vector<JoinKey> join_keys;  // never empty; a name alone stands for one key of that name
  Metadata metadata;
  std::optional<std::string> renamed_from;  // an instruction to apply; not kept
  bool operator==(const Entity&) const = default;
};

struct Field {
  std::string name;
  DataType type;
  std::string description;
  Tags tags;
  std::int32_t id = 0;                      // given by the registry, stable under renaming; 0 before
  std::optional<std::string> renamed_from;  // an instruction to apply; not kept
  bool operator==(const Field&) const = default;
};

enum class FileFormat : std::uint8_t { kParquet, kCsv, kIceberg };

/// `parquet`, `csv`, `iceberg`.
std::string_view FileFormatName(FileFormat format);

/// A Parquet or CSV file, a glob, or a folder (Hive `name=value` folders below it become columns); or an
/// Iceberg table that another engine keeps: its folder, one of its metadata files, or its name in the store's
/// catalog; or a table or query of a warehouse.
struct BatchSource {
  std::string name;                                  // may be empty: named after the view
  std::string path;                                  // relative to the store's folder unless absolute
  std::string table;                                 // `database.name` of an Iceberg table; then no path
  std::optional<FileFormat> format;                  // not given: by the ending of the files
  std::string timestamp_field;                       // not given: found as the source's only timestamp column
  std::string created_timestamp_column;              // empty: the source has none
  std::map<std::string, std::string> field_mapping;  // column in the source -> name used in definitions
  std::optional<Warehouse> warehouse;                // then no path, table and format
  Metadata metadata;
  bool operator==(const BatchSource&) const = default;

  /// Its path, or the name of its table, or its query: what it is called in messages. Never a secret.
  std::string place() const;
  bool is_files() const { return !warehouse && format != FileFormat::kIceberg; }
};

/// Rows that a program pushes, under a name of their own: every view that has this source takes them.
struct PushSource {
  std::string name;
  Metadata metadata;
  bool operator==(const PushSource&) const = default;
};

/// How a message of a stream becomes a row of the view, message by message. Expressions (those of
/// expression/expression.h) name columns of the message: `inputs`, and the view's join keys, features and
/// event time that are not computed. The filter may also name what is computed; a name that both have is the
/// message's. Where it names nothing that is computed, rows that it leaves out are not computed.
struct StreamTransformation {
  std::vector<Field> inputs;  // columns of the message that are no rows' or have another type there
  std::map<std::string, std::string> expressions;  // features and the event time -> what they are computed by
  std::string filter;  // a boolean; empty: all rows. A row for which it is null is left out
  bool operator==(const StreamTransformation&) const = default;
};

/// The query that computes the rows of a view, range by range: `$start_time` and `$end_time` in it stand for
/// the ends of the range, and of its result only rows with event times in [start, end) are kept. It reads
/// nothing but what is listed here.
struct BatchQuery {
  std::string sql;
  std::vector<BatchSource> sources;  // files and Iceberg tables, each with a name, which the query uses
  std::vector<std::string> views;    // feature tables and views of the project, by their names
  bool operator==(const BatchQuery&) const = default;
};

struct FeatureView {
  std::string name;
  std::vector<std::string> entities;  // names; empty: one row for all
  std::vector<Field> fields;          // the features: neither join keys nor timestamps; empty: inferred
  std::int64_t ttl_us = 0;            // 0: rows never go stale
  bool online = true;
  std::optional<BatchSource> source;  // none: a feature table
  TableOptions table;                 // of a feature table
  std::optional<PushSource> push;  // the stream source of the view, as are the next two: it has one at most
  std::optional<KafkaSource> kafka;
  std::optional<KinesisSource> kinesis;
  std::optional<StreamTransformation> transformation;  // of rows that a stream brings
  std::optional<BatchQuery> batch;                     // of a table whose rows a query computes
  Metadata metadata;
  std::optional<std::string> renamed_from;  // an instruction to apply; not kept
  bool operator==(const FeatureView&) const = default;

  /// True for a feature table: rows that Tidemark keeps itself.
  bool is_table() const { return !source; }
  /// The column that rows are ordered by first: of a table whose event times are text or numbers, the
  /// timestamps beside them.
  const std::string& event_column() const;
  /// The column of created times; empty if the source has none.
  const std::string& created_column() const;
};

/// Some or all features of one view, as a feature service lists them.
struct ViewSelection {
  std::string view;
  std::vector<std::string> features;                // empty: all
  std::map<std::string, std::string> join_key_map;  // join key of the view -> column of the entity rows
  std::string alias;                                // name of the view in output names; empty: its own
  bool operator==(const ViewSelection&) const = default;
};

struct FeatureService {
  std::string name;
  std::vector<ViewSelection> views;
  Metadata metadata;
  std::optional<std::string> renamed_from;
  bool operator==(const FeatureService&) const = default;
};

/// Values that come with a request: columns of the entity rows, each of a stated type.
struct RequestSource {
  std::string name;
  std::vector<Field> fields;  // at least one
  Metadata metadata;
  bool operator==(const RequestSource&) const = default;
};

/// How an on-demand feature view is computed: by an expression for each field (expression/expression.h), or
/// by a Python function, which the SDK runs, or worker processes (store/function_runner.h).
enum class OnDemandMode : std::uint8_t { kSql, kPandas, kPython };

/// `sql`, `pandas`, `python`.
std::string_view OnDemandModeName(OnDemandMode mode);

/// What an on-demand feature view is computed from: some or all features of a feature view or of another
/// on-demand view.
struct OnDemandSource {
  std::string view;
  std::vector<std::string> features = {};                // empty: all
  std::map<std::string, std::string> join_key_map = {};  // as of ViewSelection; of feature views only
  std::string alias = {};                                // what expressions call it; empty: `view`
  const std::string& shown() const { return alias.empty() ? view : alias; }
  bool operator==(const OnDemandSource&) const = default;
};

/// Features that are computed when they are asked for.
struct OnDemandView {
  std::string name;
  OnDemandMode mode = OnDemandMode::kSql;
  std::vector<OnDemandSource> sources;
  std::vector<RequestSource> requests;
  std::vector<Field> fields;             // at least one
  std::vector<std::string> expressions;  // kSql: one for each field
  std::string function_name;             // kPandas and kPython: what is called
  std::string function_source;           // and the text that defines it
  bool singleton = false;                // kPython: called with one row at a time
  Metadata metadata;
  std::optional<std::string> renamed_from;  // an instruction to apply; not kept
  bool operator==(const OnDemandView&) const = default;
};

/// Everything that one `apply` states.
struct Definitions {
  std::string project;  // empty: the store's own
  std::vector<Entity> entities;
  std::vector<FeatureView> views;
  std::vector<OnDemandView> on_demand;
  std::vector<FeatureService> services;
  bool operator==(const Definitions&) const = default;
};

/// Checks what can be checked without looking at any data; the first error is returned, and where two things
/// clash it names both. `known` is what the registry holds and `definitions` does not remove.
///   names:      the pattern of name.h; duplicates, case folded, within `definitions` and against `known`
///   entities:   at least one join key, of an allowed type
///   views:      ttl >= 0; a path in the source, or what warehouse.h asks for; at most one stream source, as
///               stream_source.h has it; no feature named as a join key or timestamp of the view;
///               a table's event times of a type that can be one, its partitions by columns that it has;
///               a transformation of a stream that computes features or the event time. Its expressions are
///               read by apply
///   batch:      a query over at least one source or view, of files and tables; no other source beside it,
///               times as timestamps, none created; views that are defined, and do not go round in a circle
///   on-demand:  names shared with no feature view; sources that are defined, under different names, and do
///               not go round in a circle; join key maps as of services; an
///               expression for each field, or a function. Expressions are not read here: their types are
///               checked by apply
///   services:   at least one view; join key maps name join keys; no two features with one full output name
///               (`view__feature`: plain names may repeat, as a request may ask for full ones)
///   references: to entities, views and features, in `definitions` or else in `known`. Those of known views
///               and services too, so that nothing is left pointing at what is renamed or gone. A view
///               without fields has them inferred later, so its features are not looked for: check again then
///   renames:    `renamed_from` is in `known` and the new name is not; both the other way round means that
///               this was applied before, and is fine
/// Codes: kInvalidArgument, kNotFound for what is not defined, kAlreadyExists for what clashes.
Result<void> CheckDefinitions(const Definitions& definitions, const Definitions& known);

}  // namespace tidemark
