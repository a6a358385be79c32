// Options of requests, as JSON and in the query, of our own API and of the Semantix dialect: whatever comes,
// it is read or refused with a word on which; and what Python writes as JSON is JSON once it is made plain.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/rows/json_rows.h"
#include "server/semantix/request_values_internal.h"
#include "server/v1/request_options.h"

namespace {

using namespace tidemark;          // NOLINT(google-build-using-namespace)
using namespace tidemark::server;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kDepthMax = 16;

/// Every kind of option, under names that the fuzzer finds.
void ReadAll(RequestOptions options, bool is_json) {
  options.Text("a");
  options.NeededText("b");
  options.Flag("c", true);
  options.Integer("d");
  options.Time("e");
  if (is_json) {
    options.Element("f");
  } else {
    options.Texts("f");
  }
  options.Reading();
  if (const auto read = options.End(); !read) {
    TM_CHECK(read.error().code == ErrorCode::kInvalidArgument && !read.error().message.empty(),
             "what a client sends is the client's fault, and it is told what it is");
  }
}

void ReadSemantix(const http::Request& request) {
  const auto names = semantix::NameList(request, "a");
  const auto count = semantix::CountValue(request, "b", 1, 100);
  if (count) TM_CHECK(*count >= 1 && *count <= 100, "a count is within its ends");
  semantix::FeatureOf(request.query, "t");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto document = JsonDocument::Parse(text, kDepthMax)) {
    ReadAll(RequestOptions(document->root(), "the request"), true);
    // Quoted words are no numbers, so JSON stays what it is.
    TM_CHECK(semantix::PlainJson(text) == text, "what is JSON is plain");
  }
  http::Request request;
  request.query = text;
  ReadAll(RequestOptions(request), false);
  ReadSemantix(request);
  return 0;
}
