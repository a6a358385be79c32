// One Iceberg table of the store.
#pragma once

#include <memory>
#include <string_view>

#include "adapters/iceberg/commit.h"
#include "store/offline_store.h"

namespace tidemark::iceberg {

Result<std::unique_ptr<OfflineTable>> OpenIcebergTable(TablePlace place);

/// A new table's metadata. kInvalidArgument for a layout that cannot be.
Result<TableMetadata> MakeMetadata(const TableLayout& layout, const std::filesystem::path& folder,
                                   std::int64_t now_ms);

/// A property of tables whose data files are other people's: set to "true".
inline constexpr std::string_view kForeignProperty = "tidemark.foreign-files";
bool IsForeign(const TableMetadata& metadata);

/// The columns that the rule asks for, by their names in `schema`.
SystemColumns SystemColumnsOf(const TableMetadata& metadata, const Schema& schema);

/// The layout that metadata describes.
Result<TableLayout> LayoutOf(const TableMetadata& metadata);

}  // namespace tidemark::iceberg
