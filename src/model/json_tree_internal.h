// JSON text as a tree that is safe to walk, and the strict reading of its objects. Private to src/model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/definition.h"

namespace tidemark {

/// How deep the text of a definition may nest; what it defines needs eight.
inline constexpr std::size_t kTreeDepthMax = 64;

/// Parses strictly: kInvalidArgument for bad syntax (with line and column), a member that is there twice,
/// or nesting beyond kTreeDepthMax.
Result<Json> ParseJsonTree(std::string_view text);

/// Text of a tree; never throws, bytes that are not UTF-8 become U+FFFD. indent -1: on one line.
std::string DumpJsonTree(const Json& tree, int indent);

/// The definitions that a tree states. `text_scalars`: every scalar of the tree is a string (from YAML).
Result<Definitions> DefinitionsFromTree(const Json& tree, bool text_scalars);

/// One object whose members are known by name. A null member counts as absent. Every error is
/// kInvalidArgument and names the member. Refers to the tree, which must outlive it.
class Members {
 public:
  /// An error if `value` is no object or has a member that is not `known`.
  static Result<Members> Of(const Json& value, bool text_scalars, const std::vector<std::string_view>& known);

  bool text_scalars() const { return text_scalars_; }

  /// Null if absent.
  const Json* Find(std::string_view name) const;

  /// Each leaves `out` as it is if the member is absent.
  Result<void> Text(std::string_view name, std::string& out) const;
  Result<void> Text(std::string_view name, std::optional<std::string>& out) const;
  Result<void> Truth(std::string_view name, bool& out) const;
  Result<void> TextMap(std::string_view name, std::map<std::string, std::string>& out) const;
  Result<void> TextList(std::string_view name, std::vector<std::string>& out) const;

  /// Text that must be there and not be empty.
  Result<void> RequiredText(std::string_view name, std::string& out) const;

 private:
  Members(const Json& object, bool text_scalars) : object_(&object), text_scalars_(text_scalars) {}

  const Json* object_;
  bool text_scalars_;
};

/// The members `description`, `owner` and `tags`, which every definition has.
Result<void> ReadMetadata(const Members& from, Metadata& out);
/// A length of time in the member `name`: text such as `1d12h`, or a number of seconds. `out` stays as it is
/// if the member is absent.
Result<void> ReadDuration(const Members& from, std::string_view name, std::int64_t& out);

/// Each writes what is not empty.
void PutText(Json& object, const char* name, const std::string& text);
void PutTextMap(Json& object, const char* name, const std::map<std::string, std::string>& map);
void PutMetadata(Json& object, const Metadata& metadata);

/// A stream source: `{"type": "kafka", ...}` and `{"type": "kinesis", ...}` as definition_json.h draws them.
Result<KafkaSource> ReadKafkaSource(const Json& value, bool text_scalars);
Result<KinesisSource> ReadKinesisSource(const Json& value, bool text_scalars);
Json StreamTree(const KafkaSource& source);
Json StreamTree(const KinesisSource& source);
/// The same as it is printed in specs.
Json StreamSpecTree(const KafkaSource& source);
Json StreamSpecTree(const KinesisSource& source);

/// `member must be a string, not a number`.
std::unexpected<Error> WrongKind(std::string_view member, std::string_view wanted, const Json& found);

}  // namespace tidemark
