// A request as a handler sees it, and the answer that it fills.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/http/access.h"

namespace tidemark::http {

enum class Method : std::uint8_t { kGet, kHead, kPut, kPost, kDelete, kPatch, kOptions, kOther };

/// "GET", ...; "?" for kOther.
std::string_view NameOf(Method method);

/// The bytes of a body that arrive while they are read. One reader; it may block.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  /// Up to `into.size()` bytes, at least one; 0 at the end of the body. kInvalidArgument if the body is
  /// malformed or longer than allowed, kUnavailable if the client is gone or too slow.
  virtual Result<std::size_t> Read(std::span<std::byte> into) = 0;
};

/// Where the bytes of a streamed answer go. One writer; it blocks while the client is slower.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// kCancelled once the client is gone or the time for the answer is over: stop then.
  virtual Result<void> Write(std::string_view bytes) = 0;
};

/// One request: valid until its handler has returned, and with it every view that it gives out.
class Request {
 public:
  Method method = Method::kOther;
  std::string_view target;       // path and query as received
  std::string_view path;         // as received: percent-encoded
  std::string_view query;        // behind the '?', as received
  std::string_view body;         // all of it; empty where the route reads a stream
  BodyReader* stream = nullptr;  // of routes that read a stream
  std::string_view id;           // of the request: the client's X-Request-Id if it sent one
  std::string_view peer;         // address of the client
  std::string_view route;        // the pattern that matched
  bool is_tls = false;
  bool on_worker = false;    // the handler runs where it may wait
  Caller caller;             // who asks; anonymous where no keys are needed
  std::string_view project;  // that it is about: of the path, or the caller's only one, or the server's
  std::stop_token stop;      // the client is gone, the time for the answer is over, or the server stops

  /// The first header of that name, which is given in lower case.
  std::optional<std::string_view> Header(std::string_view name) const;
  struct Field {
    std::string_view name;  // in lower case
    std::string_view value;
  };
  std::span<const Field> headers() const { return headers_; }

  /// The decoded value of a part of the path, as the route's pattern names it. It must have that name.
  std::string_view Part(std::string_view name) const;

  /// Decoded values of the query, in order; a '+' stays a '+', as RFC 3986 has it.
  std::optional<std::string> Query(std::string_view name) const;
  std::vector<std::string> QueryAll(std::string_view name) const;
  /// kInvalidArgument for a query of which something cannot be decoded: the calls above pass that over, as if
  /// it had not been said.
  Result<void> CheckQuery() const;

  /// As if it were new, keeping memory.
  void Clear();

  // Filled by the connection and the router.
  std::vector<Field> headers_;
  std::vector<std::pair<std::string_view, std::string>> parts_;
};

/// What goes back. A handler fills it; the server adds Content-Length, Date, the request's id and the like.
struct Response {
  int status = 200;
  std::string_view content_type = "application/json";  // a constant; empty: no such header
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};  // its memory is used again by later answers
  /// Set, instead of an answer, by a handler that runs inline and finds that it would have to wait or to work
  /// for long: it is then called again on a worker.
  bool needs_worker = false;
  /// Instead of a body: writes it piece by piece, after the handler has returned, on the handler's thread.
  /// An error before the first byte is answered like one of the handler; one that comes later breaks the
  /// connection off, so that the client sees that the body is not whole.
  std::function<Result<void>(BodyWriter&)> stream = {};

  /// As if it were new, keeping memory.
  void Clear();
};

/// Undoes percent-encoding. False for a '%' that no two hexadecimal digits follow.
bool PercentDecode(std::string_view text, std::string& out);

}  // namespace tidemark::http
