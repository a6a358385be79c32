// By reflection: fields and types are brought together once, values are asked of the parsed message.
#include "adapters/messages/protobuf_row_internal.h"

#include <fmt/format.h>
#include <google/protobuf/wire_format_lite.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "model/name.h"
#include "rows/value_sink.h"

namespace tidemark::messages {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;
using Form = ProtobufPlan::Form;
using Zigzag = pb::internal::WireFormatLite;

/// True if some values of a field that is no message fit.
bool MayFitScalar(const Field& field, TypeKind kind) {
  const bool is_number = kind == TypeKind::kInt32 || kind == TypeKind::kInt64 || kind == TypeKind::kFloat32 ||
                         kind == TypeKind::kFloat64;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return kind == TypeKind::kBool;
    case Field::CPPTYPE_INT32:
    case Field::CPPTYPE_INT64:
    case Field::CPPTYPE_UINT32:
    case Field::CPPTYPE_UINT64:
      return is_number || kind == TypeKind::kTimestamp || kind == TypeKind::kDecimal;
    case Field::CPPTYPE_FLOAT:
    case Field::CPPTYPE_DOUBLE:
      return is_number;
    case Field::CPPTYPE_ENUM:
      return kind == TypeKind::kString || kind == TypeKind::kInt32 || kind == TypeKind::kInt64;
    case Field::CPPTYPE_STRING:
      if (field.type() == Field::TYPE_BYTES) return kind == TypeKind::kBinary;
      return kind == TypeKind::kString || kind == TypeKind::kTimestamp || kind == TypeKind::kDate ||
             kind == TypeKind::kDecimal;
    case Field::CPPTYPE_MESSAGE:
      return false;
  }
  return false;
}

bool IsWrapper(const pb::Descriptor& type) {
  return type.full_name().starts_with("google.protobuf.") && type.full_name().ends_with("Value") &&
         type.field_count() == 1 && type.field(0)->name() == "value";
}

std::unexpected<Error> NeverFits(const Field& field, const DataType& wanted) {
  const bool is_message = field.cpp_type() == Field::CPPTYPE_MESSAGE;
  return Fail(
      ErrorCode::kTypeMismatch,
      fmt::format("field {} is {}{}, which is no {}", Quoted(field.full_name()),
                  field.is_map()        ? "a map of "
                  : field.is_repeated() ? "repeated "
                                        : "",
                  is_message ? field.message_type()->full_name() : field.type_name(), wanted.ToString()));
}

Result<ProtobufPlan> ProtobufPlanOf(const Field& field, const DataType& wanted);

/// The plan of one value of a field, repeated or not.
Result<ProtobufPlan> PlanOfItem(const Field& field, const DataType& wanted) {
  ProtobufPlan plan{.field = &field};
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) {
    if (!MayFitScalar(field, wanted.kind)) return NeverFits(field, wanted);
    return plan;
  }
  const pb::Descriptor& type = *field.message_type();
  if (wanted.kind == TypeKind::kStruct) {
    plan.form = Form::kStruct;
    for (const NamedType& member : wanted.children) {
      const Field* const inner = type.FindFieldByName(member.name);
      if (inner == nullptr) {
        plan.children.push_back({});
        continue;
      }
      TM_ASSIGN(auto child, ProtobufPlanOf(*inner, member.type));
      plan.children.push_back(std::move(child));
    }
    return plan;
  }
  if (type.full_name() == "google.protobuf.Timestamp" && wanted.kind == TypeKind::kTimestamp) {
    plan.form = Form::kTimestamp;
    plan.children = {{.field = type.FindFieldByNumber(1)}, {.field = type.FindFieldByNumber(2)}};
    return plan;
  }
  if (!IsWrapper(type)) return NeverFits(field, wanted);
  plan.form = Form::kWrapper;
  TM_ASSIGN(auto value, PlanOfItem(*type.field(0), wanted));
  plan.children.push_back(std::move(value));
  return plan;
}

