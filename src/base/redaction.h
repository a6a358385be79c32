// Keeps passwords out of what people see: messages of drivers, printed definitions, errors.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

/// What stands where a secret was.
inline constexpr std::string_view kRedacted = "***";

/// True for an option whose value is for nobody's eyes: its name speaks of a password, token, secret, private
/// key or credential, in any case and with any prefix ("adbc.snowflake.sql.client_option.auth_token").
bool IsSecretOption(std::string_view name);

/// The secrets among a database's options, as they may appear in a text: values of secret options, passwords
/// and secret parameters within URIs and "key=value" connection strings, each as it was written and with its
/// %xx decoded. Longest first. Values of fewer than three characters, and plain words such as "true", are
/// left out: what holds them everywhere would be unreadable and say no more.
std::vector<std::string> SecretsOf(const std::map<std::string, std::string>& options);

/// `text` without them, and without what looks like one all the same: a password within any URI
/// ("scheme://user:password@"), and values behind "password=", "token=" and the like. A value that is the
/// name of an environment variable, "${NAME}", is no secret.
std::string Redact(std::string text, const std::vector<std::string>& secrets = {});

/// The value of an option as it may be shown: all of it hidden if its name speaks of a secret (but not
/// "${NAME}"), else as Redact.
std::string RedactOption(std::string_view name, const std::string& value);

}  // namespace tidemark
