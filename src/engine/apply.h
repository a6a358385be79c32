// Makes a project's registry say what definitions say: the difference is a plan, and one transaction carries
// it out.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/catalog.h"
#include "model/definition.h"
#include "store/registry.h"
#include "store/source.h"

namespace tidemark {

/// One step of a plan.
struct PlannedChange {
  enum class Action : std::uint8_t { kAdd, kChange, kRename, kRemove } action = Action::kAdd;
  ObjectKind kind = ObjectKind::kEntity;
  std::string name;
  std::string from_name;  // kRename: the name until now
  std::vector<std::string>
      details;  // "ttl: 1d -> 2d", "field rating: added (float64)", "field x renamed from y"
  bool operator==(const PlannedChange&) const = default;
};

/// Steps in the order of the definitions, removals last. Empty: there is nothing to do.
struct Plan {
  std::vector<PlannedChange> changes;
  /// Views whose online rows have no use any more once the plan is carried out: removed ones, and those whose
  /// join keys changed (they go on under a new id).
  std::vector<std::uint32_t> dropped_view_ids;
};

/// The columns of what the query of `view` gives. `inputs` are the views that it reads, in the order of
/// view.batch->views, with their join keys and fields.
using QueryDescriber = std::function<Result<std::shared_ptr<arrow::Schema>>(
    const FeatureView& view, const std::vector<CatalogView>& inputs)>;

struct PlanOptions {
  /// Objects of the project that are not in the definitions are removed, but for feature tables and their
  /// entities: no definition brings their rows back, so they are removed by name only.
  bool remove_missing = false;
  std::vector<std::pair<ObjectKind, std::string>> remove = {};  // objects to remove by name
  /// The database that views are in which state none: no registered table may have a view's name there.
  std::string own_database = {};
  QueryDescriber describe_query = {};  // empty: views that a query computes are kUnsupported
};

/// What Apply would do. The definitions are checked (model/definition.h), and completed and checked by their
/// sources (view_completion.h); objects that are not stated stay as they are, and follow the renames of those
/// they name. Besides those errors: kNotFound for an unknown object to remove; kInvalidArgument for one that
/// is defined at the same time, for definitions of another project, and for removing what is still used,
/// naming the user.
Result<Plan> PlanApply(const Registry& registry, std::string_view project, const Definitions& definitions,
                       const PlanOptions& options, const SourceOpener& open);

/// Carries the plan out in one transaction and returns it. What is kept of a view is its completed
/// definition. Applying the same again gives an empty plan and writes nothing. When somebody else changes the
/// project at the same time, the plan is made anew a few times, and then kBusy. Nothing is changed by an
/// apply that fails, except with kUnknownFate.
Result<Plan> Apply(Registry& registry, std::string_view project, const Definitions& definitions,
                   const PlanOptions& options, const SourceOpener& open, const Clock& clock);

/// Removes the project with all versions and notes. Returns the ids of its views, whose online rows must go,
/// and of its registered tables, whose metadata must.
Result<std::vector<std::uint32_t>> Teardown(Registry& registry, std::string_view project);

}  // namespace tidemark
