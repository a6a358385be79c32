// What a driver says when a call fails, and what it becomes.
#pragma once

#include <arrow-adbc/adbc.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidemark {

/// Takes what a call into a driver says of its failure, and releases it.
class DriverError {
 public:
  DriverError() = default;
  ~DriverError();
  DriverError(const DriverError&) = delete;
  DriverError& operator=(const DriverError&) = delete;

  /// To hand to the call.
  struct AdbcError* get() { return &error_; }

  /// What a call that returned `status` (not ok) said, without `secrets`.
  Error Take(AdbcStatusCode status, const std::vector<std::string>& secrets) const;

 private:
  struct AdbcError error_ = ADBC_ERROR_INIT;
};

/// The error of a status, the five letters of its SQLSTATE (empty: not known) and the driver's message.
/// Where drivers are vague, the SQLSTATE decides; where there is none, the words for a refused log-in do.
Error DriverErrorOf(AdbcStatusCode status, std::string_view sqlstate, std::string message,
                    const std::vector<std::string>& secrets);

}  // namespace tidemark
