// A tree of path segments: constant ones in a map, and at most one that is named.
#include "server/http/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace tidemark::http {
namespace {

constexpr std::size_t kPartsMax = 8;

/// The first segment of a path behind its slash, and what follows it.
std::pair<std::string_view, std::string_view> FirstSegment(std::string_view path) {
  path.remove_prefix(1);
  const std::size_t end = path.find('/');
  if (end == std::string_view::npos) return {path, {}};
  return {path.substr(0, end), path.substr(end)};
}

bool IsNamed(std::string_view segment) {
  return segment.starts_with('{');
}

}  // namespace

Result<Router> Router::Make(const std::vector<std::shared_ptr<Dialect>>& dialects, Metrics& metrics) {
  Router router;
  router.dialects_ = dialects;
  for (const auto& dialect : dialects) {
    for (Route& route : dialect->Routes()) {
      RouteMetrics* const counts = metrics.AddRoute(dialect->name(), NameOf(route.method), route.pattern);
      router.routes_.push_back(std::make_unique<BoundRoute>(
          BoundRoute{.route = std::move(route), .dialect = dialect.get(), .metrics = counts}));
      TM_TRY(router.Add(*router.routes_.back()));
    }
  }
  return router;
}

Result<void> Router::Add(const BoundRoute& bound) {
  TM_CHECK(bound.route.pattern.starts_with('/'), "a route's pattern begins with a slash");
  Node* node = root_.get();
  std::string_view rest = bound.route.pattern;
  while (!rest.empty()) {
    const auto [segment, behind] = FirstSegment(rest);
    std::unique_ptr<Node>& next = IsNamed(segment) ? node->named : node->constant[segment];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
    rest = behind;
  }
  for (const BoundRoute* other : node->ends) {
    if (other->route.method != bound.route.method) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} {} of {} and {} of {} match the same requests", NameOf(bound.route.method),
                            bound.route.pattern, bound.dialect->name(), other->route.pattern,
                            other->dialect->name()));
  }
  node->ends.push_back(&bound);
  return {};
}

const Router::Node* Router::Walk(const Node& node, std::string_view rest,
                                 std::vector<std::string_view>& values, Method method) const {
  if (rest.empty()) return node.ends.empty() ? nullptr : &node;
  const auto [segment, behind] = FirstSegment(rest);
  const Node* other_method = nullptr;
  if (const auto constant = node.constant.find(segment); constant != node.constant.end()) {
    const Node* end = Walk(*constant->second, behind, values, method);
    if (end != nullptr) {
      const auto fits = [method](const BoundRoute* bound) { return bound->route.method == method; };
      if (std::ranges::any_of(end->ends, fits)) return end;
      other_method = end;
    }
  }
  if (node.named && !segment.empty() && values.size() < kPartsMax) {
    values.push_back(segment);
    const Node* end = Walk(*node.named, behind, values, method);
    if (end != nullptr) return end;
    values.pop_back();
  }
  return other_method;
}

Router::Found Router::Find(Request& request) const {
  request.parts_.clear();
  if (!request.path.starts_with('/')) return {};
  const Method method = request.method == Method::kHead ? Method::kGet : request.method;
  std::vector<std::string_view> values;
  const Node* const end = Walk(*root_, request.path, values, method);
  if (end == nullptr) return {};
  for (const BoundRoute* bound : end->ends) {
    if (bound->route.method != method) continue;
    std::string_view rest = bound->route.pattern;
    std::size_t value = 0;
    while (!rest.empty()) {
      const auto [segment, behind] = FirstSegment(rest);
      rest = behind;
      if (!IsNamed(segment)) continue;
      std::string decoded;
      if (!PercentDecode(values.at(value++), decoded)) return {};
      request.parts_.emplace_back(segment.substr(1, segment.size() - 2), std::move(decoded));
    }
    request.route = bound->route.pattern;
    return {.route = bound};
  }
  std::string allowed;
  for (const BoundRoute* bound : end->ends) {
    if (!allowed.empty()) allowed.append(", ");
    allowed.append(NameOf(bound->route.method));
    if (bound->route.method == Method::kGet) allowed.append(", HEAD");
  }
  return {.other_method = true, .allowed = std::move(allowed)};
}

Dialect& Router::DialectOf(const Request& request) const {
  for (const auto& dialect : dialects_) {
    if (dialect->Claims(request)) return *dialect;
  }
  return *dialects_.front();
}

}  // namespace tidemark::http
