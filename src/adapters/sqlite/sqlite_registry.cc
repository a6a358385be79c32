// Reads and writes the tables of the registry, one transaction for each call.
#include "adapters/sqlite/sqlite_registry.h"

#include <fmt/format.h>

#include <limits>
#include <mutex>
#include <set>

#include "adapters/sqlite/known_serials_internal.h"
#include "adapters/sqlite/registry_file_internal.h"
#include "adapters/sqlite/row_checksum_internal.h"
#include "model/name.h"

namespace tidemark {
namespace {

using sqlite::Connection;
using sqlite::RowChecksum;
using sqlite::Statement;
using sqlite::Transaction;

struct CountersRow {
  std::int64_t last_object_id = 0;
  std::int64_t last_serial = 0;
  std::int64_t Checksum() const { return RowChecksum("counters", last_object_id, last_serial); }
};

struct ProjectRow {
  std::int64_t serial = 0;
  std::int64_t live_objects = 0;
  std::int64_t Checksum(std::string_view name) const {
    return RowChecksum("projects", name, serial, live_objects);
  }
};

struct ObjectRow {
  std::int64_t id = 0;
  std::string project;
  std::int64_t kind = 0;
  std::optional<std::string> live_name;  // folded; nothing once the object is removed
  std::int64_t version = 0;
  std::int64_t created_us = 0;
  std::int64_t Checksum() const {
    return RowChecksum("objects", id, project, kind, live_name.has_value(), live_name.value_or(""), version,
                       created_us);
  }
};

std::int64_t VersionChecksum(const RegistryObject& object) {
  return RowChecksum("versions", object.id, object.version, object.name, object.document, object.updated_us,
                     object.removed);
}

/// The columns of ReadObject and ReadVersion, in their order.
constexpr std::string_view kObjectColumns =
    "o.id, o.project, o.kind, o.live_name, o.version, o.created_us, o.crc";
constexpr std::string_view kVersionColumns = "v.version, v.name, v.document, v.updated_us, v.removed, v.crc";
constexpr int kFirstVersionColumn = 7;

/// What is read and written of the tables. Every call is within a transaction of the caller's.
class Tables {
 public:
  explicit Tables(const Connection& connection) : connection_(connection) {}

  Result<CountersRow> Counters() const;
  Result<void> WriteCounters(const CountersRow& row) const;
  Result<ProjectRow> Project(std::string_view name) const;
  Result<void> WriteProject(std::string_view name, const ProjectRow& row) const;
  Result<std::optional<ObjectRow>> Object(std::uint32_t id) const;
  Result<RegistryState> State(std::string_view project) const;
  Result<std::vector<RegistryObject>> Versions(const ObjectRow& object) const;
  Result<std::optional<std::string>> Note(std::uint32_t id, std::string_view name) const;

  Result<void> Insert(const ObjectRow& row) const;
  Result<void> Update(const ObjectRow& row) const;
  Result<void> InsertVersion(const RegistryObject& object) const;
  Result<std::optional<std::string>> NameOfOther(const ObjectRow& row) const;
  Result<std::vector<std::uint32_t>> RemoveProject(std::string_view project) const;

 private:
  Result<ObjectRow> ReadObject(const Statement& statement) const;
  Result<RegistryObject> ReadVersion(const Statement& statement, const ObjectRow& object) const;
  std::unexpected<Error> BadRow(std::string_view table, std::string_view row) const {
    return std::unexpected(
        connection_.Damaged(fmt::format("the checksum of {} in table {} does not hold", row, table)));
  }

