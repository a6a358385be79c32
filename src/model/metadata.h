// What every definition has besides its own content.
#pragma once

#include <map>
#include <string>

namespace tidemark {

using Tags = std::map<std::string, std::string>;

struct Metadata {
  std::string description;
  std::string owner;
  Tags tags;
  bool operator==(const Metadata&) const = default;
};

}  // namespace tidemark
