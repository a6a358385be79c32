// Streams that are read into tables, for Python: status goes out as JSON.
#include "errors.h"
#include "interruptible.h"
#include "python_store.h"

namespace tidemark::python {

void PythonStore::RunStreams(const std::vector<std::string>& views, bool until_end, const std::string& group,
                             double rejected_rate_max, std::int64_t wait_max_us,
                             const CancelToken* token) const {
  const std::stop_source stop = SourceOf(token);
  RunStreamsOptions options;
  options.until_end = until_end;
  options.group = group;
  options.rejected_rate_max = rejected_rate_max;
  options.wait_max_us = wait_max_us;
  options.stop = stop.get_token();
  Unwrap(RunInterruptibly(stop, [&] { return store_->RunStreams(views, options); }));
}

std::string PythonStore::StreamStatus(const std::vector<std::string>& views) const {
  return Unwrap(RunInterruptibly(std::stop_source(), [&] { return store_->StreamStatus(views); }));
}

std::string PythonStore::RestartStream(const std::string& view, const std::string& from,
                                       const std::vector<std::string>& partitions, bool dry_run) const {
  const auto stated = ParseStreamRestart(from);
  if (!stated) Raise(ErrorCode::kInvalidArgument, "from_ is 'earliest', 'latest' or 'continue'");
  const RestartStreamOptions options{.from = *stated, .partitions = partitions, .dry_run = dry_run};
  return Unwrap(RunInterruptibly(std::stop_source(), [&] { return store_->RestartStream(view, options); }));
}

}  // namespace tidemark::python