  const Connection& connection_;
};

Result<CountersRow> Tables::Counters() const {
  TM_ASSIGN(Statement read,
            connection_.Prepare("SELECT last_object_id, last_serial, crc FROM counters WHERE id = 1"));
  TM_ASSIGN(const bool has_row, read.Step());
  const CountersRow row{.last_object_id = has_row ? read.Int64(0) : 0,
                        .last_serial = has_row ? read.Int64(1) : 0};
  if (!has_row || row.Checksum() != read.Int64(2)) return BadRow("counters", "the only row");
  return row;
}

Result<void> Tables::WriteCounters(const CountersRow& row) const {
  return connection_.Execute("UPDATE counters SET last_object_id = ?, last_serial = ?, crc = ? WHERE id = 1",
                             row.last_object_id, row.last_serial, row.Checksum());
}

Result<ProjectRow> Tables::Project(std::string_view name) const {
  TM_ASSIGN(Statement read,
            connection_.Prepare("SELECT serial, live_objects, crc FROM projects WHERE name = ?", name));
  TM_ASSIGN(const bool has_row, read.Step());
  if (!has_row) return ProjectRow{};
  const ProjectRow row{.serial = read.Int64(0), .live_objects = read.Int64(1)};
  if (row.Checksum(name) != read.Int64(2)) return BadRow("projects", fmt::format("project '{}'", name));
  return row;
}

Result<void> Tables::WriteProject(std::string_view name, const ProjectRow& row) const {
  return connection_.Execute(
      "INSERT OR REPLACE INTO projects (name, serial, live_objects, crc) VALUES (?, ?, ?, ?)", name,
      row.serial, row.live_objects, row.Checksum(name));
}

Result<ObjectRow> Tables::ReadObject(const Statement& statement) const {
  ObjectRow row{.id = statement.Int64(0),
                .project = std::string(statement.Text(1)),
                .kind = statement.Int64(2),
                .live_name = std::nullopt,
                .version = statement.Int64(4),
                .created_us = statement.Int64(5)};
  if (!statement.IsNull(3)) row.live_name = std::string(statement.Text(3));
  if (row.Checksum() != statement.Int64(6)) return BadRow("objects", fmt::format("object {}", row.id));
  return row;
}

Result<RegistryObject> Tables::ReadVersion(const Statement& statement, const ObjectRow& object) const {
  constexpr int first = kFirstVersionColumn;
  RegistryObject version{.id = static_cast<std::uint32_t>(object.id),
                         .kind = static_cast<ObjectKind>(object.kind),
                         .name = std::string(statement.Text(first + 1)),
                         .version = statement.Int64(first),
                         .document = std::string(statement.Text(first + 2)),
                         .created_us = object.created_us,
                         .updated_us = statement.Int64(first + 3),
                         .removed = statement.Int64(first + 4) != 0};
  if (VersionChecksum(version) != statement.Int64(first + 5)) {
    return BadRow("versions", fmt::format("version {} of object {}", version.version, object.id));
  }
  return version;
}

Result<std::optional<ObjectRow>> Tables::Object(std::uint32_t id) const {
  TM_ASSIGN(Statement read,
            connection_.Prepare(fmt::format("SELECT {} FROM objects o WHERE o.id = ?", kObjectColumns), id));
  TM_ASSIGN(const bool has_row, read.Step());
  if (!has_row) return std::optional<ObjectRow>();
  TM_ASSIGN(ObjectRow row, ReadObject(read));
  return std::optional(std::move(row));
}

Result<RegistryState> Tables::State(std::string_view project) const {
  TM_ASSIGN(const ProjectRow header, Project(project));
  TM_ASSIGN(Statement read,
            connection_.Prepare(
                fmt::format("SELECT {}, {} FROM objects o LEFT JOIN versions v "
                            "ON v.object_id = o.id AND v.version = o.version "
                            "WHERE o.project = ? AND o.live_name IS NOT NULL ORDER BY o.kind, v.name",
                            kObjectColumns, kVersionColumns),
                project));
  RegistryState state{.serial = header.serial, .objects = {}};
  while (true) {
    TM_ASSIGN(const bool has_row, read.Step());
    if (!has_row) break;
    TM_ASSIGN(const ObjectRow object, ReadObject(read));
    TM_ASSIGN(RegistryObject version, ReadVersion(read, object));
    state.objects.push_back(std::move(version));
  }
  if (std::ssize(state.objects) != header.live_objects) {
    return std::unexpected(
        connection_.Damaged(fmt::format("project '{}' has {} objects and should have {}", project,
                                        state.objects.size(), header.live_objects)));
  }
  return state;
}

Result<std::vector<RegistryObject>> Tables::Versions(const ObjectRow& object) const {
  TM_ASSIGN(
      Statement read,
      connection_.Prepare(fmt::format("SELECT {}, {} FROM versions v JOIN objects o ON o.id = v.object_id "
                                      "WHERE v.object_id = ? ORDER BY v.version",
                                      kObjectColumns, kVersionColumns),
                          object.id));
  std::vector<RegistryObject> versions;
  while (true) {
    TM_ASSIGN(const bool has_row, read.Step());
    if (!has_row) break;
    TM_ASSIGN(RegistryObject version, ReadVersion(read, object));
    versions.push_back(std::move(version));
    if (versions.back().version != std::ssize(versions)) break;
  }
  if (std::ssize(versions) != object.version || versions.back().version != object.version) {
    return std::unexpected(connection_.Damaged(fmt::format("versions of object {} are missing", object.id)));
  }
  return versions;
}

Result<std::optional<std::string>> Tables::Note(std::uint32_t id, std::string_view name) const {
  TM_ASSIGN(
      Statement read,
      connection_.Prepare("SELECT document, crc FROM notes WHERE object_id = ? AND name = ?", id, name));
  TM_ASSIGN(const bool has_row, read.Step());
  if (!has_row) return std::optional<std::string>();
  std::string document(read.Text(0));
  if (RowChecksum("notes", id, name, document) != read.Int64(1)) {
    return BadRow("notes", fmt::format("note '{}' of object {}", name, id));
  }
  return std::optional(std::move(document));
}

Result<void> Tables::Insert(const ObjectRow& row) const {
  return connection_.Execute(
      "INSERT INTO objects (id, project, kind, live_name, version, created_us, crc) VALUES (?, ?, ?, ?, ?, "
      "?, ?)",
      row.id, row.project, row.kind, std::string_view(row.live_name.value_or("")), row.version,
      row.created_us, row.Checksum());
}

Result<void> Tables::Update(const ObjectRow& row) const {
  if (!row.live_name) {
    return connection_.Execute("UPDATE objects SET live_name = NULL, version = ?, crc = ? WHERE id = ?",
                               row.version, row.Checksum(), row.id);
  }
  return connection_.Execute("UPDATE objects SET live_name = ?, version = ?, crc = ? WHERE id = ?",
                             *row.live_name, row.version, row.Checksum(), row.id);
}

Result<void> Tables::InsertVersion(const RegistryObject& object) const {
  return connection_.Execute(
      "INSERT INTO versions (object_id, version, name, document, updated_us, removed, crc) VALUES (?, ?, ?, "
      "?, ?, ?, ?)",
      object.id, object.version, object.name, object.document, object.updated_us, object.removed,
      VersionChecksum(object));
}

/// The name of a live object, other than `row`, that has row's name when folded.
Result<std::optional<std::string>> Tables::NameOfOther(const ObjectRow& row) const {
  TM_ASSIGN(
      Statement read,
      connection_.Prepare("SELECT v.name FROM objects o JOIN versions v ON v.object_id = o.id AND "
                          "v.version = o.version WHERE o.project = ? AND o.kind = ? AND o.live_name = ? "
                          "AND o.id <> ?",
                          row.project, row.kind, *row.live_name, row.id));
  TM_ASSIGN(const bool has_row, read.Step());
  if (!has_row) return std::optional<std::string>();
  return std::optional(std::string(read.Text(0)));
}

Result<std::vector<std::uint32_t>> Tables::RemoveProject(std::string_view project) const {
  TM_ASSIGN(const RegistryState state, State(project));
  TM_TRY(connection_.Execute(
      "DELETE FROM notes WHERE object_id IN (SELECT id FROM objects WHERE project = ?)", project));
  TM_TRY(connection_.Execute(
      "DELETE FROM versions WHERE object_id IN (SELECT id FROM objects WHERE project = ?)", project));
  TM_TRY(connection_.Execute("DELETE FROM objects WHERE project = ?", project));
  TM_TRY(connection_.Execute("DELETE FROM projects WHERE name = ?", project));
  std::vector<std::uint32_t> ids;
  for (const RegistryObject& object : state.objects)
    ids.push_back(object.id);
  return ids;
}

/// Applies the changes of one Commit within its transaction.
class Committer {
 public:
  Committer(const Tables& tables, std::string_view project, std::int64_t now_us)
      : tables_(tables), project_(project), now_us_(now_us) {}

