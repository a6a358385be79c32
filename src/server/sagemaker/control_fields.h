// The members of a control plane request: read with their types, their limits checked. Unknown members are
// ignored, a null one is an absent one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/sagemaker/refusal.h"

namespace tidemark::sagemaker {

/// An object of a request. Copies share what was parsed.
class Fields {
 public:
  /// kUnreadable for what is no JSON object, or nested deeper than allowed.
  static Answer<Fields> Parse(std::string_view body, std::size_t depth_max);

  bool Has(std::string_view name) const;

  Answer<std::optional<std::string>> Text(std::string_view name) const;
  Answer<std::string> RequiredText(std::string_view name) const;
  /// kInvalid for one that has more bytes.
  Answer<std::optional<std::string>> Text(std::string_view name, std::size_t bytes_max) const;
  /// kInvalid, naming the choices, for another text.
  Answer<std::optional<std::string>> Choice(std::string_view name,
                                            const std::vector<std::string_view>& choices) const;
  Answer<std::optional<bool>> Flag(std::string_view name) const;
  Answer<std::optional<std::int64_t>> Integer(std::string_view name) const;
  Answer<std::optional<std::int64_t>> Integer(std::string_view name, std::int64_t min,
                                              std::int64_t max) const;
  /// A point in time, a number of seconds since 1970: microseconds.
  Answer<std::optional<std::int64_t>> Time(std::string_view name) const;
  Answer<std::optional<Fields>> Object(std::string_view name) const;
  Answer<std::vector<Fields>> Objects(std::string_view name) const;
  Answer<std::vector<std::string>> Texts(std::string_view name) const;
  /// A list of {"Key", "Value"}. kInvalid for more than `max`, or the same key twice.
  Answer<std::map<std::string, std::string>> Pairs(std::string_view name, std::size_t max) const;

  /// All of it, as JSON.
  std::string ToJson() const;

 private:
  struct Node;
  explicit Fields(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

  std::shared_ptr<const Node> node_;
};

}  // namespace tidemark::sagemaker
