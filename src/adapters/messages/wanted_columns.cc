// Names are mapped once, here: decoders look up members of messages only.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "adapters/messages/wanted_columns_internal.h"
#include "model/name.h"
#include "pit/columns.h"

namespace tidemark::messages {
namespace {

using Role = WantedColumn::Role;
using Mapping = std::map<std::string, std::string>;

constexpr std::string_view kDeletionColumn = "is_deleted";

/// What messages call the column that definitions call `name`.
std::string MemberOf(const Mapping& mapping, const std::string& name) {
  for (const auto& [member, mapped] : mapping) {
    if (mapped == name) return member;
  }
  return name;
}

/// The event time's member: `timestamp_field` may be said by either name.
std::string EventMember(const DecoderRequest& request) {
  const std::string& stated = request.rows.timestamp_field;
  if (stated.empty()) return MemberOf(request.rows.field_mapping, request.event_column);
  return request.rows.field_mapping.contains(stated) ? stated : MemberOf(request.rows.field_mapping, stated);
}

std::string MappedName(const Mapping& mapping, const std::string& member) {
  const auto mapped = mapping.find(member);
  return mapped == mapping.end() ? member : mapped->second;
}

Role RoleOf(const DecoderRequest& request, const std::string& name) {
  if (name == request.event_column) return Role::kEventTime;
  if (std::ranges::find(request.join_keys, name) != request.join_keys.end()) return Role::kJoinKey;
  const std::string& created = request.rows.created_timestamp_column;
  if (!created.empty() && (name == created || name == MappedName(request.rows.field_mapping, created)))
    return Role::kCreatedTime;
  return name == kDeletionColumn ? Role::kDeletion : Role::kValue;
}

Result<void> CheckNamed(const DecoderRequest& request) {
  const auto check = [&](std::string_view what, const std::string& name) -> Result<void> {
    if (request.wanted->GetFieldIndex(name) >= 0) return {};
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} {} is not among the columns that are wanted of the messages: {}", what,
                            Quoted(name), fmt::join(request.wanted->field_names(), ", ")));
  };
  for (const std::string& key : request.join_keys)
    TM_TRY(check("join key", key));
  return request.event_column.empty() ? Result<void>() : check("event time", request.event_column);
}

}  // namespace

Result<WantedColumns> WantedColumns::Of(const DecoderRequest& request) {
  TM_TRY(CheckNamed(request));
  WantedColumns wanted;
  arrow::FieldVector fields;
  for (const auto& field : request.wanted->fields()) {
    auto type = FromArrow(*field->type());
    if (!type) return std::unexpected(std::move(type).error().In(fmt::format("column {}", field->name())));
    const Role role = RoleOf(request, field->name());
    const std::string member =
        role == Role::kEventTime ? EventMember(request) : MemberOf(request.rows.field_mapping, field->name());
    wanted.join_keys_ += role == Role::kJoinKey ? 1 : 0;
    fields.push_back(arrow::field(field->name(), ToArrow(*type)));
    const std::size_t number = wanted.columns_.size();
    const std::size_t found = wanted.Find(member);
    if (found == kNotWanted) {
      wanted.members_.push_back({.name = member, .columns = {number}});
    } else {
      wanted.members_[found].columns.push_back(number);
    }
    wanted.columns_.push_back(
        {.name = field->name(), .type = *std::move(type), .role = role, .member = member});
  }
  wanted.schema_ = arrow::schema(std::move(fields));
  return wanted;
}

std::size_t WantedColumns::Find(std::string_view member) const {
  const auto found = std::ranges::find(members_, member, &WantedMember::name);
  return found == members_.end() ? kNotWanted : static_cast<std::size_t>(found - members_.begin());
}

}  // namespace tidemark::messages
