// The write-ahead logs of a store in a folder: files of frames, one log for each writing process.
//
// docs/formats.md says what lies in the folder, frame_codec_internal.h draws the bytes. The folder must be on
// a local disk: the locks that say who owns a log do not work over a network.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "adapters/wal/log_disk.h"
#include "store/write_log.h"

namespace tidemark {

struct WalOptions {
  std::string folder;  // made when the first log is

  /// A segment is not added to beyond this size.
  std::size_t segment_bytes = std::size_t{64} << 20;

  /// Zeros are written before small frames are, up to so far behind them: a sync of what lies within a file
  /// waits for nothing else, one of a file that has grown for whatever else changes on the file system.
  std::size_t ahead_bytes = std::size_t{256} << 10;

  /// Appends wait while others that wait for their answer have so many bytes.
  std::size_t waiting_bytes_max = std::size_t{64} << 20;

  wal::LogDisk* disk = &wal::SystemDisk();  // must outlive all logs
};

/// Touches nothing yet. A folder that is not there has no logs.
std::unique_ptr<WriteLogs> OpenWriteLogs(const WalOptions& options);

}  // namespace tidemark
