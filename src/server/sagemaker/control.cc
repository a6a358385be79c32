// What changes definitions: groups, their features, descriptions and tags.
#include "server/sagemaker/control.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/json.h"
#include "model/definition_json.h"
#include "model/name.h"
#include "server/sagemaker/group_definition.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::string_view kTargetPrefix = "SageMaker.";
constexpr std::size_t kTagsMax = 50;
constexpr std::size_t kTagKeyMax = 128;
constexpr std::size_t kTagValueMax = 256;
constexpr std::size_t kParametersMax = 25;
constexpr std::size_t kFeatureDescriptionMax = 255;
constexpr std::size_t kAdditionsMax = 100;
constexpr std::size_t kDoneMax = 10'000;

std::int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool IsOwnTag(std::string_view key) {
  return key.starts_with(kTagPrefix);
}

Answer<void> CheckTags(const std::map<std::string, std::string>& tags) {
  for (const auto& [key, value] : tags) {
    if (IsOwnTag(key) || key.starts_with("aws:")) {
      return Refuse(Why::kInvalid, fmt::format("tag {}: keys that begin with 'aws:' or '{}' are reserved",
                                               Quoted(key), kTagPrefix));
    }
    if (key.size() > kTagKeyMax || value.size() > kTagValueMax) {
      return Refuse(Why::kInvalid, fmt::format("tag {}: a key may have {} characters, its value {}",
                                               Quoted(key), kTagKeyMax, kTagValueMax));
    }
  }
  return {};
}

/// The entity of the identifier: one that there is, or a new one, whose name is free.
Entity EntityFor(const server::KnownDefinitions& known, const std::string& group, const Feature& identifier,
                 bool* is_new) {
  *is_new = false;
  std::vector<std::string> taken;
  for (const Entity& entity : known.all().entities) {
    if (entity.join_keys.size() == 1 && entity.join_keys[0].name == identifier.name &&
        entity.join_keys[0].type == identifier.kept_as) {
      return entity;
    }
    taken.push_back(FoldName(entity.name));
  }
  *is_new = true;
  Entity entity;
  entity.join_keys = {{identifier.name, identifier.kept_as}};
  SetTag(entity.metadata.tags, "entity_of", group);
  const auto is_free = [&](const std::string& name) {
    return std::ranges::find(taken, FoldName(name)) == taken.end();
  };
  entity.name = identifier.name;
  for (int i = 1; !is_free(entity.name); ++i)
    entity.name = i == 1 ? fmt::format("{}_{}", group, identifier.name)
                         : fmt::format("{}_{}_{}", group, identifier.name, i);
  return entity;
}

}  // namespace

const std::map<std::string_view, Control::Known> Control::kOperations{
    {"CreateFeatureGroup", {&Control::CreateFeatureGroup, http::Scope::kAdmin}},
    {"DescribeFeatureGroup", {&Control::DescribeFeatureGroup, http::Scope::kRead}},
    {"ListFeatureGroups", {&Control::ListFeatureGroups, http::Scope::kRead}},
    {"UpdateFeatureGroup", {&Control::UpdateFeatureGroup, http::Scope::kAdmin}},
    {"DeleteFeatureGroup", {&Control::DeleteFeatureGroup, http::Scope::kAdmin}},
    {"DescribeFeatureMetadata", {&Control::DescribeFeatureMetadata, http::Scope::kRead}},
    {"UpdateFeatureMetadata", {&Control::UpdateFeatureMetadata, http::Scope::kAdmin}},
    {"ListTags", {&Control::ListTags, http::Scope::kRead}},
    {"AddTags", {&Control::AddTags, http::Scope::kAdmin}},
    {"DeleteTags", {&Control::DeleteTags, http::Scope::kAdmin}},
    {"Search", {&Control::Search, http::Scope::kRead}},
};

Control::Control(Groups& groups, Settings settings, std::size_t json_depth_max)
    : groups_(groups), settings_(std::move(settings)), depth_max_(json_depth_max), done_(kDoneMax) {}

