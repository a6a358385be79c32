// Turns LMDB's return codes into Tidemark's errors, once.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::lmdb {

/// What an environment is for.
struct Contents {
  std::string_view name;           // as errors call it
  std::string_view format;         // what its file says of itself
  std::string_view owner;          // whose it is, in "give the ... a folder of its own"
  std::string_view when_damaged;   // what to do then
  std::string_view when_at_limit;  // the same
  bool may_run_ahead = false;      // commits may be synced some at a time (lmdb_ahead.cc)
};
extern const Contents kOnlineRows;
extern const Contents kBatches;

/// Where something went wrong.
struct Place {
  std::string folder;
  const Contents* contents;
};

/// `code` is what an LMDB function returned (not 0); `action` completes "cannot ...".
std::unexpected<Error> FailWith(int code, std::string_view action, const Place& place);

/// What to do about damaged rows, as the end of a sentence.
inline constexpr std::string_view kRebuild =
    "it is not served: rebuild the view's rows from its source by `tidemark materialize-incremental "
    "--reload` or "
    "materialize_incremental(..., reload=True); a row that was only pushed online must be pushed again";

/// A key as it is shown in errors: hexadecimal, long ones cut.
std::string KeyInHex(std::string_view key);

}  // namespace tidemark::lmdb
