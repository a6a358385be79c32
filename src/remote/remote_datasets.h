// Training sets that a server keeps.
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "remote/session.h"
#include "tidemark/store.h"

namespace tidemark::remote {

/// `asked` is what is asked for, as of a training set. With `storage` the file is fetched to it.
Result<std::string> SaveDataset(const Session& session, std::string_view name, const EntityRows* rows,
                                Json asked, const HistoricalOptions& what, const SaveDatasetOptions& options);
Result<std::filesystem::path> RebuildDataset(const Session& session, std::string_view name,
                                             const std::filesystem::path& out, const WorkOptions& work);
Result<void> FetchSavedDataset(const Session& session, std::string_view name, DatasetFile file,
                               const std::filesystem::path& out, const std::stop_token& stop);
Result<std::string> SaveTable(const Session& session, std::string_view table, ArrowArrayStream* rows,
                              const SaveTableOptions& options, const std::stop_token& stop);

}  // namespace tidemark::remote