Result<ProtobufPlan> ProtobufPlanOf(const Field& field, const DataType& wanted) {
  if (!field.is_repeated()) return PlanOfItem(field, wanted);
  if (field.is_map()) {
    if (wanted.kind != TypeKind::kMap) return NeverFits(field, wanted);
    ProtobufPlan plan{.field = &field};
    TM_ASSIGN(auto key, PlanOfItem(*field.message_type()->map_key(), wanted.children.at(0).type));
    TM_ASSIGN(auto value, PlanOfItem(*field.message_type()->map_value(), wanted.children.at(1).type));
    plan.children.push_back(std::move(key));
    plan.children.push_back(std::move(value));
    return plan;
  }
  if (wanted.kind != TypeKind::kList) return NeverFits(field, wanted);
  return PlanOfItem(field, wanted.children.at(0).type);
}

/// Puts values; what does not fit is kept as it is shown.
class ProtobufValues {
 public:
  /// The value of a field, which may be missing or repeated.
  bool Put(const pb::Message& message, const ProtobufPlan& plan, ValueSink& sink) {
    if (plan.field == nullptr) return sink.PutNull();
    const pb::Reflection& fields = *message.GetReflection();
    if (plan.field->is_repeated()) return PutRepeated(message, fields, plan, sink);
    if (plan.field->has_presence() && !fields.HasField(message, plan.field)) return sink.PutNull();
    if (plan.field->cpp_type() == Field::CPPTYPE_MESSAGE)
      return PutMessage(fields.GetMessage(message, plan.field), plan, sink);
    return PutScalar(message, fields, *plan.field, sink);
  }

