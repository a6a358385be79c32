// The contract in source.h, clause by clause.
#include "store/source_testing.h"

#include <arrow/compute/api_vector.h>
#include <arrow/record_batch.h>
#include <stdlib.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/parallel.h"

namespace tidemark::testing_support {
namespace {

std::shared_ptr<arrow::Table> Combined(const arrow::RecordBatchVector& batches,
                                       const std::shared_ptr<arrow::Schema>& schema) {
  return arrow::Table::FromRecordBatches(schema, batches).ValueOrDie()->CombineChunks().ValueOrDie();
}

std::shared_ptr<arrow::Schema> SchemaOf(const Source& source, const std::vector<std::string>& columns) {
  arrow::FieldVector fields;
  for (const std::string& column : columns)
    fields.push_back(source.schema()->GetFieldByName(column));
  return arrow::schema(fields);
}

std::shared_ptr<arrow::Table> Select(const arrow::Table& table, const std::vector<std::string>& columns) {
  std::vector<int> numbers;
  for (const std::string& column : columns)
    numbers.push_back(table.schema()->GetFieldIndex(column));
  return table.SelectColumns(numbers).ValueOrDie()->CombineChunks().ValueOrDie();
}

void ExpectSame(const arrow::Table& got, const arrow::Table& wanted, std::string_view what) {
  ASSERT_TRUE(got.schema()->Equals(*wanted.schema())) << what << "\n"
                                                      << got.schema()->ToString() << "\nbut wanted\n"
                                                      << wanted.schema()->ToString();
  EXPECT_TRUE(got.Equals(wanted)) << what << ": " << got.num_rows() << " rows, wanted " << wanted.num_rows();
  EXPECT_TRUE(got.ValidateFull().ok()) << what << ": " << got.ValidateFull().ToString();
}

// Rows of each fragment, counted by scanning where the fragment does not say.
std::vector<std::int64_t> RowsOf(const Source& source, const std::vector<Fragment>& fragments) {
  std::vector<std::int64_t> rows;
  for (const Fragment& fragment : fragments) {
    std::int64_t counted = 0;
    const auto scanned =
        source.Scan(fragment, {}, [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
          counted += batch.num_rows();
          return {};
        });
    EXPECT_TRUE(scanned) << scanned.error().ToString();
    if (fragment.rows >= 0) {
      EXPECT_EQ(fragment.rows, counted);
    }
    rows.push_back(counted);
  }
  return rows;
}

void ExpectTaken(const Source& source, const Fragment& fragment, const arrow::Table& of_fragment,
                 const std::vector<std::string>& columns, const std::vector<std::int64_t>& rows) {
  const auto taken = source.Take(fragment, columns, rows);
  ASSERT_TRUE(taken) << taken.error().ToString();
  ASSERT_EQ((*taken)->num_rows(), static_cast<std::int64_t>(rows.size()));
  arrow::Int64Builder indices;
  ASSERT_TRUE(indices.AppendValues(rows).ok());
  const auto wanted =
      arrow::compute::Take(Select(of_fragment, columns), indices.Finish().ValueOrDie()).ValueOrDie();
  ExpectSame(*Combined({*taken}, (*taken)->schema()), *wanted.table()->CombineChunks().ValueOrDie(),
             "taken " + std::to_string(rows.size()) + " rows");
}

// True if no value of `values` lies outside of the range.
template <typename Bound, typename Get>
void ExpectWithin(std::int64_t rows, const arrow::Array& values, const ColumnRange& range, const Get& get) {
  for (std::int64_t i = 0; i < rows; ++i) {
    if (values.IsNull(i)) continue;
    ASSERT_LE(std::get<Bound>(range.low), get(i)) << range.column;
    ASSERT_GE(std::get<Bound>(range.high), get(i)) << range.column;
  }
}

void ExpectRangeHolds(const ColumnRange& range, const arrow::Array& values) {
  switch (values.type_id()) {
    case arrow::Type::INT64: {
      const auto& typed = static_cast<const arrow::Int64Array&>(values);
      return ExpectWithin<std::int64_t>(values.length(), values, range,
                                        [&](std::int64_t i) { return typed.Value(i); });
    }
    case arrow::Type::TIMESTAMP: {
      const auto& typed = static_cast<const arrow::TimestampArray&>(values);
      ASSERT_EQ(static_cast<const arrow::TimestampType&>(*typed.type()).unit(), arrow::TimeUnit::MICRO);
      return ExpectWithin<std::int64_t>(values.length(), values, range,
                                        [&](std::int64_t i) { return typed.Value(i); });
    }
    case arrow::Type::DATE32: {
      const auto& typed = static_cast<const arrow::Date32Array&>(values);
      return ExpectWithin<std::int64_t>(values.length(), values, range, [&](std::int64_t i) {
        return typed.Value(i) * std::int64_t{86'400'000'000};
      });
    }
    case arrow::Type::STRING: {
      const auto& typed = static_cast<const arrow::StringArray&>(values);
      return ExpectWithin<std::string>(values.length(), values, range,
                                       [&](std::int64_t i) { return typed.GetString(i); });
    }
    default:
      return;
  }
}

}  // namespace

TestFolder::TestFolder() {
  std::string pattern = (std::filesystem::path(testing::TempDir()) / "tidemark_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder like " + pattern);
  path_ = pattern;
}

TestFolder::~TestFolder() {
  std::error_code ignored;  // what is left over lies in the folder for temporary files
  std::filesystem::remove_all(path_, ignored);
}

std::string SourceName(const testing::TestParamInfo<SourceUnderTest>& info) {
  return info.param.name;
}

std::shared_ptr<arrow::Table> ScanAll(const Source& source, const std::vector<std::string>& columns) {
  arrow::RecordBatchVector batches;
  const auto fragments = source.Fragments({});
  EXPECT_TRUE(fragments) << fragments.error().ToString();
  for (const Fragment& fragment : *fragments) {
    std::int64_t next = 0;
    const auto scanned = source.Scan(
        fragment, columns, [&](const arrow::RecordBatch& batch, std::int64_t first) -> Result<void> {
          EXPECT_EQ(first, next) << "batches come in order, without gaps";
          EXPECT_LE(batch.num_rows(), 64 * 1024);
          next += batch.num_rows();
          batches.push_back(batch.Slice(0));
          return {};
        });
    EXPECT_TRUE(scanned) << scanned.error().ToString();
  }
  return Combined(batches, SchemaOf(source, columns));
}

void SourceConformance::SetUp() {
  sample_ = GetParam().make(folder_.path());
  ASSERT_NE(sample_.source, nullptr);
}

// Goal: a scan of all columns gives every row once, in order, with the types of the schema.
TEST_P(SourceConformance, ScanGivesAllRowsInOrder) {
  ASSERT_TRUE(source().schema()->Equals(*rows().schema()))
      << source().schema()->ToString() << "\nbut wanted\n"
      << rows().schema()->ToString();
  const auto names = source().schema()->field_names();
  ExpectSame(*ScanAll(source(), names), *Select(rows(), names), "all columns");
}

// Goal: columns come in the order that was asked for; one column may be read alone.
TEST_P(SourceConformance, ScanGivesTheAskedColumnsInTheirOrder) {
  auto names = source().schema()->field_names();
  std::ranges::reverse(names);
  ExpectSame(*ScanAll(source(), names), *Select(rows(), names), "columns in reverse");
  for (const std::string& name : names)
    ExpectSame(*ScanAll(source(), {name}), *Select(rows(), {name}), name);
}

// Goal: fragments are in the order of location, each location belongs to one row, and the file's index is in
// it.
TEST_P(SourceConformance, LocationsAscend) {
  const auto fragments = source().Fragments({});
  ASSERT_TRUE(fragments) << fragments.error().ToString();
  const auto rows_of = RowsOf(source(), *fragments);
  RowLocation next = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < fragments->size(); ++i) {
    const Fragment& fragment = (*fragments)[i];
    EXPECT_GE(fragment.first_location, next);
    EXPECT_EQ(fragment.first_location >> 40, fragment.file);
    ASSERT_LT(fragment.file, source().files().size());
    next = fragment.first_location + static_cast<RowLocation>(rows_of[i]);
    all += rows_of[i];
  }
  EXPECT_EQ(all, rows().num_rows());
  EXPECT_TRUE(std::ranges::is_sorted(source().files(), {}, &SourceFile::path));
}

// Goal: Take gives exactly the rows that were asked for: none, first, last, a few, every second, all.
TEST_P(SourceConformance, TakeGivesTheAskedRows) {
  const auto names = source().schema()->field_names();
  const auto fragments = source().Fragments({});
  ASSERT_TRUE(fragments) << fragments.error().ToString();
  const auto rows_of = RowsOf(source(), *fragments);
  std::mt19937_64 random(7);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < fragments->size(); ++i) {
    const std::int64_t count = rows_of[i];
    const auto own = rows().Slice(before, count)->CombineChunks().ValueOrDie();
    before += count;
    ExpectTaken(source(), (*fragments)[i], *own, names, {});
    if (count == 0) continue;
    ExpectTaken(source(), (*fragments)[i], *own, names, {0});
    ExpectTaken(source(), (*fragments)[i], *own, names, {count - 1});
    for (const double share : {0.0005, 0.01, 0.5, 1.0}) {
      std::vector<std::int64_t> picked;
      std::bernoulli_distribution wanted(share);
      for (std::int64_t row = 0; row < count; ++row) {
        if (wanted(random)) picked.push_back(row);
      }
      ExpectTaken(source(), (*fragments)[i], *own, names, picked);
    }
  }
}

