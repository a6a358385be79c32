// Where definitions and what is known of their loading are kept.
//
// Every object (entity, feature view, feature service, registered table) has an opaque id that never changes,
// and versions 1, 2, 3, ...: one JSON document each, all kept. A view's id is also the prefix of its online
// keys. Readers see one consistent state; a change is one transaction that fails if the state it was made
// from has moved.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// A registered table is one over files that were there before, named `database.table`
/// (model/registered_table.h), a saved dataset a training set that is kept
/// (engine/datasets/saved_dataset.h); they are no part of what definitions state.
enum class ObjectKind : std::uint8_t {
  kEntity = 1,
  kFeatureView = 2,
  kFeatureService = 3,
  kRegisteredTable = 4,
  kSavedDataset = 5,
  kOnDemandView = 6
};

/// "entity", "feature view", "feature service", "registered table", "saved dataset", "on-demand feature
/// view".
std::string_view ObjectKindName(ObjectKind kind);

/// One version of one object.
struct RegistryObject {
  std::uint32_t id = 0;
  ObjectKind kind = ObjectKind::kEntity;
  std::string name;
  std::int64_t version = 0;     // 1, 2, 3, ... of this object
  std::string document;         // canonical JSON by model/definition_json.h
  std::int64_t created_us = 0;  // of version 1
  std::int64_t updated_us = 0;  // of this version
  bool removed = false;         // this version says that the object is gone
  bool operator==(const RegistryObject&) const = default;
};

/// All live objects of one project at one moment.
struct RegistryState {
  std::int64_t serial = 0;  // grows with every committed change of the project; 0: nothing was ever applied
  std::vector<RegistryObject> objects;  // live ones, by kind and name
};

/// One change of an object. id 0 makes a new object; otherwise a new version, under a new name if it differs.
struct RegistryChange {
  std::uint32_t id = 0;
  ObjectKind kind = ObjectKind::kEntity;
  std::string name;
  std::string document;
  bool remove = false;
};

/// Thread safe; several processes may use one registry. kBusy when another process holds it for longer than
/// the time-out; kUnsupported if a newer version of Tidemark wrote it; kCorruption when it is damaged
/// (checked on opening); both say what to do.
class Registry {
 public:
  virtual ~Registry() = default;

  virtual Result<RegistryState> Load(std::string_view project) const = 0;

  /// Commits all changes or none and returns the new state. `expected_serial` is that of the state they were
  /// made from; kBusy if it has moved, with nothing written.
  virtual Result<RegistryState> Commit(std::string_view project, std::int64_t expected_serial,
                                       const std::vector<RegistryChange>& changes, std::int64_t now_us) = 0;

  /// The serial alone: cheap, to see whether a cached state is still true.
  virtual Result<std::int64_t> Serial(std::string_view project) const = 0;

  /// Every version of an object, oldest first; also of a removed one.
  virtual Result<std::vector<RegistryObject>> Versions(std::uint32_t id) const = 0;

  virtual Result<std::vector<std::string>> Projects() const = 0;

  /// Small documents by (object id, name) that are not definitions: what was loaded and when. Absent: empty
  /// optional. Removed with the project or by an empty `document`.
  virtual Result<std::optional<std::string>> GetNote(std::uint32_t id, std::string_view name) const = 0;
  virtual Result<void> PutNote(std::uint32_t id, std::string_view name, std::string_view document) = 0;

  /// Removes everything of a project, its versions and notes. Returns the ids that were live.
  virtual Result<std::vector<std::uint32_t>> RemoveProject(std::string_view project) = 0;
};

}  // namespace tidemark