  /// The value of a field that is neither repeated nor a message of its own, but for Timestamps.
  bool Put(const ProtobufWire& message, const ProtobufPlan& plan, ValueSink& sink) {
    const ProtobufWire::Slot& slot = message.at(plan.field->number());
    if (slot.has_presence && !slot.is_set) return sink.PutNull();
    const std::uint64_t number = slot.number;
    switch (slot.type) {
      case Field::TYPE_BOOL:
        return sink.PutBool(number != 0) || Misfit("a bool");
      case Field::TYPE_INT64:
      case Field::TYPE_SFIXED64:
        return PutInt(static_cast<std::int64_t>(number), sink);
      case Field::TYPE_SINT64:
        return PutInt(Zigzag::ZigZagDecode64(number), sink);
      case Field::TYPE_INT32:
      case Field::TYPE_SFIXED32:
        return PutInt(std::int64_t{static_cast<std::int32_t>(number)}, sink);
      case Field::TYPE_SINT32:
        return PutInt(std::int64_t{Zigzag::ZigZagDecode32(static_cast<std::uint32_t>(number))}, sink);
      case Field::TYPE_UINT32:
      case Field::TYPE_FIXED32:
        return PutInt(std::int64_t{static_cast<std::uint32_t>(number)}, sink);
      case Field::TYPE_UINT64:
      case Field::TYPE_FIXED64:
        return PutUint(number, sink);
      case Field::TYPE_FLOAT:
        return PutFloat(static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(number))), sink);
      case Field::TYPE_DOUBLE:
        return PutFloat(std::bit_cast<double>(number), sink);
      case Field::TYPE_ENUM:
        return PutEnum(*plan.field, static_cast<std::int32_t>(number), sink);
      case Field::TYPE_BYTES:
        return sink.PutBytes(slot.text) || Misfit("bytes");
      case Field::TYPE_STRING:
        return sink.PutText(slot.text) || Misfit(Quoted(slot.text));
      default:
        return PutTimestamp(static_cast<std::int64_t>(number), static_cast<std::int32_t>(slot.nanos), sink);
    }
  }

  const std::string& shown() const { return shown_; }

 private:
  bool Misfit(std::string shown) {
    shown_ = std::move(shown);
    return false;
  }

  bool PutRepeated(const pb::Message& message, const pb::Reflection& fields, const ProtobufPlan& plan,
                   ValueSink& sink) {
    if (!sink.Begin()) return Misfit("repeated values");
    const int count = fields.FieldSize(message, plan.field);
    for (int i = 0; i < count; ++i) {
      if (plan.field->is_map()) {
        const pb::Message& entry = fields.GetRepeatedMessage(message, plan.field, i);
        if (!PutEntry(entry, plan, sink)) return false;
      } else if (plan.field->cpp_type() == Field::CPPTYPE_MESSAGE) {
        if (!PutMessage(fields.GetRepeatedMessage(message, plan.field, i), plan, *sink.child(0)))
          return false;
      } else if (!PutItem(message, fields, *plan.field, i, *sink.child(0))) {
        return false;
      }
    }
    return true;
  }

  bool PutEntry(const pb::Message& entry, const ProtobufPlan& plan, ValueSink& sink) {
    const pb::Reflection& fields = *entry.GetReflection();
    const ProtobufPlan& value = plan.children[1];
    if (!PutScalar(entry, fields, *plan.children[0].field, *sink.child(0))) return false;
    if (value.field->cpp_type() == Field::CPPTYPE_MESSAGE)
      return PutMessage(fields.GetMessage(entry, value.field), value, *sink.child(1));
    return PutScalar(entry, fields, *value.field, *sink.child(1));
  }

  bool PutMessage(const pb::Message& message, const ProtobufPlan& plan, ValueSink& sink) {
    const pb::Reflection& fields = *message.GetReflection();
    if (plan.form == Form::kWrapper) return PutScalar(message, fields, *plan.children[0].field, sink);
    if (plan.form == Form::kTimestamp) {
      return PutTimestamp(fields.GetInt64(message, plan.children[0].field),
                          fields.GetInt32(message, plan.children[1].field), sink);
    }
    if (!sink.Begin()) return Misfit("a message");
    for (std::size_t i = 0; i < plan.children.size(); ++i) {
      if (!Put(message, plan.children[i], *sink.child(i))) return false;
    }
    return true;
  }

  bool PutScalar(const pb::Message& message, const pb::Reflection& fields, const Field& field,
                 ValueSink& sink) {
    switch (field.cpp_type()) {
      case Field::CPPTYPE_BOOL:
        return sink.PutBool(fields.GetBool(message, &field)) || Misfit("a bool");
      case Field::CPPTYPE_INT32:
        return PutInt(fields.GetInt32(message, &field), sink);
      case Field::CPPTYPE_INT64:
        return PutInt(fields.GetInt64(message, &field), sink);
      case Field::CPPTYPE_UINT32:
        return PutInt(std::int64_t{fields.GetUInt32(message, &field)}, sink);
      case Field::CPPTYPE_UINT64:
        return PutUint(fields.GetUInt64(message, &field), sink);
      case Field::CPPTYPE_FLOAT:
        return PutFloat(static_cast<double>(fields.GetFloat(message, &field)), sink);
      case Field::CPPTYPE_DOUBLE:
        return PutFloat(fields.GetDouble(message, &field), sink);
      case Field::CPPTYPE_ENUM:
        return PutEnum(field, fields.GetEnumValue(message, &field), sink);
      case Field::CPPTYPE_STRING:
        return PutText(field, fields.GetStringReference(message, &field, &scratch_), sink);
      case Field::CPPTYPE_MESSAGE:
        break;
    }
    return Misfit("a message");
  }

  bool PutItem(const pb::Message& message, const pb::Reflection& fields, const Field& field, int i,
               ValueSink& sink) {
    switch (field.cpp_type()) {
      case Field::CPPTYPE_BOOL:
        return sink.PutBool(fields.GetRepeatedBool(message, &field, i)) || Misfit("a bool");
      case Field::CPPTYPE_INT32:
        return PutInt(fields.GetRepeatedInt32(message, &field, i), sink);
      case Field::CPPTYPE_INT64:
        return PutInt(fields.GetRepeatedInt64(message, &field, i), sink);
      case Field::CPPTYPE_UINT32:
        return PutInt(std::int64_t{fields.GetRepeatedUInt32(message, &field, i)}, sink);
      case Field::CPPTYPE_UINT64:
        return PutUint(fields.GetRepeatedUInt64(message, &field, i), sink);
      case Field::CPPTYPE_FLOAT:
        return PutFloat(static_cast<double>(fields.GetRepeatedFloat(message, &field, i)), sink);
      case Field::CPPTYPE_DOUBLE:
        return PutFloat(fields.GetRepeatedDouble(message, &field, i), sink);
      case Field::CPPTYPE_ENUM:
        return PutEnum(field, fields.GetRepeatedEnumValue(message, &field, i), sink);
      case Field::CPPTYPE_STRING:
        return PutText(field, fields.GetRepeatedStringReference(message, &field, i, &scratch_), sink);
      case Field::CPPTYPE_MESSAGE:
        break;
    }
    return Misfit("a message");
  }

  bool PutTimestamp(std::int64_t seconds, std::int32_t nanos, ValueSink& sink) {
    constexpr std::int64_t kUsPerSecond = 1'000'000;
    std::int64_t us = 0;
    const bool is_time = nanos >= 0 && nanos < 1'000'000'000 &&
                         !__builtin_mul_overflow(seconds, kUsPerSecond, &us) &&
                         !__builtin_add_overflow(us, std::int64_t{nanos} / 1'000, &us);
    return (is_time && sink.PutMicros(us)) || Misfit(fmt::format("{} s and {} ns", seconds, nanos));
  }
  bool PutInt(std::int64_t value, ValueSink& sink) {
    return sink.PutInt(value) || Misfit(std::to_string(value));
  }
  bool PutUint(std::uint64_t value, ValueSink& sink) {
    const bool fits = std::in_range<std::int64_t>(value) && sink.PutInt(static_cast<std::int64_t>(value));
    return fits || Misfit(std::to_string(value));
  }
  bool PutFloat(double value, ValueSink& sink) {
    return sink.PutFloat(value) || Misfit(fmt::format("{}", value));
  }
  bool PutEnum(const Field& field, int number, ValueSink& sink) {
    if (sink.PutInt(number)) return true;
    const pb::EnumValueDescriptor* const value = field.enum_type()->FindValueByNumber(number);
    return (value != nullptr && sink.PutText(value->name())) ||
           Misfit(fmt::format("{}, which has no name in {},", number, field.enum_type()->full_name()));
  }
  bool PutText(const Field& field, const std::string& text, ValueSink& sink) {
    if (field.type() == Field::TYPE_BYTES) return sink.PutBytes(text) || Misfit("bytes");
    if (!simdjson::validate_utf8(text)) return Misfit("text that is no UTF-8");
    return sink.PutText(text) || Misfit(Quoted(text));
  }

  std::string scratch_;
  std::string shown_;
};

}  // namespace

