// AWS Signature Version 4, as far as a server needs it: reading it off a request, and what it should be.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::server {

/// What the header Authorization says; views into the request.
struct AwsSignature {
  std::string_view key_id;
  std::string_view scope;           // date/region/service/aws4_request
  std::string_view date;            // of the scope: YYYYMMDD
  std::string_view signed_headers;  // a;b;c
  std::string_view signature;       // 64 hexadecimal digits
  std::string_view time;            // x-amz-date: YYYYMMDDThhmmssZ
};

/// Whether the request says that it is signed this way.
bool IsAwsSigned(const http::Request& request);

/// kPermissionDenied with http::kWrongSignature for what is malformed, does not sign what it must (host, the
/// time, every x-amz-* header), or was signed more than 15 minutes from `now_us`.
Result<AwsSignature> ReadAwsSignature(const http::Request& request, std::int64_t now_us);

/// What the signature is if it was made with `secret`: 64 hexadecimal digits. The body must be whole.
std::string ExpectedAwsSignature(const http::Request& request, const AwsSignature& signature,
                                 std::string_view secret);

}  // namespace tidemark::server