  Result<void> Run(std::int64_t expected_serial, const std::vector<RegistryChange>& changes);

 private:
  Result<void> ReadAndReleaseNames(const std::vector<RegistryChange>& changes);
  Result<void> Apply(const RegistryChange& change, ObjectRow& row);

  const Tables& tables_;
  std::string_view project_;
  std::int64_t now_us_;
  CountersRow counters_;
  ProjectRow header_;
  std::vector<ObjectRow> rows_;  // of the changes, in their order
};

Result<void> Committer::Run(std::int64_t expected_serial, const std::vector<RegistryChange>& changes) {
  TM_ASSIGN(header_, tables_.Project(project_));
  TM_ASSIGN(counters_, tables_.Counters());
  if (header_.serial != expected_serial) {
    return Fail(
        ErrorCode::kBusy,
        fmt::format("the definitions of project '{}' were changed by somebody else meanwhile (serial {}, not "
                    "{}); nothing was changed. Run plan again and apply",
                    project_, header_.serial, expected_serial));
  }
  if (changes.empty()) return {};
  TM_TRY(ReadAndReleaseNames(changes));
  for (std::size_t i = 0; i < changes.size(); ++i)
    TM_TRY(Apply(changes[i], rows_[i]));
  header_.serial = ++counters_.last_serial;
  TM_TRY(tables_.WriteProject(project_, header_));
  return tables_.WriteCounters(counters_);
}

/// Takes the names of all changed objects away first, so that two of them can swap theirs.
Result<void> Committer::ReadAndReleaseNames(const std::vector<RegistryChange>& changes) {
  std::set<std::uint32_t> seen;
  for (const RegistryChange& change : changes) {
    ObjectRow row{.id = 0,
                  .project = std::string(project_),
                  .kind = static_cast<std::int64_t>(change.kind),
                  .live_name = std::nullopt,
                  .version = 0,
                  .created_us = now_us_};
    if (change.id != 0) {
      if (!seen.insert(change.id).second) {
        return Fail(ErrorCode::kInvalidArgument, fmt::format("{} '{}' is changed twice at once",
                                                             ObjectKindName(change.kind), change.name));
      }
      TM_ASSIGN(std::optional<ObjectRow> found, tables_.Object(change.id));
      if (!found || found->project != project_ || found->kind != row.kind || !found->live_name) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("project '{}' has no {} with id {} (to be named '{}')", project_,
                                ObjectKindName(change.kind), change.id, change.name));
      }
      row = *std::move(found);
      row.live_name.reset();
      TM_TRY(tables_.Update(row));
    } else if (change.remove) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} '{}' is removed without an id", ObjectKindName(change.kind), change.name));
    }
    rows_.push_back(std::move(row));
  }
  return {};
}

