// Folders that views have as batch sources, as far as files are added to them; or tables in a warehouse,
// where a file is a transaction that is known by its name.
#pragma once

#include <arrow/record_batch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"

namespace tidemark {

/// How the names of files begin that are added.
inline constexpr std::string_view kAddedFileBegin = "tidemark-";

/// How a file is called, without the ending of its format.
struct SourceFileName {
  std::string name;
  /// Asked for once all rows have come: what the name goes on with. Null: nothing.
  std::function<std::string()> end = {};
};

/// Thread safe; several processes may add to one folder. The files are the user's from the moment they are
/// there: moved, rewritten or removed as he likes.
class SourceFolders {
 public:
  virtual ~SourceFolders() = default;

  /// Whether rows with these columns can be added. kUnsupported, with the reason, for a source that no file
  /// can be added to: a single file that is there, a pattern, a query, folders that say a column's value, or
  /// CSV for columns that it cannot hold. kTypeMismatch if the source could not be read with such a file
  /// beside the others. kUnavailable and kPermissionDenied for a warehouse.
  virtual Result<void> Check(const BatchSource& source, const arrow::Schema& rows) const = 0;

  /// Writes rows as one more file of the source, under `name` and the ending of its format. What the other
  /// files have besides, columns that no definition uses, is null in it. The file appears whole and synced,
  /// or not at all. How many rows were written; nothing if a file of that name is there already: then nothing
  /// is done. A source of a single file that is not there yet becomes that file, whatever `name` says. Errors
  /// as Check, and kIo or kOutOfSpace with the path.
  virtual Result<std::optional<std::int64_t>> Add(const BatchSource& source, const SourceFileName& name,
                                                  arrow::RecordBatchReader& rows) const = 0;

  /// Names that Add gave to files that are there, without endings, in no order.
  virtual Result<std::vector<std::string>> Names(const BatchSource& source) const = 0;

  /// Removes what a writer that was killed left of a file of this name.
  virtual Result<void> RemoveRemains(const BatchSource& source, const std::string& name) const = 0;
};

}  // namespace tidemark
