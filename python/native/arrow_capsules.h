// Arrow data between Python and the engine, by the PyCapsules of the Arrow specification.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string>

#include "interruptible.h"
#include "tidemark/arrow_c.h"
#include "tidemark/error.h"
#include "tidemark/store.h"

namespace tidemark::python {

/// A stream taken out of an object with `__arrow_c_stream__`; released with it unless the engine took it
/// over.
class TakenStream {
 public:
  explicit TakenStream(const nanobind::object& exporter);
  ~TakenStream();
  TakenStream(const TakenStream&) = delete;
  TakenStream& operator=(const TakenStream&) = delete;

  ArrowArrayStream* get() { return &stream_; }

 private:
  ArrowArrayStream stream_{};
};

/// A record batch taken out of an object with `__arrow_c_array__`; released with it unless the engine took it
/// over.
class TakenBatch {
 public:
  explicit TakenBatch(const nanobind::object& exporter);
  ~TakenBatch();
  TakenBatch(const TakenBatch&) = delete;
  TakenBatch& operator=(const TakenBatch&) = delete;

  ArrowSchema* schema() { return &schema_; }
  ArrowArray* array() { return &array_; }

 private:
  ArrowSchema schema_{};
  ArrowArray array_{};
};

/// One record batch on its way to Python; pyarrow takes it with `pa.record_batch(batch)`.
class ArrowBatch {
 public:
  ArrowBatch() = default;
  ~ArrowBatch();
  ArrowBatch(ArrowBatch&& other) noexcept;
  ArrowBatch& operator=(ArrowBatch&&) = delete;

  ArrowSchema* schema() { return &schema_; }
  ArrowArray* array() { return &array_; }

  /// (schema capsule, array capsule); works once.
  nanobind::tuple Export();

 private:
  ArrowSchema schema_{};
  ArrowArray array_{};
};

/// A training set as it is read, batch by batch.
class ResultStream {
 public:
  /// `report` is filled in when the stream ends.
  ResultStream(std::shared_ptr<Store> store, ArrowArrayStream stream, std::stop_source stop,
               std::shared_ptr<const HistoricalReport> report);
  ~ResultStream();
  ResultStream(const ResultStream&) = delete;
  ResultStream& operator=(const ResultStream&) = delete;

  /// A schema capsule, for `pa.schema(stream)`.
  nanobind::capsule Schema();
  /// The next batch, or None at the end. `token`, if given, stops the work as the call's own does.
  nanobind::object Next(const CancelToken* token);
  /// Whole once Next has given None.
  const HistoricalReport& report() const { return *report_; }

 private:
  Result<void> GetSchema(ArrowSchema* out);

  std::shared_ptr<Store> store_;  // the stream must go before it
  ArrowArrayStream stream_;
  std::stop_source stop_;
  std::shared_ptr<const HistoricalReport> report_;
};

}  // namespace tidemark::python
