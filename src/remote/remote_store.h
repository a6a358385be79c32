// A store on a server, as the public interface has it.
#pragma once

#include <memory>

#include "base/result.h"
#include "remote/session.h"
#include "tidemark/remote.h"

namespace tidemark::remote {

/// As Connect.
Result<std::unique_ptr<Store>> OpenRemoteStore(const ConnectOptions& options, WriteFile write_file);

}  // namespace tidemark::remote
