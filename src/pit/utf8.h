// Whether bytes are UTF-8 text.
#pragma once

#include <arrow/util/utf8.h>

#include <string_view>

#include "base/check.h"

namespace tidemark {

/// Arrow's check, which needs its tables made first: without them it finds nothing wrong.
inline bool IsUtf8(std::string_view text) {
  static const bool is_ready = (arrow::util::InitializeUTF8(), true);
  TM_CHECK(is_ready, "the tables are made");
  return arrow::util::ValidateUTF8(text);
}

}  // namespace tidemark
