// GET <url>/schemas/ids/<number>
#include "adapters/http/schema_registry_client.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <utility>

#include "adapters/http/http_client.h"
#include "base/json.h"

namespace tidemark::http {
namespace {

constexpr int kSchemaNotFound = 40403;  // the registry's own number for it
constexpr std::int64_t kTimeoutUs = 10'000'000;

/// A name, or the environment variable's value that `${NAME}` stands for.
Result<std::string> ResolvedPart(std::string_view part) {
  if (!part.starts_with("${") || !part.ends_with('}')) return std::string(part);
  const std::string name(part.substr(2, part.size() - 3));
  if (const char* const value = std::getenv(name.c_str()); value != nullptr) return std::string(value);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the environment variable {}, which schema_registry_url names, is not set", name));
}

struct RegistryAddress {
  std::string url;  // without who asks, and without a slash at its end
  std::optional<BasicAuth> auth;
};

Result<RegistryAddress> ReadAddress(const std::string& url) {
  RegistryAddress address{.url = ShownUrl(url), .auth = {}};
  while (address.url.ends_with('/'))
    address.url.pop_back();
  if (!address.url.starts_with("http://") && !address.url.starts_with("https://")) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("schema_registry_url {} does not begin with http:// or https://", address.url));
  }
  const auto host = url.find("://") + 3;
  const auto at = url.rfind('@');
  if (at == std::string::npos || at < host) return address;
  const std::string_view who = std::string_view(url).substr(host, at - host);
  const auto colon = who.find(':');
  if (colon == std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "schema_registry_url has no password before its '@': write ${USER_NAME}:${PASSWORD}@");
  }
  BasicAuth auth;
  TM_ASSIGN(auth.user, ResolvedPart(who.substr(0, colon)));
  TM_ASSIGN(auth.password, ResolvedPart(who.substr(colon + 1)));
  address.auth = std::move(auth);
  return address;
}

std::string MemberText(const Json& json, const char* name) {
  const auto member = json.find(name);
  return member != json.end() && member->is_string() ? member->text() : std::string();
}

class SchemaRegistryClient final : public SchemaRegistry {
 public:
  SchemaRegistryClient(std::unique_ptr<HttpClient> client, RegistryAddress address)
      : client_(std::move(client)), address_(std::move(address)) {}

  Result<std::string> AvroSchema(std::int32_t number) override {
    const auto answer =
        client_->Send({.url = fmt::format("{}/schemas/ids/{}", address_.url, number),
                       .headers = {"Accept: application/vnd.schemaregistry.v1+json, application/json"},
                       .basic_auth = address_.auth,
                       .timeout_us = kTimeoutUs});
    if (!answer) return NoAnswer(answer.error().message);
    const auto json = ParseJson(answer->body);
    const bool is_object = json && json->is_object();
    if (answer->status == 200 && is_object) return SchemaIn(*json, number);
    if (answer->status == 404 && is_object) {
      const auto code = json->find("error_code");
      if (code != json->end() && code->is_number_integer() && code->get<int>() == kSchemaNotFound)
        return Fail(ErrorCode::kNotFound, fmt::format("{} has no such schema", address_.url));
    }
    if (answer->status == 401 || answer->status == 403) {
      return NoAnswer(fmt::format(
          "{} refuses who asks (status {}): give ${{USER_NAME}}:${{PASSWORD}}@ in schema_registry_url",
          address_.url, answer->status));
    }
    return NoAnswer(fmt::format("{} answers with status {}{}, which is no answer of a schema registry's",
                                address_.url, answer->status, is_object ? "" : " and no JSON"));
  }

 private:
  static std::unexpected<Error> NoAnswer(std::string message) {
    return Fail(ErrorCode::kIo, "schemas cannot be asked for: " + std::move(message));
  }

  Result<std::string> SchemaIn(const Json& json, std::int32_t number) const {
    if (const std::string type = MemberText(json, "schemaType"); !type.empty() && type != "AVRO") {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("schema {} of {} is of type {}, not AVRO", number, address_.url, type));
    }
    if (const auto references = json.find("references");
        references != json.end() && references->is_array() && !references->empty()) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("schema {} of {} refers to other schemas, which is not read: register it as one",
                      number, address_.url));
    }
    std::string schema = MemberText(json, "schema");
    if (schema.empty()) return NoAnswer(fmt::format("{} answers without a schema", address_.url));
    return schema;
  }

  const std::unique_ptr<HttpClient> client_;
  const RegistryAddress address_;
};

}  // namespace

Result<std::unique_ptr<SchemaRegistry>> OpenSchemaRegistry(const std::string& url) {
  TM_ASSIGN(auto address, ReadAddress(url));
  TM_ASSIGN(auto client, HttpClient::Make());
  return std::make_unique<SchemaRegistryClient>(std::move(client), std::move(address));
}

}  // namespace tidemark::http
