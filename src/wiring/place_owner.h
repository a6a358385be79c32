// Whose a place is that lies outside of the store's folder (`offline_store.path`, `online_store.path`).
//
// A copy of a store's folder has its settings too, and must not write where the first one does. So a place
// outside says in a file, `belongs-to`, which store's folder it was made for. Places inside need none: they
// move and are copied with the store.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace tidemark {

/// The path of a folder without links, as far as it is there.
std::filesystem::path PlainPath(const std::filesystem::path& folder);

/// True if `place` is below the store's folder.
bool LiesWithin(const std::filesystem::path& place, const std::filesystem::path& store_folder);

/// Makes `place`, which lies outside, the store's if it is nobody's yet. kInvalidArgument, naming the other
/// store and what to do, if it is another's. In a place that cannot be written nothing is noted.
Result<void> ClaimPlace(const std::filesystem::path& place, const std::filesystem::path& store_folder);

/// The same for a store that was moved: takes the place over from a folder that has no store any more.
/// kInvalidArgument if that one is still there.
Result<void> TakeOverPlace(const std::filesystem::path& place, const std::filesystem::path& store_folder);

}  // namespace tidemark
