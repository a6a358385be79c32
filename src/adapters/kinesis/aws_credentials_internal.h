// Who calls AWS, as its tools find it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/http/http_client.h"
#include "base/result.h"

namespace tidemark::kinesis {

struct AwsCredentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;                    // empty: none
  std::optional<std::int64_t> expires_us = {};  // of a role: until when they are good
};

/// The value of an environment variable; empty if it is not set.
using Environment = std::function<std::string(const char* name)>;
std::string ProcessEnvironment(const char* name);

/// Of the environment, or else of the shared credentials file, or else those of a role: of the container that
/// this runs in, or of the machine. kPermissionDenied, with what to do, if there are none; kUnavailable if a
/// container's are not answered.
Result<AwsCredentials> FindAwsCredentials(const Environment& environment, http::HttpClient& client);

/// Where AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI say; nothing if neither does. kInvalidArgument
/// for an address that a token may not be sent to.
Result<std::optional<AwsCredentials>> ContainerCredentials(const Environment& environment,
                                                           http::HttpClient& client);

/// Of the role of this machine, by the second version of its metadata service; nothing if there is none, or
/// AWS_EC2_METADATA_DISABLED is `true`. AWS_EC2_METADATA_SERVICE_ENDPOINT is another address of it.
std::optional<AwsCredentials> MachineCredentials(const Environment& environment, http::HttpClient& client);

/// Those of a profile in the text of a credentials file; empty ones if they are not there.
AwsCredentials CredentialsInFile(std::string_view text, std::string_view profile);

}  // namespace tidemark::kinesis
