// Who runs the Python functions of on-demand feature views.
#pragma once

#include <arrow/record_batch.h>

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "tidemark/python_workers.h"

namespace tidemark {

/// A function of an on-demand view of mode pandas or python.
struct ViewFunction {
  std::string view;
  std::string definition;     // canonical JSON of the view: what is run, and what it is known by
  std::vector<Field> fields;  // what it answers, in this order

  static ViewFunction Of(const OnDemandView& view);
};

/// Thread safe.
class FunctionRunner {
 public:
  virtual ~FunctionRunner() = default;

  /// The view's fields, each an array of its type with as many values as `inputs` has rows; `inputs` are
  /// the function's arguments by name. Every error names the view:
  ///   kInvalidData  the function cannot be read, raised, ended its process, or answered something else
  ///   kUnavailable  it took too long, or no process can be started
  ///   kBusy         too many calls wait, or this one waited too long
  ///   kCancelled    stopped while it waited
  virtual Result<arrow::ArrayVector> Run(const ViewFunction& function, const arrow::RecordBatch& inputs,
                                         const std::stop_token& stop) = 0;

  virtual PythonWorkersStats Stats() const = 0;
};

}  // namespace tidemark
