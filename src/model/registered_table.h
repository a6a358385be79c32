// A table over files that were there before: what registering it states.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "model/type.h"

namespace tidemark {

/// A column that folders say: `y=2019`.
struct FolderColumn {
  std::string name;
  DataType type;  // int64 or string
  bool operator==(const FolderColumn&) const = default;
};

struct RegisteredTable {
  std::string database;
  std::string name;
  std::string path;  // the root: a folder, a file or a pattern; relative to the store's folder or in full
  FileFormat format = FileFormat::kParquet;
  std::vector<FolderColumn> partitions;  // outermost first
  bool operator==(const RegisteredTable&) const = default;

  std::string full_name() const { return database + "." + name; }
};

/// One line of JSON.
std::string ToJson(const RegisteredTable& table);
/// kInvalidArgument for what is none.
Result<RegisteredTable> RegisteredTableFromJson(std::string_view json);

}  // namespace tidemark
