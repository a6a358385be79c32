// Types are brought together once for a schema; what is left for a row is the branch that a union has taken.
#include "adapters/messages/avro_row_internal.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "model/name.h"

namespace tidemark::messages {
namespace {

constexpr std::size_t kNotWanted = WantedColumns::kNotWanted;

std::string_view AvroKindName(AvroKind kind) {
  constexpr std::string_view kNames[] = {"null",   "boolean", "int",  "long",   "float", "double", "bytes",
                                         "string", "fixed",   "enum", "record", "array", "map",    "union"};
  return kNames[static_cast<std::size_t>(kind)];
}

/// True if some values of the type fit, its children left aside.
bool MayFit(const AvroType& type, const DataType& wanted) {
  const TypeKind kind = wanted.kind;
  const bool is_number = kind == TypeKind::kInt32 || kind == TypeKind::kInt64 || kind == TypeKind::kFloat32 ||
                         kind == TypeKind::kFloat64;
  switch (type.kind) {
    case AvroKind::kNull:
    case AvroKind::kUnion:
      return true;
    case AvroKind::kBoolean:
      return kind == TypeKind::kBool;
    case AvroKind::kInt:
    case AvroKind::kLong:
      if (type.logical == AvroLogical::kDate) return is_number || kind == TypeKind::kDate;
      if (type.logical != AvroLogical::kNone) return is_number || kind == TypeKind::kTimestamp;
      return is_number || kind == TypeKind::kTimestamp || kind == TypeKind::kDecimal;
    case AvroKind::kFloat:
    case AvroKind::kDouble:
      return is_number;
    case AvroKind::kBytes:
    case AvroKind::kFixed:
      return kind == (type.logical == AvroLogical::kDecimal ? TypeKind::kDecimal : TypeKind::kBinary);
    case AvroKind::kString:
      return kind == TypeKind::kString || kind == TypeKind::kTimestamp || kind == TypeKind::kDate ||
             kind == TypeKind::kDecimal;
    case AvroKind::kEnum:
      return kind == TypeKind::kString;
    case AvroKind::kRecord:
      return kind == TypeKind::kStruct;
    case AvroKind::kArray:
      return kind == TypeKind::kList;
    case AvroKind::kMap:
      return kind == TypeKind::kMap && wanted.children.at(0).type.kind == TypeKind::kString;
  }
  return false;
}

std::unexpected<Error> FieldTwice(const std::string& name) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("the schema has two fields {} in one record", Quoted(name)));
}

Result<AvroValuePlan> PlanOf(const AvroType& type, const DataType& wanted);

Result<void> PlanUnion(const AvroType& type, const DataType& wanted, AvroValuePlan& plan) {
  bool may_fit = false;
  for (const auto& branch : type.branches) {
    auto child = PlanOf(*branch, wanted);
    may_fit = may_fit || (child && branch->kind != AvroKind::kNull);
    // A branch that does not fit is an error only of the values that take it.
    plan.children.push_back(child ? *std::move(child) : AvroValuePlan{.type = branch.get(), .fits = false});
  }
  if (may_fit) return {};
  return Fail(ErrorCode::kTypeMismatch,
              fmt::format("no branch of the schema's union fits {}", wanted.ToString()));
}

Result<void> PlanRecord(const AvroType& type, const DataType& wanted, AvroValuePlan& plan) {
  for (const AvroField& field : type.fields) {
    const auto member = std::ranges::find(wanted.children, field.name, &NamedType::name);
    if (member == wanted.children.end()) {
      plan.members.push_back(kNotWanted);
      plan.children.push_back({.type = field.type.get()});
      continue;
    }
    auto child = PlanOf(*field.type, member->type);
    if (!child) return std::unexpected(std::move(child).error().In(fmt::format("member {}", field.name)));
    const auto number = static_cast<std::size_t>(member - wanted.children.begin());
    if (std::ranges::find(plan.members, number) != plan.members.end()) return FieldTwice(field.name);
    plan.members.push_back(number);
    plan.children.push_back(*std::move(child));
  }
  for (std::size_t i = 0; i < wanted.children.size(); ++i) {
    if (std::ranges::find(plan.members, i) == plan.members.end()) plan.absent.push_back(i);
  }
  return {};
}

