// Files registered as tables, for Python: reports go out as JSON.
#include "errors.h"
#include "interruptible.h"
#include "python_store.h"

namespace tidemark::python {

std::string PythonStore::RegisterTable(const std::string& database, const std::string& table,
                                       const std::string& path, std::vector<std::string> partitions,
                                       const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  const RegisterOptions options{.partitions = std::move(partitions), .stop = stop.get_token()};
  return Unwrap(
      RunInterruptibly(stop, [&] { return store_->RegisterTable(database, table, path, options); }));
}

std::string PythonStore::AddPartitions(const std::string& database, const std::string& table,
                                       const std::vector<std::string>& partitions,
                                       const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  return Unwrap(RunInterruptibly(
      stop, [&] { return store_->AddPartitions(database, table, partitions, stop.get_token()); }));
}

std::string PythonStore::Refresh(const std::vector<std::string>& tables, const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  return Unwrap(RunInterruptibly(stop, [&] { return store_->Refresh(tables, stop.get_token()); }));
}

std::string PythonStore::Tables(const std::string& database) const {
  return Unwrap(RunInterruptibly(std::stop_source(), [&] { return store_->Tables(database); }));
}

bool PythonStore::DropRegisteredTable(const std::string& name) const {
  return Unlocked([&] { return store_->DropRegisteredTable(name); });
}

}  // namespace tidemark::python
