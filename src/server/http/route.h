// What a dialect is to the server: a table of routes, and how its errors look.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http/message.h"

namespace tidemark::http {

/// The scope that a route asks for. It has no default, so a route without one does not compile.
struct RouteScope {
  constexpr RouteScope(Scope asked) : scope(asked) {}  // NOLINT(google-explicit-constructor): reads as Scope
  Scope scope;
};

/// Where a handler runs.
enum class Runs : std::uint8_t {
  kInline,  // on the connection's own thread: for what takes microseconds and never waits
  kWorker,  // on one of the worker threads: it may wait for a disk or compute
};

/// How a request's body comes to the handler.
enum class Body : std::uint8_t {
  kWhole,   // in memory, up to the limit of settings; what comes with more is refused
  kStream,  // as it arrives, through Request::stream; the handler runs on a worker
};

/// Answers a request: fills the response, or returns the error that the dialect then writes.
using Handler = std::function<Result<void>(const Request&, Response&)>;

struct Route {
  Method method;
  /// "/v1/{project}/views/{view}": a part in braces matches one segment, which is decoded after the path was
  /// split, so that an encoded slash stays within it. The project that the request is about, if `{project}`
  /// is among them.
  std::string_view pattern;
  RouteScope scope;
  Runs runs;
  Body body;
  Handler handler;
};

/// One wire format: its routes, and the shape of its errors.
class Dialect {
 public:
  virtual ~Dialect() = default;
  /// "tidemark", "feast", "sagemaker", "semantix": in metrics and logs.
  virtual std::string_view name() const = 0;
  virtual std::vector<Route> Routes() = 0;
  /// Whether a request that no route matches is of this dialect, and so gets an error of its shape.
  virtual bool Claims(const Request& request) const = 0;
  /// Fills `response` with an error. `status` is that of the error's code, or what HTTP itself asks for: 400,
  /// 401, 403, 404, 405, 408, 413, 415, 429, 431, 503.
  virtual void WriteError(const Request& request, int status, const Error& error, Response& response) = 0;
};

}  // namespace tidemark::http