Result<AvroValuePlan> PlanOf(const AvroType& type, const DataType& wanted) {
  AvroValuePlan plan{.type = &type};
  if (!MayFit(type, wanted)) {
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("the schema has {}, which is no {}", AvroKindName(type.kind), wanted.ToString()));
  }
  if (type.kind == AvroKind::kUnion) TM_TRY(PlanUnion(type, wanted, plan));
  if (type.kind == AvroKind::kRecord) TM_TRY(PlanRecord(type, wanted, plan));
  if (type.kind == AvroKind::kArray || type.kind == AvroKind::kMap) {
    const std::size_t child = type.kind == AvroKind::kArray ? 0 : 1;
    TM_ASSIGN(auto item, PlanOf(*type.branches.front(), wanted.children.at(child).type));
    plan.children.push_back(std::move(item));
  }
  return plan;
}

/// Reads values of one row; what does not fit is kept as it is shown.
class AvroValues {
 public:
  explicit AvroValues(AvroDecoder& in) : in_(in) {}

  /// False: the value does not fit. An error: the bytes are no such value.
  Result<bool> Read(const AvroValuePlan& plan, ValueSink& sink) {
    if (!plan.fits) return Fits(false, AvroKindName(plan.type->kind));
    switch (plan.type->kind) {
      case AvroKind::kNull:
        return sink.PutNull();
      case AvroKind::kBoolean: {
        TM_ASSIGN(const bool value, in_.Boolean());
        return Fits(sink.PutBool(value), value ? "true" : "false");
      }
      case AvroKind::kInt: {
        TM_ASSIGN(const std::int64_t value, in_.Int32());
        return PutInteger(value, plan.type->logical, sink);
      }
      case AvroKind::kLong: {
        TM_ASSIGN(const std::int64_t value, in_.Int());
        return PutInteger(value, plan.type->logical, sink);
      }
      case AvroKind::kFloat:
        return PutFloat<float>(sink);
      case AvroKind::kDouble:
        return PutFloat<double>(sink);
      case AvroKind::kBytes: {
        TM_ASSIGN(const auto bytes, in_.Bytes());
        return PutBytes(*plan.type, bytes, sink);
      }
      case AvroKind::kFixed: {
        TM_ASSIGN(const auto bytes, in_.Fixed(plan.type->size));
        return PutBytes(*plan.type, bytes, sink);
      }
      case AvroKind::kString: {
        TM_ASSIGN(const auto text, in_.Bytes());
        return PutText(text, sink);
      }
      case AvroKind::kEnum:
        return PutSymbol(*plan.type, sink);
      default:
        return ReadNested(plan, sink);
    }
  }

  const std::string& shown() const { return shown_; }

 private:
  Result<bool> ReadNested(const AvroValuePlan& plan, ValueSink& sink) {
    switch (plan.type->kind) {
      case AvroKind::kRecord:
        return ReadRecord(plan, sink);
      case AvroKind::kArray:
        return ReadItems(plan, sink, false);
      case AvroKind::kMap:
        return ReadItems(plan, sink, true);
      default:
        break;
    }
    TM_ASSIGN(const std::int64_t branch, in_.Int());
    if (branch < 0 || static_cast<std::size_t>(branch) >= plan.children.size())
      return Fail(ErrorCode::kCorruption, "an Avro union has no such branch");
    return Read(plan.children[static_cast<std::size_t>(branch)], sink);
  }

  bool Fits(bool fits, std::string_view shown) {
    if (!fits) shown_ = shown;
    return fits;
  }

