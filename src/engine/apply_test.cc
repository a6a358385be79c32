// Goal: applying definitions makes the registry say them, completed by their sources; the same again changes
// nothing; what evolves keeps its identity; what cannot be is refused with nothing changed.
#include "engine/apply.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "engine/catalog.h"
#include "store/memory_registry_testing.h"

namespace tidemark {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const DataType kInt64Type{.kind = TypeKind::kInt64};
const DataType kStringType{.kind = TypeKind::kString};
const DataType kFloat64Type{.kind = TypeKind::kFloat64};

/// A source of which only the columns matter.
class ColumnsOnly final : public Source {
 public:
  explicit ColumnsOnly(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {}
  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  const std::vector<SourceFile>& files() const override { return files_; }
  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>&,
                                            const std::vector<std::string>&) const override {
    return std::vector<Fragment>();
  }
  Result<void> Scan(const Fragment&, const std::vector<std::string>&, const BatchSink&) const override {
    return Fail(ErrorCode::kInternal, "apply reads no rows");
  }
  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment&, const std::vector<std::string>&,
                                                   std::span<const std::int64_t>) const override {
    return Fail(ErrorCode::kInternal, "apply reads no rows");
  }

 private:
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<SourceFile> files_;
};

Field MakeField(std::string name, DataType type, std::optional<std::string> renamed_from = std::nullopt) {
  return {.name = std::move(name),
          .type = std::move(type),
          .description = {},
          .tags = {},
          .id = 0,
          .renamed_from = std::move(renamed_from)};
}

Entity MakeEntity(std::string name, std::vector<JoinKey> keys) {
  return {
      .name = std::move(name), .join_keys = std::move(keys), .metadata = {}, .renamed_from = std::nullopt};
}

FeatureView MakeView(std::string name, std::vector<std::string> entities, std::string path) {
  FeatureView view;
  view.name = std::move(name);
  view.entities = std::move(entities);
  view.source.emplace();
  view.source->path = std::move(path);
  return view;
}

FeatureService MakeService(std::string name, std::vector<ViewSelection> views) {
  return {.name = std::move(name), .views = std::move(views), .metadata = {}, .renamed_from = std::nullopt};
}

ViewSelection Select(std::string view, std::vector<std::string> features = {}) {
  return {.view = std::move(view), .features = std::move(features), .join_key_map = {}, .alias = {}};
}

class ApplyTest : public testing::Test {
 protected:
  ApplyTest() {
    definitions_.entities = {MakeEntity("driver", {{"driver_id", std::nullopt}})};
    definitions_.views = {MakeView("stats", {"driver"}, "stats.parquet")};
    definitions_.services = {MakeService("model", {Select("stats", {"rating"})})};
    const auto time = arrow::timestamp(arrow::TimeUnit::NANO);
    sources_["stats.parquet"] =
        arrow::schema({arrow::field("driver_id", arrow::int64()), arrow::field("ts", time),
                       arrow::field("rating", arrow::float32()), arrow::field("trips", arrow::int16())});
  }

  SourceOpener Opener() const {
    return [this](const BatchSource& source, const std::map<std::string, DataType>&,
                  const SourceNeeds&) -> Result<std::unique_ptr<Source>> {
      const auto found = sources_.find(source.path);
      if (found == sources_.end()) return Fail(ErrorCode::kNotFound, "there is no file " + source.path);
      return std::make_unique<ColumnsOnly>(found->second);
    };
  }

  Result<Plan> TryApply(const PlanOptions& options = {}) {
    clock_.set_us(clock_.now_us() + 1);
    return Apply(registry_, "demo", definitions_, options, Opener(), clock_);
  }

  /// Applies, and checks what every successful apply must hold: its plan was foreseen, and doing it again
  /// does nothing.
  Plan MustApply(const PlanOptions& options = {}) {
    const auto foreseen = PlanApply(registry_, "demo", definitions_, options, Opener());
    auto applied = TryApply(options);
    if (!applied) {
      ADD_FAILURE() << applied.error().ToString();
      return {};
    }
    EXPECT_TRUE(foreseen && foreseen->changes == applied->changes);
    const std::int64_t serial = registry_.Serial("demo").value();
    const auto again = TryApply({.remove_missing = options.remove_missing, .remove = {}});
    EXPECT_TRUE(again && again->changes.empty())
        << (again ? again->changes[0].name : again.error().ToString());
    EXPECT_EQ(registry_.Serial("demo").value(), serial);
    return *std::move(applied);
  }

