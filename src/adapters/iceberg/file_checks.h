// Files verified for readers that do not: those of tables by their blocks, others by their pages.
#pragma once

#include <memory>

#include "store/file_checks.h"

namespace tidemark {

/// Remembers what it found whole, for this process; some hundred bytes a file.
std::unique_ptr<FileChecks> MakeFileChecks();

}  // namespace tidemark
