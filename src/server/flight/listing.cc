// Views and commands as FlightInfo.
#include "server/flight/listing.h"

#include <arrow/type.h>

#include <utility>

#include "server/flight/command_internal.h"
#include "server/flight/own_calls.h"
#include "server/flight/status.h"

namespace tidemark::server::flight {
namespace {

using arrow::flight::FlightDescriptor;
using arrow::flight::FlightEndpoint;
using arrow::flight::FlightInfo;

Result<FlightInfo> Info(const arrow::Schema& schema, const FlightDescriptor& descriptor,
                        const Command& command) {
  FlightEndpoint endpoint;
  endpoint.ticket.ticket = command.TicketText();
  return FromArrow(
      FlightInfo::Make(schema, descriptor, {endpoint}, /*total_records=*/-1, /*total_bytes=*/-1));
}

}  // namespace

Result<std::vector<FlightInfo>> ListViews(const Call& call, std::string_view project) {
  TM_ASSIGN(const auto store, call.Open(project, http::Scope::kRead));
  TM_ASSIGN(const auto definitions, call.DefinitionsOf(*store));
  std::vector<FlightInfo> views;
  for (const FeatureView& view : definitions->all().views) {
    const auto descriptor =
        FlightDescriptor::Path({view.is_table() ? "read" : "latest", store->project(), view.name});
    TM_ASSIGN(const Command command, Command::Parse(descriptor));
    TM_ASSIGN(FlightInfo info, Info(*arrow::schema({}), descriptor, command));
    views.push_back(std::move(info));
  }
  return views;
}

Result<FlightInfo> InfoOf(const Call& call, const FlightDescriptor& descriptor) {
  TM_ASSIGN(Command command, Command::Parse(descriptor));
  if (command.is_feast())
    return Fail(ErrorCode::kUnsupported, "send this by DoExchange, as current clients of Feast do");
  TM_ASSIGN(const Answer answer, GetRows(call, command));
  return Info(*answer.rows->schema(), descriptor, command);
}

}  // namespace tidemark::server::flight
