// The definitions of a project, parsed once and shared by the requests until they change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "tidemark/store.h"

namespace tidemark::server {

/// A column of rows that are written.
struct WriteColumn {
  std::string name;
  DataType type;
};

/// A feature view with what a request about it needs to know.
struct KnownView {
  FeatureView definition;
  /// Of its entities, in the order of their names, as lookups take them. A key that waits for the first rows
  /// has no type.
  std::vector<JoinKey> join_keys;
  /// Columns that a write gives: join keys, event time, created time if there is one, fields; in this order.
  std::vector<WriteColumn> write_columns;
};

/// Immutable.
class KnownDefinitions {
 public:
  explicit KnownDefinitions(std::int64_t revision, Definitions definitions);

  std::int64_t revision() const { return revision_; }
  const Definitions& all() const { return definitions_; }

  /// kNotFound with the nearest name. Names are compared as they are spelt; `ViewInAnyCase` also finds one
  /// that differs in case only.
  Result<const KnownView*> View(std::string_view name) const;
  const KnownView* ViewInAnyCase(std::string_view name) const;  // nullptr: none
  const OnDemandView* OnDemand(std::string_view name) const;    // nullptr: none
  const FeatureService* Service(std::string_view name) const;   // nullptr: none
  /// The feature views that a view is computed from, through other on-demand views too; of a feature view
  /// itself.
  std::vector<const KnownView*> StoredViewsOf(std::string_view name) const;
  /// The request data that it is computed from, in the same way.
  std::vector<Field> RequestFieldsOf(std::string_view name) const;
  const Entity* EntityNamed(std::string_view name) const;  // nullptr: none
  /// Views that rows pushed under this name go to; none if there is no such source.
  std::vector<const KnownView*> ViewsOfPushSource(std::string_view name) const;

 private:
  const std::int64_t revision_;
  const Definitions definitions_;
  std::map<std::string, KnownView, std::less<>> views_;
  std::map<std::string, std::string, std::less<>> folded_;  // folded name -> name
};

/// Definitions of all projects as they are now, or were up to half a second ago. Thread safe.
class DefinitionsCache {
 public:
  Result<std::shared_ptr<const KnownDefinitions>> Get(const Store& store);
  /// The same, but certainly with what this process has just applied.
  Result<std::shared_ptr<const KnownDefinitions>> GetNow(const Store& store);

 private:
  Result<std::shared_ptr<const KnownDefinitions>> GetAsOf(const Store& store, std::int64_t max_age_ms);

  std::mutex mutex_;                                                                   // guards known_
  std::map<std::string, std::shared_ptr<const KnownDefinitions>, std::less<>> known_;  // by project
};

}  // namespace tidemark::server
