// Turns errno into Tidemark's errors, once.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tidemark::wal {

/// True if the disk or a quota is full: trying again later may work.
bool IsFull(int error);

/// `action` completes "cannot ..."; `path` is the file or folder.
std::unexpected<Error> FailWith(int error, std::string_view action, std::string_view path);

}  // namespace tidemark::wal
