// The methods of Flight: each begins a call, reads the command, and hands it to our calls or Feast's.
#include "server/flight/flight_server.h"

#include <arrow/flight/server.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "server/flight/call.h"
#include "server/flight/command_internal.h"
#include "server/flight/feast_calls.h"
#include "server/flight/listing.h"
#include "server/flight/own_calls.h"
#include "server/flight/status.h"
#include "tidemark/store.h"

namespace tidemark::server {
namespace flight {
namespace {

using arrow::flight::FlightDescriptor;
using arrow::flight::ServerCallContext;

constexpr std::int64_t kInMemoryPart = 4;  // of memory_bytes_max, for entity rows that wait

/// Whoever is not known at all is told so by another code than whoever may not.
arrow::Status NotBegun(const Error& error) {
  if (error.code != ErrorCode::kPermissionDenied) return StatusOf(error);
  return arrow::flight::MakeFlightError(arrow::flight::FlightStatusCode::Unauthenticated, error.ToString());
}

class Methods final : public arrow::flight::FlightServerBase {
 public:
  explicit Methods(Environment environment) : environment_(environment) {}

  arrow::Status DoGet(const ServerCallContext& context, const arrow::flight::Ticket& ticket,
                      std::unique_ptr<arrow::flight::FlightDataStream>* stream) override {
    auto begun = Call::Begin(context, environment_);
    if (!begun) return NotBegun(begun.error());
    const std::shared_ptr<Call> call = *std::move(begun);
    auto command = Command::Parse(ticket.ticket);
    if (!command) return call->Failed(command.error());
    if (command->is_feast())
      return call->Failed(FeastFailure({.code = ErrorCode::kUnsupported,
                                        .message = "send this by DoExchange, as current clients of Feast do",
                                        .context = {}}));
    auto answer = GetRows(*call, *command);
    if (!answer) return call->Failed(answer.error());
    *stream = AnswerStream(std::move(answer->rows), std::move(answer->report), call);
    return arrow::Status::OK();
  }

  arrow::Status DoExchange(const ServerCallContext& context,
                           std::unique_ptr<arrow::flight::FlightMessageReader> reader,
                           std::unique_ptr<arrow::flight::FlightMessageWriter> writer) override {
    const auto call = Call::Begin(context, environment_);
    if (!call) return NotBegun(call.error());
    auto answer = Exchange(**call, *reader);
    Drain(*reader, environment_.uploads, (*call)->stop());
    ARROW_RETURN_NOT_OK(answer);
    return WriteAnswer(*answer->rows, answer->report, *writer);
  }

  arrow::Status DoPut(const ServerCallContext& context,
                      std::unique_ptr<arrow::flight::FlightMessageReader> reader,
                      std::unique_ptr<arrow::flight::FlightMetadataWriter> writer) override {
    const auto call = Call::Begin(context, environment_);
    if (!call) return NotBegun(call.error());
    const auto report = Put(**call, *reader);
    Drain(*reader, environment_.uploads, (*call)->stop());
    ARROW_RETURN_NOT_OK(report);
    if (report->empty()) return arrow::Status::OK();
    return writer->WriteMetadata(*arrow::Buffer::FromString(*report));
  }

  arrow::Status ListFlights(const ServerCallContext& context, const arrow::flight::Criteria* criteria,
                            std::unique_ptr<arrow::flight::FlightListing>* listings) override {
    const auto call = Call::Begin(context, environment_);
    if (!call) return NotBegun(call.error());
    auto views = ListViews(**call, criteria == nullptr ? std::string{} : criteria->expression);
    if (!views) return (*call)->Failed(views.error());
    *listings = std::make_unique<arrow::flight::SimpleFlightListing>(*std::move(views));
    return arrow::Status::OK();
  }

  arrow::Status GetFlightInfo(const ServerCallContext& context, const FlightDescriptor& descriptor,
                              std::unique_ptr<arrow::flight::FlightInfo>* info) override {
    const auto call = Call::Begin(context, environment_);
    if (!call) return NotBegun(call.error());
    auto found = InfoOf(**call, descriptor);
    if (!found) return (*call)->Failed(found.error());
    *info = std::make_unique<arrow::flight::FlightInfo>(*std::move(found));
    return arrow::Status::OK();
  }

  arrow::Status GetSchema(const ServerCallContext& context, const FlightDescriptor& descriptor,
                          std::unique_ptr<arrow::flight::SchemaResult>* schema) override {
    const auto call = Call::Begin(context, environment_);
    if (!call) return NotBegun(call.error());
    const auto found = InfoOf(**call, descriptor);
    if (!found) return (*call)->Failed(found.error());
    *schema = std::make_unique<arrow::flight::SchemaResult>(found->serialized_schema());
    return arrow::Status::OK();
  }

  arrow::Status DoAction(const ServerCallContext& /*context*/, const arrow::flight::Action& action,
                         std::unique_ptr<arrow::flight::ResultStream>* result) override {
    if (action.type != "health") {
      return StatusOf(Error{.code = ErrorCode::kUnsupported,
                            .message = fmt::format("there is no action '{}'; there is health", action.type),
                            .context = {}});
    }
    const auto store = environment_.services.stores->Get({});
    if (!store) return StatusOf(store.error());
    if (const auto revision = (*store)->Revision(0); !revision) return StatusOf(revision.error());
    const std::string said = fmt::format(R"({{"status": "ready", "version": "{}"}})", kVersion);
    *result = std::make_unique<arrow::flight::SimpleResultStream>(
        std::vector<arrow::flight::Result>{arrow::flight::Result(arrow::Buffer::FromString(said))});
    return arrow::Status::OK();
  }

