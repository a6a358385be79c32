// Threads that each have a process, and take calls from one queue. Arrow arrays become bytes, and bytes
// arrays, on the threads of the callers.
#include "adapters/python_workers/worker_pool.h"

#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "adapters/python_workers/worker_process_internal.h"
#include "base/json.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace python_workers {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kPreparedMax = 256;  // functions that a process keeps
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5'000};
constexpr std::size_t kWorkersMax = 1'024;
constexpr std::int64_t kLeastMemory = std::int64_t{256} << 20;
constexpr std::int64_t kLeastCallUs = 1'000;

struct Call {
  enum class State : std::uint8_t { kWaiting, kRunning, kDone };
  const ViewFunction* function = nullptr;
  std::string_view arguments;  // an Arrow IPC stream
  std::int64_t rows = 0;
  State state = State::kWaiting;
  Result<std::string> answer = {};  // an Arrow IPC stream
  std::condition_variable_any changed = {};
};

std::string PlaceOf(const ViewFunction& function) {
  return fmt::format("on-demand feature view {}", function.view);
}

Result<std::shared_ptr<arrow::Buffer>> BytesOf(const arrow::RecordBatch& batch) {
  TM_ASSIGN(const auto sink, FromArrowResult(arrow::io::BufferOutputStream::Create()));
  TM_ASSIGN(const auto writer, FromArrowResult(arrow::ipc::MakeStreamWriter(sink, batch.schema())));
  TM_TRY(FromArrowStatus(writer->WriteRecordBatch(batch)));
  TM_TRY(FromArrowStatus(writer->Close()));
  return FromArrowResult(sink->Finish());
}

/// A process may have been broken by what it ran, so nothing of what it says is believed.
Result<arrow::ArrayVector> ArraysOf(std::string bytes, const ViewFunction& function, std::int64_t rows) {
  const auto source = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)));
  TM_ASSIGN(const auto reader, FromArrowResult(arrow::ipc::RecordBatchStreamReader::Open(source)));
  std::shared_ptr<arrow::RecordBatch> batch;
  TM_TRY(FromArrowStatus(reader->ReadNext(&batch)));
  if (batch == nullptr || batch->num_rows() != rows ||
      batch->num_columns() != static_cast<int>(function.fields.size())) {
    return Fail(ErrorCode::kInvalidData, "its process answered other rows than it was asked for");
  }
  arrow::ArrayVector arrays;
  for (const Field& field : function.fields) {
    auto array = batch->GetColumnByName(field.name);
    if (array == nullptr || !array->type()->Equals(*ToArrow(field.type)))
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("its process answered field {} of another type", field.name));
    TM_TRY(FromArrowStatus(array->ValidateFull()));
    arrays.push_back(std::move(array));
  }
  return arrays;
}

/// The error that a process answered with.
Error ErrorOf(const Json& told) {
  // What goes wrong in a function is about its data; whatever a process says, it speaks for no other part.
  Error error{ErrorCode::kInvalidData, "its process gave no reason", {}};
  const auto text = [&](const char* name) {
    return told.is_object() && told.contains(name) && told[name].is_string();
  };
  if (text("message")) error.message = told["message"].text();
  if (text("context")) error.context = told["context"].text();
  return error;
}

class WorkerPool final : public FunctionRunner {
 public:
  static Result<std::shared_ptr<FunctionRunner>> Start(const PythonWorkersOptions& options);

  explicit WorkerPool(PythonWorkersOptions options) : options_(std::move(options)) {}
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() override;

  Result<arrow::ArrayVector> Run(const ViewFunction& function, const arrow::RecordBatch& inputs,
                                 const std::stop_token& stop) override;
  PythonWorkersStats Stats() const override;

 private:
  /// A process with what its thread knows of it.
  struct Worker {
    std::unique_ptr<WorkerProcess> process = {};
    bool was_there = false;  // one was started before
    milliseconds pause{0};   // before the next one is
    SteadyClock::time_point not_before = {};
  };

