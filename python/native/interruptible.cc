// Progress callbacks, and which thread is Python's main one.
#include "interruptible.h"

#include <memory>

namespace nb = nanobind;

namespace tidemark::python {
namespace {

/// Owns a Python object from threads that may not hold the interpreter lock.
std::shared_ptr<nb::object> ShareAcrossThreads(nb::object object) {
  return {new nb::object(std::move(object)), [](nb::object* owned) {
            const nb::gil_scoped_acquire locked;
            delete owned;
          }};
}

}  // namespace

std::function<void(const Progress&)> ProgressFrom(nb::object callable) {
  if (callable.is_none()) return {};
  return [shared = ShareAcrossThreads(std::move(callable))](const Progress& progress) {
    const nb::gil_scoped_acquire locked;
    try {
      (*shared)(nb::str(progress.what.data(), progress.what.size()), progress.done, progress.total);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("tidemark progress callback");
    }
  };
}

bool OnMainThread() {
  const nb::object main_thread = nb::module_::import_("threading").attr("main_thread")();
  return nb::cast<unsigned long>(main_thread.attr("ident")) == PyThread_get_thread_ident();
}

}  // namespace tidemark::python
