// Definitions for `plan` and `apply`, read from files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidemark::cli {

/// The definition files in a folder, by name: *.py, *.yaml, *.yml and *.json, but no settings
/// (tidemark.yaml, feature_store.yaml).
Result<std::vector<std::filesystem::path>> DefinitionFiles(const std::filesystem::path& folder);

/// One JSON document of all definitions in `paths` (files, and folders with them). Python files are run by
/// `python -m tidemark.repository`; what that prints to stderr goes to the user. kNotFound if there is no
/// file.
Result<std::string> ReadDefinitions(const std::vector<std::filesystem::path>& paths,
                                    const std::string& python);

}  // namespace tidemark::cli