Answer<void> Control::Call(const http::Request& request, http::Response& response) {
  std::string_view target = request.Header("x-amz-target").value_or("");
  const bool is_ours = target.starts_with(kTargetPrefix);
  if (is_ours) target.remove_prefix(kTargetPrefix.size());
  const auto found = is_ours ? kOperations.find(target) : kOperations.end();
  if (found == kOperations.end()) {
    return Refuse(Why::kUnknownOperation,
                  fmt::format("X-Amz-Target {} is none of SageMaker Feature Store's operations",
                              Quoted(request.Header("x-amz-target").value_or(""))));
  }
  const auto& [run, scope] = found->second;
  if (!request.caller.Allows(scope, request.project)) {
    return Refuse(Why::kForbidden,
                  fmt::format("the key {} does not have the scope {} in project {}", request.caller.key_id(),
                              http::NameOf(scope), request.project));
  }
  TM_ASSIGN(const Fields fields, Fields::Parse(request.body, depth_max_));
  if (scope != http::Scope::kAdmin) {
    TM_ASSIGN(response.body, (this->*run)(request.project, fields));
    return {};
  }
  const std::lock_guard lock(changing_);
  std::string key = RetryKeyOf(request);
  if (!key.empty()) key = fmt::format("{}/{}/{}", request.project, target, key);
  if (auto answer = done_.AnswerTo(key)) {
    response.body = *std::move(answer);
    return {};
  }
  TM_ASSIGN(response.body, (this->*run)(request.project, fields));
  done_.Add(key, response.body);
  return {};
}

Answer<GroupPointer> Control::Find(Project project, const Fields& fields, std::string_view member) {
  TM_ASSIGN(const std::string name, fields.RequiredText(member));
  TM_ASSIGN(GroupPointer group, groups_.Find(project, name, /*now=*/true));
  if (group != nullptr) return group;
  return Refuse(Why::kNotFound, NoSuchGroup(name));
}

Answer<void> Control::Refresh(Project project) {
  TM_ASSIGN(const auto store, groups_.services().stores->Get(project));
  TM_TRY(groups_.services().definitions.GetNow(*store));
  return {};
}

Answer<void> Control::Change(Project project, FeatureView view) {
  TM_ASSIGN(const auto store, groups_.services().stores->Get(project));
  SetTag(view.metadata.tags, "modified", std::to_string(NowUs()));
  Definitions definitions;
  definitions.views.push_back(std::move(view));
  TM_TRY(store->Apply(ToJson(definitions), {}));
  return Refresh(project);
}

Answer<void> Control::CheckS3Uri(Project project, const std::string& uri) const {
  TM_ASSIGN(const auto store, groups_.services().stores->Get(project));
  const auto lies_in = [&](std::string_view folder) {
    if (!uri.starts_with(folder)) return false;
    return uri.size() == folder.size() || folder.ends_with('/') || uri[folder.size()] == '/';
  };
  const std::string folder = store->path().lexically_normal().string();
  if (!uri.contains("/../") && (lies_in(folder) || lies_in("file://" + folder))) return {};
  std::vector<std::string> own = settings_.s3_uris;
  if (own.empty()) {
    own = {"s3://tidemark", fmt::format("s3://sagemaker-{}-{}", settings_.region, settings_.account_id)};
  }
  if (std::ranges::any_of(own, lies_in)) return {};
  return Refuse(Why::kInvalid,
                fmt::format("S3Uri {}: this server keeps offline stores in its own folder and has no access "
                            "to that place; use {}/..., or have the server started with that beginning "
                            "among its --sagemaker-s3-uri",
                            Quoted(uri), own[0]));
}

