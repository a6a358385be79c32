// Any bytes are read as an HTTP request, or refused with a status: the same whether they come at once or in
// pieces, and never more bytes of a body than are allowed. What a request says of AWS signatures is then read
// and computed, which never fails otherwise than by an error.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "server/http/request_parser_internal.h"
#include "server/keys/aws_signature.h"

namespace {

using tidemark::http::RequestParser;
using State = RequestParser::State;

constexpr std::size_t kHeaderBytesMax = 2048;
constexpr std::uint64_t kBodyBytesMax = 1024;
constexpr std::int64_t kNowUs = 1'440'938'160'000'000;  // when the examples of signatures were made

class Gathered final : public tidemark::http::BodySink {
 public:
  void Take(std::string_view bytes) override { body.append(bytes); }
  std::string body;
};

/// What came of it, as text.
std::string Parse(std::string_view text, std::size_t piece_bytes) {
  RequestParser parser(kHeaderBytesMax);
  Gathered gathered;
  State state = State::kHead;
  while (!text.empty() && state != State::kDone && state != State::kBroken) {
    const std::string_view piece = text.substr(0, piece_bytes);
    std::size_t used = 0;
    const bool was_head = state == State::kHead;
    state = parser.Feed(piece, used, gathered);
    TM_CHECK(used <= piece.size(), "no more is used than was given");
    if (was_head && state == State::kBody) parser.set_body_bytes_max(kBodyBytesMax);
    // A parser that wants more bytes keeps what it has not used in front of them.
    if (used == 0 && state != State::kDone && state != State::kBroken) {
      if (piece.size() == text.size()) break;
      piece_bytes *= 2;
      continue;
    }
    text.remove_prefix(used);
  }
  TM_CHECK(gathered.body.size() <= kBodyBytesMax, "no more of a body is taken than is allowed");
  if (state == State::kBroken) {
    TM_CHECK(parser.status() >= 400 && !parser.problem().empty(),
             "what is refused has a status and a reason");
    return std::to_string(parser.status());
  }
  if (state != State::kDone) return "more";
  tidemark::http::Request request;
  parser.Fill(request);
  request.body = gathered.body;
  if (tidemark::server::IsAwsSigned(request)) {
    const auto signature = tidemark::server::ReadAwsSignature(request, kNowUs);
    if (signature) {
      TM_CHECK(tidemark::server::ExpectedAwsSignature(request, *signature, "secret").size() == 64,
               "a signature has 64 digits");
    }
  }
  std::string seen = std::string(request.path) + "?" + std::string(request.query);
  for (const auto& field : request.headers())
    seen.append("\n").append(field.name).append(":").append(field.value);
  return seen + "\n\n" + gathered.body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = Parse(text, size + 1);
  const std::string pieces = Parse(text, 7);
  const bool both_done = whole.find('\n') != std::string::npos && pieces.find('\n') != std::string::npos;
  TM_CHECK(!both_done || whole == pieces, "cuts do not matter");
  return 0;
}
