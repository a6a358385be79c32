// A registry in memory: for tests of what lies above a registry, and the plainest reading of its contract.
#pragma once

#include <memory>

#include "store/registry.h"

namespace tidemark {

class MemoryRegistry final : public Registry {
 public:
  struct Storage;

  MemoryRegistry();
  /// One more instance over the same objects.
  explicit MemoryRegistry(std::shared_ptr<Storage> storage);
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  Result<RegistryState> Load(std::string_view project) const override;
  Result<RegistryState> Commit(std::string_view project, std::int64_t expected_serial,
                               const std::vector<RegistryChange>& changes, std::int64_t now_us) override;
  Result<std::int64_t> Serial(std::string_view project) const override;
  Result<std::vector<RegistryObject>> Versions(std::uint32_t id) const override;
  Result<std::vector<std::string>> Projects() const override;
  Result<std::optional<std::string>> GetNote(std::uint32_t id, std::string_view name) const override;
  Result<void> PutNote(std::uint32_t id, std::string_view name, std::string_view document) override;
  Result<std::vector<std::uint32_t>> RemoveProject(std::string_view project) override;

 private:
  std::shared_ptr<Storage> storage_;
};

}  // namespace tidemark
