// A store on a server, as the public interface has it.
#pragma once

#include <memory>

#include "base/result.h"
#include "remote/session.h"
#include "tidemark/remote.h"

namespace tidemark::remote {

/// As Connect; `files` reads and writes files of this machine.
Result<std::unique_ptr<Store>> OpenRemoteStore(const ConnectOptions& options, LocalFiles files);

}  // namespace tidemark::remote
