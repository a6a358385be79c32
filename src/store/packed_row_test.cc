// Goal: every type comes out of a packed row as it went in; every changed byte is found; bytes that do not
// add up are an error and never a read outside the row.
#include "store/packed_row.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/crc32c.h"
#include "model/key_codec.h"
#include "store/packed_bytes_internal.h"

namespace tidemark {
namespace {

struct Case {
  std::string_view type;
  std::shared_ptr<arrow::DataType> arrow;
};

std::vector<Case> AllTypes() {
  const auto pair =
      arrow::struct_({arrow::field("a", arrow::int64()), arrow::field("b", arrow::utf8()),
                      arrow::field("c", arrow::boolean()), arrow::field("d", arrow::list(arrow::utf8()))});
  return {
      {"bool", arrow::boolean()},
      {"string", arrow::utf8()},
      {"int32", arrow::int32()},
      {"decimal(20, 4)", arrow::decimal128(20, 4)},
      {"int64", arrow::int64()},
      {"float32", arrow::float32()},
      {"binary", arrow::binary()},
      {"float64", arrow::float64()},
      {"timestamp", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")},
      {"date", arrow::date32()},
      {"list<bool>", arrow::list(arrow::boolean())},
      {"list<string>", arrow::list(arrow::utf8())},
      {"list<list<int32>>", arrow::list(arrow::list(arrow::int32()))},
      {"struct<a: int64, b: string, c: bool, d: list<string>>", pair},
      {"list<struct<a: int64, b: string, c: bool, d: list<string>>>", arrow::list(pair)},
      {"map<string, int64>", arrow::map(arrow::utf8(), arrow::int64())},
      {"map<int32, list<decimal(20, 4)>>", arrow::map(arrow::int32(), arrow::list(arrow::decimal128(20, 4)))},
  };
}

// Appends a random value that a builder of any of the types above takes; keys of maps are never null.
void AppendRandom(arrow::ArrayBuilder& builder, std::mt19937& random, bool may_be_null = true) {
  const auto bits = [&random] { return (std::uint64_t{random()} << 32) | random(); };
  const auto text = [&] { return std::string(random() % 12, static_cast<char>('a' + random() % 26)); };
  arrow::Status status;
  if (may_be_null && random() % 4 == 0) {
    status = builder.AppendNull();
  } else if (auto* of_bool = dynamic_cast<arrow::BooleanBuilder*>(&builder)) {
    status = of_bool->Append(random() % 2 == 0);
  } else if (auto* of_int32 = dynamic_cast<arrow::Int32Builder*>(&builder)) {
    status = of_int32->Append(static_cast<std::int32_t>(bits()));
  } else if (auto* of_date = dynamic_cast<arrow::Date32Builder*>(&builder)) {
    status = of_date->Append(static_cast<std::int32_t>(bits()));
  } else if (auto* of_int64 = dynamic_cast<arrow::Int64Builder*>(&builder)) {
    status = of_int64->Append(static_cast<std::int64_t>(bits()));
  } else if (auto* of_time = dynamic_cast<arrow::TimestampBuilder*>(&builder)) {
    status = of_time->Append(static_cast<std::int64_t>(bits()));
  } else if (auto* of_float = dynamic_cast<arrow::FloatBuilder*>(&builder)) {
    status = of_float->Append(static_cast<float>(random()) / 3);
  } else if (auto* of_double = dynamic_cast<arrow::DoubleBuilder*>(&builder)) {
    status = of_double->Append(static_cast<double>(random()) / 3);
  } else if (auto* of_decimal = dynamic_cast<arrow::Decimal128Builder*>(&builder)) {
    status = of_decimal->Append(arrow::Decimal128(static_cast<std::int64_t>(bits())));
  } else if (auto* of_string = dynamic_cast<arrow::StringBuilder*>(&builder)) {
    status = of_string->Append(text());
  } else if (auto* of_binary = dynamic_cast<arrow::BinaryBuilder*>(&builder)) {
    status = of_binary->Append(text());
  } else if (auto* of_map = dynamic_cast<arrow::MapBuilder*>(&builder)) {
    status = of_map->Append();
    for (auto left = random() % 4; left > 0; --left) {
      AppendRandom(*of_map->key_builder(), random, false);
      AppendRandom(*of_map->item_builder(), random);
    }
  } else if (auto* of_list = dynamic_cast<arrow::ListBuilder*>(&builder)) {
    status = of_list->Append();
    for (auto left = random() % 20; left > 0; --left)
      AppendRandom(*of_list->value_builder(), random);
  } else {
    auto& of_struct = dynamic_cast<arrow::StructBuilder&>(builder);
    status = of_struct.Append();
    for (int i = 0; i < of_struct.num_fields(); ++i)
      AppendRandom(*of_struct.field_builder(i), random);
  }
  ASSERT_TRUE(status.ok()) << status.ToString();
}

std::shared_ptr<arrow::Array> RandomArray(const std::shared_ptr<arrow::DataType>& type, std::int64_t rows,
                                          std::mt19937& random) {
  const auto builder = arrow::MakeBuilder(type).ValueOrDie();
  for (std::int64_t i = 0; i < rows; ++i)
    AppendRandom(*builder, random);
  return builder->Finish().ValueOrDie();
}

Field MakeField(std::int32_t id, std::string_view type) {
  Field field;
  field.name = "f" + std::to_string(id);
  field.type = DataType::Parse(type).value();
  field.id = id;
  return field;
}

std::span<const std::byte> Bytes(const std::string& row) {
  return std::as_bytes(std::span(row));
}

PackedHeader SomeHeader() {
  return {.order = {{std::numeric_limits<std::int64_t>::min()},
                    {-7},
                    std::numeric_limits<std::int64_t>::max(),
                    0xFFFFFFFE},
          .is_deleted = true,
          .expires_at_us = 99,
          .schema_version = 3};
}

// Rows of all types in several orders of fields, from sliced arrays, with short and long keys.
TEST(PackedRow, ReturnsEveryTypeAsItWasPacked) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    std::vector<Case> types = AllTypes();
    std::ranges::shuffle(types, random);
    types.resize(random() % (types.size() + 1));
    std::vector<Field> fields;
    arrow::ArrayVector columns;
    for (std::size_t i = 0; i < types.size(); ++i) {
      fields.push_back(MakeField(static_cast<std::int32_t>(100 + i), types[i].type));
      columns.push_back(
          RandomArray(types[i].arrow, 40, random)->Slice(static_cast<std::int64_t>(random() % 10), 30));
    }
    const PackedLayout layout(3, fields);
    const PackedRowWriter writer(layout, columns);
    const std::string key(seed % 2 == 0 ? 30 : 1000, 'k');
    std::vector<std::string> rows;
    for (std::int64_t i = 0; i < 30; ++i) {
      std::string out = "before";
      ASSERT_TRUE(writer.Append(i, SomeHeader(), key, out));
      rows.push_back(out.substr(6));
      ASSERT_EQ(ReadPackedHeader(Bytes(rows.back())).value(), SomeHeader());
      ASSERT_TRUE(PackedChecksumHolds(StoredKey(key), Bytes(rows.back())));
      ASSERT_TRUE(CheckPacked(layout, Bytes(rows.back())));
      ASSERT_EQ(PackedFullKey(Bytes(rows.back())), seed % 2 == 0 ? "" : key);
    }
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const auto builder = arrow::MakeBuilder(columns[c]->type()).ValueOrDie();
      const PackedLayout::Slot* slot = layout.Find(static_cast<std::int32_t>(100 + c));
      ASSERT_NE(slot, nullptr);
      for (const std::string& row : rows)
        ASSERT_TRUE(AppendPacked(layout, *slot, Bytes(row), *builder));
      const auto back = builder->Finish().ValueOrDie();
      ASSERT_TRUE(back->ValidateFull().ok()) << back->ValidateFull().ToString();
      ASSERT_TRUE(back->Equals(columns[c])) << "seed " << seed << ", " << types[c].type;
    }
  }
}

