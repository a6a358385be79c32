// Goal: the catalog links what the registry holds, and tells damage from a name that is not there.
#include "engine/catalog.h"

#include <gmock/gmock.h>

#include "store/memory_registry_testing.h"
#include "store/registry_testing.h"

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kDriver =
    R"({"name": "driver", "join_keys": [{"name": "z_id", "type": "string"},
                                        {"name": "a_id", "type": "int64"}]})";
constexpr std::string_view kStatsView =
    R"({"name": "stats", "entities": ["driver"],
        "fields": [{"name": "rating", "type": "float64", "id": 1}]})";
constexpr std::string_view kStatsLater =
    R"({"name": "stats", "entities": ["driver"], "fields": [{"name": "trips", "type": "int64", "id": 2}]})";
constexpr std::string_view kModel = R"({"name": "model", "features": ["stats:rating"]})";

class CatalogTest : public testing::Test {
 protected:
  RegistryState Commit(const std::vector<RegistryChange>& changes) {
    auto committed = registry_.Commit("demo", registry_.Serial("demo").value(), changes, 1);
    EXPECT_TRUE(committed) << committed.error().ToString();
    return *std::move(committed);
  }

  MemoryRegistry registry_;
};

TEST_F(CatalogTest, AnEmptyProjectIsAnEmptyCatalog) {
  const auto catalog = Catalog::Load(registry_, "demo");
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  EXPECT_EQ((*catalog)->serial(), 0);
  EXPECT_TRUE((*catalog)->views().empty());
}

TEST_F(CatalogTest, LinksViewsToKeysAndOlderVersions) {
  const RegistryState first = Commit({AddObject(ObjectKind::kEntity, "driver", std::string(kDriver)),
                                      AddObject(ObjectKind::kFeatureView, "stats", std::string(kStatsView)),
                                      AddObject(ObjectKind::kFeatureService, "model", std::string(kModel))});
  const RegistryState state = Commit({{.id = first.objects[1].id,
                                       .kind = ObjectKind::kFeatureView,
                                       .name = "stats",
                                       .document = std::string(kStatsLater)}});
  const auto catalog = Catalog::Load(registry_, "demo");
  ASSERT_TRUE(catalog) << catalog.error().ToString();
  EXPECT_EQ((*catalog)->serial(), state.serial);

  const CatalogView* view = (*catalog)->View("stats").value();
  EXPECT_EQ(view->id, first.objects[1].id);
  EXPECT_EQ(view->version, 2);
  ASSERT_EQ(view->join_keys.size(), 2U);
  EXPECT_EQ(view->join_keys[0].name, "a_id");
  EXPECT_EQ(view->join_keys[1].name, "z_id");
  ASSERT_EQ(view->field_versions.size(), 2U);
  EXPECT_EQ(view->field_versions[0][0].name, "rating");
  EXPECT_EQ(view->field_versions[0][0].id, 1);
  EXPECT_EQ(view->field_versions[1], view->definition.fields);
  EXPECT_EQ((*catalog)->Service("model").value()->views[0].view, "stats");
  EXPECT_EQ((*catalog)->EntityNamed("driver").value()->join_keys.size(), 2U);
  EXPECT_EQ((*catalog)->Object(ObjectKind::kFeatureView, "stats").value()->id, view->id);
}

TEST_F(CatalogTest, AnUnknownNameSuggestsTheNearest) {
  Commit({AddObject(ObjectKind::kEntity, "driver", std::string(kDriver)),
          AddObject(ObjectKind::kFeatureView, "stats", std::string(kStatsView))});
  const auto catalog = Catalog::Load(registry_, "demo").value();
  const auto view = catalog->View("stat");
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(view.error().message, HasSubstr("stats"));
  EXPECT_FALSE(catalog->View("Stats"));
  EXPECT_EQ(catalog->Service("x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(catalog->EntityNamed("drivr").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(catalog->Object(ObjectKind::kEntity, "stats").error().code, ErrorCode::kNotFound);
}

TEST_F(CatalogTest, WhatCannotBeReadIsDamageAndNamesTheObject) {
  const RegistryChange entity = AddObject(ObjectKind::kEntity, "driver", std::string(kDriver));
  const RegistryChange view = AddObject(ObjectKind::kFeatureView, "stats", std::string(kStatsView));
  const std::vector<std::vector<RegistryChange>> damaged{
      {AddObject(ObjectKind::kEntity, "driver", "{"), view},
      {AddObject(ObjectKind::kEntity, "driver", R"({"name": "other", "join_keys": ["x"]})"), view},
      {view},
      {entity, AddObject(ObjectKind::kFeatureView, "stats", "")}};
  for (const auto& changes : damaged) {
    ASSERT_TRUE(registry_.RemoveProject("demo"));
    Commit(changes);
    const auto catalog = Catalog::Load(registry_, "demo");
    ASSERT_FALSE(catalog) << changes[0].document;
    EXPECT_EQ(catalog.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(catalog.error().ToString(), testing::AnyOf(HasSubstr("driver"), HasSubstr("stats")));
  }
}

}  // namespace
}  // namespace tidemark
