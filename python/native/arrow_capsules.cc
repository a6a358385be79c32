// Capsules are made and taken here; nothing is copied.
#include "arrow_capsules.h"

#include <stop_token>
#include <utility>

#include "errors.h"

namespace nb = nanobind;

namespace tidemark::python {
namespace {

constexpr const char* kStreamName = "arrow_array_stream";
constexpr const char* kSchemaName = "arrow_schema";
constexpr const char* kArrayName = "arrow_array";

/// Moves `value` into a capsule that releases it, if by then nobody has taken it.
template <typename T>
nb::capsule MakeCapsule(T& value, const char* name) {
  auto owned = std::make_unique<T>(value);
  value.release = nullptr;
  PyObject* made = PyCapsule_New(owned.get(), name, [](PyObject* capsule) {
    auto* held = static_cast<T*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
    if (held->release != nullptr) held->release(held);
    delete held;
  });
  if (made == nullptr) {
    if (owned->release != nullptr) owned->release(owned.get());
    throw nb::python_error();
  }
  owned.release();
  return nb::steal<nb::capsule>(made);
}

}  // namespace

TakenStream::TakenStream(const nb::object& exporter) {
  const nb::object capsule = exporter.attr("__arrow_c_stream__")();
  void* pointer = PyCapsule_GetPointer(capsule.ptr(), kStreamName);
  if (pointer == nullptr) throw nb::python_error();
  auto* held = static_cast<ArrowArrayStream*>(pointer);
  stream_ = *held;
  held->release = nullptr;
}

TakenStream::~TakenStream() {
  if (stream_.release != nullptr) stream_.release(&stream_);
}

TakenBatch::TakenBatch(const nb::object& exporter) {
  const nb::tuple capsules = nb::cast<nb::tuple>(exporter.attr("__arrow_c_array__")());
  auto* schema = static_cast<ArrowSchema*>(PyCapsule_GetPointer(capsules[0].ptr(), kSchemaName));
  if (schema == nullptr) throw nb::python_error();
  auto* array = static_cast<ArrowArray*>(PyCapsule_GetPointer(capsules[1].ptr(), kArrayName));
  if (array == nullptr) throw nb::python_error();
  schema_ = *schema;
  schema->release = nullptr;
  array_ = *array;
  array->release = nullptr;
}

TakenBatch::~TakenBatch() {
  if (schema_.release != nullptr) schema_.release(&schema_);
  if (array_.release != nullptr) array_.release(&array_);
}

ArrowBatch::~ArrowBatch() {
  if (schema_.release != nullptr) schema_.release(&schema_);
  if (array_.release != nullptr) array_.release(&array_);
}

ArrowBatch::ArrowBatch(ArrowBatch&& other) noexcept
    : schema_(std::exchange(other.schema_, {})), array_(std::exchange(other.array_, {})) {}

nb::tuple ArrowBatch::Export() {
  if (array_.release == nullptr)
    Raise(ErrorCode::kInvalidArgument, "this Arrow batch has been taken already");
  nb::capsule schema = MakeCapsule(schema_, kSchemaName);
  return nb::make_tuple(std::move(schema), MakeCapsule(array_, kArrayName));
}

ResultStream::ResultStream(std::shared_ptr<Store> store, ArrowArrayStream stream, std::stop_source stop,
                           std::shared_ptr<const HistoricalReport> report)
    : store_(std::move(store)), stream_(stream), stop_(std::move(stop)), report_(std::move(report)) {}

ResultStream::~ResultStream() {
  // Releasing may wait for threads of the engine that are in a progress callback.
  const nb::gil_scoped_release unlocked;
  if (stream_.release != nullptr) stream_.release(&stream_);
}

Result<void> ResultStream::GetSchema(ArrowSchema* out) {
  if (const int failed = stream_.get_schema(&stream_, out); failed != 0) {
    return std::unexpected(StreamError(&stream_, failed));
  }
  return {};
}

nb::capsule ResultStream::Schema() {
  ArrowSchema schema{};
  Unwrap(GetSchema(&schema));
  return MakeCapsule(schema, kSchemaName);
}

nb::object ResultStream::Next(const CancelToken* token) {
  ArrowBatch batch;
  const std::stop_callback passed_on(token == nullptr ? std::stop_token() : token->source().get_token(),
                                     [this] { stop_.request_stop(); });
  Unwrap(RunInterruptibly(stop_, [&]() -> Result<void> {
    if (const int failed = stream_.get_next(&stream_, batch.array()); failed != 0) {
      return std::unexpected(StreamError(&stream_, failed));
    }
    return batch.array()->release == nullptr ? Result<void>() : GetSchema(batch.schema());
  }));
  if (batch.array()->release == nullptr) return nb::none();
  return nb::cast(std::move(batch));
}

}  // namespace tidemark::python