TEST(PackedRow, LiesInMemoryAsTheFormatSays) {
  const PackedLayout layout(7, {MakeField(1, "bool"), MakeField(2, "string"), MakeField(3, "float64"),
                                MakeField(4, "int32"), MakeField(5, "binary")});
  arrow::BooleanBuilder f1;
  arrow::StringBuilder f2;
  arrow::DoubleBuilder f3;
  arrow::Int32Builder f4;
  arrow::BinaryBuilder f5;
  ASSERT_TRUE((f1.Append(true) & f2.Append("text") & f3.Append(1.5) & f4.AppendNull() & f5.Append("!")).ok());
  const PackedRowWriter writer(layout,
                               {f1.Finish().ValueOrDie(), f2.Finish().ValueOrDie(), f3.Finish().ValueOrDie(),
                                f4.Finish().ValueOrDie(), f5.Finish().ValueOrDie()});
  std::string row;
  ASSERT_TRUE(writer.Append(0, {.order = {{1}, {2}, 3, 4}, .expires_at_us = 5}, "key", row));
  using namespace std::string_literals;
  const std::string expected =
      "\x01\x00\x00\x00"s                                                  // format, flags, reserved
      "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"s  // event, created
      "\x03\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00"s  // sequence, expires
      "\x04\x00\x00\x00\x07\x00\x00\x00"s                                  // origin, schema version
      "\x08"s                                                              // field 4 is null
      "\x00\x00\x00\x00\x00\x00\xF8\x3F"s                                  // 1.5
      "\x00\x00\x00\x00"s                                                  // the null int32
      "\x01"s                                                              // true
      "\x4A\x00\x00\x00\x4B\x00\x00\x00"s                                  // ends: 70 + 4, 74 + 1
      "text!"s;
  EXPECT_EQ(row.substr(4), expected);
  const std::uint32_t crc = Crc32c(Bytes("key" + expected));
  EXPECT_EQ(packed::Load<std::uint32_t>(row.data()), crc);
}

