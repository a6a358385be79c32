// A store on a server: the same interface as a store in a folder, over HTTP.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "tidemark/error.h"
#include "tidemark/export.h"
#include "tidemark/store.h"

namespace tidemark {

/// Where a server is, and how it is talked to.
struct ConnectOptions {
  std::string url = {};  // "http://host:6566", "https://host/prefix"
  /// Sent with every request, never shown. Empty: that of the environment's TIDEMARK_API_KEY, or none.
  std::string api_key = {};
  std::string project = {};  // empty: the key's only one, or the server's own
  // Of HTTPS; PEM files.
  std::filesystem::path ca_file = {};  // who may have signed the server's certificate; empty: the system's
  std::filesystem::path certificate = {};  // of this client, for servers that ask for one
  std::filesystem::path private_key = {};  // its key; empty: in the certificate's file

  std::chrono::milliseconds connect_time_max{5'000};
  /// Without a byte from the server, or one that it takes. A server gives its own work ten minutes.
  std::chrono::milliseconds answer_time_max{620'000};
  /// How often a request is sent again that found no connection, lost it, or was put off (429, 503); only
  /// one that changes nothing when it comes twice, or carries a key that tells the server so.
  int retries_max = 4;
  std::chrono::milliseconds retry_wait{100};  // before the first; then twice as long each time
  std::size_t connections_kept = 32;          // open ones that no request uses
};

/// Connects to a server and asks it for the project. kUnavailable, naming the URL, if it cannot be reached;
/// kPermissionDenied for a key that it does not take; kInvalidArgument for what is no URL.
///
/// Everything answers as a store in a folder does, errors included; besides, kUnavailable when the server is
/// gone, and kUnknownFate when it was lost between a change and its answer. Paths of entity rows and of
/// results are of this machine. `path()` is the URL. Work that is about the server's folder (Relocate)
/// is kUnsupported.
TIDEMARK_EXPORT Result<std::unique_ptr<Store>> Connect(const ConnectOptions& options);

/// True for what Connect takes: text that begins with http:// or https://.
TIDEMARK_EXPORT bool IsServerUrl(std::string_view text);

/// While it lives, calls of remote stores on this thread ask `interrupted` about every 50 ms that they wait:
/// true ends the call with kCancelled. For hosts that hear of signals only when they ask (Python).
class TIDEMARK_EXPORT WaitingCheck {
 public:
  explicit WaitingCheck(std::function<bool()> interrupted);
  ~WaitingCheck();
  WaitingCheck(const WaitingCheck&) = delete;
  WaitingCheck& operator=(const WaitingCheck&) = delete;

 private:
  std::function<bool()> interrupted_;
  const std::function<bool()>* outer_;
};

}  // namespace tidemark
