// What groups and features say of themselves; lists and searches of them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

#include "base/json.h"
#include "model/name.h"
#include "model/time.h"
#include "server/sagemaker/control.h"
#include "server/sagemaker/group_definition.h"
#include "server/sagemaker/search.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::int64_t kPageMax = 100;

/// A point in time as clients want it: a number of seconds.
Json Seconds(std::int64_t us) {
  if (us % 1'000'000 == 0) return us / 1'000'000;
  return static_cast<double>(us) / 1e6;
}

std::int64_t NumberIn(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct Times {
  std::int64_t created_us = 0;
  std::int64_t modified_us = 0;
};

/// When a group was made and changed last; one that was made elsewhere, as the registry says.
Result<Times> TimesOf(const OpenGroup& group) {
  const Tags& tags = group.group().view->definition.metadata.tags;
  Times times{NumberIn(TagOf(tags, "created")), NumberIn(TagOf(tags, "modified"))};
  if (times.created_us == 0) {
    TM_ASSIGN(const std::string text, group.store().Describe(ObjectType::kFeatureView, group.group().name()));
    const Json described = Parsed(text);
    const Json* meta = described.member("meta");
    const auto time = [&](std::string_view name) -> std::int64_t {
      const Json* member = meta == nullptr ? nullptr : meta->member(name);
      return member != nullptr && member->is_string() ? ParseTimestampUs(member->text()).value_or(0) : 0;
    };
    times.created_us = time("createdTimestamp");
    times.modified_us = std::max(times.modified_us, time("lastUpdatedTimestamp"));
  }
  times.modified_us = std::max(times.modified_us, times.created_us);
  return times;
}

/// Which part of a list is asked for.
struct Page {
  std::size_t begin = 0;
  std::size_t count = 0;

  template <typename T>
  std::span<const T> Of(const std::vector<T>& all) const {
    const std::size_t from = std::min(begin, all.size());
    return std::span(all).subspan(from, std::min(count, all.size() - from));
  }
  void AppendToken(std::size_t all, Json& answer) const {
    if (begin + count < all) answer["NextToken"] = fmt::format("after-{}", begin + count);
  }
};

Answer<Page> PageOf(const Fields& fields) {
  TM_ASSIGN(const auto count, fields.Integer("MaxResults", 1, kPageMax));
  TM_ASSIGN(const auto token, fields.Text("NextToken"));
  Page page{.begin = 0, .count = static_cast<std::size_t>(count.value_or(kPageMax))};
  if (!token || token->empty()) return page;
  constexpr std::string_view kPrefix = "after-";
  const char* const end = token->data() + token->size();
  if (!token->starts_with(kPrefix) ||
      std::from_chars(token->data() + kPrefix.size(), end, page.begin).ptr != end) {
    return Refuse(Why::kInvalid, fmt::format("NextToken {} is none that was given", Quoted(*token)));
  }
  return page;
}

Json OfflineConfig(const OpenGroup& group, std::string_view data_folder) {
  const Group& about = group.group();
  Json config = Parsed(TagOf(about.view->definition.metadata.tags, "offline_store"));
  if (!config.is_object()) config = {{"S3StorageConfig", {{"S3Uri", data_folder}}}};
  config["S3StorageConfig"]["ResolvedOutputS3Uri"] = data_folder;
  const bool is_hidden = !about.view->definition.table.catalog;
  config["DisableGlueTableCreation"] = is_hidden;
  if (!is_hidden && !config.contains("DataCatalogConfig")) {
    const std::string& database = about.view->definition.table.database;
    const std::string project =
        group.store().project() == "default" ? "feature_store" : group.store().project();
    config["DataCatalogConfig"] = {{"TableName", about.name()},
                                   {"Catalog", "AwsDataCatalog"},
                                   {"Database", database.empty() ? project : database}};
  }
  return config;
}

Json GroupJson(const OpenGroup& group, const std::string& arn, const Times& times,
               std::string_view data_folder) {
  const Group& about = group.group();
  const Metadata& metadata = about.view->definition.metadata;
  Json json{{"FeatureGroupArn", arn},
            {"FeatureGroupName", about.name()},
            {"RecordIdentifierFeatureName", about.features[about.identifier].name},
            {"EventTimeFeatureName", about.features[about.event_time].name},
            {"FeatureDefinitions", Parsed(DefinitionsJson(about.features))},
            {"CreationTime", Seconds(times.created_us)},
            {"LastModifiedTime", Seconds(times.modified_us)},
            {"FeatureGroupStatus", "Created"},
            {"LastUpdateStatus", {{"Status", "Successful"}}}};
  if (about.stores.online) {
    json["OnlineStoreConfig"] = Parsed(TagOf(metadata.tags, "online_store"));
    if (!json["OnlineStoreConfig"].is_object())
      json["OnlineStoreConfig"] = {{"EnableOnlineStore", true}, {"StorageType", NameOf(about.storage)}};
  }
  if (about.stores.offline) {
    json["OfflineStoreConfig"] = OfflineConfig(group, data_folder);
    json["OfflineStoreStatus"] = {{"Status", "Active"}};
  }
  if (Json throughput = Parsed(TagOf(metadata.tags, "throughput")); throughput.is_object())
    json["ThroughputConfig"] = std::move(throughput);
  if (const auto role = TagOf(metadata.tags, "role_arn"); !role.empty()) json["RoleArn"] = role;
  if (!metadata.description.empty()) json["Description"] = metadata.description;
  return json;
}

/// Numbers by what they are worth, texts behind them.
std::pair<double, std::string> SortKey(const Json* value) {
  if (value == nullptr) return {};
  if (value->is_number()) return {value->get<double>(), ""};
  return {std::numeric_limits<double>::infinity(), value->is_string() ? value->text() : value->dump()};
}

}  // namespace

