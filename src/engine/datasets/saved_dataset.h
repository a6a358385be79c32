// A saved dataset: a training set that is kept, with what it takes to make it again to the byte.
//
// In the registry it is one JSON document for each save. One that is being made has a name of its own,
// `<name>.<id>`, which no definition can have: it is there before the first snapshot is tagged, so that
// erasers know of it, and so that what a killed maker leaves is found.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "engine/selection.h"
#include "engine/tables/feature_tables.h"
#include "pit/point_in_time_join.h"
#include "store/dataset_files.h"
#include "store/registry.h"

namespace tidemark {

/// What the training set was asked for; a range without a start or an end is that of the moment.
struct DatasetRequest {
  AskedFeatures features = {};
  std::string event_timestamp_column = {};
  bool full_feature_names = false;
  bool include_status = false;
  KnownBy known_by = {};
  std::optional<std::int64_t> as_of_us = {};
  struct Range {
    std::optional<std::int64_t> start_us = {};
    std::optional<std::int64_t> end_us = {};
  };
  std::optional<Range> range = {};  // instead of entity rows
};

/// A definition that was used, as it was then.
struct UsedDefinition {
  std::uint32_t id = 0;
  ObjectKind kind = ObjectKind::kEntity;
  std::string name;
  std::int64_t version = 0;
  std::string document;
};

/// A feature table that was read.
struct UsedTable {
  std::string view;
  std::uint32_t view_id = 0;
  PinnedSnapshot pinned = {};
  /// Columns of the dataset that its keys are in, one list for each time that it was asked for.
  std::vector<std::vector<std::string>> key_columns = {};
};

struct UsedFile {
  std::string path;
  FileLook look;
};

/// The batch source of a view that was read.
struct UsedSource {
  std::string view;
  bool is_warehouse = false;         // whose rows are asked for again: nothing keeps them
  std::vector<UsedFile> files = {};  // in the source's order
};

/// The file of its own folder that entity rows are kept in.
inline constexpr std::string_view kEntityRowsFile = "entity_rows.parquet";

struct SavedDataset {
  enum class State : std::uint8_t { kBeingMade, kReady, kErased };

  std::string id;  // letters and digits; names its folder, and its tags
  std::string name;
  State state = State::kBeingMade;
  std::int64_t created_us = 0;
  std::map<std::string, std::string> tags = {};
  std::string feature_service = {};  // as the user says; may be empty
  DatasetRequest request = {};
  std::vector<std::string> columns = {};  // "name: type"
  std::vector<std::string> features = {};
  std::vector<std::string> join_keys = {};
  std::vector<UsedDefinition> definitions = {};
  std::vector<UsedTable> tables = {};
  std::vector<UsedSource> sources = {};
  std::optional<FileSum> entity_rows = {};  // of the file in its own folder
  std::string storage = {};                 // an absolute path; empty: in its own folder
  std::int64_t rows = 0;
  FileSum sum = {};
  /// Entities of a range come in an order that depends on it.
  std::int64_t memory_bytes_max = 0;
  std::string writer = {};        // version of Tidemark that wrote the file
  std::string erasure = {};       // kErased: which one, in words
  bool are_rows_removed = false;  // kErased: the dataset's own rows had the keys, and are gone

  /// The tag of the snapshots that it pins.
  std::string tag() const { return "dataset-" + name + "-" + id; }
};

/// A random one: 16 hexadecimal digits.
std::string NewDatasetId();

/// The document, and back. kCorruption for what was not written by this.
std::string ToJson(const SavedDataset& dataset);
Result<SavedDataset> SavedDatasetFromJson(std::string_view text);

/// "being made", "ready", "erased".
std::string_view StateName(SavedDataset::State state);

}  // namespace tidemark
