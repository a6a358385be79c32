// A store whose folder was moved or copied, made right where it is now.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "tidemark/tables.h"
#include "wiring/config.h"

namespace tidemark {

/// Store::Relocate of the store in `folder`.
Result<RelocateReport> RelocateStore(const std::filesystem::path& folder, const Config& config);

}  // namespace tidemark
