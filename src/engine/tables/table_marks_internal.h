// What a table's properties say of the logs, and the tokens that writers are given.
//
//   flushed.<log id>  "<lsn> <when, microseconds>": frames up to lsn are in the table's files
//   batch.<hash>      "<when> <content>": a batch with this idempotency key went straight to files; earlier
//                     versions did not say its content
//
// Tokens: "log:<log id>:<lsn>" of a frame, "online:<log id>:<lsn>" of one for the online store only,
// "snapshot:<id>:<when>" of a commit.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "engine/catalog.h"
#include "engine/tables/stream_marks.h"
#include "store/batch_ledger.h"
#include "store/offline_store.h"
#include "store/write_log.h"

namespace tidemark {

std::string FlushedName(LogId log);
std::string FlushedText(std::uint64_t lsn, std::int64_t now_us);
/// How far each log is flushed, by its id.
std::map<std::string, std::uint64_t> FlushedMarks(const TableProperties& properties);
std::string BatchName(std::string_view batch_key);
std::string BatchText(std::int64_t now_us, const BatchContent& content);
/// Of a BatchText; unknown if it does not say.
BatchContent ContentOfMark(std::string_view text);

/// Removals of marks that nothing can ask for any more: those of logs that are gone and of batches, a day
/// old.
void ForgetOldMarks(const TableProperties& properties, const std::vector<LogId>& logs, std::int64_t now_us,
                    CommitDecision& decision);

std::string TokenOf(LogPosition position, std::uint8_t targets);
std::string TokenOf(std::int64_t snapshot_id, std::int64_t committed_us);

/// Which rows a read sees.
enum class Sight : std::uint8_t { kTable, kOnline };

/// Succeeds if the write that `token` stands for is seen by who reads these logs and this snapshot, or the
/// online store beside them. kNotFound if it is not, kInvalidArgument for no token of ours.
Result<void> CheckSeen(std::string_view token, Sight sight,
                       const std::vector<std::unique_ptr<LogSnapshot>>& logs, const TableSnapshot& snapshot,
                       const OfflineTable& table);

/// The same of a view with a batch source, whose rows are in their folder once they are acknowledged.
/// `has_file` says whether the file of a frame was written within a day.
Result<void> CheckSeenInFolder(std::string_view token, Sight sight,
                               const std::vector<std::unique_ptr<LogSnapshot>>& logs,
                               FunctionRef<Result<bool>(LogPosition)> has_file);

}  // namespace tidemark
