// The one place where an engine error becomes an exception; which class it gets is up to tidemark.errors.
#include "errors.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace tidemark::python {

void Raise(const Error& error) {
  const std::string code(Describe(error.code).name);
  const nb::object made =
      nb::module_::import_("tidemark.errors").attr("make_error")(code, error.message, error.context);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
  throw nb::python_error();
}

}  // namespace tidemark::python
