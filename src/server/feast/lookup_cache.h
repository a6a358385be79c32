// Prepared requests, kept by what they ask for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "server/feast/prepared_lookup.h"

namespace tidemark::server::feast {

/// Thread safe. It has parts, so that threads seldom wait for each other; each holds the requests that were
/// asked last, up to a number and to a number of bytes.
class LookupCache {
 public:
  explicit LookupCache(Services& services) : services_(services) {}

  /// The request if it is there and may be used, or null: then `Get`. Takes no longer than a look-up. Where
  /// definitions have changed, it is null for who may wait, and for one of those who may not, to have it
  /// prepared anew; the others go on with what they have.
  std::shared_ptr<const PreparedLookup> Find(std::string_view project, const Asked& asked, bool may_wait);

  /// The request, prepared if it is not there or not of the present definitions. May wait for the disk.
  Answer<std::shared_ptr<const PreparedLookup>> Get(std::string_view project, const Asked& asked);

 private:
  struct Entry {
    std::shared_ptr<const PreparedLookup> lookup;
    std::uint64_t used = 0;  // when, by the part's count of uses
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const;
  };
  struct Part {
    std::mutex mutex;  // guards the rest
    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries;
    std::uint64_t uses = 0;
    std::size_t bytes = 0;  // of the keys
  };

  Part& PartOf(std::string_view key);
  void Put(Part& part, std::string_view key, std::shared_ptr<const PreparedLookup> lookup);

  Services& services_;
  std::array<Part, 16> parts_;
};

}  // namespace tidemark::server::feast
