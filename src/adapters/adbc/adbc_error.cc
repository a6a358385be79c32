// ADBC's status codes and SQLSTATE as codes of our own.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "adapters/adbc/adbc_error_internal.h"
#include "base/redaction.h"

namespace tidemark {
namespace {

struct StateCode {
  std::string_view prefix;  // of the SQLSTATE
  ErrorCode code;
};

// Longer prefixes first where one begins another.
constexpr std::array<StateCode, 26> kStates{{
    {"28", ErrorCode::kPermissionDenied},     // invalid authorization
    {"42501", ErrorCode::kPermissionDenied},  // insufficient privilege
    {"08", ErrorCode::kUnavailable},          // connection exceptions
    {"57P0", ErrorCode::kUnavailable},        // shutting down, starting up, dropped
    {"57014", ErrorCode::kCancelled},         // query cancelled
    {"53300", ErrorCode::kUnavailable},       // too many connections
    {"53", ErrorCode::kOutOfSpace},           // insufficient resources
    {"54", ErrorCode::kUnsupported},          // program limit exceeded
    {"42P01", ErrorCode::kNotFound},          // undefined table
    {"42S02", ErrorCode::kNotFound},          // the same, in ODBC's numbers
    {"3D", ErrorCode::kNotFound},             // no such database
    {"3F", ErrorCode::kNotFound},             // no such schema
    {"42P07", ErrorCode::kAlreadyExists},     // duplicate table
    {"42P06", ErrorCode::kAlreadyExists},     // duplicate schema
    {"42P04", ErrorCode::kAlreadyExists},     // duplicate database
    {"42S01", ErrorCode::kAlreadyExists},     // duplicate table, in ODBC's numbers
    {"42", ErrorCode::kInvalidArgument},      // syntax, unknown columns and functions, types
    {"0A", ErrorCode::kUnsupported},          // feature not supported
    {"22", ErrorCode::kInvalidData},          // data exceptions
    {"23", ErrorCode::kInvalidData},          // constraints
    {"25", ErrorCode::kInvalidArgument},      // transaction state
    {"40", ErrorCode::kBusy},                 // serialization, deadlock
    {"55P03", ErrorCode::kBusy},              // lock not available
    {"58", ErrorCode::kIo},                   // the system under the database
    {"XX001", ErrorCode::kCorruption},        // damaged data
    {"XX002", ErrorCode::kCorruption},        // damaged index
}};

std::optional<ErrorCode> CodeOfState(std::string_view sqlstate) {
  const auto found = std::ranges::find_if(
      kStates, [&](const StateCode& state) { return sqlstate.starts_with(state.prefix); });
  if (sqlstate.size() != 5 || found == kStates.end()) return std::nullopt;
  return found->code;
}

// A log-in that failed often comes without SQLSTATE, as a mere I/O error.
bool SpeaksOfRefusal(std::string_view message) {
  static constexpr std::array<std::string_view, 6> kWords = {
      "password authentication failed", "no password supplied",           "authentication failed",
      "no pg_hba.conf entry",           "Incorrect username or password", "Access denied"};
  return std::ranges::any_of(
      kWords, [&](std::string_view words) { return message.find(words) != std::string_view::npos; });
}

ErrorCode CodeOfStatus(AdbcStatusCode status) {
  switch (status) {
    case ADBC_STATUS_NOT_IMPLEMENTED:
      return ErrorCode::kUnsupported;
    case ADBC_STATUS_NOT_FOUND:
      return ErrorCode::kNotFound;
    case ADBC_STATUS_ALREADY_EXISTS:
      return ErrorCode::kAlreadyExists;
    case ADBC_STATUS_INVALID_ARGUMENT:
    case ADBC_STATUS_INVALID_STATE:
      return ErrorCode::kInvalidArgument;
    case ADBC_STATUS_INVALID_DATA:
    case ADBC_STATUS_INTEGRITY:
      return ErrorCode::kInvalidData;
    case ADBC_STATUS_IO:
    case ADBC_STATUS_TIMEOUT:
      return ErrorCode::kUnavailable;
    case ADBC_STATUS_CANCELLED:
      return ErrorCode::kCancelled;
    case ADBC_STATUS_UNAUTHENTICATED:
    case ADBC_STATUS_UNAUTHORIZED:
      return ErrorCode::kPermissionDenied;
    default:  // unknown and internal: the other system failed, and does not say why in a way we know
      return ErrorCode::kIo;
  }
}

// No white space around, and no zero bytes within.
std::string Trimmed(std::string text) {
  std::erase(text, '\0');
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

DriverError::~DriverError() {
  if (error_.release != nullptr) error_.release(&error_);
}

Error DriverError::Take(AdbcStatusCode status, const std::vector<std::string>& secrets) const {
  std::string_view sqlstate(error_.sqlstate, sizeof(error_.sqlstate));
  if (sqlstate.find('\0') != std::string_view::npos) sqlstate = {};
  return DriverErrorOf(status, sqlstate, error_.message == nullptr ? "" : error_.message, secrets);
}

Error DriverErrorOf(AdbcStatusCode status, std::string_view sqlstate, std::string message,
                    const std::vector<std::string>& secrets) {
  std::string text = Redact(Trimmed(std::move(message)), secrets);
  if (text.empty()) text = "the driver gave no reason (status " + std::to_string(status) + ")";
  ErrorCode code = CodeOfStatus(status);
  const bool is_vague =
      code == ErrorCode::kIo || code == ErrorCode::kUnavailable || code == ErrorCode::kInvalidArgument;
  if (const auto by_state = CodeOfState(sqlstate)) {
    code = *by_state;
  } else if (is_vague && SpeaksOfRefusal(text)) {
    code = ErrorCode::kPermissionDenied;
  }
  return {code, std::move(text), {}};
}

}  // namespace tidemark
