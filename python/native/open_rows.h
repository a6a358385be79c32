// Entity rows of a request as Python gives them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <string>

#include "arrow_capsules.h"
#include "tidemark/store.h"

namespace tidemark::python {

/// Entity rows (None: none), and if they are a stream, its owner until the engine has taken it.
struct OpenRows {
  explicit OpenRows(const nanobind::object& given) {
    if (given.is_none()) return;
    if (nanobind::isinstance<nanobind::str>(given)) {
      rows.path = nanobind::cast<std::string>(given);
    } else {
      taken = std::make_unique<TakenStream>(given);
      rows.stream = taken->get();
    }
  }

  EntityRows rows;
  std::unique_ptr<TakenStream> taken;
};

}  // namespace tidemark::python
