// The feature groups of a project, and lookups prepared for them, until definitions change.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "server/catalog/services.h"
#include "server/sagemaker/group.h"
#include "server/sagemaker/refusal.h"
#include "tidemark/online.h"
#include "tidemark/store.h"

namespace tidemark::sagemaker {

/// A group that requests are about, with its store and a prepared lookup of all of its features.
class OpenGroup {
 public:
  OpenGroup(std::shared_ptr<Store> store, Group group) : store_(std::move(store)), group_(std::move(group)) {}

  const Group& group() const { return group_; }
  Store& store() const { return *store_; }
  /// Looks up the fields of the view, in their order. Prepared when it is first asked for. kInvalidArgument
  /// for a group without an online store.
  Result<std::shared_ptr<const OnlineReader>> Reader() const;
  bool has_reader() const { return Prepared() != nullptr; }

 private:
  std::shared_ptr<const OnlineReader> Prepared() const {
    const std::lock_guard lock(mutex_);
    return reader_;
  }

  const std::shared_ptr<Store> store_;
  const Group group_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const OnlineReader> reader_;  // null until it is asked for
};

using GroupPointer = std::shared_ptr<const OpenGroup>;

/// Thread safe.
class Groups {
 public:
  explicit Groups(server::Services& services) : services_(services) {}

  /// The group that a name, in any case, or an ARN stands for; null if there is none. kInvalid for what is
  /// neither. `now`: certainly with what this process has just applied.
  Answer<GroupPointer> Find(std::string_view project, std::string_view name_or_arn, bool now = false);
  /// The same, if it can be said at once: neither a store nor definitions are to be read first. Null if not,
  /// or if there is none.
  GroupPointer FindReady(std::string_view project, std::string_view name_or_arn);
  /// All of them, by name.
  Answer<std::vector<GroupPointer>> All(std::string_view project);

  server::Services& services() { return services_; }

 private:
  using ByName = std::map<std::string, GroupPointer, std::less<>>;  // by folded name
  struct Known {
    std::shared_ptr<Store> store;
    std::int64_t revision = 0;
    ByName groups;
  };
  Answer<std::shared_ptr<const Known>> Read(std::string_view project, bool now);

  server::Services& services_;
  std::mutex mutex_;                                                        // guards known_
  std::map<std::string, std::shared_ptr<const Known>, std::less<>> known_;  // by project
};

/// A name that differs from a group's name only in case is that group's.
std::string NoSuchGroup(std::string_view name);

}  // namespace tidemark::sagemaker
