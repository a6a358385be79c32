// Makes, lists and revokes the keys of a store: implements include/tidemark/keys.h.
#include "tidemark/keys.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <span>
#include <system_error>

#include "adapters/sqlite/sqlite_api_keys.h"
#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/sha256.h"
#include "model/name.h"
#include "model/time.h"
#include "store/api_key_store.h"
#include "wiring/config.h"

namespace tidemark {
namespace {

constexpr std::string_view kServerKeyFile = "server.key";
constexpr std::string_view kIdBegin = "TMAK";  // so that a key that leaks is recognized as what it is
constexpr std::string_view kIdLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::size_t kIdRandomLetters = 16;  // 80 bits
constexpr std::size_t kNameBytesMax = 128;
constexpr unsigned kAllScopes = 7;

/// RFC 4648, section 5, without padding.
std::string Base64Url(std::span<const std::byte> bytes) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  unsigned held = 0;
  unsigned bits = 0;
  for (const std::byte byte : bytes) {
    held = (held << 8U) | std::to_integer<unsigned>(byte);
    for (bits += 8; bits >= 6; bits -= 6)
      text.push_back(kLetters[(held >> (bits - 6)) & 63U]);
  }
  if (bits > 0) text.push_back(kLetters[(held << (6 - bits)) & 63U]);
  return text;
}

Result<std::string> RandomId() {
  std::array<unsigned char, kIdRandomLetters> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return Fail(ErrorCode::kIo, "the system gives no random bytes for a new key");
  std::string id(kIdBegin);
  for (const unsigned char byte : random)
    id.push_back(kIdLetters[byte % kIdLetters.size()]);
  return id;
}

Result<void> CheckOptions(const CreateKeyOptions& options, std::int64_t now_us) {
  if (options.name.size() > kNameBytesMax) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("the key's name has {} bytes; at most {} are kept",
                                                         options.name.size(), kNameBytesMax));
  }
  if (options.scopes.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a key without a scope opens nothing: give it read, write or admin");
  }
  for (const auto& [project, bits] : options.scopes) {
    if (project != "*") TM_TRY(CheckName("project", project));
    if (bits == 0 || bits > kAllScopes) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the key's scopes in project '{}' are none that are known", project));
    }
  }
  if (options.expires_us && *options.expires_us <= now_us) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("the key would end at {}, which is past",
                                                         FormatTimestampUs(*options.expires_us)));
  }
  return {};
}

class StoreApiKeys final : public ApiKeys {
 public:
  StoreApiKeys(std::unique_ptr<ApiKeyStore> keys, std::filesystem::path secret_path)
      : keys_(std::move(keys)), secret_path_(std::move(secret_path)), secret_(secret_path_.string()) {}

  Result<NewApiKey> Create(const CreateKeyOptions& options) override {
    const std::int64_t now_us = clock_.now_us();
    TM_TRY(CheckOptions(options, now_us));
    TM_ASSIGN(const auto listed, keys_->List());
    const auto is_live = [](const StoredApiKey& stored) { return !stored.key.revoked_us; };
    if (std::ranges::any_of(listed, is_live)) TM_TRY(CheckSecretIsThere());
    TM_ASSIGN(const auto hash, secret_.Get(true));
    NewApiKey made;
    TM_ASSIGN(made.key.id, RandomId());
    made.key.name = options.name;
    made.key.scopes = options.scopes;
    made.key.created_us = now_us;
    made.key.expires_us = options.expires_us;
    made.secret = Secret(*hash, made.key.id);
    TM_TRY(keys_->Add({.key = made.key, .secret_hash = ToHex(Sha256(made.secret))}));
    return made;
  }

  Result<std::vector<ApiKey>> List() const override {
    TM_ASSIGN(const auto stored, keys_->List());
    std::vector<ApiKey> keys;
    keys.reserve(stored.size());
    for (const StoredApiKey& each : stored)
      keys.push_back(each.key);
    return keys;
  }

  Result<bool> Revoke(std::string_view id) override { return keys_->Revoke(id, clock_.now_us()); }

  Result<std::int64_t> Revision() const override { return keys_->Revision(); }

  Result<std::string> SecretOf(std::string_view id) const override {
    TM_ASSIGN(const auto stored, keys_->Get(id));
    if (!stored) return Fail(ErrorCode::kNotFound, fmt::format("the store has no key {}", id));
    TM_TRY(CheckSecretIsThere());
    TM_ASSIGN(const auto hash, secret_.Get(false));
    std::string secret = Secret(*hash, id);
    if (ToHex(Sha256(secret)) == stored->secret_hash) return secret;
    return Fail(ErrorCode::kCorruption,
                fmt::format("'{}' is not the file that key {} was made with: restore it from a backup, or "
                            "revoke the key and make a new one",
                            secret_path_.string(), id));
  }

 private:
  static std::string Secret(const KeyedHash& hash, std::string_view id) {
    return Base64Url(hash.DigestOf(fmt::format("api-key:{}", id)));
  }

  /// A new secret in the place of a lost one would make every key useless in silence.
  Result<void> CheckSecretIsThere() const {
    std::error_code error;
    if (std::filesystem::exists(secret_path_, error)) return {};
    return Fail(ErrorCode::kCorruption,
                fmt::format("'{}' is missing, which the secrets of the store's keys are made with: restore "
                            "it from a backup",
                            secret_path_.string()));
  }

  const std::unique_ptr<ApiKeyStore> keys_;
  const std::filesystem::path secret_path_;
  const KeyedHashFile secret_;
  const SystemClock clock_;
};

}  // namespace

std::string_view NameOf(KeyScope scope) {
  switch (scope) {
    case KeyScope::kRead:
      return "read";
    case KeyScope::kWrite:
      return "write";
    case KeyScope::kAdmin:
      return "admin";
  }
  return "read";
}

Result<std::unique_ptr<ApiKeys>> ApiKeys::Open(const std::filesystem::path& folder, bool create) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::absolute(folder, error);
  if (error) return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no path", folder.string()));
  TM_ASSIGN(const Config config, ReadConfig(path));
  if (!create && !std::filesystem::exists(config.registry_path, error)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no store in '{}': make one with `tidemark init`", path.string()));
  }
  for (const auto& made : {config.registry_path.parent_path(), path / kOwnFolder}) {
    if (!std::filesystem::create_directories(made, error) && error)
      return Fail(ErrorCode::kIo, fmt::format("cannot make folder '{}': {}", made.string(), error.message()));
  }
  TM_ASSIGN(auto keys, OpenSqliteApiKeys({.path = config.registry_path.string(),
                                          .busy_timeout_ms = static_cast<int>(config.busy_timeout_ms)}));
  return std::make_unique<StoreApiKeys>(std::move(keys), path / kOwnFolder / kServerKeyFile);
}

}  // namespace tidemark
