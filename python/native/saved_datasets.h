// Binds saved datasets.
#pragma once

#include <nanobind/nanobind.h>

#include "python_store.h"

namespace tidemark::python {

/// Requests; before the methods that take them.
void BindDatasets(nanobind::module_& m);
void BindDatasetMethods(nanobind::class_<PythonStore>& store);

}  // namespace tidemark::python
