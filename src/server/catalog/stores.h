// The stores that the server serves: one for each project of its folder.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tidemark/store.h"

namespace tidemark::server {

/// Thread safe. Stores are opened when they are first asked for and stay open.
class Stores {
 public:
  /// Opens the folder with the project that requests are about which name none. Errors as of Store::Open.
  static Result<std::unique_ptr<Stores>> Open(const StoreOptions& options);

  /// The store of a project; empty: of the server's own. A project is there once something was applied to
  /// it; until then it is empty. kInvalidArgument for what is no name, kBusy if too many are open.
  Result<std::shared_ptr<Store>> Get(std::string_view project);

  /// Those that are open at this moment, by project.
  std::map<std::string, std::shared_ptr<Store>, std::less<>> OpenOnes() const;

  const std::string& default_project() const { return default_project_; }
  const std::filesystem::path& folder() const { return options_.path; }

 private:
  explicit Stores(StoreOptions options) : options_(std::move(options)) {}

  const StoreOptions options_;
  std::string default_project_;
  mutable std::mutex mutex_;  // guards stores_
  std::map<std::string, std::shared_ptr<Store>, std::less<>> stores_;
};

}  // namespace tidemark::server
