// Saved datasets in the registry.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/datasets/saved_dataset.h"
#include "store/registry.h"

namespace tidemark {

/// Of one project. Thread safe; several processes may use it.
class DatasetRegister {
 public:
  struct Entry {
    std::uint32_t object_id = 0;
    std::int64_t version = 0;
    bool is_settled = false;  // no more being made
    SavedDataset dataset;
  };

  DatasetRegister(std::shared_ptr<Registry> registry, std::shared_ptr<const Clock> clock, std::string project)
      : registry_(std::move(registry)), clock_(std::move(clock)), project_(std::move(project)) {}

  /// Those that are being made too.
  Result<std::vector<Entry>> All() const;
  /// One that was saved; kNotFound with the nearest name.
  Result<Entry> Get(std::string_view name) const;
  Result<std::optional<Entry>> Find(std::string_view name) const;

  /// Makes it known that a dataset is being made.
  Result<Entry> Begin(const SavedDataset& dataset) const;
  /// The same one says more of itself. The error of Settle if an erasure was first.
  Result<void> Tell(const Entry& begun, const SavedDataset& dataset) const;
  /// It is saved from now on, in the place of the one of its name if `replace` allows that: the former one.
  /// kAlreadyExists; kInvalidData with the erasure if one has asked for rows of it meanwhile.
  Result<std::optional<SavedDataset>> Settle(const Entry& begun, const SavedDataset& dataset,
                                             bool replace) const;
  /// A new version of what is there; false if that is not any more what `entry` says.
  Result<bool> Put(const Entry& entry, const SavedDataset& dataset) const;
  /// Nothing happens if it is not there.
  Result<void> Remove(std::uint32_t object_id) const;

 private:
  using Changes = std::function<Result<std::vector<RegistryChange>>(const RegistryState& state)>;
  Result<RegistryState> Commit(const Changes& changes) const;

  const std::shared_ptr<Registry> registry_;
  const std::shared_ptr<const Clock> clock_;
  const std::string project_;
};

}  // namespace tidemark