  void Work(bool is_first);
  /// The next call; null when all ends.
  Call* Take(const Worker& worker);
  void Finish(Call& call, Result<std::string> answer);
  Result<std::string> Answer(Worker& worker, const Call& call);
  Result<std::string> Ask(Worker& worker, const Call& call);
  Result<void> EnsureProcess(Worker& worker);
  Result<std::int64_t> EnsurePrepared(Worker& worker, const ViewFunction& function);
  Result<Frame> Exchange(Worker& worker, const Json& head, std::string_view body, std::int64_t us_max);
  /// Ends a process that cannot go on.
  std::string Drop(Worker& worker);
  Result<void> Await(Call& call, const std::stop_token& stop);

  const PythonWorkersOptions options_;
  int stop_event_ = -1;
  mutable std::mutex mutex_;  // guards those below
  std::condition_variable offered_;
  std::deque<Call*> waiting_;
  bool ends_ = false;
  bool first_done_ = false;  // the first process is ready, or cannot be started
  Result<void> first_ = {};
  std::condition_variable first_changed_;
  std::atomic<std::int64_t> alive_ = 0;
  std::atomic<std::int64_t> calls_ = 0;
  std::atomic<std::int64_t> errors_ = 0;
  std::atomic<std::int64_t> refused_ = 0;
  std::atomic<std::int64_t> restarts_ = 0;
  std::atomic<std::int64_t> running_us_ = 0;
  std::vector<std::jthread> threads_;
};

Result<std::shared_ptr<FunctionRunner>> WorkerPool::Start(const PythonWorkersOptions& options) {
  if (options.workers == 0 || options.workers > kWorkersMax)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("Python workers are from 1 to {}", kWorkersMax));
  if (options.memory_bytes_max < kLeastMemory)
    return Fail(ErrorCode::kInvalidArgument, "a Python worker needs at least 256MiB of memory");
  if (options.call_us_max < kLeastCallUs || options.start_us_max < kLeastCallUs)
    return Fail(ErrorCode::kInvalidArgument, "a Python function needs at least 1ms");
  auto pool = std::make_shared<WorkerPool>(options);
  pool->stop_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (pool->stop_event_ < 0)
    return Fail(ErrorCode::kUnavailable, fmt::format("no event: {}", std::strerror(errno)));
  for (std::size_t i = 0; i < options.workers; ++i)
    pool->threads_.emplace_back([raw = pool.get(), i] { raw->Work(i == 0); });
  std::unique_lock lock(pool->mutex_);
  pool->first_changed_.wait(lock, [&] { return pool->first_done_; });
  if (!pool->first_) return std::unexpected(pool->first_.error());
  lock.unlock();
  return pool;
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  offered_.notify_all();
  const std::uint64_t one = 1;
  if (stop_event_ >= 0 && write(stop_event_, &one, sizeof(one)) < 0) {
    // The event counts so far that it cannot take one more: it is readable, as it should be.
  }
  threads_.clear();  // joins
  if (stop_event_ >= 0) close(stop_event_);
}

void WorkerPool::Work(bool is_first) {
  Worker worker;
  if (is_first) {
    Result<void> started = EnsureProcess(worker);
    const std::lock_guard lock(mutex_);
    first_ = std::move(started);
    first_done_ = true;
    first_changed_.notify_all();
  }
  while (Call* const call = Take(worker)) {
    const auto began = SteadyClock::now();
    Result<std::string> answer = Answer(worker, *call);
    running_us_ += std::chrono::duration_cast<microseconds>(SteadyClock::now() - began).count();
    ++calls_;
    if (!answer) ++errors_;
    Finish(*call, std::move(answer));
  }
  if (worker.process != nullptr) Drop(worker);
}

