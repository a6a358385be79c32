// What a planned or applied change is called: one spelling for the program, the SDK and the server.
#include "tidemark/store.h"

namespace tidemark {

std::string_view NameOf(ObjectType type) {
  switch (type) {
    case ObjectType::kEntity:
      return "entity";
    case ObjectType::kFeatureView:
      return "feature_view";
    case ObjectType::kOnDemandView:
      return "on_demand_feature_view";
    case ObjectType::kFeatureService:
      break;
  }
  return "feature_service";
}

std::string_view NameOf(Change::Action action) {
  switch (action) {
    case Change::Action::kAdd:
      return "add";
    case Change::Action::kChange:
      return "change";
    case Change::Action::kRename:
      return "rename";
    case Change::Action::kRemove:
      break;
  }
  return "remove";
}

}  // namespace tidemark