TEST(PackedRow, AChangedBitOrKeyBreaksTheChecksum) {
  const PackedLayout layout(1, {MakeField(1, "string")});
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.Append("some text").ok());
  const PackedRowWriter writer(layout, {builder.Finish().ValueOrDie()});
  for (const std::string& key : {std::string("key"), std::string(600, 'k')}) {
    std::string row;
    ASSERT_TRUE(writer.Append(0, {}, key, row));
    const std::string stored = StoredKey(key);
    ASSERT_TRUE(PackedChecksumHolds(stored, Bytes(row)));
    for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
      std::string changed = row;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_FALSE(PackedChecksumHolds(stored, Bytes(changed))) << "bit " << bit;
    }
    for (std::size_t size = 0; size < row.size(); ++size) {
      ASSERT_FALSE(PackedChecksumHolds(stored, Bytes(row).first(size))) << "cut to " << size;
    }
    EXPECT_FALSE(PackedChecksumHolds(stored.substr(1) + "x", Bytes(row)));
  }
}

TEST(PackedRow, BelongsToItsFullKeyOnly) {
  const PackedLayout layout(1, {});
  const PackedRowWriter writer(layout, {});
  const std::string long_key(600, 'k');
  std::string of_long;
  std::string of_short;
  ASSERT_TRUE(writer.Append(0, {}, long_key, of_long));
  ASSERT_TRUE(writer.Append(0, {}, StoredKey(long_key), of_short));
  EXPECT_TRUE(PackedIsFor(long_key, Bytes(of_long)));
  EXPECT_FALSE(PackedIsFor(long_key + "k", Bytes(of_long)));
  EXPECT_FALSE(PackedIsFor(StoredKey(long_key), Bytes(of_long)));
  EXPECT_TRUE(PackedIsFor(StoredKey(long_key), Bytes(of_short)));
  EXPECT_FALSE(PackedIsFor(long_key, Bytes(of_short)));
}

TEST(PackedRow, RefusesHeadersOfAnotherFormatAndRowsOfAnotherVersion) {
  EXPECT_EQ(ReadPackedHeader(Bytes(std::string(47, '\1'))).error().code, ErrorCode::kCorruption);
  std::string row(48, '\0');
  EXPECT_EQ(ReadPackedHeader(Bytes(row)).error().code, ErrorCode::kCorruption);
  row[packed::kFormatAt] = 1;
  EXPECT_TRUE(ReadPackedHeader(Bytes(row)));
  EXPECT_EQ(CheckPacked(PackedLayout(9, {}), Bytes(row)).error().code, ErrorCode::kInternal);
  EXPECT_EQ(CheckPacked(PackedLayout(0, {MakeField(1, "int64")}), Bytes(row)).error().code,
            ErrorCode::kCorruption);
}

// Whatever bytes change behind the header's first word, reading gives a value or an error; a sanitizer sees
// the rest.
TEST(PackedRow, DamagedValuesAreAnErrorOrAValueButNeverReadOutside) {
  std::mt19937 random(1);
  std::vector<Field> fields;
  arrow::ArrayVector columns;
  for (const Case& type : AllTypes()) {
    fields.push_back(MakeField(static_cast<std::int32_t>(fields.size() + 1), type.type));
    columns.push_back(RandomArray(type.arrow, 20, random));
  }
  const PackedLayout layout(1, fields);
  const PackedRowWriter writer(layout, columns);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string row;
    ASSERT_TRUE(writer.Append(i % 20, {}, std::string(i % 3 == 0 ? 500 : 9, 'k'), row));
    for (auto left = 1 + random() % 3; left > 0; --left)
      row[48 + random() % (row.size() - 48)] = static_cast<char>(random());
    if (random() % 4 == 0) row.resize(48 + random() % (row.size() - 48));
    const std::vector<std::byte> exact(Bytes(row).begin(),
                                       Bytes(row).end());  // so that a sanitizer sees its end
    if (!CheckPacked(layout, exact)) {
      ++refused;
      continue;
    }
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const auto builder = arrow::MakeBuilder(columns[c]->type()).ValueOrDie();
      if (!AppendPacked(layout, layout.slots()[c], exact, *builder)) ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace tidemark
