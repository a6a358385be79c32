// Made anew from the definitions whenever these change.
#include "server/sagemaker/groups.h"

#include <fmt/format.h>

#include <utility>

#include "model/name.h"

namespace tidemark::sagemaker {
namespace {

constexpr std::int64_t kMaxAgeMs = 500;  // of what is known of definitions

}  // namespace

Result<std::shared_ptr<const OnlineReader>> OpenGroup::Reader() const {
  if (auto reader = Prepared()) return reader;
  OnlineOptions options;
  for (const Field& field : group_.view->definition.fields)
    options.features.push_back(fmt::format("{}:{}", group_.name(), field.name));
  TM_ASSIGN(auto reader, store_->PrepareOnline(options));
  const std::lock_guard lock(mutex_);
  if (!reader_) reader_ = std::move(reader);  // else another request was faster
  return reader_;
}

Answer<GroupPointer> Groups::Find(std::string_view project, std::string_view name_or_arn, bool now) {
  const auto name = NameIn(name_or_arn);
  if (!name) {
    return Refuse(Why::kInvalid,
                  fmt::format("FeatureGroupName {} is neither a name, 1 to 64 letters, digits, '-' and '_' "
                              "that begin and end with a letter or digit, nor the ARN of a feature group",
                              Quoted(name_or_arn)));
  }
  TM_ASSIGN(const auto known, Read(project, now));
  const auto found = known->groups.find(FoldName(*name));
  return found == known->groups.end() ? nullptr : found->second;
}

GroupPointer Groups::FindReady(std::string_view project, std::string_view name_or_arn) {
  const auto name = NameIn(name_or_arn);
  if (!name) return nullptr;
  std::shared_ptr<const Known> known;
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(project);
    if (found == known_.end()) return nullptr;
    known = found->second;
  }
  const auto revision = known->store->Revision(kMaxAgeMs);
  if (revision && *revision != known->revision) return nullptr;
  const auto found = known->groups.find(FoldName(*name));
  return found == known->groups.end() || !found->second->has_reader() ? nullptr : found->second;
}

Answer<std::vector<GroupPointer>> Groups::All(std::string_view project) {
  TM_ASSIGN(const auto known, Read(project, /*now=*/true));
  std::vector<GroupPointer> groups;
  for (const auto& [name, group] : known->groups)
    groups.push_back(group);
  return groups;
}

Answer<std::shared_ptr<const Groups::Known>> Groups::Read(std::string_view project, bool now) {
  TM_ASSIGN(const auto store, services_.stores->Get(project));
  TM_ASSIGN(const auto definitions,
            now ? services_.definitions.GetNow(*store) : services_.definitions.Get(*store));
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(store->project());
    if (found != known_.end() && found->second->revision == definitions->revision()) return found->second;
  }
  auto known = std::make_shared<Known>();
  known->store = store;
  known->revision = definitions->revision();
  for (const FeatureView& view : definitions->all().views) {
    TM_ASSIGN(const server::KnownView* found, definitions->View(view.name));
    auto group = GroupOf(definitions, *found);
    if (group)
      known->groups.emplace(FoldName(view.name), std::make_shared<OpenGroup>(store, *std::move(group)));
  }
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(store->project(), known);
  return known;
}

std::string NoSuchGroup(std::string_view name) {
  return fmt::format("Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {}", name);
}

}  // namespace tidemark::sagemaker