Result<ProtobufRow> ProtobufRow::Of(const pb::Descriptor& type, const WantedColumns& wanted) {
  ProtobufRow row;
  for (std::size_t i = 0; i < wanted.columns().size(); ++i) {
    const WantedColumn& column = wanted.columns()[i];
    const Field* const field = type.FindFieldByName(column.member);
    if (field == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("column '{}' is read of {}, which is no field of the message {}", column.name,
                              Quoted(column.member), type.full_name()));
    }
    auto plan = ProtobufPlanOf(*field, column.type);
    if (!plan) return std::unexpected(std::move(plan).error().In(fmt::format("column {}", column.name)));
    row.columns_.emplace_back(i, *std::move(plan));
  }
  return row;
}

bool ProtobufRow::is_flat() const {
  return std::ranges::all_of(columns_, [](const auto& column) {
    const ProtobufPlan& plan = column.second;
    return plan.form == Form::kTimestamp || plan.field->cpp_type() != Field::CPPTYPE_MESSAGE;
  });
}

template <typename Read>
bool ProtobufRow::PutAll(const Read& message, MessageColumns& columns, std::string& why) const {
  ProtobufValues values;
  for (const auto& [number, plan] : columns_) {
    JsonColumn& column = columns.at(number);
    const bool fits = values.Put(message, plan, column.sink());
    if (!column.EndValue(fits, values.shown(), why)) return false;
  }
  return true;
}

bool ProtobufRow::Put(const pb::Message& message, MessageColumns& columns, std::string& why) const {
  return PutAll(message, columns, why);
}

bool ProtobufRow::Put(const ProtobufWire& message, MessageColumns& columns, std::string& why) const {
  return PutAll(message, columns, why);
}

}  // namespace tidemark::messages
