// Rows in JSON and NDJSON bodies: whatever the bytes, a batch that is valid or an error.
#include <arrow/record_batch.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/rows/body_bytes.h"
#include "server/rows/json_rows.h"
#include "server/rows/json_values.h"
#include "server/rows/ndjson_reader.h"

namespace {

using namespace tidemark;          // NOLINT(google-build-using-namespace): a program of one file
using namespace tidemark::server;  // NOLINT(google-build-using-namespace)

/// Every type of the design under a short name, so that the fuzzer finds them.
JsonRowsOptions Options(bool is_lenient) {
  JsonRowsOptions options{.types = {}, .policy = {}, .rows_max = 1'000, .depth_max = 16};
  if (is_lenient) {
    options.policy = {.text_numbers = true,
                      .truncate_floats = true,
                      .numbers_as_text = true,
                      .plain_binary = true,
                      .nan_is_null = true};
  }
  constexpr std::string_view kTypes[] = {"bool",
                                         "int32",
                                         "int64",
                                         "float32",
                                         "float64",
                                         "string",
                                         "binary",
                                         "timestamp",
                                         "date",
                                         "decimal(10, 2)",
                                         "list<int64>",
                                         "struct<a: int64, b: list<string>>",
                                         "map<int64, string>"};
  char name = 'a';
  for (const std::string_view type : kTypes)
    options.types.emplace(std::string(1, name++), DataType::Parse(type).value());
  return options;
}

void Check(const arrow::RecordBatch& batch) {
  if (!batch.ValidateFull().ok()) std::abort();
  std::string out;
  for (const auto& column : batch.columns()) {
    const auto values = JsonValues::Of(*column);
    if (!values) std::abort();
    for (std::int64_t row = 0; row < batch.num_rows(); ++row)
      values->Append(out, row);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const JsonRowsOptions strict = Options(false);
  static const JsonRowsOptions lenient = Options(true);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const JsonRowsOptions* options : {&strict, &lenient}) {
    const auto document = JsonDocument::Parse(text, options->depth_max);
    if (document) {
      const auto batch = RowsFromJson(document->root(), *options);
      if (batch) Check(**batch);
    }
    WholeBody body(text);
    const auto lines = NdjsonReader::Open(body, *options, 1'000);
    while (lines) {
      const auto batch = (*lines)->Next();
      if (!batch || *batch == nullptr) break;
      Check(**batch);
    }
  }
  return 0;
}
