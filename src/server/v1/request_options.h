// What a request says about what it wants: members of a JSON object, or parameters of the query.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/http/message.h"
#include "tidemark/tables.h"

namespace tidemark::server {

/// Asked by name; the first thing that is wrong is remembered and told by End, with all that was never asked
/// for, so that a misspelt option is an error.
class RequestOptions {
 public:
  /// Of the query of a request.
  explicit RequestOptions(const http::Request& request);
  /// Of a JSON object, which must outlive this. `what` it is in messages: "the request".
  RequestOptions(simdjson::dom::element object, std::string_view what);

  std::string Text(std::string_view name);        // empty if it is not there
  std::string NeededText(std::string_view name);  // not empty
  bool Flag(std::string_view name, bool otherwise);
  std::optional<std::int64_t> Integer(std::string_view name);
  std::optional<std::int64_t> Time(std::string_view name);  // ISO-8601, or an integer of microseconds
  std::vector<std::string> Texts(std::string_view name);    // of the query: every parameter of that name
  /// A member of JSON as it is; not for a query.
  std::optional<simdjson::dom::element> Element(std::string_view name);
  /// as_of, snapshot_id, at_least.
  TableReadOptions Reading();

  /// kInvalidArgument, naming the option.
  Result<void> End();

 private:
  std::optional<simdjson::dom::element> Member(std::string_view name);
  std::optional<std::string> Parameter(std::string_view name);
  void Wrong(std::string_view name, std::string_view wanted);

  const http::Request* request_ = nullptr;
  std::optional<simdjson::dom::object> object_;
  std::string what_;
  std::vector<std::string> asked_;
  std::vector<std::string> repeatable_;  // of those: what may come more than once in a query
  std::optional<Error> error_;
};

}  // namespace tidemark::server
