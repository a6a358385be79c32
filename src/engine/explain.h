// Why a feature has the value it has.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "engine/catalog.h"
#include "engine/view_source.h"
#include "store/function_runner.h"
#include "store/online_store.h"
#include "store/registry.h"

namespace tidemark {

struct ExplainParts {
  std::shared_ptr<const Catalog> catalog;
  SourceOpeners open;
  std::string project;
  std::shared_ptr<OnlineStore> online;
  std::shared_ptr<Registry> registry;
  std::shared_ptr<Clock> clock;
  std::size_t threads = 1;
  std::stop_token stop;
  std::shared_ptr<FunctionRunner> functions = {};  // null: nobody runs Python functions
};

/// JSON: {"feature", "key", "at", "status", "value", "decision", "row": {"file", "row", "event_timestamp",
/// "created_timestamp", "age"} or null, "rows_of_key", "rows_up_to_then", "ttl", "online": {"status",
/// "value", "event_timestamp"} or null for a view that is not online}. `feature` is `view:feature`; `key` is
/// a JSON object of the view's join keys. Rows count from 0, in a CSV file as an editor shows them: the
/// header is 1; "row" is missing for a warehouse, whose rows have no numbers.
///
/// Of a computed feature `key` has the join keys of all views that it is computed from, and its request data:
/// {"feature", "key", "at", "status", "value", "expression" or "function" (null: the other), "inputs": [what
/// is said above of each stored one, and {"request", "value"}], "online": {"status", "value"} or null if one
/// of the views is not online}.
Result<std::string> Explain(const ExplainParts& parts, std::string_view feature, std::string_view key,
                            std::optional<std::int64_t> t_us);

}  // namespace tidemark