Result<void> Committer::Apply(const RegistryChange& change, ObjectRow& row) {
  const bool is_new = change.id == 0;
  if (is_new) {
    if (counters_.last_object_id >= std::numeric_limits<std::uint32_t>::max()) {
      return Fail(ErrorCode::kOutOfSpace, "the registry has given its last object id; begin a new store");
    }
    row.id = ++counters_.last_object_id;
    ++header_.live_objects;
  }
  ++row.version;
  if (change.remove) {
    --header_.live_objects;
  } else {
    row.live_name = FoldName(change.name);
    TM_ASSIGN(const std::optional<std::string> other, tables_.NameOfOther(row));
    if (other) {
      return Fail(
          ErrorCode::kAlreadyExists,
          fmt::format(
              "{} '{}' has the name of '{}', which project '{}' has already (names that differ only in "
              "case are the same)",
              ObjectKindName(change.kind), change.name, *other, project_));
    }
  }
  TM_TRY(is_new ? tables_.Insert(row) : tables_.Update(row));
  return tables_.InsertVersion({.id = static_cast<std::uint32_t>(row.id),
                                .kind = change.kind,
                                .name = change.name,
                                .version = row.version,
                                .document = change.document,
                                .created_us = row.created_us,
                                .updated_us = now_us_,
                                .removed = change.remove});
}

class SqliteRegistry final : public Registry {
 public:
  explicit SqliteRegistry(Connection connection)
      : connection_(std::move(connection)),
        file_(sqlite3_db_filename(connection_.handle(), "main")),
        tables_(connection_) {}

