// Receipts of erasures: what was asked for, and how far it has come.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/keyed_hash.h"
#include "base/result.h"

namespace tidemark {

struct ErasureReceipt {
  std::string id;  // letters and digits
  std::uint32_t table_id = 0;
  std::string table;                // its name when it was asked for
  std::vector<KeyMark> marks = {};  // of the keys, which themselves are not kept
  std::int64_t fence_us = 0;        // rows written up to then are erased
  std::int64_t asked_us = 0;
  std::int64_t rows_removed = 0;  // from files and logs
  std::int64_t files_rewritten = 0;
  bool is_online_erased = false;
  bool is_done = false;
  std::vector<std::string> dumps_removed = {};  // their ids
  std::vector<std::string> datasets = {};       // names of those that cannot be rebuilt any more
  std::vector<std::string> pending = {};        // what is still to be removed, and by whom
  bool operator==(const ErasureReceipt&) const = default;
};

/// Thread safe; several processes may use it.
class ErasureReceipts {
 public:
  virtual ~ErasureReceipts() = default;

  /// Keeps a receipt, durably, in the place of the one with its id.
  virtual Result<void> Put(const ErasureReceipt& receipt) = 0;
  /// In the order in which they were asked for. kCorruption for one that cannot be read.
  virtual Result<std::vector<ErasureReceipt>> List() const = 0;
  /// Those that are not done: cheap if there is none.
  virtual Result<std::vector<ErasureReceipt>> ListPending() const = 0;
};

}  // namespace tidemark