  /// The error of an apply that must fail and change nothing.
  Error MustFail(const PlanOptions& options = {}) {
    const std::int64_t serial = registry_.Serial("demo").value();
    const auto applied = TryApply(options);
    EXPECT_EQ(registry_.Serial("demo").value(), serial);
    if (applied) {
      ADD_FAILURE() << "was applied";
      return {};
    }
    EXPECT_FALSE(PlanApply(registry_, "demo", definitions_, options, Opener()));
    return applied.error();
  }

  std::shared_ptr<const Catalog> Load() { return Catalog::Load(registry_, "demo").value(); }
  const FeatureView View(const std::string& name) { return Load()->View(name).value()->definition; }
  std::int32_t FieldId(const std::string& view, const std::string& field) {
    const FeatureView definition = View(view);
    const auto found = std::ranges::find(definition.fields, field, &Field::name);
    return found == definition.fields.end() ? 0 : found->id;
  }
  FeatureView& view() { return definitions_.views[0]; }

  MemoryRegistry registry_;
  ManualClock clock_{1'000'000};
  Definitions definitions_;
  std::map<std::string, std::shared_ptr<arrow::Schema>> sources_;
};

// --- What is kept
// ------------------------------------------------------------------------------------------------

// Goal: a field that is a join key, as Feast's repositories list them, gives the key its type and is no
// feature.
TEST_F(ApplyTest, KeysAmongTheFieldsAreNoFeatures) {
  definitions_.views[0].fields = {MakeField("driver_id", kInt64Type),
                                  MakeField("rating", {.kind = TypeKind::kFloat32})};
  MustApply();
  EXPECT_EQ(View("stats").fields.size(), 1U);
  EXPECT_EQ(Load()->entities().at("driver").join_keys[0].type, kInt64Type);

  definitions_.views.push_back(MakeView("more", {"driver"}, "stats.parquet"));
  definitions_.views[1].fields = {MakeField("driver_id", kStringType), MakeField("rating", kFloat64Type)};
  const Error differ = MustFail();
  EXPECT_EQ(differ.code, ErrorCode::kTypeMismatch);
  EXPECT_THAT(differ.ToString(),
              testing::AllOf(HasSubstr("'more'"), HasSubstr("'driver_id'"),
                             HasSubstr("string here and int64"), HasSubstr("state one type")));

  // The same of an entity that is registered and not stated.
  definitions_.entities.clear();
  EXPECT_EQ(MustFail().code, ErrorCode::kTypeMismatch);
  definitions_.views[1].fields[0].type = kInt64Type;
  MustApply();
  EXPECT_EQ(View("more").fields.size(), 1U);

  definitions_.views[1].fields[0].type = kFloat64Type;
  EXPECT_THAT(MustFail().ToString(), HasSubstr("a join key is string, int32"));
}

TEST_F(ApplyTest, CompletesDefinitionsByTheirSources) {
  const Plan plan = MustApply();
  ASSERT_EQ(plan.changes.size(), 3U);
  for (const PlannedChange& change : plan.changes)
    EXPECT_EQ(change.action, PlannedChange::Action::kAdd);
  EXPECT_THAT(plan.changes[0].details, Contains("join key driver_id (int64)"));
  EXPECT_THAT(plan.changes[1].details, Contains("field trips (int32)"));

  const FeatureView kept = View("stats");
  EXPECT_EQ(kept.source->timestamp_field, "ts");
  ASSERT_EQ(kept.fields.size(), 2U);
  EXPECT_EQ(kept.fields[0].name, "rating");
  EXPECT_EQ(kept.fields[0].type.kind, TypeKind::kFloat32);
  EXPECT_EQ(kept.fields[0].id, 1);
  EXPECT_EQ(kept.fields[1].id, 2);
  EXPECT_EQ(Load()->EntityNamed("driver").value()->join_keys[0].type, kInt64Type);
  EXPECT_EQ(Load()->Object(ObjectKind::kEntity, "driver").value()->created_us, 1'000'001);
}

