// Goal: what is made once for a view's writes is what each write would make, and follows the view.
#include "engine/tables/table_shape.h"

#include <arrow/io/memory.h>
#include <arrow/ipc/writer.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/tables/table_rows.h"
#include "store/memory_source_testing.h"

namespace tidemark {
namespace {

using testing_support::BatchOf;

/// A batch as Arrow's own writer of streams has it.
std::string AsStream(const arrow::RecordBatch& batch) {
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer = arrow::ipc::MakeStreamWriter(sink, batch.schema()).ValueOrDie();
  EXPECT_TRUE(writer->WriteRecordBatch(batch).ok());
  EXPECT_TRUE(writer->Close().ok());
  return sink->Finish().ValueOrDie()->ToString();
}

std::string Encoded(const arrow::RecordBatch& batch) {
  const auto schema = EncodeSchema(*batch.schema());
  const auto bytes = EncodeBatch(schema.value(), batch);
  return bytes.value()->ToString();
}

TEST(TableShapeTest, AFrameIsAnArrowStreamAsEver) {
  const auto items = arrow::list(arrow::struct_({arrow::field("a", arrow::int32())}));
  const auto rows = BatchOf({{"key", arrow::int64(), "[1, 2, 3]"},
                             {"city", arrow::utf8(), R"(["a", null, "c"])"},
                             {"flag", arrow::boolean(), "[true, false, null]"},
                             {"items", items, R"([[{"a": 1}], null, []])"},
                             {"never", arrow::float64(), "[null, null, null]"}});
  for (const auto& batch : {rows, rows->Slice(1, 2), rows->Slice(2, 0)}) {
    const std::string bytes = Encoded(*batch);
    EXPECT_EQ(bytes, AsStream(*batch));
    const auto decoded = DecodeBatch(std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(decoded) << decoded.error().ToString();
    EXPECT_TRUE((*decoded)->Equals(*batch, /*check_metadata=*/true));
  }
}

CatalogView View(std::int64_t version, TypeKind key) {
  CatalogView view;
  view.id = 7;
  view.version = version;
  view.definition.name = "rides";
  for (std::int64_t i = 0; i < version; ++i) {
    Field field;
    field.name = "f" + std::to_string(i);
    field.type = {.kind = TypeKind::kFloat64};
    field.id = static_cast<std::int32_t>(i + 1);
    view.definition.fields.push_back(std::move(field));
  }
  view.join_keys = {{.name = "key", .type = DataType{.kind = key}}};
  return view;
}

TEST(TableShapeTest, IsMadeAnewWhenTheViewIsAnother) {
  TableShapes shapes;
  const auto first = shapes.Get(View(1, TypeKind::kInt64)).value();
  EXPECT_TRUE(first->schema->Equals(*TableSchema(View(1, TypeKind::kInt64))));
  EXPECT_EQ(first->encoded_schema, EncodeSchema(*first->schema).value());
  EXPECT_EQ(first->layout.slots().size(), 1);
  EXPECT_EQ(shapes.Get(View(1, TypeKind::kInt64)).value(), first);

  const auto second = shapes.Get(View(2, TypeKind::kInt64)).value();
  EXPECT_NE(second, first);
  EXPECT_EQ(second->layout.slots().size(), 2);
  EXPECT_TRUE(second->schema->Equals(*TableSchema(View(2, TypeKind::kInt64))));

  const auto retyped = shapes.Get(View(2, TypeKind::kString)).value();
  EXPECT_EQ(retyped->schema->field(0)->type()->id(), arrow::Type::STRING);
}

}  // namespace
}  // namespace tidemark
