// Python functions run by a number of processes.
#pragma once

#include <memory>

#include "base/result.h"
#include "store/function_runner.h"

namespace tidemark {

/// Waits until one process is ready: errors as of PythonWorkers::Start. Others are started when calls wait.
/// A process that was killed, or ended, is started again at the next call, and if that happens again without
/// a call that was answered in between, after a while that grows from 100 ms to 5 s.
Result<std::shared_ptr<FunctionRunner>> StartWorkerPool(const PythonWorkersOptions& options);

}  // namespace tidemark
