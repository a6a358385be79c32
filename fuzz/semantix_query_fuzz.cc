// Queries and bodies as Semantix's SDK sends them: form-encoded names, lists in JSON, JSON as Python writes
// it. Whatever comes, it is read or refused; what is JSON stays the same JSON, and a name is found wherever
// it can be read.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/http/message.h"
#include "server/rows/json_rows.h"
#include "server/semantix/request_values_internal.h"

namespace {

using namespace tidemark;          // NOLINT(google-build-using-namespace): a program of one file
using namespace tidemark::server;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kDepthMax = 16;
constexpr std::size_t kMost = 1'000;

void ReadEntities(std::string_view text) {
  const auto document = JsonDocument::Parse(text, kDepthMax);
  if (!document) return;
  const auto entities = semantix::ReadEntities(*document);
  if (!entities) return;
  for (auto entity = entities->begin(); entity != entities->end(); ++entity)
    TM_CHECK(semantix::Find(*entities, entity->first) == entity, "an entity is given once");
}

void ReadQuery(std::string_view text) {
  http::Request request;
  request.query = text;
  const auto value = semantix::FormValue(request, "e");
  if (value) ReadEntities(*value);
  const auto names = semantix::NameList(request, "e");
  if (names) TM_CHECK(names->has_value() == value.has_value(), "a list is of the value that is there");
  const auto count = semantix::CountValue(request, "e", kMost, kMost);
  if (count) TM_CHECK(*count >= 1 && *count <= kMost, "a count is within its bounds");
  const auto time = semantix::TimeValue(request, "e");
  if (!time) TM_CHECK(value.has_value(), "a time that is not there is no error");
  if (text.starts_with("e=") && request.CheckQuery())
    TM_CHECK(value.has_value(), "a value that can be decoded is found");
  TM_CHECK(text.ends_with(semantix::FeatureOf(text, "t")), "a feature is the end of its reference");
}

void ReadBody(std::string_view text) {
  const std::string plain = semantix::PlainJson(text);
  const auto as_sent = JsonDocument::Parse(text, kDepthMax);
  if (!as_sent) return;
  TM_CHECK(plain == text, "JSON stays as it is");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadQuery(text);
  ReadEntities(text);
  ReadBody(text);
  return 0;
}
