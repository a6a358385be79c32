// The conformance suite of Registry: what every adapter must do. An adapter's test registers with
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, RegistryConformance, testing::Values(RegistryMaker{"file", [] { ... }}),
//   ...);
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/registry.h"

namespace tidemark {

/// A place that holds one registry, empty at first and gone with this object.
class RegistryPlace {
 public:
  virtual ~RegistryPlace() = default;
  /// Opens one more instance over what the place holds, as another process would.
  virtual Result<std::unique_ptr<Registry>> Open() = 0;
};

struct RegistryMaker {
  std::string name;
  std::function<std::unique_ptr<RegistryPlace>()> make_place;
};

class RegistryConformance : public testing::TestWithParam<RegistryMaker> {
 protected:
  RegistryConformance();
  ~RegistryConformance() override;

  std::unique_ptr<Registry> Open();

  std::unique_ptr<RegistryPlace> place_;
  std::unique_ptr<Registry> registry_;
};

/// Printed instead of the bytes of the parameter.
void PrintTo(const RegistryMaker& maker, std::ostream* out);

/// The change that adds an object. Inline, so that a test which uses no more does not get the suite with it.
inline RegistryChange AddObject(ObjectKind kind, std::string name, std::string document) {
  return {.id = 0, .kind = kind, .name = std::move(name), .document = std::move(document)};
}

}  // namespace tidemark
