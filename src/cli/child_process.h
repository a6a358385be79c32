// Runs another program and takes what it prints.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::cli {

struct ChildResult {
  int exit_code = 0;
  std::string output;  // its stdout
};

/// Runs `command` (found by PATH, no shell) to its end. stderr is the program's own. kNotFound if there is no
/// such program; kCancelled if the user interrupted it.
Result<ChildResult> RunChild(const std::vector<std::string>& command);

}  // namespace tidemark::cli