  arrow::Status ListActions(const ServerCallContext& /*context*/,
                            std::vector<arrow::flight::ActionType>* actions) override {
    *actions = {{"health", "Whether the server can read its store; needs no key"}};
    return arrow::Status::OK();
  }

 private:
  static arrow::Result<Answer> Exchange(const Call& call, arrow::flight::FlightMessageReader& reader) {
    auto command = Command::Parse(reader.descriptor());
    if (!command) return call.Failed(command.error());
    if (command->is_feast()) {
      auto answer = FeastExchange(call, *command, reader);
      if (!answer) return call.Failed(answer.error());
      return *std::move(answer);
    }
    auto answer = ExchangeRows(call, *command, reader);
    if (!answer) return call.Failed(answer.error());
    return *std::move(answer);
  }

  /// The report; empty for Feast's clients, who ask for none.
  static arrow::Result<std::string> Put(const Call& call, arrow::flight::FlightMessageReader& reader) {
    auto command = Command::Parse(reader.descriptor());
    if (!command) return call.Failed(command.error());
    if (command->is_feast()) {
      const auto done = FeastPut(call, *command, reader);
      if (!done) return call.Failed(done.error());
      return std::string{};
    }
    auto report = PutRows(call, *command, reader);
    if (!report) return call.Failed(report.error());
    return *std::move(report);
  }

  Environment environment_;
};

Result<std::string> TextOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || text.empty())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("cannot read the PEM file {}", file.string()));
  return text;
}

Result<arrow::flight::FlightServerOptions> OptionsOf(const FlightSettings& settings) {
  const bool is_tls = !settings.tls.certificate.empty();
  // An IPv6 address stands in brackets in a location.
  const std::string host =
      settings.host.find(':') == std::string::npos ? settings.host : fmt::format("[{}]", settings.host);
  const auto location = is_tls ? arrow::flight::Location::ForGrpcTls(host, settings.port)
                               : arrow::flight::Location::ForGrpcTcp(host, settings.port);
  if (!location.ok()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no address to listen on: {}", settings.host,
                                                         location.status().message()));
  }
  arrow::flight::FlightServerOptions options(*location);
  options.verify_client = false;
  if (!is_tls) return options;
  TM_ASSIGN(std::string certificate, TextOf(settings.tls.certificate));
  TM_ASSIGN(std::string key, TextOf(settings.tls.key));
  options.tls_certificates.push_back({.pem_cert = std::move(certificate), .pem_key = std::move(key)});
  if (!settings.tls.client_ca.empty()) {
    TM_ASSIGN(options.root_certificates, TextOf(settings.tls.client_ca));
    options.verify_client = true;
  }
  return options;
}

class Running final : public FlightServer {
 public:
  Running(const FlightSettings& settings, Services& services, std::shared_ptr<const http::Authenticator> keys)
      : drain_time_max_(settings.limits.drain_time_max),
        keys_(std::move(keys)),
        watch_(settings.calls_max),
        methods_({.services = services,
                  .authenticator = *keys_,
                  .watch = watch_,
                  .uploads = {.bytes_max = static_cast<std::int64_t>(settings.limits.stream_bytes_max),
                              .in_memory_max = static_cast<std::int64_t>(settings.limits.memory_bytes_max) /
                                               kInMemoryPart}}) {}
  ~Running() override { Stop(); }

  Result<void> Start(const FlightSettings& settings) {
    TM_ASSIGN(const auto options, OptionsOf(settings));
    if (const arrow::Status started = methods_.Init(options); !started.ok()) {
      return Fail(
          ErrorCode::kAlreadyExists,
          fmt::format("cannot serve Flight on {}:{}: {} (is the port taken, or a certificate not one?)",
                      settings.host, settings.port, started.message()));
    }
    serves_ = true;
    return {};
  }

  std::uint16_t port() const override { return static_cast<std::uint16_t>(methods_.port()); }

  bool Stop() override {
    if (!std::exchange(serves_, false)) return true;
    const auto deadline = std::chrono::system_clock::now() + drain_time_max_;
    // What is still there at the deadline is cancelled, which `watch_` sees, and returns soon after.
    const arrow::Status stopped = methods_.Shutdown(&deadline);
    return stopped.ok() && std::chrono::system_clock::now() < deadline;
  }

 private:
  const std::chrono::milliseconds drain_time_max_;
  const std::shared_ptr<const http::Authenticator> keys_;
  CallWatch watch_;
  Methods methods_;
  bool serves_ = false;
};

}  // namespace
}  // namespace flight

Result<std::unique_ptr<FlightServer>> StartFlight(const FlightSettings& settings, Services& services,
                                                  std::shared_ptr<const http::Authenticator> authenticator) {
  auto server = std::make_unique<flight::Running>(settings, services, std::move(authenticator));
  TM_TRY(server->Start(settings));
  return server;
}

}  // namespace tidemark::server
