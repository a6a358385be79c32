// Bodies of SageMaker Feature Store's requests: whatever comes, it is read or refused.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/sagemaker/control_fields.h"
#include "server/sagemaker/group_definition.h"
#include "server/sagemaker/runtime_requests.h"
#include "server/sagemaker/search.h"

namespace {

using namespace tidemark::sagemaker;

constexpr std::size_t kDepthMax = 64;

void ReadControl(std::string_view body) {
  const auto fields = Fields::Parse(body, kDepthMax);
  if (!fields) return;
  const auto group = ReadGroupDefinition(*fields);
  if (const auto expression = ReadSearchExpression(*fields)) Matches(*expression, fields->ToJson());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  static RuntimeReader reader(kDepthMax);
  const auto put = reader.Put(body);
  const auto update = reader.Update(body);
  const auto writes = reader.BatchWrite(body);
  const auto gets = reader.BatchGet(body);
  const auto list = reader.List(body);
  ReadControl(body);
  Feature time;
  time.kept_as.kind = tidemark::TypeKind::kFloat64;
  if (const auto event = ReadEventTime(time, body)) EventTimeText(time, *event);
  time.kept_as.kind = tidemark::TypeKind::kString;
  if (const auto event = ReadEventTime(time, body)) {
    if (EventTimeText(time, *event) != body) __builtin_trap();
  }
  NameIn(body);
  return 0;
}
