// What a view's function is known by.
#include "store/function_runner.h"

#include "model/definition_json.h"

namespace tidemark {

ViewFunction ViewFunction::Of(const OnDemandView& view) {
  return {.view = view.name, .definition = ToJson(view), .fields = view.fields};
}

}  // namespace tidemark
