// What a client asks for: a descriptor or ticket, read.
//
//   command   {"tidemark": 1, "call": "historical", "project": "default", ..options..}
//   path      ["historical", "default", "order_model"]: call, project, and what the call is about
//   command   {"api": "get_historical_features", ..}: of Feast's client
//
// A ticket is the text of a command.
#pragma once

#include <arrow/flight/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tidemark/tables.h"

namespace tidemark::server::flight {

/// Options by name. Each is asked for once; what nobody has asked for is an error in the end, so that no
/// word of a client is passed over in silence. Errors: kInvalidArgument that names the option.
class Command {
 public:
  static Result<Command> Parse(const arrow::flight::FlightDescriptor& descriptor);
  static Result<Command> Parse(std::string_view text);
  /// The members of the option `name`, an object, read in the same way.
  static Command OfOptions(std::string_view name, const tidemark::Json& members);

  bool is_feast() const { return is_feast_; }
  const std::string& call() const { return call_; }  // of Feast's form, its "api"
  const std::string& project() const { return project_; }

  /// The same command as the text of a ticket.
  std::string TicketText() const;

  bool Has(std::string_view name) const;
  /// The option as text; without a default it must be there, and not be empty.
  Result<std::string> Text(std::string_view name);
  Result<std::string> Text(std::string_view name, std::string_view otherwise);
  Result<bool> Flag(std::string_view name);  // false if it is not there
  Result<std::optional<std::int64_t>> Integer(std::string_view name);
  /// ISO-8601 text, or microseconds since 1970.
  Result<std::optional<std::int64_t>> Time(std::string_view name);
  Result<std::vector<std::string>> Texts(std::string_view name);
  /// Null: it is not there.
  const tidemark::Json* Value(std::string_view name);
  /// As Value, taken as JSON text; empty: it is not there.
  std::string Json(std::string_view name);

  /// The options of reads from tables: as_of, snapshot_id, at_least.
  Result<TableReadOptions> Reading();
  /// Those of writes: to, dry_run, skip_bad_rows, ignore_other_columns, idempotency_key.
  Result<IngestOptions> Writing();

  /// kInvalidArgument that names an option which nobody asked for.
  Result<void> NothingElse() const;

 private:
  explicit Command(tidemark::Json members) : members_(std::move(members)) {}
  static Result<Command> OfPath(const std::vector<std::string>& path);

  tidemark::Json members_;  // an object
  std::set<std::string, std::less<>> known_;
  std::string call_;
  std::string project_;
  bool is_feast_ = false;
};

}  // namespace tidemark::server::flight
