// Where Tidemark itself was installed.
#pragma once

#include <filesystem>

namespace tidemark {

/// The folder of the library or program that this code is part of; empty if it cannot be told.
std::filesystem::path OwnFolder();

}  // namespace tidemark
