// What a user defines: entities, fields, sources, feature views and feature services. Pure values.
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
#include "model/type.h"

namespace tidemark {

using Tags = std::map<std::string, std::string>;

/// What every definition has besides its own content.
struct Metadata {
  std::string description;
  std::string owner;
  Tags tags;
  bool operator==(const Metadata&) const = default;
};

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

enum class FileFormat : std::uint8_t { kParquet, kCsv };

/// A Parquet or CSV file, a glob, or a folder (Hive `name=value` folders below it become columns).
struct FileSource {
  std::string name;                                  // may be empty: named after the view
  std::string path;                                  // relative to the store's folder unless absolute
  std::optional<FileFormat> format;                  // not given: by the ending of the files
  std::string timestamp_field;                       // not given: found as the source's only timestamp column
  std::string created_timestamp_column;              // empty: the source has none
  std::map<std::string, std::string> field_mapping;  // column in the file -> name used in definitions
  Metadata metadata;
  bool operator==(const FileSource&) const = default;
};

struct FeatureView {
  std::string name;
  std::vector<std::string> entities;  // names; empty: one row for all
  std::vector<Field> fields;          // the features: neither join keys nor timestamps; empty: inferred
  std::int64_t ttl_us = 0;            // 0: rows never go stale
  bool online = true;
  std::optional<FileSource> source;
  Metadata metadata;
  std::optional<std::string> renamed_from;  // an instruction to apply; not kept
  bool operator==(const FeatureView&) const = default;
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

/// Everything that one `apply` states.
struct Definitions {
  std::string project;  // empty: the store's own
  std::vector<Entity> entities;
  std::vector<FeatureView> views;
  std::vector<FeatureService> services;
  bool operator==(const Definitions&) const = default;
};

/// Checks what can be checked without looking at any data: names, duplicates (case folded; both are shown),
/// join keys of allowed types, references to entities, views and features that are not defined in
/// `definitions` or `known` (what the registry holds already), renames, a feature named as a join key or
/// timestamp of its view, ttl >= 0, and output names that clash in a service. The first error is returned.
Result<void> CheckDefinitions(const Definitions& definitions, const Definitions& known);

}  // namespace tidemark
