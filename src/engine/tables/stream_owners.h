// Whether those who read a stream still have its partitions: asked of each frame before it is logged.
//
// An owner that was held up may not know yet that another has its partition. What it logs from then on no
// reader of the table looks at; but online its rows would stand beside the new owner's of the same messages,
// which may be equal in key and times, and then the greater write time decides. So a frame is checked after
// its rows have got their write times: if the partition was still its owner's then, whoever takes it
// afterwards gives greater ones, and wins however late the frame is logged and merged.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>

#include "engine/tables/stream_marks.h"
#include "store/offline_store.h"

namespace tidemark {

/// Thread safe. Cheap as long as nobody commits to the table.
class StreamOwners {
 public:
  /// Whether the table's marks, as they are now, leave all partitions with the owners of these parts. Errors
  /// as OfflineTable's.
  Result<bool> Stand(OfflineStore& store, TableId table_id, std::span<const StreamPart> parts);

 private:
  struct Known {
    std::mutex mutex;  // guards what follows
    std::unique_ptr<OfflineTable> table;
    std::shared_ptr<const TableProperties> properties;  // that say `marks`
    StreamMarks marks;
  };

  std::mutex mutex_;  // guards the map
  std::map<TableId, std::shared_ptr<Known>> known_;
};

}  // namespace tidemark
