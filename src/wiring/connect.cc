// Stores on servers: they write results to files of this machine as stores in folders do.
#include "adapters/files/table_file.h"
#include "base/parallel.h"
#include "remote/remote_store.h"
#include "tidemark/remote.h"

namespace tidemark {

Result<std::unique_ptr<Store>> Connect(const ConnectOptions& options) {
  return remote::OpenRemoteStore(
      options, [threads = ThreadCount(0)](arrow::RecordBatchReader& rows, const std::filesystem::path& path) {
        TableWriteOptions writing;
        writing.threads = threads;
        return WriteTableFile(rows, path, writing);
      });
}

}  // namespace tidemark
