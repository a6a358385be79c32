// The batch sources that a saved dataset was made of: what their files were like, and the same files again.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "engine/datasets/saved_dataset.h"
#include "store/dataset_files.h"
#include "store/source.h"

namespace tidemark {

/// Notes what the sources of views have, as they are opened.
class SourceNotes {
 public:
  /// All must outlive this, and this the openers that it gives.
  SourceNotes(const Catalog& catalog, const DatasetFiles& files) : catalog_(catalog), files_(files) {}

  SourceOpener Noting(SourceOpener open);
  /// What was opened, by view. kInvalidData if a file of it is not any more what it was then.
  Result<std::vector<UsedSource>> Finish() const;

 private:
  Result<void> Note(const BatchSource& source, const Source& opened);

  const Catalog& catalog_;
  const DatasetFiles& files_;
  std::vector<UsedSource> used_;
};

/// Opens the sources of `catalog` with the files that are noted in `used`, and no others: those that came
/// later are passed over. kNotFound for one that is gone, kInvalidData for one that is not what it was; both
/// name the view and the file. What is asked of a warehouse is asked again. All must outlive the opener.
SourceOpener OpenerOfUsed(const std::vector<UsedSource>& used, const Catalog& catalog,
                          const DatasetFiles& files, SourceOpener open);

}  // namespace tidemark