  Result<RegistryState> Load(std::string_view project) const override {
    return In(Transaction::Kind::kRead, [&] { return tables_.State(project); });
  }

  Result<RegistryState> Commit(std::string_view project, std::int64_t expected_serial,
                               const std::vector<RegistryChange>& changes, std::int64_t now_us) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<RegistryState> {
      TM_TRY(Committer(tables_, project, now_us).Run(expected_serial, changes));
      return tables_.State(project);
    });
  }

  Result<std::int64_t> Serial(std::string_view project) const override {
    const auto stamp = file_.Stamp();
    if (stamp) {
      if (const auto known = serials_.Find(*stamp, project)) return *known;
    }
    const bool is_settled = stamp && stamp->IsSettled();
    TM_ASSIGN(const std::int64_t serial, In(Transaction::Kind::kRead, [&]() -> Result<std::int64_t> {
                TM_ASSIGN(const ProjectRow header, tables_.Project(project));
                return header.serial;
              }));
    if (is_settled) serials_.Remember(*stamp, project, serial);
    return serial;
  }

  Result<std::vector<RegistryObject>> Versions(std::uint32_t id) const override {
    return In(Transaction::Kind::kRead, [&]() -> Result<std::vector<RegistryObject>> {
      TM_ASSIGN(const ObjectRow object, FindObject(id));
      return tables_.Versions(object);
    });
  }

  Result<std::vector<std::string>> Projects() const override {
    return In(Transaction::Kind::kRead, [&]() -> Result<std::vector<std::string>> {
      TM_ASSIGN(Statement read, connection_.Prepare("SELECT name FROM projects ORDER BY name"));
      std::vector<std::string> names;
      while (true) {
        TM_ASSIGN(const bool has_row, read.Step());
        if (!has_row) break;
        names.emplace_back(read.Text(0));
      }
      for (const std::string& name : names)
        TM_TRY(tables_.Project(name));
      return names;
    });
  }

  Result<std::optional<std::string>> GetNote(std::uint32_t id, std::string_view name) const override {
    return In(Transaction::Kind::kRead, [&] { return tables_.Note(id, name); });
  }

  Result<void> PutNote(std::uint32_t id, std::string_view name, std::string_view document) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<void> {
      TM_TRY(FindObject(id));
      if (document.empty()) {
        return connection_.Execute("DELETE FROM notes WHERE object_id = ? AND name = ?", id, name);
      }
      return connection_.Execute(
          "INSERT OR REPLACE INTO notes (object_id, name, document, crc) VALUES (?, ?, ?, ?)", id, name,
          document, RowChecksum("notes", id, name, document));
    });
  }

  Result<std::vector<std::uint32_t>> RemoveProject(std::string_view project) override {
    return In(Transaction::Kind::kWrite, [&] { return tables_.RemoveProject(project); });
  }

 private:
  /// Runs `body` alone in one transaction, which is committed if it succeeds.
  template <typename Body>
  std::invoke_result_t<Body> In(Transaction::Kind kind, const Body& body) const {
    const std::lock_guard lock(mutex_);
    TM_ASSIGN(Transaction transaction, Transaction::Begin(connection_, kind));
    auto result = body();
    if (!result) return result;
    TM_TRY(transaction.Commit());
    return result;
  }

  Result<ObjectRow> FindObject(std::uint32_t id) const {
    TM_ASSIGN(std::optional<ObjectRow> object, tables_.Object(id));
    if (object) return *std::move(object);
    return Fail(ErrorCode::kNotFound,
                fmt::format("the registry has no object with id {}; its project may have been "
                            "removed meanwhile",
                            id));
  }

  mutable std::mutex mutex_;  // over the connection
  Connection connection_;
  const sqlite::WatchedFile file_;  // by its full path, as the working directory may change
  Tables tables_;
  mutable sqlite::KnownSerials serials_;
};

}  // namespace

Result<std::unique_ptr<Registry>> OpenSqliteRegistry(const SqliteRegistryOptions& options) {
  TM_ASSIGN(Connection connection, sqlite::OpenRegistryFile(options.path, options.busy_timeout_ms));
  return std::make_unique<SqliteRegistry>(std::move(connection));
}

}  // namespace tidemark
