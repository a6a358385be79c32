// A table of keys that is replaced whole, and the thread that replaces it.
#include "server/keys/key_authenticator.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "server/http/message.h"
#include "server/keys/aws_signature.h"

namespace tidemark::server {
namespace {

using http::Caller;
using http::Request;

constexpr std::string_view kBearer = "bearer ";

static_assert(static_cast<unsigned>(KeyScope::kRead) == static_cast<unsigned>(http::Scope::kRead) &&
              static_cast<unsigned>(KeyScope::kWrite) == static_cast<unsigned>(http::Scope::kWrite) &&
              static_cast<unsigned>(KeyScope::kAdmin) == static_cast<unsigned>(http::Scope::kAdmin));

std::unexpected<Error> Denied(std::string_view why, std::string message) {
  return std::unexpected(Error{
      .code = ErrorCode::kPermissionDenied, .message = std::move(message), .context = std::string(why)});
}

/// Takes as long whatever the texts hold.
bool SameText(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

struct KnownKey {
  std::shared_ptr<const http::Grant> grant;
  std::string secret;
  std::optional<std::int64_t> expires_us;
  bool is_revoked = false;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// Immutable.
struct KeyTable {
  std::unordered_map<std::string, KnownKey, TextHash, std::equal_to<>> keys;
  bool demands_keys = false;
};

class TableAuthenticator final : public KeyAuthenticator {
 public:
  explicit TableAuthenticator(KeyAuthenticatorParts parts) : parts_(std::move(parts)) {}

  void Start() {
    refresher_ = std::jthread([this](const std::stop_token& stop) { KeepFresh(stop); });
  }

  bool demands_keys() const override { return Current().demands_keys; }

  Result<Caller> Identify(const Request& request) const override {
    const KeyTable& table = Current();
    if (!table.demands_keys) return Caller{.grant = {}, .unlimited = true};
    if (IsAwsSigned(request)) return IdentifySigned(table, request);
    const std::string_view authorization = request.Header("authorization").value_or("");
    if (authorization.size() > kBearer.size() && IsBearer(authorization.substr(0, kBearer.size())))
      return IdentifyIn(table, authorization.substr(kBearer.size()));
    return IdentifyIn(table, request.Header("x-api-key").value_or(""));
  }

  Result<Caller> IdentifyKey(std::string_view key) const override {
    const KeyTable& table = Current();
    if (!table.demands_keys) return Caller{.grant = {}, .unlimited = true};
    return IdentifyIn(table, key);
  }

  Result<void> Refresh() override {
    const std::lock_guard refreshing(refresh_mutex_);
    TM_ASSIGN(const std::int64_t revision, parts_.keys->Revision());
    if (read_revision_ == revision) return {};
    TM_ASSIGN(auto table, ReadTable());
    {
      const std::lock_guard lock(mutex_);
      table_ = std::move(table);
    }
    version_.fetch_add(1, std::memory_order_release);
    read_revision_ = revision;
    return {};
  }

 private:
  static bool IsBearer(std::string_view word) {
    for (std::size_t i = 0; i < kBearer.size(); ++i) {
      if ((word[i] | 0x20) != (kBearer[i] | 0x20)) return false;
    }
    return true;
  }

  /// Each thread keeps the table that it used last, and takes the lock only when there is a newer one.
  const KeyTable& Current() const {
    struct Seen {
      std::uint64_t instance = 0;
      std::uint64_t version = 0;
      std::shared_ptr<const KeyTable> table;
    };
    thread_local Seen seen;
    const std::uint64_t version = version_.load(std::memory_order_acquire);
    if (seen.instance != instance_ || seen.version != version) {
      const std::lock_guard lock(mutex_);
      seen = {.instance = instance_, .version = version, .table = table_};
    }
    return *seen.table;
  }

  Result<Caller> IdentifyIn(const KeyTable& table, std::string_view text) const {
    if (text.empty()) {
      return Denied(http::kNoCredentials,
                    "this server asks for a key: send one as `Authorization: Bearer`, `x-api-key` or an AWS "
                    "signature");
    }
    const std::size_t dot = text.find('.');
    const auto found = table.keys.find(text.substr(0, dot));
    if (dot == std::string_view::npos || found == table.keys.end() ||
        !SameText(text.substr(dot + 1), found->second.secret)) {
      return Denied(http::kUnknownKey, "the key is none of this store's: a key is an id, a dot and a secret");
    }
    return CallerOf(found->second);
  }

  Result<Caller> IdentifySigned(const KeyTable& table, const Request& request) const {
    TM_ASSIGN(const AwsSignature signature, ReadAwsSignature(request, parts_.clock->now_us()));
    const auto found = table.keys.find(signature.key_id);
    if (found == table.keys.end())
      return Denied(http::kUnknownKey, "the access key id is that of no key of this store");
    if (!SameText(signature.signature, ExpectedAwsSignature(request, signature, found->second.secret))) {
      return Denied(http::kWrongSignature,
                    "the signature is not the one that this request has with the key's secret");
    }
    return CallerOf(found->second);
  }

  Result<Caller> CallerOf(const KnownKey& key) const {
    const std::string& id = key.grant->key_id;
    if (key.is_revoked) return Denied(http::kUnknownKey, fmt::format("the key {} was revoked", id));
    if (key.expires_us && *key.expires_us <= parts_.clock->now_us())
      return Denied(http::kUnknownKey, fmt::format("the key {} is past its end", id));
    return Caller{.grant = key.grant};
  }

  Result<std::shared_ptr<const KeyTable>> ReadTable() const {
    TM_ASSIGN(const std::vector<ApiKey> keys, parts_.keys->List());
    auto table = std::make_shared<KeyTable>();
    table->demands_keys =
        parts_.demand == KeyDemand::kAlways || (parts_.demand == KeyDemand::kWhenThereAre && !keys.empty());
    for (const ApiKey& key : keys) {
      auto secret = parts_.keys->SecretOf(key.id);
      if (!secret) {
        // Nobody can use it, and the others are to work.
        if (!key.revoked_us) fmt::print(stderr, "tidemark: key {}: {}\n", key.id, secret.error().ToString());
        continue;
      }
      table->keys.emplace(key.id, KnownKey{.grant = std::make_shared<const http::Grant>(
                                               http::Grant{.key_id = key.id, .scopes = key.scopes}),
                                           .secret = *std::move(secret),
                                           .expires_us = key.expires_us,
                                           .is_revoked = key.revoked_us.has_value()});
    }
    return table;
  }

  void KeepFresh(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopping;
    std::unique_lock lock(mutex);
    bool was_told = false;
    const auto is_over = [&stop] { return stop.stop_requested(); };
    while (!stopping.wait_for(lock, stop, parts_.refresh_every, is_over)) {
      const auto refreshed = Refresh();
      if (!refreshed && !was_told) {
        fmt::print(stderr, "tidemark: keys cannot be read again, those of before count: {}\n",
                   refreshed.error().ToString());
      }
      was_told = !refreshed;
    }
  }

  static std::uint64_t NextInstance() {
    static std::atomic<std::uint64_t> count = 0;
    return ++count;
  }

  const KeyAuthenticatorParts parts_;
  const std::uint64_t instance_ = NextInstance();
  std::mutex refresh_mutex_;  // guards read_revision_
  std::optional<std::int64_t> read_revision_;
  mutable std::mutex mutex_;  // guards table_
  std::shared_ptr<const KeyTable> table_;
  std::atomic<std::uint64_t> version_ = 0;
  std::jthread refresher_;  // last: it uses all of those
};

}  // namespace

Result<std::shared_ptr<KeyAuthenticator>> KeyAuthenticator::Make(KeyAuthenticatorParts parts) {
  auto authenticator = std::make_shared<TableAuthenticator>(std::move(parts));
  TM_TRY(authenticator->Refresh());
  authenticator->Start();
  return authenticator;
}

}  // namespace tidemark::server
