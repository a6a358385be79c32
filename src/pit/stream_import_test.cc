// A stream must be read as Arrow itself reads it, and a schema that came before must be that one again.
#include "pit/stream_import.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/c/bridge.h>
#include <arrow/json/from_string.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

namespace tidemark {
namespace {

std::shared_ptr<arrow::RecordBatch> BatchOf(const std::shared_ptr<arrow::Schema>& schema,
                                            const std::vector<std::string>& columns) {
  arrow::ArrayVector arrays;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& type = schema->field(static_cast<int>(i))->type();
    arrays.push_back(arrow::json::ArrayFromJSONString(type, columns[i]).ValueOrDie());
  }
  return arrow::RecordBatch::Make(schema, arrays.front()->length(), arrays);
}

std::shared_ptr<arrow::RecordBatchReader> Imported(const arrow::RecordBatchVector& batches,
                                                   const std::shared_ptr<arrow::Schema>& schema) {
  ArrowArrayStream stream{};
  const auto reader = arrow::RecordBatchReader::Make(batches, schema).ValueOrDie();
  EXPECT_TRUE(arrow::ExportRecordBatchReader(reader, &stream).ok());
  auto imported = ImportStream(&stream);
  EXPECT_EQ(stream.release, nullptr) << "it is taken over";
  EXPECT_TRUE(imported) << imported.error().ToString();
  return imported.value_or(nullptr);
}

std::shared_ptr<arrow::Schema> ImportedSchema(const arrow::FieldVector& fields) {
  const auto schema = arrow::schema(fields);
  auto imported = Imported({}, schema)->schema();
  EXPECT_TRUE(imported->Equals(*schema, /*check_metadata=*/true)) << imported->ToString();
  return imported;
}

TEST(StreamImport, RowsAreThoseOfTheStream) {
  const auto items = arrow::list(arrow::struct_({arrow::field("a", arrow::int32())}));
  const auto schema = arrow::schema({arrow::field("key", arrow::int64(), /*nullable=*/false),
                                     arrow::field("city", arrow::utf8()), arrow::field("items", items)});
  const auto rows = BatchOf(schema, {"[1, 2, 3]", R"(["a", null, "c"])", R"([[{"a": 1}, null], null, []])"});
  for (int i = 0; i < 2; ++i) {
    const auto reader = Imported({rows, rows->Slice(1, 2), rows->Slice(3)}, schema);
    const auto table = reader->ToTable().ValueOrDie();
    const auto wanted =
        arrow::Table::FromRecordBatches({rows, rows->Slice(1, 2), rows->Slice(3)}).ValueOrDie();
    EXPECT_TRUE(table->Equals(*wanted)) << table->ToString();
    EXPECT_TRUE(table->ValidateFull().ok());
  }
}

TEST(StreamImport, FlatRowsAreThoseOfTheStream) {
  const auto schema =
      arrow::schema({arrow::field("key", arrow::int64()), arrow::field("flag", arrow::boolean()),
                     arrow::field("city", arrow::utf8()), arrow::field("bytes", arrow::binary()),
                     arrow::field("small", arrow::int8()), arrow::field("day", arrow::date32()),
                     arrow::field("at", arrow::timestamp(arrow::TimeUnit::NANO))});
  const auto rows =
      BatchOf(schema, {"[1, null, 3]", "[true, null, false]", R"(["a", null, ""])", R"(["", null, "xyz"])",
                       "[-1, null, 2]", "[1, null, 3]", "[5, null, 7]"});
  for (const auto& batch : {rows, rows->Slice(0, 1), rows->Slice(1, 1), rows->Slice(2, 1), rows->Slice(3)}) {
    std::shared_ptr<arrow::RecordBatch> read;
    ASSERT_TRUE(Imported({batch}, schema)->ReadNext(&read).ok());
    ASSERT_TRUE(read->ValidateFull().ok());
    EXPECT_TRUE(read->Equals(*batch)) << read->ToString();
  }
}

/// Bytes that are given back count.
class CountedBuffer final : public arrow::Buffer {
 public:
  CountedBuffer(const std::string& bytes, int& given_back)
      : Buffer(reinterpret_cast<const std::uint8_t*>(bytes.data()), std::ssize(bytes)),
        given_back_(given_back) {}
  ~CountedBuffer() override { ++given_back_; }
  CountedBuffer(const CountedBuffer&) = delete;
  CountedBuffer& operator=(const CountedBuffer&) = delete;

 private:
  int& given_back_;
};

TEST(StreamImport, MemoryIsGivenBackWithTheLastColumnThatHasIt) {
  const std::string bytes(16, '\1');
  int given_back = 0;
  std::shared_ptr<arrow::RecordBatch> read;
  {
    const auto schema = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::int64())});
    const auto values = std::make_shared<CountedBuffer>(bytes, given_back);
    const auto column = std::make_shared<arrow::Int64Array>(2, values);
    const auto reader = Imported({arrow::RecordBatch::Make(schema, 2, {column, column})}, schema);
    ASSERT_TRUE(reader->ReadNext(&read).ok());
  }
  auto column = read->column(1);
  read.reset();
  EXPECT_EQ(given_back, 0);
  auto slice = column->Slice(1, 1);
  column.reset();
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*slice).Value(0), 0x0101010101010101);
  EXPECT_EQ(given_back, 0);
  slice.reset();
  EXPECT_EQ(given_back, 1);
}

