// Keeps everything in one value; a commit works on a copy of it.
#include "store/memory_registry_testing.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "model/name.h"

namespace tidemark {
namespace {

struct Object {
  std::string project;
  std::vector<RegistryObject> versions;
  const RegistryObject& last() const { return versions.back(); }
};

struct Content {
  std::uint32_t last_id = 0;
  std::int64_t last_serial = 0;
  std::map<std::string, std::int64_t, std::less<>> serials;
  std::map<std::uint32_t, Object> objects;
  std::map<std::pair<std::uint32_t, std::string>, std::string> notes;
};

RegistryState StateOf(const Content& content, std::string_view project) {
  RegistryState state;
  if (const auto serial = content.serials.find(project); serial != content.serials.end())
    state.serial = serial->second;
  for (const auto& [id, object] : content.objects) {
    if (object.project == project && !object.last().removed) state.objects.push_back(object.last());
  }
  std::ranges::sort(state.objects, {}, [](const RegistryObject& o) { return std::pair(o.kind, o.name); });
  return state;
}

Result<void> ApplyChange(Content& content, std::string_view project, const RegistryChange& change,
                         std::int64_t now_us) {
  std::uint32_t id = change.id;
  if (id == 0) {
    if (change.remove)
      return Fail(ErrorCode::kInvalidArgument, "'" + change.name + "' is removed without an id");
    id = ++content.last_id;
    content.objects[id].project = project;
  }
  const auto found = content.objects.find(id);
  if (found == content.objects.end() || found->second.project != project) {
    return Fail(ErrorCode::kNotFound, "no such object: '" + change.name + "'");
  }
  std::vector<RegistryObject>& versions = found->second.versions;
  if (!versions.empty() && (versions.back().removed || versions.back().kind != change.kind)) {
    return Fail(ErrorCode::kNotFound, "no such object: '" + change.name + "'");
  }
  versions.push_back({.id = id,
                      .kind = change.kind,
                      .name = change.name,
                      .version = std::ssize(versions) + 1,
                      .document = change.document,
                      .created_us = versions.empty() ? now_us : versions.front().created_us,
                      .updated_us = now_us,
                      .removed = change.remove});
  return {};
}

}  // namespace

struct MemoryRegistry::Storage {
  std::mutex mutex;
  Content content;
};

MemoryRegistry::MemoryRegistry() : storage_(std::make_shared<Storage>()) {}
MemoryRegistry::MemoryRegistry(std::shared_ptr<Storage> storage) : storage_(std::move(storage)) {}

Result<RegistryState> MemoryRegistry::Load(std::string_view project) const {
  const std::lock_guard lock(storage_->mutex);
  return StateOf(storage_->content, project);
}

Result<RegistryState> MemoryRegistry::Commit(std::string_view project, std::int64_t expected_serial,
                                             const std::vector<RegistryChange>& changes,
                                             std::int64_t now_us) {
  const std::lock_guard lock(storage_->mutex);
  Content next = storage_->content;
  if (StateOf(next, project).serial != expected_serial)
    return Fail(ErrorCode::kBusy, "the project was changed meanwhile");
  if (changes.empty()) return StateOf(next, project);
  std::set<std::uint32_t> seen;
  for (const RegistryChange& change : changes) {
    if (change.id != 0 && !seen.insert(change.id).second) {
      return Fail(ErrorCode::kInvalidArgument, "'" + change.name + "' is changed twice at once");
    }
    TM_TRY(ApplyChange(next, project, change, now_us));
  }
  next.serials.insert_or_assign(std::string(project), ++next.last_serial);
  RegistryState state = StateOf(next, project);
  std::map<std::pair<ObjectKind, std::string>, std::string> names;
  for (const RegistryObject& object : state.objects) {
    const auto [other, is_new] = names.emplace(std::pair(object.kind, FoldName(object.name)), object.name);
    if (!is_new) {
      return Fail(ErrorCode::kAlreadyExists, "'" + object.name + "' has the name of '" + other->second + "'");
    }
  }
  storage_->content = std::move(next);
  return state;
}

Result<std::int64_t> MemoryRegistry::Serial(std::string_view project) const {
  const std::lock_guard lock(storage_->mutex);
  return StateOf(storage_->content, project).serial;
}

Result<std::vector<RegistryObject>> MemoryRegistry::Versions(std::uint32_t id) const {
  const std::lock_guard lock(storage_->mutex);
  const auto found = storage_->content.objects.find(id);
  if (found == storage_->content.objects.end()) return Fail(ErrorCode::kNotFound, "no object with this id");
  return found->second.versions;
}

Result<std::vector<std::string>> MemoryRegistry::Projects() const {
  const std::lock_guard lock(storage_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, serial] : storage_->content.serials)
    names.push_back(name);
  return names;
}

Result<std::optional<std::string>> MemoryRegistry::GetNote(std::uint32_t id, std::string_view name) const {
  const std::lock_guard lock(storage_->mutex);
  const auto found = storage_->content.notes.find({id, std::string(name)});
  if (found == storage_->content.notes.end()) return std::optional<std::string>();
  return std::optional(found->second);
}

Result<void> MemoryRegistry::PutNote(std::uint32_t id, std::string_view name, std::string_view document) {
  const std::lock_guard lock(storage_->mutex);
  Content& content = storage_->content;
  if (!content.objects.contains(id)) return Fail(ErrorCode::kNotFound, "no object with this id");
  content.notes.erase({id, std::string(name)});
  if (!document.empty()) content.notes.emplace(std::pair(id, std::string(name)), document);
  return {};
}

Result<std::vector<std::uint32_t>> MemoryRegistry::RemoveProject(std::string_view project) {
  const std::lock_guard lock(storage_->mutex);
  Content& content = storage_->content;
  std::vector<std::uint32_t> live;
  for (const RegistryObject& object : StateOf(content, project).objects)
    live.push_back(object.id);
  const auto in_project = [&](std::uint32_t id) {
    const auto found = content.objects.find(id);
    return found != content.objects.end() && found->second.project == project;
  };
  std::erase_if(content.notes, [&](const auto& note) { return in_project(note.first.first); });
  std::erase_if(content.objects, [&](const auto& object) { return object.second.project == project; });
  if (const auto serial = content.serials.find(project); serial != content.serials.end())
    content.serials.erase(serial);
  return live;
}

}  // namespace tidemark