Answer<std::string> Control::Description(const OpenGroup& group) const {
  TM_ASSIGN(const Times times, TimesOf(group));
  std::string data_folder;
  if (group.group().stores.offline) {
    TM_ASSIGN(data_folder, group.store().DataFolder(group.group().name()));
  }
  return Dump(GroupJson(group, ArnOf(group.group()), times, data_folder));
}

Answer<std::string> Control::DescribeFeatureGroup(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "FeatureGroupName"));
  TM_TRY(fields.Text("NextToken"));
  return Description(*group);
}

Answer<std::string> Control::FeatureDescription(const OpenGroup& group, const Feature& feature) const {
  TM_ASSIGN(const Times times, TimesOf(group));
  const FeatureNotes notes = NotesOf(group.group().view->definition, feature);
  Json json{{"FeatureGroupArn", ArnOf(group.group())},
            {"FeatureGroupName", group.group().name()},
            {"FeatureName", feature.name},
            {"FeatureType", NameOf(feature.type)},
            {"CreationTime", Seconds(times.created_us)},
            {"LastModifiedTime", Seconds(std::max(notes.modified_us, times.created_us))}};
  if (!notes.description.empty()) json["Description"] = notes.description;
  json["Parameters"] = Json::array();
  for (const auto& [key, value] : notes.parameters)
    json["Parameters"].push_back({{"Key", key}, {"Value", value}});
  return Dump(json);
}

Answer<std::string> Control::DescribeFeatureMetadata(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "FeatureGroupName"));
  TM_ASSIGN(const std::string name, fields.RequiredText("FeatureName"));
  const Feature* feature = group->group().Find(name);
  if (feature == nullptr) {
    return Refuse(Why::kNotFound,
                  fmt::format("feature group {} has no feature {}", group->group().name(), Quoted(name)));
  }
  return FeatureDescription(*group, *feature);
}

