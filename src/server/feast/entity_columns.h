// Entities of one request: a column of values for each join key, in the form that a lookup takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/feast/prepared_lookup.h"
#include "tidemark/online.h"

namespace tidemark::server::feast {

/// Values of one join key. Memory is used again by the next request.
class EntityColumn {
 public:
  void Clear();
  std::size_t size() const { return count_; }

  void Add(std::int64_t value) {
    integers_.push_back(value);
    ++count_;
  }
  /// The text must stay where it is for as long as the column is used; `Keep` makes it so.
  void Add(std::string_view text) {
    texts_.push_back(text);
    ++count_;
  }
  void Add(bool value);
  std::string_view Keep(std::string text) { return kept_.emplace_back(std::move(text)); }

  KeyColumn Values(const DataType& type) const;
  std::int64_t integer(std::size_t row) const { return integers_[row]; }
  std::string_view text(std::size_t row) const { return texts_[row]; }
  bool boolean(std::size_t row) const { return bools_[row]; }

 private:
  std::size_t count_ = 0;
  std::vector<std::int64_t> integers_;
  std::vector<std::string_view> texts_;
  std::deque<std::string> kept_;
  std::unique_ptr<bool[]> bools_;  // NOLINT(modernize-avoid-c-arrays): vector<bool> has no span
  std::size_t bools_room_ = 0;
};

struct Entities {
  std::vector<EntityColumn> columns;   // as the keys of the lookup
  std::vector<std::size_t> given;      // keys, in the order in which the request names them
  std::string requests;                // request data: members of a JSON object, as the request has them
  std::vector<std::string> requested;  // their names
  std::size_t rows = 0;

  /// Gets ready for a request with `keys` join keys.
  void Clear(std::size_t keys);
};

/// A value that does not come in the key's own JSON type, coerced without loss: "1001" and 1001.0 are 1001, 7
/// is "7", 1 is true; bytes come as base64, points in time as seconds since 1970. `token` is the value as it
/// is written in the request. False for one that cannot be a value of this type.
bool AddCoerced(const DataType& type, std::string_view token, EntityColumn& column);

}  // namespace tidemark::server::feast
