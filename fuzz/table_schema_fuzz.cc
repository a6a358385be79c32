// Any text is read as the schema file of a feature table, or refused; what was read is a definition that JSON
// holds.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "engine/catalog.h"
#include "model/definition_json.h"
#include "wiring/table_schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto catalog = tidemark::Catalog::Of({}, {});
  TM_CHECK(catalog.has_value(), "a registry may be empty");
  const auto definitions =
      tidemark::DefinitionsOfSchema({reinterpret_cast<const char*>(data), size}, {}, **catalog);
  if (!definitions) return 0;
  TM_CHECK(definitions->views.size() == 1, "a schema file is of one table");
  if (!tidemark::CheckDefinitions(*definitions, {})) return 0;
  const std::string json = tidemark::ToJson(*definitions);
  const auto again = tidemark::DefinitionsFromJson(json);
  TM_CHECK(again.has_value() && tidemark::ToJson(*again) == json,
           "a definition is written and read as it was");
  return 0;
}
