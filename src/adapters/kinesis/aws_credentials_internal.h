// Who calls AWS, as its tools find it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidemark::kinesis {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // empty: none
};

/// The value of an environment variable; empty if it is not set.
using Environment = std::function<std::string(const char* name)>;
std::string ProcessEnvironment(const char* name);

/// Of the environment, or else of the shared credentials file. kPermissionDenied, with what to do, if there
/// are none.
Result<AwsCredentials> FindAwsCredentials(const Environment& environment);

/// Those of a profile in the text of a credentials file; empty ones if they are not there.
AwsCredentials CredentialsInFile(std::string_view text, std::string_view profile);

}  // namespace tidemark::kinesis
