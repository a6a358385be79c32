// ExternalFiles (store/external_files.h) on the local disk.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "store/external_files.h"

namespace tidemark {

/// Relative paths are below `folder`; nothing below one of `own` is external.
std::shared_ptr<const ExternalFiles> OpenExternalFolder(std::filesystem::path folder,
                                                        std::vector<std::filesystem::path> own);

}  // namespace tidemark
