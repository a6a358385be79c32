// Reads the body of POST /get-online-features where it lies: no tree is made of it, no value is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "server/feast/entity_columns.h"
#include "server/feast/prepared_lookup.h"
#include "server/feast/refusal.h"

namespace tidemark::server::feast {

/// One for each thread. What it gives out is valid until the next body is opened.
class OnlineRequestReader {
 public:
  OnlineRequestReader();
  ~OnlineRequestReader();
  OnlineRequestReader(const OnlineRequestReader&) = delete;
  OnlineRequestReader& operator=(const OnlineRequestReader&) = delete;

  /// Reads what is asked for. False for a body that is not plainly of the form of a request: it must be
  /// looked at with more care (`Normalize`), to be refused, or to be opened in another spelling.
  bool Open(std::string_view body);

  const Asked& asked() const { return asked_; }
  bool wants_versions() const { return wants_versions_; }

  enum class Read : std::uint8_t { kDone, kMalformed };
  /// Reads the entities that the lookup needs. Refused: a join key that is missing, null or not of its type,
  /// columns of different lengths, more than `rows_max` rows. kMalformed as Open's false.
  Answer<Read> ReadEntities(const PreparedLookup& lookup, std::size_t rows_max, Entities& entities);

 private:
  // simdjson's own types have another layout in code that is not optimized, such as tests: none may be seen.
  class Walk;
  std::unique_ptr<Walk> walk_;
  Asked asked_;
  bool wants_versions_ = false;
};

/// Reads a body with care: 422 in FastAPI's words, or the same request spelt plainly.
Answer<std::string> Normalize(std::string_view body, std::size_t depth_max);

}  // namespace tidemark::server::feast
