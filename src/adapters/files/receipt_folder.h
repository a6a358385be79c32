// Receipts of erasures (store/erasure_receipts.h) as JSON files in a folder: `<id>.pending.json` as long as
// something is to be done, `<id>.json` then.
#pragma once

#include <filesystem>
#include <memory>

#include "store/erasure_receipts.h"

namespace tidemark {

/// The folder is made with the first receipt.
std::unique_ptr<ErasureReceipts> OpenReceiptFolder(const std::filesystem::path& folder);

}  // namespace tidemark
