// Any text is read as an Iceberg name mapping, or refused; what was read is written and read again as the
// same, and gives a file's columns no other ids than it states.
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/iceberg/name_mapping.h"
#include "base/check.h"

namespace tidemark::iceberg {
namespace {

// A column of every shape; names within it are short, so that a fuzzer finds them.
std::shared_ptr<arrow::DataType> NestedType() {
  const auto inner = arrow::struct_({arrow::field("a", arrow::int64()), arrow::field("b", arrow::utf8())});
  return arrow::struct_({arrow::field("a", arrow::list(inner)),
                         arrow::field("b", arrow::map(arrow::utf8(), inner)),
                         arrow::field("c", arrow::large_list(arrow::int64()))});
}

void CollectIds(const std::vector<MappedField>& mapping, std::set<std::string>& ids) {
  for (const MappedField& field : mapping) {
    if (field.id) ids.insert(std::to_string(*field.id));
    CollectIds(field.fields, ids);
  }
}

void CheckIds(const arrow::DataType& type, const std::set<std::string>& stated) {
  for (const auto& field : type.fields()) {
    if (field->metadata() != nullptr) {
      const auto id = field->metadata()->Get("PARQUET:field_id");
      TM_CHECK(!id.ok() || stated.contains(*id), "an id that the mapping does not state");
    }
    CheckIds(*field->type(), stated);
  }
}

void Run(std::string_view text) {
  const auto mapping = ParseNameMapping(text);
  if (!mapping) return;
  const std::string json = NameMappingJson({}, *mapping);
  const auto again = ParseNameMapping(json);
  TM_CHECK(again.has_value() && *again == *mapping, "a mapping is written and read as it was");
  std::set<std::string> stated;
  CollectIds(*mapping, stated);
  const auto type = NestedType();
  for (const MappedField& field : *mapping) {
    for (const std::string& name : field.names) {
      const std::int32_t id = MappedId(*mapping, name);
      TM_CHECK(id == -1 || stated.contains(std::to_string(id)), "an id that the mapping does not state");
      const auto made = WithMappedIds(*mapping, name, type);
      TM_CHECK(made->Equals(*type, /*check_metadata=*/false), "ids change no type");
      CheckIds(*made, stated);
    }
  }
}

}  // namespace
}  // namespace tidemark::iceberg

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidemark::iceberg::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