Answer<std::string> Control::CreateFeatureGroup(Project project, const Fields& fields) {
  TM_ASSIGN(GroupDefinition definition, ReadGroupDefinition(fields));
  TM_ASSIGN(const auto tags, fields.Pairs("Tags", kTagsMax));
  TM_TRY(CheckTags(tags));
  if (!definition.s3_uri.empty()) TM_TRY(CheckS3Uri(project, definition.s3_uri));
  TM_ASSIGN(const auto store, groups_.services().stores->Get(project));
  TM_ASSIGN(const auto known, groups_.services().definitions.GetNow(*store));
  FeatureView& view = definition.view;
  if (const auto* taken = known->ViewInAnyCase(view.name)) {
    return Refuse(Why::kInUse, fmt::format("Resource Already Exists: there is a FeatureGroup with name {}",
                                           taken->definition.name));
  }
  view.metadata.tags.insert(tags.begin(), tags.end());
  SetTag(view.metadata.tags, "created", std::to_string(NowUs()));
  bool is_new = false;
  Entity entity = EntityFor(*known, view.name, definition.features[definition.identifier], &is_new);
  view.entities = {entity.name};
  Definitions definitions;
  if (is_new) definitions.entities.push_back(std::move(entity));
  const std::string name = view.name;
  definitions.views.push_back(std::move(view));
  TM_TRY(store->Apply(ToJson(definitions), {}));
  TM_TRY(Refresh(project));
  TM_ASSIGN(const auto group, groups_.Find(project, name, /*now=*/true));
  if (group == nullptr) return Refuse(Why::kInternal, fmt::format("{} was made and is not there", name));
  return Dump({{"FeatureGroupArn", ArnOf(group->group())}});
}

Answer<std::string> Control::UpdateFeatureGroup(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "FeatureGroupName"));
  const Group& about = group->group();
  TM_ASSIGN(const auto additions, fields.Objects("FeatureAdditions"));
  TM_ASSIGN(const auto online, fields.Object("OnlineStoreConfig"));
  TM_ASSIGN(const auto throughput, fields.Object("ThroughputConfig"));
  const int changes = (fields.Has("FeatureAdditions") ? 1 : 0) + (online ? 1 : 0) + (throughput ? 1 : 0);
  if (changes != 1) {
    return Refuse(
        Why::kInvalid,
        "exactly one of FeatureAdditions, OnlineStoreConfig and ThroughputConfig is changed at once");
  }
  TM_ASSIGN(FeatureView view, Adopted(*group));
  if (online) {
    TM_TRY(ChangeOnlineStore(about, *online, view));
  } else if (throughput) {
    TM_ASSIGN(std::string config, ReadThroughput(*throughput));
    SetTag(view.metadata.tags, "throughput", std::move(config));
  } else if (additions.empty() || additions.size() > kAdditionsMax) {
    return Refuse(Why::kInvalid, fmt::format("FeatureAdditions has {} elements; it may have 1 to {}",
                                             additions.size(), kAdditionsMax));
  } else {
    TM_TRY(AddFeatures(about, additions, view));
  }
  TM_TRY(Change(project, std::move(view)));
  return Dump({{"FeatureGroupArn", ArnOf(about)}});
}

Answer<std::string> Control::DeleteFeatureGroup(Project project, const Fields& fields) {
  TM_ASSIGN(const std::string name, fields.RequiredText("FeatureGroupName"));
  if (!IsName(name)) {
    return Refuse(Why::kInvalid, fmt::format("FeatureGroupName {} is no name: a group is deleted by its name",
                                             Quoted(name)));
  }
  TM_ASSIGN(const auto group, Find(project, fields, "FeatureGroupName"));
  const Group& about = group->group();
  const Definitions& all = about.definitions->all();
  for (const FeatureService& service : all.services) {
    if (std::ranges::find(service.views, about.name(), &ViewSelection::view) == service.views.end()) continue;
    return Refuse(Why::kInUse, fmt::format("feature service {} uses feature group {}: remove it first",
                                           Quoted(service.name), about.name()));
  }
  TM_TRY(group->store().Flush({about.name()}));
  ApplyOptions options;
  options.keep_files = true;
  options.remove.emplace_back(ObjectType::kFeatureView, about.name());
  for (const std::string& entity : about.view->definition.entities) {
    const Entity* known = about.definitions->EntityNamed(entity);
    const bool is_shared = std::ranges::any_of(all.views, [&](const FeatureView& view) {
      return view.name != about.name() && std::ranges::find(view.entities, entity) != view.entities.end();
    });
    if (known != nullptr && !is_shared && !TagOf(known->metadata.tags, "entity_of").empty())
      options.remove.emplace_back(ObjectType::kEntity, entity);
  }
  TM_TRY(group->store().Apply("{}", options));
  TM_TRY(Refresh(project));
  return "{}";
}

