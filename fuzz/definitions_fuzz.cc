// Any text is read as definitions, in JSON and in YAML, or refused; canonical
// JSON and the YAML made of it read as the same definitions, and checking them
// never fails otherwise than by an error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "model/definition_json.h"

namespace {

void CheckRoundTrip(const tidemark::Definitions& definitions) {
  const std::string json = tidemark::ToJson(definitions);
  const auto from_json = tidemark::DefinitionsFromJson(json);
  TM_CHECK(from_json.has_value() && tidemark::ToJson(*from_json) == json,
           "canonical JSON must be a fixed point");
  const auto from_yaml = tidemark::DefinitionsFromYaml(tidemark::JsonToYaml(json));
  TM_CHECK(from_yaml.has_value() && *from_yaml == *from_json, "YAML must say the same as JSON");
  static_cast<void>(tidemark::CheckDefinitions(definitions, *from_json));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto definitions = tidemark::DefinitionsFromJson(text)) CheckRoundTrip(*definitions);
  if (const auto definitions = tidemark::DefinitionsFromYaml(text)) CheckRoundTrip(*definitions);
  return 0;
}
