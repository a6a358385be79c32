// Commands of Arrow Flight, which are descriptors and tickets: read or refused, whatever the bytes; the
// ticket that is made of a command is the same command; an option that nobody asked for is never passed over.
#include <arrow/flight/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "server/flight/command_internal.h"

namespace {

using tidemark::server::flight::Command;

/// Asks for options of every kind; whether nothing else is there.
bool Ask(Command& command) {
  static_cast<void>(command.Text("t"));
  static_cast<void>(command.Text("o", "otherwise"));
  static_cast<void>(command.Flag("b"));
  static_cast<void>(command.Integer("i"));
  static_cast<void>(command.Time("at"));
  static_cast<void>(command.Texts("l"));
  static_cast<void>(command.Json("j"));
  static_cast<void>(command.Reading());
  static_cast<void>(command.Writing());
  static_cast<void>(command.Text("project", ""));
  static_cast<void>(command.Text("tidemark", ""));
  static_cast<void>(command.Text(command.is_feast() ? "api" : "call", ""));
  const auto end = command.NothingElse();
  if (!end) TM_CHECK(!end.error().message.empty(), "what is wrong is said");
  return end.has_value();
}

void ReadCommand(Command command) {
  auto again = Command::Parse(command.TicketText());
  TM_CHECK(again.has_value(), "a ticket can be read");
  TM_CHECK(again->call() == command.call() && again->project() == command.project() &&
               again->is_feast() == command.is_feast(),
           "a ticket asks for the same");
  TM_CHECK(Ask(*again) == Ask(command), "a ticket has the same options");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto command = Command::Parse(text)) ReadCommand(*std::move(command));
  std::vector<std::string> path(1);
  for (const char c : text) {
    if (c == '/') {
      path.emplace_back();
    } else {
      path.back().push_back(c);
    }
  }
  if (auto command = Command::Parse(arrow::flight::FlightDescriptor::Path(std::move(path))))
    ReadCommand(*std::move(command));
  return 0;
}
