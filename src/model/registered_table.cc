#include "model/registered_table.h"

#include <fmt/format.h>

#include <utility>

#include "model/json_tree_internal.h"

namespace tidemark {

std::string ToJson(const RegisteredTable& table) {
  Json object;
  object["database"] = table.database;
  object["name"] = table.name;
  object["path"] = table.path;
  object["format"] = FileFormatName(table.format);
  object["partitions"] = Json::array();
  for (const FolderColumn& column : table.partitions)
    object["partitions"].push_back(Json{{"name", column.name}, {"type", column.type.ToString()}});
  return DumpJsonTree(object, -1);
}

Result<RegisteredTable> RegisteredTableFromJson(std::string_view json) {
  TM_ASSIGN(const Json tree, ParseJsonTree(json));
  TM_ASSIGN(const Members members,
            Members::Of(tree, false, {"database", "name", "path", "format", "partitions"}));
  RegisteredTable table;
  TM_TRY(members.RequiredText("database", table.database));
  TM_TRY(members.RequiredText("name", table.name));
  TM_TRY(members.RequiredText("path", table.path));
  std::string format;
  TM_TRY(members.RequiredText("format", format));
  if (format != FileFormatName(FileFormat::kParquet) && format != FileFormatName(FileFormat::kCsv))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no format of a registered table", format));
  table.format = format == FileFormatName(FileFormat::kCsv) ? FileFormat::kCsv : FileFormat::kParquet;
  const Json* const partitions = members.Find("partitions");
  if (partitions == nullptr) return table;
  if (!partitions->is_array()) return WrongKind("partitions", "list", *partitions);
  for (const Json& each : *partitions) {
    TM_ASSIGN(const Members column, Members::Of(each, false, {"name", "type"}));
    FolderColumn made;
    std::string type;
    TM_TRY(column.RequiredText("name", made.name));
    TM_TRY(column.RequiredText("type", type));
    TM_ASSIGN(made.type, DataType::Parse(type));
    table.partitions.push_back(std::move(made));
  }
  return table;
}

}  // namespace tidemark
