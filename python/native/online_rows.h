// Online lookups for Python: the reader, and an answer that turns into Python values when asked.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "arrow_capsules.h"
#include "key_columns.h"
#include "tidemark/store.h"

namespace tidemark::python {

/// Results that are not in use, kept so that lookups allocate nothing. Thread safe.
class ResultPool {
 public:
  std::unique_ptr<OnlineResult> Take();
  void Return(std::unique_ptr<OnlineResult> result);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<OnlineResult>> free_;
};

/// The names that one feature's columns have in an answer.
struct FeatureNames {
  nanobind::str value;
  nanobind::str status;
  nanobind::str event_timestamp;
  std::string type;
};

/// What all answers of a reader share.
struct ReaderNames {
  std::vector<KeySpec> keys;
  std::vector<FeatureNames> features;
  ResultPool pool;
};

/// One answer. Not changed once it is made.
class OnlineRows {
 public:
  OnlineRows(std::shared_ptr<ReaderNames> names, std::vector<nanobind::list> keys,
             std::unique_ptr<OnlineResult> result);
  ~OnlineRows();
  OnlineRows(OnlineRows&&) = default;
  OnlineRows& operator=(OnlineRows&&) = delete;

  std::size_t rows() const { return result_->rows(); }
  /// {name: values}: join keys, then features.
  nanobind::dict ToDict(bool event_timestamps, bool status) const;
  /// The features only.
  ArrowBatch ToArrow(bool event_timestamps, bool status) const;
  nanobind::dict Statuses() const;
  /// (name, type, values) of each join key.
  nanobind::list KeyValues() const;

 private:
  nanobind::list Values(std::size_t column, nanobind::object& nested) const;
  nanobind::list EventTimestamps(std::size_t column) const;
  nanobind::list StatusNames(std::size_t column) const;

  std::shared_ptr<ReaderNames> names_;
  std::vector<nanobind::list> keys_;
  std::unique_ptr<OnlineResult> result_;
};

/// A prepared lookup.
class PythonReader {
 public:
  /// `waits`: reading asks a server.
  PythonReader(std::shared_ptr<Store> store, std::shared_ptr<const OnlineReader> reader, bool waits);

  OnlineRows Read(nanobind::handle entity_rows) const;
  bool IsCurrent(std::int64_t max_age_ms) const;
  std::vector<std::pair<std::string, std::string>> Keys() const;
  std::vector<std::pair<std::string, std::string>> Requests() const;
  std::vector<std::pair<std::string, std::string>> Features() const;

 private:
  std::shared_ptr<Store> store_;
  std::shared_ptr<const OnlineReader> reader_;
  std::shared_ptr<ReaderNames> names_;
  bool waits_;
};

}  // namespace tidemark::python
