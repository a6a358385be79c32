// What a request asks for, resolved against the catalog: which features of which views, under which names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "model/definition.h"

namespace tidemark {

class FunctionRunner;
struct OnDemandPlan;

/// One feature of a view and the column it comes out as.
struct SelectedFeature {
  Field field;
  std::string output_name;
};

/// One view of a request.
struct SelectedView {
  const CatalogView* view = nullptr;     // owned by the catalog that the selection was resolved against
  std::string alias;                     // its name in output names and messages
  std::vector<std::string> key_columns;  // of the entity rows, one for each of view->join_keys
  std::vector<SelectedFeature> features;
};

/// Views and features in the order asked. `columns` lists each output column as (view index, feature index):
/// the order asked need not be grouped by view.
struct Selection {
  struct Column {
    std::size_t view = 0;
    std::size_t feature = 0;
  };
  std::vector<SelectedView> views;
  std::vector<Column> columns;
  /// What is computed, if any of it is; then `columns` are what is fetched for that, under names of their
  /// own, and what was asked for is `on_demand->outputs`. Null: `columns` are what was asked for.
  std::shared_ptr<const OnDemandPlan> on_demand = {};

  const SelectedFeature& feature(const Column& column) const {
    return views[column.view].features[column.feature];
  }
};

/// Turns `view:feature` and `view` references into what a feature service would list.
Result<std::vector<ViewSelection>> SelectionsFromRefs(const std::vector<std::string>& features);

/// What a request asks for: a list of references, or the name of a feature service, or a list as one states
/// it, JSON. kInvalidArgument unless exactly one is given.
struct AskedFeatures {
  std::vector<std::string> features = {};
  std::string service = {};
  std::string selection = {};
};
Result<std::vector<ViewSelection>> SelectionsOf(const Catalog& catalog, const AskedFeatures& asked);

/// kNotFound for an unknown view or feature (with the nearest name), kInvalidArgument for an empty request, a
/// join key map that names no join key, and two features that would get one output name, showing both. Of
/// on-demand views what they are computed from is fetched, once, whoever needs it; kUnsupported for one of a
/// Python function if there is nobody who runs it (`functions` is null).
Result<Selection> Resolve(const Catalog& catalog, const std::vector<ViewSelection>& wanted,
                          bool full_feature_names, std::shared_ptr<FunctionRunner> functions = nullptr);

}  // namespace tidemark
