// The small project that `tidemark init` makes.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tidemark::cli {

struct ProjectOptions {
  std::string name;
  bool python = false;      // definitions in Python instead of YAML
  std::int64_t now_us = 0;  // the data ends here, so that online values are fresh
};

/// Its files: relative path -> content. The data is made up from fixed seeds.
std::map<std::string, std::string> ProjectFiles(const ProjectOptions& options);

}  // namespace tidemark::cli
