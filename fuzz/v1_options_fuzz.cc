// What a request to Tidemark's own API says of itself: options of its query and of a JSON body, the parts of
// a multipart body, and the formats that its headers name. Whatever comes, it is read or refused; an option
// that nobody asked for is never passed over, and what is read from a body are bytes of it.
#include <simdjson.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/http/message.h"
#include "server/rows/body_bytes.h"
#include "server/rows/formats.h"
#include "server/rows/json_rows.h"
#include "server/v1/multipart.h"
#include "server/v1/request_options.h"

namespace {

using namespace tidemark;          // NOLINT(google-build-using-namespace): a program of one file
using namespace tidemark::server;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kDepthMax = 16;

/// Asks for options of every kind; whether nothing was wrong.
bool Ask(RequestOptions options, bool asks_for_flag) {
  const std::string needed = options.NeededText("t");
  if (asks_for_flag) options.Flag("b", true);
  options.Integer("i");
  options.Texts("l");
  options.Time("at");
  options.Reading();
  const auto end = options.End();
  if (!end) TM_CHECK(!end.error().message.empty(), "what is wrong is said");
  if (end) TM_CHECK(!needed.empty(), "an option that is needed is there");
  return end.has_value();
}

void ReadQuery(std::string_view text) {
  http::Request request;
  request.query = text;
  const bool is_right = Ask(RequestOptions(request), true);
  const bool has_flag = request.Query("b").has_value();
  const bool is_right_without = Ask(RequestOptions(request), false);
  TM_CHECK(!has_flag || !is_right_without, "an option that nobody asks for is an error");
  TM_CHECK(has_flag || is_right == is_right_without, "an option that is not there changes nothing");
}

void ReadObject(std::string_view text) {
  const auto document = JsonDocument::Parse(text, kDepthMax);
  if (!document) return;
  const bool is_right = Ask(RequestOptions(document->root(), "the request"), true);
  const bool has_flag = document->root().at_key("b").error() == simdjson::SUCCESS;
  const bool is_right_without = Ask(RequestOptions(document->root(), "the request"), false);
  TM_CHECK(!has_flag || !is_right_without, "an option that nobody asks for is an error");
  TM_CHECK(has_flag || is_right == is_right_without, "an option that is not there changes nothing");
}

void ReadParts(std::string_view text) {
  WholeBody body(text);
  MultipartBody parts(body, "b");
  std::size_t bytes = 0;
  std::array<std::byte, 64> into{};
  while (true) {
    const auto part = parts.Next();
    if (!part || !*part) break;
    auto read = parts.Read(into);
    for (; read && *read > 0; read = parts.Read(into))
      bytes += *read;
    if (!read) break;
  }
  TM_CHECK(bytes <= text.size(), "parts are of the body");
}

void ReadHeaders(std::string_view text) {
  http::Request request;
  request.headers_.push_back({.name = "accept", .value = text});
  static_cast<void>(WantedFormat(request));
  static_cast<void>(FormatOfContentType(text));
  static_cast<void>(HeaderParameter(text, "boundary"));
  static_cast<void>(WithoutParameters(text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadQuery(text);
  ReadObject(text);
  ReadParts(text);
  ReadHeaders(text);
  return 0;
}
