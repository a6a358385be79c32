// Dumps (store/dumps.h) in a folder, each in a folder of its own:
//
//   <id>/data.parquet   the rows
//   <id>/dump.json      what was asked, when, and the length and CRC32C of the other file
//   .<id>.new/          one that is being written, renamed when it is whole and synced
//   .<id>.lock          held by who writes it: without that, what is there of it goes
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "store/dumps.h"

namespace tidemark {

/// The folder is made with the first dump. `threads` decode what is read.
std::unique_ptr<Dumps> OpenDumpFolder(const std::filesystem::path& folder, std::size_t threads);

}  // namespace tidemark