Answer<std::string> Control::ListFeatureGroups(Project project, const Fields& fields) {
  TM_ASSIGN(const auto page, PageOf(fields));
  TM_ASSIGN(const auto contains, fields.Text("NameContains", 64));
  TM_ASSIGN(const auto status,
            fields.Choice("FeatureGroupStatusEquals",
                          {"Creating", "Created", "CreateFailed", "Deleting", "DeleteFailed"}));
  TM_ASSIGN(const auto offline, fields.Choice("OfflineStoreStatusEquals", {"Active", "Blocked", "Disabled"}));
  TM_ASSIGN(const auto after_us, fields.Time("CreationTimeAfter"));
  TM_ASSIGN(const auto before_us, fields.Time("CreationTimeBefore"));
  TM_ASSIGN(const auto sort_by,
            fields.Choice("SortBy", {"Name", "FeatureGroupStatus", "OfflineStoreStatus", "CreationTime"}));
  TM_ASSIGN(const auto sort_order, fields.Choice("SortOrder", {"Ascending", "Descending"}));
  TM_ASSIGN(const auto groups, groups_.All(project));
  std::vector<std::pair<std::int64_t, GroupPointer>> wanted;
  for (const GroupPointer& group : groups) {
    TM_ASSIGN(const Times times, TimesOf(*group));
    const bool has_offline = group->group().stores.offline;
    if (contains && !group->group().name().contains(*contains)) continue;
    if (status && *status != "Created") continue;
    if (offline && (*offline != "Active" || !has_offline)) continue;
    if (after_us && times.created_us < *after_us) continue;
    if (before_us && times.created_us > *before_us) continue;
    wanted.emplace_back(sort_by == "CreationTime"         ? times.created_us
                        : sort_by == "OfflineStoreStatus" ? (has_offline ? 1 : 0)
                                                          : 0,
                        group);
  }
  std::ranges::stable_sort(wanted, {}, [](const auto& each) { return each.first; });
  if (sort_order == "Descending") std::ranges::reverse(wanted);
  Json answer{{"FeatureGroupSummaries", Json::array()}};
  for (const auto& [key, group] : page.Of(wanted)) {
    TM_ASSIGN(const Times times, TimesOf(*group));
    Json summary{{"FeatureGroupName", group->group().name()},
                 {"FeatureGroupArn", ArnOf(group->group())},
                 {"CreationTime", Seconds(times.created_us)},
                 {"FeatureGroupStatus", "Created"}};
    if (group->group().stores.offline) summary["OfflineStoreStatus"] = {{"Status", "Active"}};
    answer["FeatureGroupSummaries"].push_back(std::move(summary));
  }
  page.AppendToken(wanted.size(), answer);
  return Dump(answer);
}

Answer<std::string> Control::Search(Project project, const Fields& fields) {
  TM_TRY(fields.RequiredText("Resource"));
  TM_ASSIGN(const auto resource, fields.Choice("Resource", {"FeatureGroup", "FeatureMetadata"}));
  TM_ASSIGN(const auto page, PageOf(fields));
  TM_ASSIGN(const auto expression, fields.Object("SearchExpression"));
  TM_ASSIGN(const auto sort_by, fields.Text("SortBy", 255));
  TM_ASSIGN(const auto sort_order, fields.Choice("SortOrder", {"Ascending", "Descending"}));
  SearchExpression wanted;
  if (expression) {
    TM_ASSIGN(wanted, ReadSearchExpression(*expression));
  }
  TM_ASSIGN(const auto groups, groups_.All(project));
  std::vector<Json> found;
  const auto look_at = [&](const std::string& text, const Tags& tags) {
    Json json = Parsed(text);
    if (*resource == "FeatureGroup") json["Tags"] = TagList(tags);
    if (Matches(wanted, Dump(json))) found.push_back(std::move(json));
  };
  for (const GroupPointer& group : groups) {
    const Tags& tags = group->group().view->definition.metadata.tags;
    if (*resource == "FeatureGroup") {
      TM_ASSIGN(const std::string text, Description(*group));
      look_at(text, tags);
      continue;
    }
    for (const Feature& feature : group->group().features) {
      TM_ASSIGN(const std::string text, FeatureDescription(*group, feature));
      look_at(text, tags);
    }
  }
  if (sort_by) {
    std::ranges::stable_sort(found, {}, [&](const Json& each) { return SortKey(each.member(*sort_by)); });
  }
  if (sort_order == "Descending") std::ranges::reverse(found);
  Json answer{{"Results", Json::array()}};
  for (const Json& each : page.Of(found))
    answer["Results"].push_back({{*resource, each}});
  page.AppendToken(found.size(), answer);
  return Dump(answer);
}

}  // namespace tidemark::sagemaker
