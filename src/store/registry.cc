// Names of the kinds of object.
#include "store/registry.h"

#include "base/check.h"

namespace tidemark {

std::string_view ObjectKindName(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kEntity:
      return "entity";
    case ObjectKind::kFeatureView:
      return "feature view";
    case ObjectKind::kFeatureService:
      return "feature service";
    case ObjectKind::kRegisteredTable:
      return "registered table";
    case ObjectKind::kSavedDataset:
      return "saved dataset";
    case ObjectKind::kOnDemandView:
      return "on-demand feature view";
  }
  TM_CHECK(false, "an object kind that is none");
}

}  // namespace tidemark
