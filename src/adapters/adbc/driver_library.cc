// Where the libraries of drivers are.
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <system_error>

#include "adapters/adbc/connection.h"
#include "adapters/adbc/own_folder_internal.h"

namespace tidemark {
namespace {

constexpr const char* kFoldersVariable = "TIDEMARK_ADBC_DRIVERS";

bool IsDriverName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::vector<std::filesystem::path> FoldersOfEnvironment() {
  std::vector<std::filesystem::path> folders;
  const char* value = std::getenv(kFoldersVariable);
  std::istringstream stream(value == nullptr ? "" : value);
  for (std::string folder; std::getline(stream, folder, ':');) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  return folders;
}

}  // namespace

std::filesystem::path OwnFolder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&OwnFolder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code failed;
  const std::filesystem::path own = std::filesystem::canonical(info.dli_fname, failed);
  return failed ? std::filesystem::path() : own.parent_path();
}

Result<std::filesystem::path> FindAdbcDriver(std::string_view name,
                                             const std::vector<std::filesystem::path>& folders) {
  if (name.find('/') != std::string_view::npos) return std::filesystem::path(name);
  if (!IsDriverName(name)) {
    return Fail(ErrorCode::kInvalidArgument,
                "'" + std::string(name) +
                    "' is no name of an ADBC driver: letters, digits, _ and -, or "
                    "the path of its library");
  }
  std::string package = "adbc_driver_" + std::string(name);
  std::ranges::replace(package, '-', '_');
  std::vector<std::filesystem::path> places = folders;
  std::ranges::copy(FoldersOfEnvironment(), std::back_inserter(places));
  // In the wheel this library is site-packages/tidemark/libtidemark.so.
  if (const auto own = OwnFolder(); !own.empty()) places.push_back(own.parent_path());
  for (const auto& place : places) {
    std::error_code failed;
    const auto library = place / package / ("lib" + package + ".so");
    if (std::filesystem::exists(library, failed)) return library;
  }
  std::string to_install = "adbc-driver-" + std::string(name);
  std::ranges::replace(to_install, '_', '-');
  return Fail(ErrorCode::kNotFound, "no ADBC driver '" + std::string(name) +
                                        "' is installed: install the Python package " + to_install +
                                        ", or name its folder in the environment's " + kFoldersVariable +
                                        ", or give the path of the library");
}

}  // namespace tidemark
