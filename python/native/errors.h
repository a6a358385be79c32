// Errors of the engine as Python exceptions.
#pragma once

#include <string>
#include <utility>

#include "tidemark/error.h"

namespace tidemark::python {

/// Throws the exception of `tidemark.errors` for `error`; needs the interpreter lock.
[[noreturn]] void Raise(const Error& error);

[[noreturn]] inline void Raise(ErrorCode code, std::string message, std::string context = {}) {
  Raise(Error{code, std::move(message), std::move(context)});
}

/// The value of `result`, or its error as an exception.
template <typename T>
T Unwrap(Result<T> result) {
  if (!result) Raise(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

}  // namespace tidemark::python