TEST_F(ApplyTest, PlanWritesNothing) {
  const auto plan = PlanApply(registry_, "demo", definitions_, {}, Opener());
  ASSERT_TRUE(plan) << plan.error().ToString();
  EXPECT_EQ(plan->changes.size(), 3U);
  EXPECT_EQ(registry_.Serial("demo").value(), 0);
}

TEST_F(ApplyTest, ChoosesTheTimestampField) {
  const auto time = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto key = arrow::field("driver_id", arrow::int64());
  const auto rating = arrow::field("rating", arrow::float64());
  sources_["stats.parquet"] = arrow::schema({key, rating, arrow::field("b", time), arrow::field("a", time)});
  Error error = MustFail();
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.ToString(), HasSubstr("b, a"));
  EXPECT_THAT(error.ToString(), HasSubstr("stats"));

  view().source->created_timestamp_column = "b";  // leaves one
  MustApply();
  EXPECT_EQ(View("stats").source->timestamp_field, "a");

  view().source->created_timestamp_column.clear();
  sources_["stats.parquet"] =
      arrow::schema({key, rating, arrow::field("b", time), arrow::field("event_timestamp", time)});
  MustApply();
  EXPECT_EQ(View("stats").source->timestamp_field, "event_timestamp");

  sources_["stats.parquet"] = arrow::schema({key, rating, arrow::field("event_timestamp", arrow::utf8())});
  MustApply();  // text counts by that name
  sources_["stats.parquet"] = arrow::schema({key, rating, arrow::field("when", arrow::utf8())});
  EXPECT_THAT(MustFail().ToString(), HasSubstr("driver_id, rating, when"));
  view().source->timestamp_field = "when";
  MustApply();
}

TEST_F(ApplyTest, ATimestampFieldMayBeGivenByItsNameInTheFile) {
  view().source->field_mapping = {{"raw_ts", "ts"}};
  view().source->timestamp_field = "raw_ts";
  MustApply();
  EXPECT_EQ(View("stats").source->timestamp_field, "ts");
}

TEST_F(ApplyTest, ASourceWithoutDataNeedsDeclarations) {
  sources_.clear();
  Error error = MustFail();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.ToString(), HasSubstr("stats.parquet"));
  EXPECT_THAT(error.ToString(), HasSubstr("the fields"));
  EXPECT_THAT(error.ToString(), HasSubstr("the timestamp_field"));
  EXPECT_THAT(error.ToString(), HasSubstr("'driver_id'"));
  view().fields = {MakeField("rating", kFloat64Type)};
  view().source->timestamp_field = "ts";
  EXPECT_THAT(MustFail().ToString(), HasSubstr("'driver_id'"));
  definitions_.entities[0].join_keys[0].type = kInt64Type;
  MustApply();
}

TEST_F(ApplyTest, ColumnsMustBeThereAndFit) {
  view().fields = {MakeField("ratin", kFloat64Type)};
  definitions_.services.clear();
  Error error = MustFail();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.ToString(), HasSubstr("rating"));
  EXPECT_THAT(error.ToString(), HasSubstr("feature view stats"));

  view().fields = {MakeField("rating", kStringType)};
  error = MustFail();
  EXPECT_EQ(error.code, ErrorCode::kTypeMismatch);
  for (const std::string part : {"feature view stats", "'rating'", "float", "string"}) {
    EXPECT_THAT(error.ToString(), HasSubstr(part));
  }
  view().fields = {MakeField("rating", kFloat64Type)};  // wider: loses nothing
  MustApply();

  definitions_.entities[0].join_keys[0].type = kStringType;
  error = MustFail();
  EXPECT_EQ(error.code, ErrorCode::kTypeMismatch);
  for (const std::string part : {"'driver_id'", "int64", "string"})
    EXPECT_THAT(error.ToString(), HasSubstr(part));

  sources_["stats.parquet"] = arrow::schema({arrow::field("ts", arrow::timestamp(arrow::TimeUnit::SECOND)),
                                             arrow::field("rating", arrow::float64())});
  EXPECT_EQ(MustFail().code, ErrorCode::kNotFound);
}

