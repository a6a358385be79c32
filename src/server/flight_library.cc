// dlopen and dlsym around the Flight server.
#include "server/flight_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "server/flight/plugin.h"
#include "tidemark/store.h"

namespace tidemark::server {
namespace {

constexpr const char* kLibrary = "libtidemark_flight.so";

std::unexpected<Error> NoLibrary(const std::string& why) {
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("cannot load Arrow Flight: {}; it is installed with Tidemark, beside libtidemark.so", why));
}

/// The folder of libtidemark.so, in which `StopBackgroundWork` lies.
std::filesystem::path LibraryFolder() {
  Dl_info found{};
  if (dladdr(reinterpret_cast<const void*>(&StopBackgroundWork), &found) == 0 || found.dli_fname == nullptr)
    return {};
  return std::filesystem::path(found.dli_fname).parent_path();
}

}  // namespace

Result<std::unique_ptr<FlightServer>> LoadAndStartFlight(
    const FlightSettings& settings, Services& services,
    const std::shared_ptr<const http::Authenticator>& authenticator) {
  // Never closed: threads of gRPC outlive the server.
  void* const library = dlopen((LibraryFolder() / kLibrary).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return NoLibrary(dlerror());
  const auto version = reinterpret_cast<FlightVersion*>(dlsym(library, "tidemark_flight_version"));
  const auto start = reinterpret_cast<FlightStart*>(dlsym(library, "tidemark_flight_start"));
  if (version == nullptr || start == nullptr) return NoLibrary("the library is not Tidemark's");
  if (std::string_view(version()) != kVersion)
    return NoLibrary(
        fmt::format("the library is of version {}, and this program of {}", version(), kVersion));
  Result<std::unique_ptr<FlightServer>> server = Fail(ErrorCode::kInternal, "Flight did not start");
  start(settings, services, authenticator, server);
  return server;
}

}  // namespace tidemark::server