  bool PutInteger(std::int64_t value, AvroLogical logical, ValueSink& sink) {
    bool fits = false;
    std::int64_t us = value;
    if (logical == AvroLogical::kDate) fits = sink.PutDays(static_cast<std::int32_t>(value));
    if (logical == AvroLogical::kTimestampMicros) fits = sink.PutMicros(value);
    if (logical == AvroLogical::kTimestampMillis)
      fits = !__builtin_mul_overflow(value, std::int64_t{1'000}, &us) && sink.PutMicros(us);
    if (logical == AvroLogical::kTimestampNanos)
      fits = sink.PutMicros(value / 1'000 - (value % 1'000 < 0 ? 1 : 0));
    // As it was written, where a number is wanted.
    return fits || sink.PutInt(value) || Fits(false, std::to_string(value));
  }

  template <typename Float>
  Result<bool> PutFloat(ValueSink& sink) {
    TM_ASSIGN(const auto bytes, in_.Fixed(sizeof(Float)));
    Float value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    if (sink.PutFloat(static_cast<double>(value))) return true;
    return Fits(false, fmt::format("{}", value));
  }

  bool PutBytes(const AvroType& type, std::string_view bytes, ValueSink& sink) {
    if (type.logical == AvroLogical::kDecimal) return Fits(sink.PutDecimal(bytes, type.scale), "a decimal");
    return Fits(sink.PutBytes(bytes), "bytes");
  }

  bool PutText(std::string_view text, ValueSink& sink) {
    if (!simdjson::validate_utf8(text.data(), text.size())) return Fits(false, "text that is no UTF-8");
    return sink.PutText(text) || Fits(false, Quoted(text));
  }

  Result<bool> PutSymbol(const AvroType& type, ValueSink& sink) {
    TM_ASSIGN(const std::int64_t number, in_.Int());
    if (number < 0 || static_cast<std::size_t>(number) >= type.symbols.size())
      return Fail(ErrorCode::kCorruption, "an Avro enum has no such symbol");
    return PutText(type.symbols[static_cast<std::size_t>(number)], sink);
  }

  Result<bool> ReadRecord(const AvroValuePlan& plan, ValueSink& sink) {
    if (!sink.Begin()) return Fits(false, "a record");
    for (std::size_t i = 0; i < plan.children.size(); ++i) {
      if (plan.members[i] == kNotWanted) {
        TM_TRY(in_.Skip(*plan.children[i].type));
        continue;
      }
      TM_ASSIGN(const bool fits, Read(plan.children[i], *sink.child(plan.members[i])));
      if (!fits) return false;
    }
    return std::ranges::all_of(plan.absent, [&](std::size_t i) { return sink.child(i)->PutNull(); });
  }

  Result<bool> ReadItems(const AvroValuePlan& plan, ValueSink& sink, bool is_map) {
    if (!sink.Begin()) return Fits(false, is_map ? "a map" : "an array");
    bool all_fit = true;
    const auto read = in_.Array([&]() -> Result<void> {
      if (is_map) {
        TM_ASSIGN(const auto key, in_.Bytes());
        all_fit = PutText(key, *sink.child(0));
      }
      if (all_fit) {
        TM_ASSIGN(all_fit, Read(plan.children.front(), *sink.child(is_map ? 1 : 0)));
      }
      if (all_fit) return {};
      return Fail(ErrorCode::kTypeMismatch, "the rest is not looked at");
    });
    if (all_fit && !read) return std::unexpected(read.error());
    return all_fit;
  }

  AvroDecoder& in_;
  std::string shown_;
};

}  // namespace

Result<AvroRow> AvroRow::Of(std::shared_ptr<const AvroType> schema, const WantedColumns& wanted) {
  if (schema->kind != AvroKind::kRecord) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the schema is of {}, where messages are records", AvroKindName(schema->kind)));
  }
  AvroRow row;
  row.schema_ = std::move(schema);
  std::vector<bool> is_there(wanted.columns().size());
  for (const AvroField& field : row.schema_->fields) {
    FieldPlan& plan = row.fields_.emplace_back(FieldPlan{.field = &field, .columns = {}});
    const std::size_t member = wanted.Find(field.name);
    if (member == kNotWanted) continue;
    for (const std::size_t number : wanted.members()[member].columns) {
      if (is_there[number]) return FieldTwice(field.name);
      auto value = PlanOf(*field.type, wanted.columns()[number].type);
      if (!value) {
        return std::unexpected(
            std::move(value).error().In(fmt::format("column {}", wanted.columns()[number].name)));
      }
      plan.columns.emplace_back(number, *std::move(value));
      is_there[number] = true;
    }
  }
  for (std::size_t i = 0; i < is_there.size(); ++i) {
    if (!is_there[i]) row.missing_.push_back(i);
  }
  return row;
}

bool AvroRow::IsWhole(std::string_view bytes) const {
  AvroDecoder in(bytes);
  return in.Skip(*schema_) && in.rest().empty();
}

bool AvroRow::Read(std::string_view bytes, MessageColumns& columns, std::string& why) const {
  AvroDecoder in(bytes);
  AvroValues values(in);
  for (const FieldPlan& plan : fields_) {
    const AvroDecoder begin = in;
    for (const auto& [number, value] : plan.columns) {
      in = begin;
      JsonColumn& column = columns.at(number);
      const auto fits = values.Read(value, column.sink());
      if (!column.EndValue(fits.value_or(false), values.shown(), why)) {
        if (!fits) why = fmt::format("no Avro of the schema: {} {}", plan.field->name, fits.error().message);
        return false;
      }
    }
    if (!plan.columns.empty()) continue;
    if (const auto skipped = in.Skip(*plan.field->type); !skipped) {
      why = fmt::format("no Avro of the schema: {} {}", plan.field->name, skipped.error().message);
      return false;
    }
  }
  if (in.rest().empty()) return true;
  why = fmt::format("no Avro of the schema: {} bytes are left behind the last field", in.rest().size());
  return false;
}

}  // namespace tidemark::messages
