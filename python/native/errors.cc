// The one place where an engine error becomes an exception; which class it gets is up to tidemark.errors.
#include "errors.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

namespace nb = nanobind;

namespace tidemark::python {
namespace {

// Messages quote what was found, which need not be UTF-8: a file's bytes, a path.
nb::object Readable(const std::string& text) {
  return nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

}  // namespace

void Raise(const Error& error) {
  const std::string code(Describe(error.code).name);
  const nb::object made = nb::module_::import_("tidemark.errors")
                              .attr("make_error")(code, Readable(error.message), Readable(error.context));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
  throw nb::python_error();
}

}  // namespace tidemark::python
