// One row for each key; rows are never removed, so that a log's key id can always be looked up.
#include "adapters/sqlite/sqlite_api_keys.h"

#include <fmt/format.h>

#include <mutex>
#include <type_traits>
#include <utility>

#include "adapters/sqlite/registry_file_internal.h"
#include "adapters/sqlite/row_checksum_internal.h"

namespace tidemark {
namespace {

using sqlite::Connection;
using sqlite::RowChecksum;
using sqlite::Statement;
using sqlite::Transaction;

constexpr int kFormatWithKeys = 3;
constexpr std::string_view kColumns =
    "id, name, scopes, secret_hash, created_us, expires_us, revoked_us, crc";

/// "project=bits" for each project, by name: names have no '=' and no blank.
std::string WriteScopes(const KeyScopes& scopes) {
  std::string text;
  for (const auto& [project, bits] : scopes)
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", project, bits);
  return text;
}

bool ReadScopes(std::string_view text, KeyScopes& scopes) {
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view one = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const std::size_t equals = one.find('=');
    if (equals == 0 || equals + 2 != one.size() || one.back() < '1' || one.back() > '7') return false;
    scopes[std::string(one.substr(0, equals))] = static_cast<unsigned>(one.back() - '0');
  }
  return !scopes.empty();
}

/// A time that may be absent is kept as 0 then: no key ends or was revoked in 1970.
std::int64_t OrZero(const std::optional<std::int64_t>& time_us) {
  return time_us.value_or(0);
}

std::optional<std::int64_t> UnlessZero(std::int64_t time_us) {
  return time_us == 0 ? std::nullopt : std::optional(time_us);
}

std::int64_t ChecksumOf(const StoredApiKey& stored) {
  const ApiKey& key = stored.key;
  return RowChecksum("api_keys", key.id, key.name, WriteScopes(key.scopes), stored.secret_hash,
                     key.created_us, OrZero(key.expires_us), OrZero(key.revoked_us));
}

class SqliteApiKeys final : public ApiKeyStore {
 public:
  explicit SqliteApiKeys(Connection connection) : connection_(std::move(connection)) {}

  Result<void> Add(const StoredApiKey& stored) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<void> {
      const ApiKey& key = stored.key;
      TM_ASSIGN(const auto found, Find(key.id));
      if (found) return Fail(ErrorCode::kAlreadyExists, fmt::format("there is a key {} already", key.id));
      ++own_changes_;
      return connection_.Execute(
          fmt::format("INSERT INTO api_keys ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", kColumns), key.id,
          key.name, WriteScopes(key.scopes), stored.secret_hash, key.created_us, OrZero(key.expires_us),
          OrZero(key.revoked_us), ChecksumOf(stored));
    });
  }

  Result<std::vector<StoredApiKey>> List() const override {
    return In(Transaction::Kind::kRead, [&]() -> Result<std::vector<StoredApiKey>> {
      TM_ASSIGN(Statement read, connection_.Prepare(fmt::format(
                                    "SELECT {} FROM api_keys ORDER BY created_us, id", kColumns)));
      std::vector<StoredApiKey> keys;
      while (true) {
        TM_ASSIGN(const bool has_row, read.Step());
        if (!has_row) return keys;
        TM_ASSIGN(StoredApiKey key, Read(read));
        keys.push_back(std::move(key));
      }
    });
  }

  Result<std::optional<StoredApiKey>> Get(std::string_view id) const override {
    return In(Transaction::Kind::kRead, [&] { return Find(id); });
  }

  Result<bool> Revoke(std::string_view id, std::int64_t now_us) override {
    return In(Transaction::Kind::kWrite, [&]() -> Result<bool> {
      TM_ASSIGN(auto found, Find(id));
      if (!found) {
        return Fail(ErrorCode::kNotFound,
                    fmt::format("the store has no key {}; `tidemark keys list` shows those it has", id));
      }
      if (found->key.revoked_us) return false;
      found->key.revoked_us = now_us;
      ++own_changes_;
      TM_TRY(connection_.Execute("UPDATE api_keys SET revoked_us = ?, crc = ? WHERE id = ?", now_us,
                                 ChecksumOf(*found), id));
      return true;
    });
  }

  Result<std::int64_t> Revision() const override {
    const std::lock_guard lock(mutex_);
    // It counts the changes that others commit, and not those of this connection.
    TM_ASSIGN(const std::int64_t others, connection_.QueryInt64("PRAGMA data_version"));
    return others + own_changes_;
  }

 private:
  /// Runs `body` alone in one transaction, which is committed if it succeeds.
  template <typename Body>
  std::invoke_result_t<Body> In(Transaction::Kind kind, const Body& body) const {
    const std::lock_guard lock(mutex_);
    TM_ASSIGN(Transaction transaction, Transaction::Begin(connection_, kind));
    auto result = body();
    if (!result) return result;
    TM_TRY(transaction.Commit());
    return result;
  }

  Result<std::optional<StoredApiKey>> Find(std::string_view id) const {
    TM_ASSIGN(Statement read,
              connection_.Prepare(fmt::format("SELECT {} FROM api_keys WHERE id = ?", kColumns), id));
    TM_ASSIGN(const bool has_row, read.Step());
    if (!has_row) return std::optional<StoredApiKey>();
    TM_ASSIGN(StoredApiKey key, Read(read));
    return std::optional(std::move(key));
  }

  Result<StoredApiKey> Read(const Statement& row) const {
    StoredApiKey stored;
    stored.key.id = row.Text(0);
    stored.key.name = row.Text(1);
    const bool is_legible = ReadScopes(row.Text(2), stored.key.scopes);
    stored.secret_hash = row.Text(3);
    stored.key.created_us = row.Int64(4);
    stored.key.expires_us = UnlessZero(row.Int64(5));
    stored.key.revoked_us = UnlessZero(row.Int64(6));
    if (!is_legible || ChecksumOf(stored) != row.Int64(7)) {
      return std::unexpected(connection_.Damaged("the checksum of an API key does not hold"));
    }
    return stored;
  }

  mutable std::mutex mutex_;  // over what follows
  Connection connection_;
  std::int64_t own_changes_ = 0;
};

}  // namespace

Result<std::unique_ptr<ApiKeyStore>> OpenSqliteApiKeys(const SqliteApiKeysOptions& options) {
  TM_ASSIGN(Connection connection, sqlite::OpenRegistryFile(options.path, options.busy_timeout_ms));
  TM_ASSIGN(const std::int64_t format, connection.QueryInt64("PRAGMA user_version"));
  if (format < kFormatWithKeys) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("registry '{}' has format {}, which has no API keys, and cannot be written: open "
                            "the store once as a user who may",
                            options.path, format));
  }
  return std::make_unique<SqliteApiKeys>(std::move(connection));
}

}  // namespace tidemark
