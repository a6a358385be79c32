// Goal: the values of an array are appended as each of them alone is, and one that does not fit is named.
#include "rows/json_columns.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace tidemark {
namespace {

struct Appended {
  std::shared_ptr<arrow::Array> array;
  std::string error;
  std::int64_t rows = 0;
};

Appended Finished(JsonColumn& column, const Result<void>& appended) {
  Appended all;
  all.rows = column.rows();
  if (!appended) {
    all.error = appended.error().ToString();
    return all;
  }
  all.array = column.Finish().value();
  return all;
}

Appended AllAtOnce(std::string_view type, const simdjson::dom::array& values, const JsonPolicy& policy) {
  JsonColumn column("x", DataType::Parse(type).value(), policy);
  return Finished(column, column.AppendAll(values));
}

Appended OneByOne(std::string_view type, const simdjson::dom::array& values, const JsonPolicy& policy) {
  JsonColumn column("x", DataType::Parse(type).value(), policy);
  const auto append = [&]() -> Result<void> {
    for (const simdjson::dom::element value : values)
      TM_TRY(column.Append(value));
    return {};
  };
  return Finished(column, append());
}

TEST(JsonColumns, AnArrayIsItsValues) {
  const std::vector<std::string> arrays{
      "[]",
      "[1.5, 2, null, -3.25, 1e300, 7]",
      "[1, 2, 3, null, 4]",
      "[1, 3000000000, 2]",
      "[1, 2.0, 3]",
      "[1, 18446744073709551615]",
      "[1.5, \"NaN\", \"Infinity\", 2.5]",
      "[1.5, \"2.5\", true, 1]",
      "[null, null]",
      "[\"2026-01-01T00:00:00Z\", 1, null]",
      "[\"a\", \"b\", null, 12]",
      "[[1, 2], [], null]",
      "[true, false, null, 1]",
  };
  std::vector<JsonPolicy> policies(4);
  policies[1].text_numbers = true;
  policies[2].nan_is_null = true;
  policies[3].times_in_seconds = true;
  simdjson::dom::parser parser;
  for (const std::string& json : arrays) {
    const simdjson::dom::array values = parser.parse(json).get_array().value();
    for (const std::string_view type :
         {"bool", "int32", "int64", "float32", "float64", "string", "timestamp", "list<int64>"}) {
      for (const JsonPolicy& policy : policies) {
        const Appended all = AllAtOnce(type, values, policy);
        const Appended each = OneByOne(type, values, policy);
        EXPECT_EQ(all.error, each.error) << type << " of " << json;
        EXPECT_EQ(all.rows, each.rows) << type << " of " << json;
        ASSERT_EQ(all.array == nullptr, each.array == nullptr);
        if (all.array == nullptr) continue;
        EXPECT_TRUE(all.array->Equals(*each.array, arrow::EqualOptions::Defaults().nans_equal(true)))
            << type << " of " << json << ": " << all.array->ToString();
        EXPECT_TRUE(all.array->ValidateFull().ok());
      }
    }
  }
}

TEST(JsonColumns, TheRowOfAValueThatDoesNotFitIsNamed) {
  simdjson::dom::parser parser;
  const simdjson::dom::array values =
      parser.parse(std::string_view("[1.5, 2.5, \"no\", 3.5]")).get_array().value();
  const Appended all = AllAtOnce("float64", values, {});
  EXPECT_NE(all.error.find("column 'x', row 2: \"no\" is no float64"), std::string::npos) << all.error;
}

}  // namespace
}  // namespace tidemark