TEST_F(ApplyTest, FloatsAreNoKeysAndOddColumnsNoFeatures) {
  const auto time = arrow::field("ts", arrow::timestamp(arrow::TimeUnit::SECOND));
  sources_["stats.parquet"] = arrow::schema(
      {time, arrow::field("driver_id", arrow::float64()), arrow::field("rating", arrow::float64())});
  EXPECT_EQ(MustFail().code, ErrorCode::kTypeMismatch);
  sources_["stats.parquet"] = arrow::schema(
      {time, arrow::field("driver_id", arrow::int64()), arrow::field("my rating", arrow::float64())});
  EXPECT_THAT(MustFail().ToString(), HasSubstr("field_mapping"));
  sources_["stats.parquet"] = arrow::schema({time, arrow::field("driver_id", arrow::int64())});
  EXPECT_EQ(MustFail().code, ErrorCode::kInvalidArgument);
}

// --- Evolving
// ----------------------------------------------------------------------------------------------------

TEST_F(ApplyTest, FieldsKeepTheirIds) {
  view().fields = {MakeField("rating", kFloat64Type), MakeField("trips", kInt64Type)};
  MustApply();
  const std::int32_t rating = FieldId("stats", "rating");
  const std::int32_t trips = FieldId("stats", "trips");

  // Renamed and in another order: the same ids.
  sources_["stats.parquet"] = arrow::schema(
      {arrow::field("driver_id", arrow::int64()), arrow::field("ts", arrow::timestamp(arrow::TimeUnit::NANO)),
       arrow::field("stars", arrow::float64()), arrow::field("trips", arrow::int64()),
       arrow::field("rating", arrow::float64())});
  view().fields = {MakeField("trips", kInt64Type), MakeField("stars", kFloat64Type, "rating")};
  definitions_.services[0].views[0].features = {"stars"};
  Plan plan = MustApply();
  EXPECT_EQ(FieldId("stats", "stars"), rating);
  EXPECT_EQ(FieldId("stats", "trips"), trips);
  EXPECT_THAT(plan.changes[0].details, Contains("field stars renamed from rating"));
  EXPECT_FALSE(View("stats").fields[1].renamed_from);

  // A new field of a name that another one had before is another field.
  view().fields[1].renamed_from.reset();
  view().fields.push_back(MakeField("rating", kFloat64Type));
  plan = MustApply();
  EXPECT_THAT(plan.changes[0].details, Contains("field rating: added (float64)"));
  EXPECT_GT(FieldId("stats", "rating"), std::max(rating, trips));
}

TEST_F(ApplyTest, AFieldThatBecomesWiderStaysWhatItIs) {
  sources_.clear();
  definitions_.entities[0].join_keys[0].type = kInt64Type;
  view().source->timestamp_field = "ts";
  const DataType narrow{.kind = TypeKind::kInt32};
  view().fields = {MakeField("rating", narrow), MakeField("trips", narrow)};
  MustApply();
  const std::int32_t rating = FieldId("stats", "rating");
  const std::int32_t trips = FieldId("stats", "trips");
  view().fields = {MakeField("stars", kInt64Type, "rating"), MakeField("trips", kInt64Type)};
  definitions_.services[0].views[0].features = {"stars"};
  const Plan plan = MustApply();
  EXPECT_EQ(FieldId("stats", "stars"), rating);
  EXPECT_EQ(FieldId("stats", "trips"), trips);
  EXPECT_THAT(plan.changes[0].details,
              Contains(HasSubstr("field trips: int32 -> int64 (online values are w")));
  view().fields = {MakeField("stars", kInt64Type), MakeField("trips", narrow)};
  MustApply();
  EXPECT_GT(FieldId("stats", "trips"), std::max(rating, trips));  // back again it is another one
}

TEST_F(ApplyTest, AFieldOfAnotherTypeIsAnotherField) {
  sources_.clear();
  definitions_.entities[0].join_keys[0].type = kInt64Type;
  view().source->timestamp_field = "ts";
  view().fields = {MakeField("rating", kInt64Type), MakeField("trips", kInt64Type)};
  MustApply();
  const std::int32_t as_integer = FieldId("stats", "rating");
  view().fields[0].type = kFloat64Type;
  const Plan plan = MustApply();
  EXPECT_GT(FieldId("stats", "rating"), as_integer);
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_THAT(plan.changes[0].details[0], HasSubstr("int64 -> float64"));
  EXPECT_THAT(plan.changes[0].details[0], HasSubstr("null until materialized"));

  // Removed and added again: its id with the same type, another one with another type.
  const std::int32_t trips = FieldId("stats", "trips");
  view().fields = {MakeField("rating", kFloat64Type)};
  MustApply();
  view().fields.push_back(MakeField("trips", kInt64Type));
  MustApply();
  EXPECT_EQ(FieldId("stats", "trips"), trips);
  view().fields.pop_back();
  MustApply();
  view().fields.push_back(MakeField("trips", kStringType));
  MustApply();
  EXPECT_GT(FieldId("stats", "trips"), trips);
  EXPECT_EQ(Load()->View("stats").value()->field_versions.size(), 6U);
}