Call* WorkerPool::Take(const Worker& worker) {
  std::unique_lock lock(mutex_);
  if (worker.process == nullptr) offered_.wait_until(lock, worker.not_before, [&] { return ends_; });
  offered_.wait(lock, [&] { return ends_ || !waiting_.empty(); });
  if (ends_) return nullptr;
  Call* const call = waiting_.front();
  waiting_.pop_front();
  call->state = Call::State::kRunning;
  return call;
}

void WorkerPool::Finish(Call& call, Result<std::string> answer) {
  const std::lock_guard lock(mutex_);
  call.answer = std::move(answer);
  call.state = Call::State::kDone;
  call.changed.notify_one();  // under the lock: its owner may be gone right after
}

Result<void> WorkerPool::EnsureProcess(Worker& worker) {
  if (worker.process != nullptr) return {};
  if (worker.was_there) ++restarts_;
  worker.was_there = true;
  auto process = WorkerProcess::Start({.interpreter = options_.interpreter,
                                       .memory_bytes_max = options_.memory_bytes_max,
                                       .stop = stop_event_},
                                      SteadyClock::now() + microseconds(options_.start_us_max));
  if (!process) {
    worker.pause = std::clamp(worker.pause * 2, kFirstPause, kLongestPause);
    worker.not_before = SteadyClock::now() + worker.pause;
    return std::unexpected(process.error());
  }
  worker.process = *std::move(process);
  ++alive_;
  return {};
}

std::string WorkerPool::Drop(Worker& worker) {
  std::string why = worker.process->End();
  worker.process = nullptr;
  --alive_;
  // The first time there is no pause: another function may go well.
  worker.not_before = SteadyClock::now() + worker.pause;
  worker.pause = std::clamp(worker.pause * 2, kFirstPause, kLongestPause);
  return why;
}

Result<Frame> WorkerPool::Exchange(Worker& worker, const Json& head, std::string_view body,
                                   std::int64_t us_max) {
  const Channel& channel = worker.process->channel();
  const auto deadline = SteadyClock::now() + microseconds(us_max);
  const auto sent = SendFrame(channel, head.dump(), body, deadline);
  const auto bytes_max = static_cast<std::size_t>(options_.memory_bytes_max);
  auto answer = sent ? ReceiveFrame(channel, bytes_max, deadline)
                     : std::expected<Frame, Broken>(std::unexpected(sent.error()));
  if (answer) return *std::move(answer);
  const std::string why = Drop(worker);
  switch (answer.error()) {
    case Broken::kTooLate:
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("the function took longer than {} s and was ended: make it faster, ask for "
                              "fewer rows, or raise python_time_max",
                              static_cast<double>(us_max) / 1e6));
    case Broken::kStopped:
      return Fail(ErrorCode::kCancelled, "the workers of Python functions were stopped");
    case Broken::kWrong:
      return Fail(ErrorCode::kInvalidData, "the function's process answered what is no answer");
    case Broken::kEnded:
      break;
  }
  return Fail(ErrorCode::kInvalidData,
              fmt::format("the function ended its process: {}", why.empty() ? "it closed its end" : why));
}

Result<std::int64_t> WorkerPool::EnsurePrepared(Worker& worker, const ViewFunction& function) {
  auto& prepared = worker.process->prepared();
  if (const auto found = prepared.find(function.definition); found != prepared.end()) return found->second;
  if (prepared.size() >= kPreparedMax) {
    const auto deadline = SteadyClock::now() + microseconds(options_.call_us_max);
    if (!SendFrame(worker.process->channel(), R"({"call":"forget"})", {}, deadline)) {
      const std::string why = Drop(worker);
      return Fail(ErrorCode::kUnavailable, fmt::format("the process of its function is gone: {}", why));
    }
    prepared.clear();
  }
  const auto id = static_cast<std::int64_t>(prepared.size());
  TM_ASSIGN(const Frame frame,
            Exchange(worker, Json{{"call", "prepare"}, {"id", id}, {"definition", function.definition}}, {},
                     options_.start_us_max));
  const Json head = ParseJson(frame.head).value_or(nullptr);
  if (!head.is_object() || head.contains("error")) {
    return std::unexpected(ErrorOf(head.is_object() ? head["error"] : Json()));
  }
  prepared.emplace(function.definition, id);
  return id;
}

