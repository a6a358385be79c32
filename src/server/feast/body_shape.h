// What a body must look like, checked before anything is made of it, and how FastAPI says that it does not.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "server/feast/refusal.h"

namespace tidemark::server::feast {

enum class Shape : std::uint8_t {
  kText,
  kTextOrNull,
  kFlag,         // true and false; also 0, 1 and words that Pydantic takes for them
  kTexts,        // a list of texts
  kTextsOrNull,  // the same, or null
  kObject,
  kColumns,  // an object of lists
  kNumberOrNull,
  kNumbersOrNull,
  kAnything,
};

struct BodyField {
  std::string_view name;
  Shape shape;
  bool is_required = false;
};

/// One for each thread: a body's tree lives until the next one is read.
class BodyReader {
 public:
  /// The body as a tree; 422 for what is not JSON, or lies deeper than `depth_max`.
  Answer<simdjson::dom::element> Read(std::string_view body, std::size_t depth_max);
  /// The same, and an object of this shape: 422 with all that is wrong. Other fields are passed over.
  Answer<simdjson::dom::object> Read(std::string_view body, std::size_t depth_max,
                                     std::span<const BodyField> fields);

 private:
  simdjson::dom::parser parser_;
  std::string text_;  // the body with the padding that the parser asks for
};

/// What a field holds that was checked to have the shape; `otherwise` where it is not there. Of a field that
/// is there twice the last one counts.
std::optional<simdjson::dom::element> Find(simdjson::dom::object body, std::string_view name);
std::optional<std::string_view> TextOf(simdjson::dom::object body, std::string_view name);
bool FlagOf(simdjson::dom::object body, std::string_view name, bool otherwise);

}  // namespace tidemark::server::feast
