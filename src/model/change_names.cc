// What planned and applied changes, and choices, are called: one spelling for the program, the SDK and the
// server.
#include <array>

#include "tidemark/store.h"
#include "tidemark/streams.h"

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

std::string_view NameOf(StreamRestart from) {
  switch (from) {
    case StreamRestart::kEarliest:
      return "earliest";
    case StreamRestart::kLatest:
      return "latest";
    case StreamRestart::kContinue:
      break;
  }
  return "continue";
}

std::optional<StreamRestart> ParseStreamRestart(std::string_view name) {
  for (const StreamRestart from :
       std::array{StreamRestart::kEarliest, StreamRestart::kLatest, StreamRestart::kContinue}) {
    if (NameOf(from) == name) return from;
  }
  return std::nullopt;
}

}  // namespace tidemark
