// The public handle of a pool of worker processes.
#include "tidemark/python_workers.h"

#include "adapters/python_workers/worker_pool.h"
#include "base/result.h"

namespace tidemark {

Result<std::shared_ptr<PythonWorkers>> PythonWorkers::Start(const PythonWorkersOptions& options) {
  TM_ASSIGN(auto runner, StartWorkerPool(options));
  return std::make_shared<PythonWorkers>(std::move(runner));
}

PythonWorkersStats PythonWorkers::Stats() const {
  return runner_->Stats();
}

}  // namespace tidemark
