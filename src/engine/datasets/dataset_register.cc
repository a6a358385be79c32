// Every change is made from a state of the project, and tried again on the next one if that has moved.
#include "engine/datasets/dataset_register.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/result.h"
#include "model/name.h"

namespace tidemark {
namespace {

constexpr int kRegisterTriesMax = 20;

Result<DatasetRegister::Entry> EntryOf(const RegistryObject& object) {
  TM_ASSIGN(SavedDataset dataset, SavedDatasetFromJson(object.document));
  const bool is_settled = object.name == dataset.name;
  return DatasetRegister::Entry{object.id, object.version, is_settled, std::move(dataset)};
}

const RegistryObject* ObjectOf(const RegistryState& state, std::uint32_t id) {
  const auto found = std::ranges::find(state.objects, id, &RegistryObject::id);
  return found == state.objects.end() ? nullptr : &*found;
}

std::string NameWhileMade(const SavedDataset& dataset) {
  return dataset.name + "." + dataset.id;
}

RegistryChange ChangeTo(const SavedDataset& dataset, std::uint32_t object_id, std::string name) {
  return {.id = object_id,
          .kind = ObjectKind::kSavedDataset,
          .name = std::move(name),
          .document = ToJson(dataset)};
}

/// kInvalidData if an erasure has asked for rows of a dataset that is being made.
Result<void> CheckBegun(const RegistryState& state, std::uint32_t object_id) {
  const RegistryObject* const object = ObjectOf(state, object_id);
  if (object == nullptr) return Fail(ErrorCode::kNotFound, "the project was removed while it was being made");
  TM_ASSIGN(const DatasetRegister::Entry now, EntryOf(*object));
  if (now.dataset.state == SavedDataset::State::kBeingMade) return {};
  return Fail(ErrorCode::kInvalidData,
              fmt::format("rows that it is made of were erased meanwhile, by {}: save it again",
                          now.dataset.erasure));
}

}  // namespace

Result<RegistryState> DatasetRegister::Commit(const Changes& changes) const {
  for (int tries = 1;; ++tries) {
    TM_ASSIGN(const RegistryState state, registry_->Load(project_));
    TM_ASSIGN(const std::vector<RegistryChange> made, changes(state));
    if (made.empty()) return state;
    auto committed = registry_->Commit(project_, state.serial, made, clock_->now_us());
    if (committed || committed.error().code != ErrorCode::kBusy || tries == kRegisterTriesMax)
      return committed;
  }
}

Result<std::vector<DatasetRegister::Entry>> DatasetRegister::All() const {
  TM_ASSIGN(const RegistryState state, registry_->Load(project_));
  std::vector<Entry> entries;
  for (const RegistryObject& object : state.objects) {
    if (object.kind != ObjectKind::kSavedDataset) continue;
    TM_ASSIGN(Entry entry, EntryOf(object));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::optional<DatasetRegister::Entry>> DatasetRegister::Find(std::string_view name) const {
  TM_ASSIGN(const RegistryState state, registry_->Load(project_));
  for (const RegistryObject& object : state.objects) {
    if (object.kind != ObjectKind::kSavedDataset || object.name != name) continue;
    TM_ASSIGN(Entry entry, EntryOf(object));
    return entry;
  }
  return std::nullopt;
}

Result<DatasetRegister::Entry> DatasetRegister::Get(std::string_view name) const {
  if (name.find('.') == std::string_view::npos) {
    TM_ASSIGN(auto found, Find(name));
    if (found) return *std::move(found);
  }
  std::vector<std::string> names;
  TM_ASSIGN(const auto all, All());
  for (const Entry& entry : all)
    names.push_back(entry.dataset.name);
  return Fail(ErrorCode::kNotFound,
              fmt::format("there is no saved dataset {}{}", Quoted(name), Suggest(name, names)));
}

Result<DatasetRegister::Entry> DatasetRegister::Begin(const SavedDataset& dataset) const {
  const std::string name = NameWhileMade(dataset);
  TM_ASSIGN(const RegistryState state,
            Commit([&](const RegistryState&) -> Result<std::vector<RegistryChange>> {
              return std::vector{ChangeTo(dataset, 0, name)};
            }));
  for (const RegistryObject& object : state.objects) {
    if (object.kind == ObjectKind::kSavedDataset && object.name == name) return EntryOf(object);
  }
  return Fail(ErrorCode::kInternal, "a dataset that was begun is not in the registry");
}

Result<void> DatasetRegister::Tell(const Entry& begun, const SavedDataset& dataset) const {
  TM_TRY(Commit([&](const RegistryState& state) -> Result<std::vector<RegistryChange>> {
    TM_TRY(CheckBegun(state, begun.object_id));
    return std::vector{ChangeTo(dataset, begun.object_id, NameWhileMade(dataset))};
  }));
  return {};
}

Result<std::optional<SavedDataset>> DatasetRegister::Settle(const Entry& begun, const SavedDataset& dataset,
                                                            bool replace) const {
  std::optional<SavedDataset> former;
  const auto changes = [&](const RegistryState& state) -> Result<std::vector<RegistryChange>> {
    TM_TRY(CheckBegun(state, begun.object_id));
    std::uint32_t place = 0;
    former.reset();
    for (const RegistryObject& object : state.objects) {
      if (object.kind != ObjectKind::kSavedDataset || FoldName(object.name) != FoldName(dataset.name))
        continue;
      if (!replace || object.name != dataset.name) {
        return Fail(
            ErrorCode::kAlreadyExists,
            fmt::format("there is a saved dataset '{}' already: give another name, or allow_overwrite",
                        object.name));
      }
      TM_ASSIGN(former, SavedDatasetFromJson(object.document));
      place = object.id;
    }
    return std::vector{RegistryChange{.id = begun.object_id,
                                      .kind = ObjectKind::kSavedDataset,
                                      .name = NameWhileMade(dataset),
                                      .document = {},
                                      .remove = true},
                       ChangeTo(dataset, place, dataset.name)};
  };
  TM_TRY(Commit(changes));
  return former;
}

Result<bool> DatasetRegister::Put(const Entry& entry, const SavedDataset& dataset) const {
  bool is_put = false;
  TM_TRY(Commit([&](const RegistryState& state) -> Result<std::vector<RegistryChange>> {
    const RegistryObject* const object = ObjectOf(state, entry.object_id);
    is_put = object != nullptr && object->version == entry.version;
    if (!is_put) return std::vector<RegistryChange>{};
    return std::vector{ChangeTo(dataset, entry.object_id, object->name)};
  }));
  return is_put;
}

Result<void> DatasetRegister::Remove(std::uint32_t object_id) const {
  TM_TRY(Commit([&](const RegistryState& state) -> Result<std::vector<RegistryChange>> {
    const RegistryObject* const object = ObjectOf(state, object_id);
    if (object == nullptr) return std::vector<RegistryChange>{};
    return std::vector{RegistryChange{.id = object_id,
                                      .kind = ObjectKind::kSavedDataset,
                                      .name = object->name,
                                      .document = {},
                                      .remove = true}};
  }));
  return {};
}

}  // namespace tidemark
