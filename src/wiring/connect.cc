// Stores on servers: they read and write files of this machine as stores in folders do.
#include "adapters/files/table_file.h"
#include "base/parallel.h"
#include "remote/remote_store.h"
#include "tidemark/remote.h"

namespace tidemark {

Result<std::unique_ptr<Store>> Connect(const ConnectOptions& options) {
  const std::size_t threads = ThreadCount(0);
  remote::LocalFiles files;
  files.open = [threads](const std::filesystem::path& path, const std::map<std::string, DataType>& types,
                         const std::stop_token& stop) { return OpenTableFile(path, threads, types, stop); };
  files.write = [threads](arrow::RecordBatchReader& rows, const std::filesystem::path& path) {
    TableWriteOptions writing;
    writing.threads = threads;
    return WriteTableFile(rows, path, writing);
  };
  files.is_csv = [](const std::filesystem::path& path) { return FirstRowNumber(path) != 0; };
  return remote::OpenRemoteStore(options, std::move(files));
}

}  // namespace tidemark
