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

/// Of the environment, or else those of a role that a web identity may take, or else of the shared
/// credentials file, or else those of a role of the container that this runs in, or of the machine.
/// kPermissionDenied, with what to do, if there are none; kUnavailable if those of a role are not answered.
/// `region` is that of what is called.
Result<AwsCredentials> FindAwsCredentials(const Environment& environment, const std::string& region,
                                          http::HttpClient& client);

/// Of the role AWS_ROLE_ARN, by the token in the file AWS_WEB_IDENTITY_TOKEN_FILE; nothing unless both are
/// given. The token service that is asked is that of the region that the environment names, or else of
/// `stream_region`, or AWS_ENDPOINT_URL_STS. kPermissionDenied if the role is refused.
Result<std::optional<AwsCredentials>> WebIdentityCredentials(const Environment& environment,
                                                             const std::string& stream_region,
                                                             http::HttpClient& client);

/// Where AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI say; nothing if neither does. kInvalidArgument
/// for an address that a token may not be sent to.
Result<std::optional<AwsCredentials>> ContainerCredentials(const Environment& environment,
                                                           http::HttpClient& client);

/// Of the role of this machine, by the second version of its metadata service; nothing if there is none, or
/// AWS_EC2_METADATA_DISABLED is `true`. AWS_EC2_METADATA_SERVICE_ENDPOINT is another address of it.
std::optional<AwsCredentials> MachineCredentials(const Environment& environment, http::HttpClient& client);

/// Where that service is asked: AWS_STS_REGIONAL_ENDPOINTS (`regional` or `legacy`) says whether some old
/// regions have one of their own. kInvalidArgument for another word, or an address that a token may not be
/// sent to.
Result<std::string> TokenServiceUrl(const Environment& environment, const std::string& stream_region);

/// Over TLS, or to this machine: nobody else may see a token, or give us credentials.
bool IsSafeForTokens(std::string_view url);
/// The file's text without the end of its line. kPermissionDenied, naming the variable that has its path.
Result<std::string> TokenInFile(const char* variable, const std::string& path);
/// What the addresses of a region's services end with.
std::string_view AwsDomain(std::string_view region);

/// Those of a profile in the text of a credentials file; empty ones if they are not there.
AwsCredentials CredentialsInFile(std::string_view text, std::string_view profile);

}  // namespace tidemark::kinesis