Answer<std::string> Control::UpdateFeatureMetadata(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "FeatureGroupName"));
  TM_ASSIGN(const std::string name, fields.RequiredText("FeatureName"));
  const Feature* feature = group->group().Find(name);
  if (feature == nullptr) {
    return Refuse(Why::kNotFound,
                  fmt::format("feature group {} has no feature {}", group->group().name(), Quoted(name)));
  }
  FeatureView view = group->group().view->definition;
  FeatureNotes notes = NotesOf(view, *feature);
  TM_ASSIGN(const auto description, fields.Text("Description", kFeatureDescriptionMax));
  TM_ASSIGN(const auto additions, fields.Pairs("ParameterAdditions", kParametersMax));
  TM_ASSIGN(const auto removals, fields.Texts("ParameterRemovals"));
  if (description) notes.description = *description;
  for (const std::string& key : removals)
    notes.parameters.erase(key);
  for (const auto& [key, value] : additions) {
    if (IsOwnTag(key)) {
      return Refuse(Why::kInvalid, fmt::format("parameter {}: keys that begin with '{}' are reserved",
                                               Quoted(key), kTagPrefix));
    }
    notes.parameters.insert_or_assign(key, value);
  }
  if (notes.parameters.size() > kParametersMax) {
    return Refuse(Why::kLimit, fmt::format("feature {} would have {} parameters; it may have {}",
                                           Quoted(name), notes.parameters.size(), kParametersMax));
  }
  notes.modified_us = NowUs();
  SetNotes(notes, *feature, view);
  TM_TRY(Change(project, std::move(view)));
  return "{}";
}

Answer<std::string> Control::ListTags(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "ResourceArn"));
  return Dump({{"Tags", TagList(group->group().view->definition.metadata.tags)}});
}

Answer<std::string> Control::AddTags(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "ResourceArn"));
  TM_ASSIGN(const auto added, fields.Pairs("Tags", kTagsMax));
  TM_TRY(CheckTags(added));
  FeatureView view = group->group().view->definition;
  Tags& tags = view.metadata.tags;
  for (const auto& [key, value] : added)
    tags.insert_or_assign(key, value);
  if (TagList(tags).size() > kTagsMax) {
    return Refuse(Why::kLimit, fmt::format("a feature group may have {} tags", kTagsMax));
  }
  const Json list = TagList(tags);
  TM_TRY(Change(project, std::move(view)));
  return Dump({{"Tags", list}});
}

Answer<std::string> Control::DeleteTags(Project project, const Fields& fields) {
  TM_ASSIGN(const auto group, Find(project, fields, "ResourceArn"));
  TM_ASSIGN(const auto keys, fields.Texts("TagKeys"));
  FeatureView view = group->group().view->definition;
  for (const std::string& key : keys) {
    if (!IsOwnTag(key)) view.metadata.tags.erase(key);
  }
  TM_TRY(Change(project, std::move(view)));
  return "{}";
}

std::string Control::ArnOf(const Group& group) const {
  return fmt::format("arn:aws:sagemaker:{}:{}:feature-group/{}", settings_.region, settings_.account_id,
                     FoldName(group.name()));
}

}  // namespace tidemark::sagemaker
