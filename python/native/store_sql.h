// Binds SQL, snapshots and dumps.
#pragma once

#include <nanobind/nanobind.h>

#include "python_store.h"

namespace tidemark::python {

/// Requests; before the methods that take them.
void BindSql(nanobind::module_& m);
void BindSqlMethods(nanobind::class_<PythonStore>& store);

}  // namespace tidemark::python
