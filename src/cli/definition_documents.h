// Registered definitions, as the store describes them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/table.h"
#include "tidemark/store.h"

namespace tidemark::cli {

/// The documents of all objects of a type.
Result<std::vector<Json>> ListObjects(const Store& store, ObjectType type);

/// What the store says of one object: {"spec", "meta", "definition", ...}.
Result<Json> DescribeObject(const Store& store, ObjectType type, const std::string& name);

/// Names and types of the join keys of a view.
Result<std::vector<ColumnInfo>> JoinKeysOf(const Store& store, const std::string& view);

/// The two parts of "view:feature".
struct FeatureName {
  std::string view;
  std::string feature;
};
Result<FeatureName> SplitFeature(const std::string& text);

}  // namespace tidemark::cli
