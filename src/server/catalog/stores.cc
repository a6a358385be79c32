// Opens a store for each project that is asked for.
#include "server/catalog/stores.h"

#include <fmt/format.h>

#include "model/name.h"

namespace tidemark::server {
namespace {

constexpr std::size_t kStoresMax = 1'000;

}  // namespace

Result<std::unique_ptr<Stores>> Stores::Open(const StoreOptions& options) {
  TM_ASSIGN(std::shared_ptr<Store> store, Store::Open(options));
  std::unique_ptr<Stores> stores(new Stores(options));
  stores->default_project_ = store->project();
  stores->stores_.emplace(store->project(), std::move(store));
  return stores;
}

Result<std::shared_ptr<Store>> Stores::Get(std::string_view project) {
  if (project.empty()) project = default_project_;
  const std::lock_guard lock(mutex_);
  if (const auto found = stores_.find(project); found != stores_.end()) return found->second;
  TM_TRY(CheckName("project", project));
  if (stores_.size() >= kStoresMax) {
    return Fail(ErrorCode::kBusy,
                fmt::format("the server has {} projects open, which is as many as it may", kStoresMax));
  }
  StoreOptions options = options_;
  options.project = std::string(project);
  TM_ASSIGN(std::shared_ptr<Store> store, Store::Open(options));
  stores_.emplace(project, store);
  return store;
}

std::map<std::string, std::shared_ptr<Store>, std::less<>> Stores::OpenOnes() const {
  const std::lock_guard lock(mutex_);
  return stores_;
}

}  // namespace tidemark::server
