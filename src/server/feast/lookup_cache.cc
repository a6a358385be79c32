// A map for each part of the keys; the entry used longest ago goes first.
#include "server/feast/lookup_cache.h"

#include <algorithm>
#include <chrono>
#include <span>

#include "base/hash.h"

namespace tidemark::server::feast {
namespace {

constexpr std::size_t kEntriesMax = 512;          // of a part
constexpr std::size_t kBytesMax = 4UL << 20U;     // of their keys
constexpr std::size_t kKeyBytesMax = 1UL << 18U;  // a longer one is prepared each time
constexpr std::int64_t kMaxAgeMs = 500;
constexpr std::int64_t kRefreshMaxMs = 1'000;

std::int64_t NowMs() {
  using std::chrono::milliseconds;
  using std::chrono::steady_clock;
  return std::chrono::duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

/// The key of a request, in memory that is used again by the thread's next one.
std::string_view KeyOf(std::string_view project, const Asked& asked) {
  thread_local std::string key;
  key.clear();
  key.push_back(asked.full_feature_names ? '+' : '-');
  key.push_back(asked.service.empty() ? 'f' : 's');
  key.append(project).push_back('\n');  // no name has a line feed in it
  key.append(asked.service.empty() ? asked.features : asked.service);
  return key;
}

}  // namespace

std::size_t LookupCache::Hash::operator()(std::string_view text) const {
  return Hash64(std::as_bytes(std::span(text)));
}

LookupCache::Part& LookupCache::PartOf(std::string_view key) {
  return parts_[(Hash{}(key) >> 60U) % parts_.size()];
}

std::shared_ptr<const PreparedLookup> LookupCache::Find(std::string_view project, const Asked& asked,
                                                        bool may_wait) {
  const std::string_view key = KeyOf(project, asked);
  Part& part = PartOf(key);
  std::shared_ptr<const PreparedLookup> lookup;
  {
    const std::lock_guard lock(part.mutex);
    const auto found = part.entries.find(key);
    if (found == part.entries.end()) return nullptr;
    found->second.used = ++part.uses;
    lookup = found->second.lookup;
  }
  const auto is_current = lookup->reader->IsCurrent(kMaxAgeMs);
  if (!is_current || *is_current) return lookup;  // whatever hinders the registry need not hinder reads
  if (may_wait) return nullptr;
  const std::int64_t now_ms = NowMs();
  std::int64_t began_ms = lookup->refresh_began_ms.load();
  // Whoever went may have been lost on the way, with its connection: then the next one goes.
  if (began_ms != 0 && now_ms - began_ms < kRefreshMaxMs) return lookup;
  return lookup->refresh_began_ms.compare_exchange_strong(began_ms, now_ms) ? nullptr : lookup;
}

Answer<std::shared_ptr<const PreparedLookup>> LookupCache::Get(std::string_view project, const Asked& asked) {
  const std::string key(KeyOf(project, asked));
  auto made = Prepare(services_, project, asked);
  Part& part = PartOf(key);
  const std::lock_guard lock(part.mutex);
  if (made) {
    Put(part, key, *made);
  } else if (const auto stale = part.entries.find(key); stale != part.entries.end()) {
    part.bytes -= stale->first.size();
    part.entries.erase(stale);  // it asks for what is gone
  }
  return made;
}

void LookupCache::Put(Part& part, std::string_view key, std::shared_ptr<const PreparedLookup> lookup) {
  if (key.size() > kKeyBytesMax) return;
  const auto [at, is_new] =
      part.entries.insert_or_assign(std::string(key), Entry{std::move(lookup), ++part.uses});
  if (is_new) part.bytes += key.size();
  while (part.entries.size() > kEntriesMax || part.bytes > kBytesMax) {
    const auto oldest =
        std::ranges::min_element(part.entries, {}, [](const auto& entry) { return entry.second.used; });
    part.bytes -= oldest->first.size();
    part.entries.erase(oldest);
  }
}

}  // namespace tidemark::server::feast