// Goal: no value lies outside of the range that its fragment states, or rows would be skipped that count.
TEST_P(SourceConformance, RangesHold) {
  const auto names = source().schema()->field_names();
  const auto fragments = source().Fragments(names);
  ASSERT_TRUE(fragments) << fragments.error().ToString();
  for (const Fragment& fragment : *fragments) {
    for (const ColumnRange& range : fragment.ranges) {
      const auto check = [&](const arrow::RecordBatch& batch, std::int64_t) -> Result<void> {
        ExpectRangeHolds(range, *batch.column(0));
        return {};
      };
      const auto scanned = source().Scan(fragment, {range.column}, check);
      ASSERT_TRUE(scanned) << scanned.error().ToString();
    }
  }
}

// Goal: an error of the sink ends the scan and comes back as it was.
TEST_P(SourceConformance, AnErrorOfTheSinkEndsTheScan) {
  const auto fragments = source().Fragments({});
  ASSERT_TRUE(fragments);
  int calls = 0;
  const auto scanned = source().Scan(fragments->front(), source().schema()->field_names(),
                                     [&](const arrow::RecordBatch&, std::int64_t) -> Result<void> {
                                       ++calls;
                                       return Fail(ErrorCode::kCancelled, "enough");
                                     });
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().ToString(), "enough");
  EXPECT_EQ(calls, 1);
}

// Goal: a column that does not exist is named, in every function.
TEST_P(SourceConformance, AnUnknownColumnIsNamed) {
  const auto fragments = source().Fragments({});
  ASSERT_TRUE(fragments);
  const auto none = [](const arrow::RecordBatch&, std::int64_t) -> Result<void> { return {}; };
  const std::vector<Error> errors{source().Fragments({"no_such"}).error(),
                                  source().Scan(fragments->front(), {"no_such"}, none).error(),
                                  source().Take(fragments->front(), {"no_such"}, {}).error()};
  for (const Error& error : errors) {
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_NE(error.message.find("'no_such'"), std::string::npos) << error.message;
  }
}

// Goal: fragments may be read by several threads at once, the same one too.
TEST_P(SourceConformance, ThreadsReadAtOnce) {
  const auto names = source().schema()->field_names();
  const auto wanted = Select(rows(), names);
  const auto done = ParallelFor(4, 4, {}, [&](std::size_t, std::size_t) -> Result<void> {
    ExpectSame(*ScanAll(source(), names), *wanted, "scanned at once");
    return {};
  });
  EXPECT_TRUE(done);
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SourceConformance);

}  // namespace tidemark::testing_support
