// Goal: the registry in memory that other tests stand on keeps the same contract as the real ones.
#include "store/memory_registry_testing.h"
#include "store/registry_testing.h"

namespace tidemark {
namespace {

class MemoryPlace final : public RegistryPlace {
 public:
  Result<std::unique_ptr<Registry>> Open() override {
    return std::make_unique<MemoryRegistry>(first_.storage());
  }

 private:
  MemoryRegistry first_;
};

INSTANTIATE_TEST_SUITE_P(Memory, RegistryConformance,
                         testing::Values(RegistryMaker{"memory",
                                                       [] { return std::make_unique<MemoryPlace>(); }}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace tidemark
