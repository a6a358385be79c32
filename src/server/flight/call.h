// One call of a client: who asks, of which project, and whether the client still waits.
#pragma once

#include <arrow/flight/server.h>
#include <arrow/record_batch.h>

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "server/catalog/services.h"
#include "server/flight/call_watch.h"
#include "server/flight/status.h"
#include "server/flight/store_rows.h"
#include "server/flight/uploaded_rows.h"
#include "server/http/access.h"
#include "tidemark/arrow_c.h"

namespace tidemark::server::flight {

/// What all calls of a server share.
struct Environment {
  Services& services;
  const http::Authenticator& authenticator;
  CallWatch& watch;
  UploadLimits uploads;
};

class Call {
 public:
  /// Finds out who asks, by the headers `authorization: Bearer KEY` or `x-api-key: KEY`. The errors of
  /// Authenticator::IdentifyKey; kBusy if too many calls are being answered. The context outlives the call.
  static Result<std::unique_ptr<Call>> Begin(const arrow::flight::ServerCallContext& context,
                                             Environment& environment);

  /// The store of a project; none named: the only one of the caller's key, or the server's.
  /// kPermissionDenied if the key does not grant `scope` there.
  Result<std::shared_ptr<Store>> Open(std::string_view project, http::Scope scope) const;

  /// kPermissionDenied for a key that may not read all projects: SQL and dumps see them all.
  Result<void> CheckReadsAll(const Store& store) const;

  Result<std::shared_ptr<const KnownDefinitions>> DefinitionsOf(const Store& store) const {
    return environment_.services.definitions.Get(store);
  }
  Result<std::shared_ptr<UploadedRows>> Upload(arrow::flight::FlightMessageReader& reader) const {
    return UploadedRows::Open(reader, environment_.uploads, stop());
  }
  const UploadLimits& uploads() const { return environment_.uploads; }
  const http::Caller& caller() const { return caller_; }
  /// An error as this call tells it: the status, and in the trailer `tidemark-error` the name of our code,
  /// of which gRPC has fewer. For as long as the call is.
  arrow::Status Failed(const Error& error) const;
  arrow::Status Failed(const FeastFailure& failure) const;
  /// The client is gone, or the server stops.
  std::stop_token stop() const { return watched_->stop(); }

 private:
  Call(const arrow::flight::ServerCallContext& context, Environment& environment,
       std::unique_ptr<CallWatch::Watched> watched, http::Caller caller)
      : context_(context),
        environment_(environment),
        watched_(std::move(watched)),
        caller_(std::move(caller)) {}

  const arrow::flight::ServerCallContext& context_;
  Environment& environment_;
  const std::unique_ptr<CallWatch::Watched> watched_;
  const http::Caller caller_;
};

/// What a call answers with.
struct Answer {
  std::shared_ptr<arrow::RecordBatchReader> rows;
  EndReport report = {};
};

/// A stream of the C interface that is released unless somebody took it over.
class OwnedStream {
 public:
  OwnedStream() = default;
  ~OwnedStream() {
    if (stream_.release != nullptr) stream_.release(&stream_);
  }
  OwnedStream(const OwnedStream&) = delete;
  OwnedStream& operator=(const OwnedStream&) = delete;
  ArrowArrayStream* get() { return &stream_; }
  bool is_empty() const { return stream_.release == nullptr; }

 private:
  ArrowArrayStream stream_{};
};

}  // namespace tidemark::server::flight
