// The commit of a table: new metadata under a new name, then one swap in the catalog.
//
//   1  load the head (the metadata that the catalog points to), and ask the caller's rule
//   2  make the next metadata of it, with the files it needs, all under new names, synced
//   3  swap in the catalog, if it still points to the head; else remove what was made and begin again
// If the fate of the swap is unknown, the table is looked at: its metadata and the log of those before say
// whether ours was. Nothing is removed as long as that cannot be told.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "adapters/iceberg/data_writer.h"
#include "adapters/iceberg/table_head.h"
#include "base/clock.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

/// A table's folders, and what is asked around it.
struct TablePlace {
  TableCatalog& catalog;
  const Clock& clock;
  TableId id = 0;
  std::filesystem::path folder;
  StepHook at_step = {};

  std::filesystem::path data() const { return folder / "data"; }
  std::filesystem::path metadata() const { return folder / "metadata"; }
  std::filesystem::path leases() const { return folder / "leases"; }
  Result<void> Step(std::string_view step) const { return at_step ? at_step(step) : Result<void>(); }
};

/// One try of a commit: the next metadata is `next`, a copy of the head's to be changed.
struct Attempt {
  const Head& head;
  TableMetadata& next;
  std::int64_t now_ms = 0;                       // no earlier than any time in the table
  std::vector<std::filesystem::path> made = {};  // files of this try only, removed if it is lost
};

/// Changes `attempt.next`; false if there is nothing to commit after all.
using Change = std::function<Result<bool>(Attempt& attempt)>;

struct Committed {
  bool committed = false;
  std::shared_ptr<const Head> head;  // ours, or the one that it was not committed on
};

/// Commits. `unknown` is set if it fails without it being known whether it happened: files must stay then.
Result<Committed> Commit(const TablePlace& place, HeadLoader& heads, const CommitRule& rule,
                         const Change& change, bool* unknown = nullptr);

/// Writes a table's metadata as `metadata.last_sequence_number` of its kind, synced; returns its path.
Result<std::filesystem::path> WriteMetadataFile(const std::filesystem::path& folder, std::int64_t version,
                                                const TableMetadata& metadata);

/// 32 random hexadecimal digits, as a UUID is written.
std::string RandomUuid();

}  // namespace tidemark::iceberg
