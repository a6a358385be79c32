// Finds the route of a request.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/http/metrics.h"
#include "server/http/route.h"

namespace tidemark::http {

/// A route and whose it is.
struct BoundRoute {
  Route route;
  Dialect* dialect = nullptr;
  RouteMetrics* metrics = nullptr;
};

/// Immutable once built, so any thread may ask.
class Router {
 public:
  /// kInvalidArgument for two routes that match the same requests, naming both.
  static Result<Router> Make(const std::vector<std::shared_ptr<Dialect>>& dialects, Metrics& metrics);

  struct Found {
    const BoundRoute* route = nullptr;  // nullptr: none
    bool other_method = false;          // the path is there, for another method
    std::string allowed = {};           // then: those that it is there for, as the header Allow has them
  };
  /// Fills the request's parts and pattern. Constant parts go before named ones. A part that is not properly
  /// percent-encoded matches nothing. HEAD is answered by GET's route.
  Found Find(Request& request) const;

  /// The dialect that words the answer to a request of no route.
  Dialect& DialectOf(const Request& request) const;

  const std::vector<std::unique_ptr<BoundRoute>>& routes() const { return routes_; }

 private:
  struct Node {
    std::unordered_map<std::string_view, std::unique_ptr<Node>> constant;
    std::unique_ptr<Node> named;
    std::vector<const BoundRoute*> ends;  // one for each method
  };
  Result<void> Add(const BoundRoute& route);
  const Node* Walk(const Node& node, std::string_view rest, std::vector<std::string_view>& values,
                   Method method) const;

  std::vector<std::unique_ptr<BoundRoute>> routes_;
  std::vector<std::shared_ptr<Dialect>> dialects_;
  std::unique_ptr<Node> root_ = std::make_unique<Node>();
};

}  // namespace tidemark::http
