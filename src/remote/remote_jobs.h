// Work that a server does on its own while it is watched.
#pragma once

#include <string>

#include "base/result.h"
#include "remote/session.h"
#include "tidemark/store.h"

namespace tidemark::remote {

/// Starts a job by a POST of `body` and waits for its end: the report, as JSON text. Its error is returned as
/// the route would have. Told to stop, it cancels the job, and waits a little for that.
Result<std::string> RunJob(const Session& session, const Target& target, std::string body,
                           const WorkOptions& work);

/// The same of a request that is made already: its method, target, effect and body.
Result<std::string> RunJob(const Session& session, Request& request, const WorkOptions& work);

}  // namespace tidemark::remote
