// What the parts of RegisteredTables share. Private to src/engine.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/lock_file.h"
#include "base/result.h"
#include "engine/registered_tables.h"
#include "store/foreign_tables.h"

namespace tidemark {

/// Held while a table is changed. Released when the process ends.
class RegisteredTables::Lock {
 public:
  static Result<std::unique_ptr<Lock>> Take(const std::string& path, std::string_view full_name,
                                            const std::stop_token& stop);

 private:
  std::unique_ptr<LockFile> file_;
};

/// Puts files into a listing, in the place of those of the same paths.
void Remember(const std::vector<ForeignFile>& files, std::vector<ForeignFile>& listing);

}  // namespace tidemark
