// Puts the parts together.
#include "engine/engine_testing.h"

#include <arrow/c/bridge.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "engine/apply.h"
#include "engine/json_value.h"
#include "engine/online_reader.h"
#include "engine/selection.h"
#include "model/definition_json.h"
#include "pit/arrow_status.h"

namespace tidemark::testing_support {
namespace {

constexpr std::int64_t kStartUs = 1'714'564'800'000'000;  // 2024-05-01T12:00:00Z
constexpr std::int64_t kEntityBatchRows = 5;

}  // namespace

std::int64_t AtSecond(std::int64_t seconds) {
  return kStartUs + seconds * 1'000'000;
}

void Scene::Apply(const std::string& text) {
  const auto definitions = DefinitionsFromJson(text);
  ASSERT_TRUE(definitions) << definitions.error().ToString();
  const auto plan = tidemark::Apply(*registry_, "demo", *definitions, {}, opener(), *clock_);
  ASSERT_TRUE(plan) << plan.error().ToString();
}

std::shared_ptr<const Catalog> Scene::catalog() const {
  auto catalog = Catalog::Load(*registry_, "demo");
  EXPECT_TRUE(catalog) << catalog.error().ToString();
  return catalog ? *catalog : nullptr;
}

SourceOpener Scene::opener() const {
  return [this](const BatchSource& definition, const std::map<std::string, DataType>&,
                const SourceNeeds&) -> Result<std::unique_ptr<Source>> {
    const auto found = sources_.find(definition.path);
    if (found == sources_.end() || found->second.empty()) {
      return Fail(ErrorCode::kNotFound, "there is no file " + definition.path);
    }
    return std::make_unique<MemorySource>(found->second, reads_);
  };
}

Result<std::shared_ptr<arrow::Table>> Scene::Historical(
    const std::shared_ptr<arrow::Table>& entity_rows, const std::vector<std::string>& features,
    const std::function<void(HistoricalRequest&)>& adjust) {
  const auto known = catalog();
  HistoricalRequest request;
  TM_ASSIGN(const auto wanted, SelectionsFromRefs(features));
  TM_ASSIGN(request.selection, Resolve(*known, wanted, false, functions));
  if (adjust) adjust(request);
  auto batches = std::make_shared<arrow::TableBatchReader>(entity_rows);
  batches->set_chunksize(kEntityBatchRows);
  const auto warnings = std::make_shared<Warnings>();
  TM_ASSIGN(const auto reader, GetHistorical(known, batches, std::move(request), openers(), warnings));
  TM_ASSIGN(auto table, FromArrowResult(reader->ToTable()));
  warnings_ = warnings->Texts();
  const auto valid = table->ValidateFull();
  EXPECT_TRUE(valid.ok()) << valid.ToString();
  return table;
}

Result<MaterializedView> Scene::Load(const std::string& view,
                                     const std::function<void(MaterializeRequest&)>& adjust) {
  const auto known = catalog();
  TM_ASSIGN(const CatalogView* found, known->View(view));
  MaterializeRequest request;
  request.end_us = clock_->now_us();
  if (adjust) adjust(request);
  return Materialize(*found, request, openers(), *online_, *registry_, *clock_, write_times_);
}

Result<std::shared_ptr<const OnlineReader>> Scene::Prepare(const std::vector<std::string>& features) {
  const auto known = catalog();
  TM_ASSIGN(const auto wanted, SelectionsFromRefs(features));
  TM_ASSIGN(Selection selection, Resolve(*known, wanted, false, functions));
  return MakeOnlineReader({known, std::move(selection), "demo", online_, registry_, clock_});
}

Result<std::shared_ptr<arrow::RecordBatch>> Scene::Online(const std::vector<std::string>& features,
                                                          const arrow::ArrayVector& keys) {
  TM_ASSIGN(const auto reader, Prepare(features));
  std::vector<KeyColumn> columns;
  std::vector<std::vector<std::string_view>> texts(keys.size());
  std::size_t rows = 1;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    rows = static_cast<std::size_t>(keys[i]->length());
    if (keys[i]->type_id() == arrow::Type::INT64) {
      columns.emplace_back(
          std::span<const std::int64_t>(static_cast<const arrow::Int64Array&>(*keys[i]).raw_values(), rows));
    } else {
      for (std::int64_t row = 0; row < keys[i]->length(); ++row) {
        texts[i].push_back(static_cast<const arrow::StringArray&>(*keys[i]).GetView(row));
      }
      columns.emplace_back(std::span<const std::string_view>(texts[i]));
    }
  }
  OnlineResult result;
  TM_TRY(reader->Read(columns, rows, result));
  ArrowSchema schema;
  ArrowArray array;
  TM_TRY(result.ToArrow(true, false, &schema, &array));
  return FromArrowResult(arrow::ImportRecordBatch(&array, &schema));
}

std::shared_ptr<arrow::Table> TableOf(const std::vector<TextColumn>& columns) {
  return arrow::Table::FromRecordBatches({BatchOf(columns)}).ValueOrDie();
}

std::string TextOf(const arrow::Table& table, const std::string& column) {
  const auto found = table.GetColumnByName(column);
  if (found == nullptr) return "no column " + column;
  std::string text;
  for (const auto& chunk : found->chunks()) {
    for (std::int64_t row = 0; row < chunk->length(); ++row) {
      if (!text.empty()) text += ", ";
      text += ToJsonValue(*chunk, row).dump();
    }
  }
  return text;
}

std::string TextOf(const arrow::RecordBatch& batch, const std::string& column) {
  return TextOf(*arrow::Table::FromRecordBatches({batch.Slice(0)}).ValueOrDie(), column);
}

}  // namespace tidemark::testing_support
