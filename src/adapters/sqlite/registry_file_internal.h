// The registry's file: its tables, how it is made, and what is checked before it is believed.
//
//   counters   one row: the greatest object id and serial ever given; neither is given twice, even after a
//              project and all of its objects are removed
//   projects   name, serial of its last change, how many live objects it has
//   objects    id, project, kind, the name folded to lower case (null once removed; unique while not), the
//              number of its versions, the time of the first
//   versions   every version of every object, with its document
//   notes      small documents by (object, name)
// and since format 2
//   iceberg_tables, iceberg_namespace_properties   as Iceberg's SQL catalogs have them (schema V1): where
//   each
//              table's newest metadata is. Other programs may write them, so their rows have no checksum;
//              what they point to is checked when it is read
//   offline_tables   which of these rows is the table of which feature view
// and since format 3
//   api_keys   ids, names, scopes and times of the keys that servers accept, with a hash of each secret;
//              checked when they are read
//
// SQLite keeps the pages' structure; each row ends with a CRC32C over its other columns, so that a flipped
// byte within a value is found as well (row_checksum_internal.h). A file of an older format is brought to
// this one when it is opened, in one transaction.
#pragma once

#include <string>

#include "adapters/sqlite/connection_internal.h"

namespace tidemark::sqlite {

/// "TMRK": says in the file's header whose file it is.
inline constexpr int kApplicationId = 0x544D524B;
/// Grows when the tables change; kept as the file's user_version.
inline constexpr int kFormatVersion = 4;

/// Opens the registry at `path`, or makes an empty one there if there is no file. A file that is not a
/// registry is not touched.
Result<Connection> OpenRegistryFile(const std::string& path, int busy_timeout_ms);

}  // namespace tidemark::sqlite
