// What the parts of RegisteredTables share. Private to src/engine.
#pragma once

#include <vector>

#include "store/foreign_tables.h"

namespace tidemark {

/// Puts files into a listing, in the place of those of the same paths.
void Remember(const std::vector<ForeignFile>& files, std::vector<ForeignFile>& listing);

}  // namespace tidemark
