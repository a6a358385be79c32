// What the requests of one shape (the same features, the same project) share: prepared once, then only looked
// up.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/type.h"
#include "server/catalog/services.h"
#include "server/feast/refusal.h"
#include "tidemark/online.h"

namespace tidemark::server::feast {

/// What a request asks for, as it is written in its body: the key of the cache. Both texts are JSON as
/// received; one of them is empty.
struct Asked {
  std::string_view features;  // ["view:feature", ...]
  std::string_view service;   // "name"
  bool full_feature_names = false;
};

/// A request that is ready to be answered. Immutable but for `refresh_began_ms`.
struct PreparedLookup {
  struct Key {
    std::string name;
    DataType type;
    /// The entity's name, which Feast takes in the stead of its one join key; may be empty.
    std::string entity;
  };

  std::shared_ptr<const OnlineReader> reader;
  std::vector<Key> keys;                                  // as the reader wants them
  std::map<std::string, DataType, std::less<>> requests;  // request data, by name
  std::vector<DataType> types;
  std::vector<ValueForm> forms;
  std::size_t bytes_per_row = 0;  // of an answer, about
  bool has_nested = false;
  std::string feature_names;  // "a","b": JSON, without the brackets
  std::string view_versions;  // [{"name":"view","version":2}]
  /// When somebody went to prepare it anew, by a steady clock; 0: nobody has.
  mutable std::atomic<std::int64_t> refresh_began_ms{0};

  /// The key that a column of entities is for; npos: none.
  std::size_t KeyOf(std::string_view column) const;
  /// Whether the column is request data that on-demand features are computed from.
  bool IsRequest(std::string_view column) const;
  static constexpr std::size_t kNoKey = static_cast<std::size_t>(-1);
};

/// Prepares a request: slow, it reads definitions. A view or service that is not there, a feature that is
/// asked for twice and what else is wrong with the list is refused as Feast does.
Answer<std::shared_ptr<const PreparedLookup>> Prepare(Services& services, std::string_view project,
                                                      const Asked& asked);

}  // namespace tidemark::server::feast