TEST_F(ApplyTest, ShowsWhatChanges) {
  MustApply();
  view().ttl_us = 86'400'000'000;
  view().online = false;
  view().metadata.owner = "ann";
  view().metadata.tags["team"] = "x";
  definitions_.services[0].views[0].features = {"rating", "trips"};
  const Plan plan = MustApply();
  ASSERT_EQ(plan.changes.size(), 2U);
  EXPECT_EQ(plan.changes[0].action, PlannedChange::Action::kChange);
  EXPECT_THAT(plan.changes[0].details, Contains("ttl: 0s -> 1d"));
  EXPECT_THAT(plan.changes[0].details, Contains("online: yes -> no"));
  EXPECT_THAT(plan.changes[0].details, Contains("owner: (none) -> 'ann'"));
  EXPECT_THAT(plan.changes[1].details, Contains("with stats: rating, trips"));
}

TEST_F(ApplyTest, ANewColumnIsANewFieldWhereFieldsAreInferred) {
  MustApply();
  auto added = sources_["stats.parquet"]->AddField(4, arrow::field("tips", arrow::float64()));
  sources_["stats.parquet"] = *added;
  const Plan plan = MustApply();
  ASSERT_EQ(plan.changes.size(), 1U);
  EXPECT_THAT(plan.changes[0].details, ElementsAre("field tips: added (float64)"));
}

// --- Renaming
// ----------------------------------------------------------------------------------------------------

TEST_F(ApplyTest, ARenamedViewKeepsItsIdAndIsFollowed) {
  MustApply();
  const std::uint32_t id = Load()->View("stats").value()->id;
  view().name = "statistics";
  view().renamed_from = "stats";
  definitions_.services.clear();  // not stated: follows
  const Plan plan = MustApply();
  EXPECT_EQ(Load()->View("statistics").value()->id, id);
  EXPECT_FALSE(Load()->View("stats"));
  EXPECT_EQ(plan.changes[0].action, PlannedChange::Action::kRename);
  EXPECT_EQ(plan.changes[0].from_name, "stats");
  const ViewSelection followed = Load()->Service("model").value()->views[0];
  EXPECT_EQ(followed.view, "statistics");
  EXPECT_EQ(followed.alias, "stats");  // its columns keep their names
  EXPECT_THAT(plan.dropped_view_ids, IsEmpty());
}

TEST_F(ApplyTest, ARenamedEntityAndFieldAreFollowed) {
  MustApply();
  const std::uint32_t id = Load()->View("stats").value()->id;
  Definitions all = definitions_;
  definitions_ = {};
  definitions_.entities = {MakeEntity("chauffeur", {{"driver_id", std::nullopt}})};
  definitions_.entities[0].renamed_from = "driver";
  MustApply();
  EXPECT_THAT(View("stats").entities, ElementsAre("chauffeur"));
  EXPECT_EQ(Load()->View("stats").value()->id, id);

  definitions_ = {};
  definitions_.views = {MakeView("stats", {"chauffeur"}, "renamed.parquet")};
  definitions_.views[0].fields = {MakeField("stars", {.kind = TypeKind::kFloat32}, "rating")};
  sources_["renamed.parquet"] = arrow::schema({arrow::field("driver_id", arrow::int64()),
                                               arrow::field("ts", arrow::timestamp(arrow::TimeUnit::NANO)),
                                               arrow::field("stars", arrow::float32())});
  MustApply();
  EXPECT_THAT(Load()->Service("model").value()->views[0].features, ElementsAre("stars"));
}

