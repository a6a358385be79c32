// Follows the schema down the records, and copies what nobody replaces byte by byte.
#include "adapters/iceberg/avro_rewrite.h"

namespace tidemark::iceberg {
namespace {

/// What was read since `before` was the rest.
std::string_view ReadSince(std::string_view before, const AvroDecoder& in) {
  return before.substr(0, before.size() - in.rest().size());
}

Result<void> CopyRecord(std::int64_t row, const AvroType& record, AvroDecoder& in, AvroEncoder& out,
                        AvroReplacement replace) {
  for (const AvroField& field : record.fields) {
    const std::string_view before = in.rest();
    TM_ASSIGN(const AvroType* const type, in.Branch(*field.type));
    out.Raw(ReadSince(before, in));  // which branch of a union
    if (type->kind == AvroKind::kRecord) {
      TM_TRY(CopyRecord(row, *type, in, out, replace));
      continue;
    }
    TM_ASSIGN(const bool is_replaced, replace(row, field.id, *type, in, out));
    if (is_replaced) continue;
    const std::string_view value = in.rest();
    TM_TRY(in.Skip(*type));
    out.Raw(ReadSince(value, in));
  }
  return {};
}

}  // namespace

Result<std::string> RewriteAvroFile(std::string_view bytes, AvroReplacement replace) {
  TM_ASSIGN(const AvroFile file, OpenAvroFile(bytes));
  if (file.schema->kind != AvroKind::kRecord)
    return Fail(ErrorCode::kCorruption, "the rows of an Avro file are no records");
  AvroFileWriter writer(file.metadata);
  std::int64_t row = 0;
  TM_TRY(ReadAvroRows(file, [&](AvroDecoder& in) -> Result<void> {
    TM_TRY(CopyRecord(row++, *file.schema, in, writer.row(), replace));
    writer.EndRow();
    return {};
  }));
  return writer.Finish();
}

}  // namespace tidemark::iceberg
