// API keys in the registry's SQLite file.
#pragma once

#include <memory>
#include <string>

#include "store/api_key_store.h"

namespace tidemark {

struct SqliteApiKeysOptions {
  std::string path;            // of the registry's file; its folder must exist
  int busy_timeout_ms = 5000;  // how long to wait for another process before kBusy
};

/// Opens the keys in the registry at `path`; makes, checks and brings up to date that file as
/// OpenSqliteRegistry does, with the same errors. A file of an older format that can only be read has no
/// keys: kUnsupported.
Result<std::unique_ptr<ApiKeyStore>> OpenSqliteApiKeys(const SqliteApiKeysOptions& options);

}  // namespace tidemark