TEST_F(ApplyTest, ARenameThatCannotBe) {
  MustApply();
  view().renamed_from = "nothing_like_it";
  EXPECT_TRUE(TryApply());  // done by an earlier apply, as far as can be told
  view().name = "other";
  definitions_.services.clear();
  EXPECT_EQ(MustFail().code, ErrorCode::kNotFound);
  view().renamed_from = std::nullopt;
  EXPECT_EQ(MustApply().changes.size(), 1U);  // a second view
  view().name = "stats";
  view().renamed_from = "other";
  EXPECT_EQ(MustFail().code, ErrorCode::kAlreadyExists);
}

// --- Keys
// --------------------------------------------------------------------------------------------------------

TEST_F(ApplyTest, OtherJoinKeysMakeANewId) {
  MustApply();
  const std::uint32_t id = Load()->View("stats").value()->id;
  sources_["stats.parquet"] =
      *sources_["stats.parquet"]->SetField(0, arrow::field("driver_id", arrow::utf8()));
  EXPECT_EQ(MustFail().code, ErrorCode::kTypeMismatch);  // it was found to be int64
  definitions_.entities[0].join_keys[0].type = kStringType;
  const Plan plan = MustApply();
  EXPECT_THAT(plan.dropped_view_ids, ElementsAre(id));
  EXPECT_NE(Load()->View("stats").value()->id, id);
  EXPECT_THAT(plan.changes[1].details[0], HasSubstr("driver_id int64 -> driver_id string"));

  // The entity alone is stated: its views are looked at again.
  const std::uint32_t second = Load()->View("stats").value()->id;
  definitions_ = {};
  definitions_.entities = {MakeEntity("driver", {{"driver_no", std::nullopt}})};
  EXPECT_THAT(MustFail().ToString(), HasSubstr("driver_no"));
  sources_["stats.parquet"] =
      *sources_["stats.parquet"]->SetField(0, arrow::field("driver_no", arrow::int32()));
  EXPECT_THAT(MustApply().dropped_view_ids, ElementsAre(second));
}

TEST_F(ApplyTest, OtherTimesMakeANewId) {
  MustApply();
  const std::uint32_t id = Load()->View("stats").value()->id;
  auto& schema = sources_["stats.parquet"];
  schema =
      *schema->AddField(schema->num_fields(), arrow::field("seen", arrow::timestamp(arrow::TimeUnit::MICRO)));
  view().source->timestamp_field = "seen";
  const Plan plan = MustApply();
  EXPECT_THAT(plan.dropped_view_ids, ElementsAre(id));
  EXPECT_NE(Load()->View("stats").value()->id, id);
  EXPECT_THAT(plan.changes[0].details[0], HasSubstr("other times"));
}

TEST_F(ApplyTest, WiderIntegersAreTheSameKey) {
  MustApply();
  const std::uint32_t id = Load()->View("stats").value()->id;
  definitions_.entities[0].join_keys[0].type = DataType{.kind = TypeKind::kInt32};
  EXPECT_THAT(MustApply().dropped_view_ids, IsEmpty());
  EXPECT_EQ(Load()->View("stats").value()->id, id);
}

// --- Removing
// ----------------------------------------------------------------------------------------------------

TEST_F(ApplyTest, WhatIsStillUsedStays) {
  MustApply();
  definitions_ = {};
  Error error = MustFail({.remove_missing = false, .remove = {{ObjectKind::kEntity, "driver"}}});
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("feature view 'stats'"));
  error = MustFail({.remove_missing = false, .remove = {{ObjectKind::kFeatureView, "stats"}}});
  EXPECT_THAT(error.message, HasSubstr("feature service 'model'"));
  error = MustFail({.remove_missing = false, .remove = {{ObjectKind::kFeatureView, "stat"}}});
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_THAT(error.message, HasSubstr("stats"));

  const std::uint32_t id = Load()->View("stats").value()->id;
  const Plan plan = MustApply({.remove_missing = false,
                               .remove = {{ObjectKind::kEntity, "driver"},
                                          {ObjectKind::kFeatureView, "stats"},
                                          {ObjectKind::kFeatureService, "model"}}});
  EXPECT_EQ(plan.changes.size(), 3U);
  EXPECT_EQ(plan.changes[0].kind, ObjectKind::kFeatureService);
  EXPECT_THAT(plan.dropped_view_ids, ElementsAre(id));
  EXPECT_TRUE(Load()->state().objects.empty());
  EXPECT_EQ(registry_.Versions(id)->size(), 2U);
}

