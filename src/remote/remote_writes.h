// Rows that are written to a store on a server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "remote/session.h"
#include "tidemark/store.h"

namespace tidemark::remote {

// As the methods of Store of these names. Every write carries an idempotency key, one of its own if the
// caller gave none, so that it is sent again when its answer was lost, and counts once.
Result<IngestReport> Ingest(const Session& session, std::string_view view, const EntityRows& rows,
                            const IngestOptions& options, ArrowArrayStream* rejected);
Result<IngestReport> Delete(const Session& session, std::string_view view, const EntityRows& rows,
                            std::optional<std::int64_t> event_us, const IngestOptions& options);
Result<std::vector<std::pair<std::string, IngestReport>>> Push(const Session& session,
                                                               std::string_view source,
                                                               const EntityRows& rows,
                                                               const IngestOptions& options);
Result<OnlineWriteReport> WriteOnline(const Session& session, std::string_view view, ArrowArrayStream* rows);
Result<std::string> Erase(const Session& session, std::string_view view, const EntityRows& keys,
                          const WorkOptions& work);

}  // namespace tidemark::remote
