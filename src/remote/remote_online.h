// Online lookups that a server answers.
#pragma once

#include <memory>

#include "base/result.h"
#include "remote/session.h"
#include "tidemark/online.h"
#include "tidemark/store.h"

namespace tidemark::remote {

Result<std::shared_ptr<const OnlineReader>> PrepareOnline(const std::shared_ptr<const Session>& session,
                                                          const OnlineOptions& options);

}  // namespace tidemark::remote