TEST_F(ApplyTest, AFeatureThatAServiceUsesStays) {
  MustApply();
  definitions_.services.clear();
  view().fields = {MakeField("trips", kInt64Type)};
  const Error error = MustFail();
  EXPECT_THAT(error.message, HasSubstr("stats:rating"));
  EXPECT_THAT(error.message, HasSubstr("'model'"));
}

TEST_F(ApplyTest, RemoveMissingKeepsWhatIsStatedOrRenamed) {
  definitions_.views.push_back(MakeView("old", {"driver"}, "stats.parquet"));
  MustApply();
  definitions_.services.clear();
  definitions_.views.pop_back();
  view().name = "statistics";
  view().renamed_from = "stats";
  const Plan plan = MustApply({.remove_missing = true, .remove = {}});
  std::vector<std::string> removed;
  for (const PlannedChange& change : plan.changes) {
    if (change.action == PlannedChange::Action::kRemove) removed.push_back(change.name);
  }
  EXPECT_THAT(removed, ElementsAre("model", "old"));
  EXPECT_EQ(Load()->views().size(), 1U);
}

TEST_F(ApplyTest, DefinedAndRemovedAtOnceIsRefused) {
  MustApply();
  EXPECT_EQ(MustFail({.remove_missing = false, .remove = {{ObjectKind::kFeatureView, "stats"}}}).code,
            ErrorCode::kInvalidArgument);
}

// --- Refusals
// ----------------------------------------------------------------------------------------------------

TEST_F(ApplyTest, ClashingNamesInAServiceShowBoth) {
  definitions_.views.push_back(MakeView("more", {"driver"}, "stats.parquet"));
  definitions_.services[0].views = {Select("stats"), Select("more")};
  definitions_.services[0].views[1].alias = "stats";
  const Error error = MustFail();
  EXPECT_EQ(error.code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(error.ToString(), HasSubstr("stats:rating"));
  EXPECT_THAT(error.ToString(), HasSubstr("more:rating"));
}

TEST_F(ApplyTest, AnotherProjectOrABadNameIsRefused) {
  definitions_.project = "elsewhere";
  EXPECT_EQ(MustFail().code, ErrorCode::kInvalidArgument);
  definitions_.project.clear();
  EXPECT_EQ(Apply(registry_, "../x", definitions_, {}, Opener(), clock_).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(ApplyTest, ASourceThatFailsIsPassedOn) {
  const SourceOpener broken = [](const BatchSource&, const std::map<std::string, DataType>&,
                                 const SourceNeeds&) {
    return Result<std::unique_ptr<Source>>(Fail(ErrorCode::kCorruption, "the footer is damaged"));
  };
  const auto applied = Apply(registry_, "demo", definitions_, {}, broken, clock_);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(applied.error().ToString(), HasSubstr("feature view stats"));
}

// Goal: two that apply at once both succeed when the second has nothing to do, or something else.
TEST_F(ApplyTest, AnOvertakenApplyPlansAgain) {
  int opened = 0;
  const SourceOpener racing = [&](const BatchSource& source, const std::map<std::string, DataType>& types,
                                  const SourceNeeds& needs) {
    if (++opened == 1) {  // between the plan and the commit
      Definitions other;
      other.entities = {MakeEntity("rider", {{"rider_id", kInt64Type}})};
      EXPECT_TRUE(Apply(registry_, "demo", other, {}, Opener(), clock_));
    }
    return Opener()(source, types, needs);
  };
  ASSERT_TRUE(Apply(registry_, "demo", definitions_, {}, racing, clock_));
  EXPECT_EQ(opened, 2);
  EXPECT_EQ(Load()->entities().size(), 2U);
}

TEST_F(ApplyTest, TeardownNamesTheViews) {
  definitions_.views.push_back(MakeView("more", {"driver"}, "stats.parquet"));
  MustApply();
  const std::vector<std::uint32_t> ids{Load()->View("more").value()->id, Load()->View("stats").value()->id};
  EXPECT_THAT(Teardown(registry_, "demo").value(), testing::UnorderedElementsAreArray(ids));
  EXPECT_TRUE(Load()->state().objects.empty());
  EXPECT_THAT(registry_.Projects().value(), IsEmpty());
}

}  // namespace
}  // namespace tidemark
