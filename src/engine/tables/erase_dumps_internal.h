// Dumps that have rows of keys that are being erased.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/keyed_hash.h"
#include "engine/catalog.h"
#include "store/dumps.h"
#include "store/erasure_receipts.h"

namespace tidemark {

struct ErasedDumps {
  std::vector<std::string> removed = {};  // ids
  std::vector<std::string> pending = {};  // what is still to be looked at, and when
};

/// Removes the dumps whose statement read the view's table before its rows were erased, and that may hold one
/// of the receipts' keys: in any column of a fitting type, or as text of the statement. Of a table with
/// several join keys the dump must have all of them by their names, and be of this table alone, to be known
/// not to hold them; any other dump of it goes.
Result<ErasedDumps> EraseFromDumps(const CatalogView& view, Dumps& dumps,
                                   std::span<const ErasureReceipt> receipts,
                                   std::shared_ptr<const KeyedHash> hash, const std::stop_token& stop);

}  // namespace tidemark