Result<std::string> WorkerPool::Ask(Worker& worker, const Call& call) {
  TM_TRY(EnsureProcess(worker));
  TM_ASSIGN(const std::int64_t id, EnsurePrepared(worker, *call.function));
  TM_ASSIGN(Frame frame, Exchange(worker, Json{{"call", "run"}, {"id", id}, {"rows", call.rows}},
                                  call.arguments, options_.call_us_max));
  worker.pause = milliseconds(0);
  const Json head = ParseJson(frame.head).value_or(nullptr);
  if (!head.is_object() || head.contains("error")) {
    return std::unexpected(ErrorOf(head.is_object() ? head["error"] : Json()));
  }
  return std::move(frame.body);
}

Result<std::string> WorkerPool::Answer(Worker& worker, const Call& call) {
  // One that has ended while nobody asked for anything is no fault of this call.
  if (worker.process != nullptr && !worker.process->IsThere()) Drop(worker);
  auto answer = Ask(worker, call);
  if (!answer) return std::unexpected(std::move(answer).error().In(PlaceOf(*call.function)));
  return answer;
}

Result<void> WorkerPool::Await(Call& call, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (waiting_.size() >= options_.waiting_max + (waiting_.empty() ? 1U : 0U)) {
    ++refused_;
    return Fail(ErrorCode::kBusy,
                fmt::format("{} calls of Python functions wait already, which is as many as may: try again "
                            "later, or have more python_workers",
                            waiting_.size()));
  }
  waiting_.push_back(&call);
  offered_.notify_one();
  const auto until = SteadyClock::now() + microseconds(options_.call_us_max);
  call.changed.wait_until(lock, stop, until, [&] { return call.state != Call::State::kWaiting; });
  if (call.state == Call::State::kWaiting) {
    std::erase(waiting_, &call);
    if (stop.stop_requested())
      return Fail(ErrorCode::kCancelled, "stopped while it waited for a Python worker");
    ++refused_;
    return Fail(
        ErrorCode::kBusy,
        fmt::format("no Python worker was free for {} s: try again later, or have more python_workers",
                    static_cast<double>(options_.call_us_max) / 1e6));
  }
  call.changed.wait(lock, [&] { return call.state == Call::State::kDone; });
  return {};
}

Result<arrow::ArrayVector> WorkerPool::Run(const ViewFunction& function, const arrow::RecordBatch& inputs,
                                           const std::stop_token& stop) {
  const std::string place = PlaceOf(function);
  TM_ASSIGN(const auto arguments, BytesOf(inputs));
  Call call;
  call.function = &function;
  call.arguments = std::string_view(*arguments);
  call.rows = inputs.num_rows();
  TM_TRY_IN(Await(call, stop), place);
  if (!call.answer) return std::unexpected(std::move(call.answer).error());
  auto arrays = ArraysOf(*std::move(call.answer), function, inputs.num_rows());
  if (!arrays) return std::unexpected(std::move(arrays).error().In(place));
  return arrays;
}

PythonWorkersStats WorkerPool::Stats() const {
  PythonWorkersStats stats{.workers = alive_,
                           .waiting = 0,
                           .calls = calls_,
                           .errors = errors_,
                           .refused = refused_,
                           .restarts = restarts_,
                           .running_us = running_us_};
  const std::lock_guard lock(mutex_);
  stats.waiting = static_cast<std::int64_t>(waiting_.size());
  return stats;
}

}  // namespace
}  // namespace python_workers

Result<std::shared_ptr<FunctionRunner>> StartWorkerPool(const PythonWorkersOptions& options) {
  return python_workers::WorkerPool::Start(options);
}

}  // namespace tidemark