TEST(StreamImport, ASchemaThatCameBeforeIsThatOne) {
  const auto a = arrow::field("import_a", arrow::int64());
  const auto b = arrow::field("import_b", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"));
  const auto first = ImportedSchema({a, b});
  EXPECT_EQ(ImportedSchema({a, b}), first);
  EXPECT_NE(ImportedSchema({b, a}), first);
  EXPECT_NE(ImportedSchema({a, b->WithNullable(false)}), first);
  EXPECT_NE(ImportedSchema({a, b->WithType(arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"))}), first);
  EXPECT_NE(ImportedSchema({a, b->WithType(arrow::timestamp(arrow::TimeUnit::MICRO))}), first);
  EXPECT_NE(ImportedSchema({a, b->WithName("import_")}), first);
  EXPECT_NE(ImportedSchema({a}), first);
  const auto nested = [&](const arrow::FieldVector& fields) {
    return ImportedSchema({arrow::field("s", arrow::struct_(fields)), b});
  };
  const auto with_nested = nested({a, b});
  EXPECT_EQ(nested({a, b}), with_nested);
  EXPECT_NE(nested({a}), with_nested);
  EXPECT_EQ(ImportedSchema({a, b}), first);
}

TEST(StreamImport, WhatASchemaSaysBesideItsColumnsIsKept) {
  const auto told =
      arrow::field("import_told", arrow::int64(), true, arrow::key_value_metadata({{"unit", "metres"}}));
  ImportedSchema({arrow::field("import_told", arrow::int64())});
  ImportedSchema({told});
  ImportedSchema({arrow::field("import_told", arrow::dictionary(arrow::int32(), arrow::utf8()))});
  const auto schema = arrow::schema({arrow::field("city", arrow::dictionary(arrow::int32(), arrow::utf8()))});
  const auto rows = BatchOf(schema, {R"(["a", "b", "a"])"});
  const auto table = Imported({rows}, schema)->ToTable().ValueOrDie();
  EXPECT_TRUE(table->Equals(*arrow::Table::FromRecordBatches({rows}).ValueOrDie()));
}

TEST(StreamImport, SchemasThatAreManyAreReadAllTheSame) {
  for (int i = 0; i < 100; ++i)
    ImportedSchema({arrow::field("import_" + std::to_string(i), arrow::int64())});
}

/// A stream that ends with an error, which it may tell a text of.
ArrowArrayStream Failing(int* error, const char* format) {
  static const char* const kText = "INVALID_DATA: the rows ran out";
  static thread_local const char* told_format = nullptr;
  told_format = format;
  ArrowArrayStream stream{};
  stream.private_data = error;
  stream.get_schema = [](ArrowArrayStream*, ArrowSchema* out) {
    *out = {};
    out->format = told_format;
    out->release = [](ArrowSchema* schema) { schema->release = nullptr; };
    return 0;
  };
  stream.get_next = [](ArrowArrayStream* self, ArrowArray*) {
    return *static_cast<int*>(self->private_data);
  };
  stream.get_last_error = [](ArrowArrayStream* self) {
    return *static_cast<int*>(self->private_data) == EINVAL ? kText : nullptr;
  };
  stream.release = [](ArrowArrayStream* self) { self->release = nullptr; };
  return stream;
}

TEST(StreamImport, AnErrorIsAsArrowTellsIt) {
  for (int error : {EINVAL, EIO, ENOMEM, ENOSYS}) {
    ArrowArrayStream own = Failing(&error, "+s");
    ArrowArrayStream arrows = Failing(&error, "+s");
    const auto reader = ImportStream(&own);
    ASSERT_TRUE(reader) << reader.error().ToString();
    const auto arrow_reader = arrow::ImportRecordBatchReader(&arrows).ValueOrDie();
    const arrow::Status told = (*reader)->ToTable().status();
    const arrow::Status arrow_told = arrow_reader->ToTable().status();
    EXPECT_EQ(told.code(), arrow_told.code());
    if (error == EINVAL) {
      EXPECT_EQ(told.message(), arrow_told.message());
    }
    EXPECT_NE(told.message(), "");
    ASSERT_TRUE((*reader)->Close().ok());
    EXPECT_TRUE((*reader)->ToTable().status().IsInvalid());
  }
  int none = 0;
  ArrowArrayStream no_rows = Failing(&none, "l");
  EXPECT_FALSE(ImportStream(&no_rows)) << "a stream of numbers is none of rows";
}

}  // namespace
}  // namespace tidemark
