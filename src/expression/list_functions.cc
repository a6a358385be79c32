// Functions of lists and structs.
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <fmt/format.h>

#include <algorithm>

#include "expression/binder_internal.h"
#include "model/name.h"

namespace tidemark::expression_internal {
namespace {

// The items of a run's lists, and where those of a row are.
struct Items {
  const arrow::ListArray& lists;
  const arrow::Array& values;

  explicit Items(const Vector& vector)
      : lists(static_cast<const arrow::ListArray&>(*vector.array)), values(*lists.values()) {}

  std::int64_t begin(std::int64_t row) const { return lists.value_offset(row); }
  std::int64_t end(std::int64_t row) const { return lists.value_offset(row) + lists.value_length(row); }
};

template <typename ArrowType>
auto ValuesOf(const Items& items) {
  return static_cast<const arrow::NumericArray<ArrowType>&>(items.values).raw_values();
}

// The one argument that is a list of numbers, by the type of these: `K<ArrowType>::kKernel`.
template <template <typename> typename K>
Kernel ByNumber(const DataType& item) {
  switch (item.kind) {
    case TypeKind::kInt32:
      return K<arrow::Int32Type>::kKernel;
    case TypeKind::kInt64:
      return K<arrow::Int64Type>::kKernel;
    case TypeKind::kFloat32:
      return K<arrow::FloatType>::kKernel;
    case TypeKind::kFloat64:
      return K<arrow::DoubleType>::kKernel;
    default:
      return nullptr;
  }
}

bool IsList(const ValueType& type) {
  return type.is(TypeKind::kList);
}
const DataType& ItemOf(const ValueType& list) {
  return list.type.children.at(0).type;
}

void LengthOfList(Call& call) {
  const Items items(call.args[0]);
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] = items.lists.value_length(row);
}

// Null items do not count; of none there is no sum.
template <typename ArrowType>
void SumOfList(Call& call) {
  constexpr bool kIsFloat = arrow::is_floating_type<ArrowType>::value;
  using Total = std::conditional_t<kIsFloat, double, std::int64_t>;
  const Items items(call.args[0]);
  const auto* values = ValuesOf<ArrowType>(items);
  for (std::int64_t row = 0; row < call.count; ++row) {
    Total total = 0;
    bool any = false;
    for (std::int64_t i = items.begin(row); i < items.end(row) && call.Counts(row); ++i) {
      if (items.values.IsNull(i)) continue;
      any = true;
      if constexpr (kIsFloat) {
        total += static_cast<double>(values[i]);
      } else if (__builtin_add_overflow(total, Total{values[i]}, &total)) {
        return call.Fail(row, "overflow in list_sum of int64; cast the items to double");
      }
    }
    call.out.as<Total>()[row] = total;
    if (!any) call.Validity()[row] = 0;
  }
}

template <typename ArrowType>
void Average(Call& call) {
  const Items items(call.args[0]);
  const auto* values = ValuesOf<ArrowType>(items);
  for (std::int64_t row = 0; row < call.count; ++row) {
    long double total = 0;
    std::int64_t count = 0;
    for (std::int64_t i = items.begin(row); i < items.end(row) && call.Counts(row); ++i) {
      if (items.values.IsNull(i)) continue;
      total += static_cast<long double>(values[i]);
      ++count;
    }
    call.out.as<double>()[row] =
        count > 0 ? static_cast<double>(total / static_cast<long double>(count)) : 0.0;
    if (count == 0) call.Validity()[row] = 0;
  }
}

// Both lists have the same type, float32 or float64.
template <typename ArrowType>
void DotProduct(Call& call) {
  using T = typename ArrowType::c_type;
  const Items left(call.args[0]);
  const Items right(call.args[1]);
  const T* a = ValuesOf<ArrowType>(left);
  const T* b = ValuesOf<ArrowType>(right);
  for (std::int64_t row = 0; row < call.count; ++row) {
    T total = 0;
    call.out.as<T>()[row] = 0;
    if (!call.Counts(row)) continue;
    const std::int64_t length = left.lists.value_length(row);
    if (length != right.lists.value_length(row)) {
      return call.Fail(row, fmt::format("list_dot_product needs lists of one length, not {} and {}", length,
                                        right.lists.value_length(row)));
    }
    for (std::int64_t i = 0; i < length; ++i) {
      if (left.values.IsNull(left.begin(row) + i) || right.values.IsNull(right.begin(row) + i)) {
        return call.Fail(row, "list_dot_product takes no lists with null items");
      }
      total += a[left.begin(row) + i] * b[right.begin(row) + i];
    }
    call.out.as<T>()[row] = total;
  }
}

template <typename T, typename Item>
void FindItem(Call& call, const Items& items, const Item& item) {
  const T* wanted = call.arg<T>(1);
  for (std::int64_t row = 0; row < call.count; ++row) {
    bool found = false;
    for (std::int64_t i = items.begin(row); i < items.end(row) && !found && call.Counts(row); ++i) {
      if (items.values.IsNull(i)) continue;
      const T value = item(i);
      found = value == wanted[row];
      if constexpr (std::is_floating_point_v<T>)
        found = found || (value != value && wanted[row] != wanted[row]);
    }
    call.out.as<std::uint8_t>()[row] = found ? 1 : 0;
  }
}

template <typename ArrowType>
void ContainsNumber(Call& call) {
  const Items items(call.args[0]);
  const auto* values = ValuesOf<ArrowType>(items);
  FindItem<typename ArrowType::c_type>(call, items, [&](std::int64_t i) { return values[i]; });
}

void ContainsText(Call& call) {
  const Items items(call.args[0]);
  const auto& texts = static_cast<const arrow::BinaryArray&>(items.values);
  FindItem<std::string_view>(call, items, [&](std::int64_t i) { return texts.GetView(i); });
}

void ContainsBool(Call& call) {
  const Items items(call.args[0]);
  const auto& bools = static_cast<const arrow::BooleanArray&>(items.values);
  FindItem<std::uint8_t>(call, items, [&](std::int64_t i) { return std::uint8_t{bools.Value(i)}; });
}

// An array that a kernel made, as what the node gives; it is kept until the next run.
void GiveArray(Call& call, arrow::Result<std::shared_ptr<arrow::Array>> made) {
  if (!made.ok()) return call.run.Fail({ErrorCode::kOutOfSpace, made.status().ToString(), {}});
  Slot& slot = call.run.slot(call.node);
  slot.kept = *made;
  call.out.array = slot.kept;
  ReadArray(*slot.kept, 0, call.count, call.node.type.lane(), slot, call.out);
}

// Places count from 1, or from the end as -1, -2, ...; where there is none the answer is null.
arrow::Result<std::shared_ptr<arrow::Array>> ItemsAt(const Call& call) {
  const Items items(call.args[0]);
  const auto* places = call.arg<std::int64_t>(1);
  arrow::Int64Builder taken;
  ARROW_RETURN_NOT_OK(taken.Reserve(call.count));
  for (std::int64_t row = 0; row < call.count; ++row) {
    const std::int64_t length = items.lists.value_length(row);
    const std::int64_t place = places[row] > 0 ? places[row] - 1 : places[row] + length;
    const bool is_there = call.Counts(row) && places[row] != 0 && place >= 0 && place < length;
    if (is_there) {
      taken.UnsafeAppend(items.begin(row) + place);
    } else {
      taken.UnsafeAppendNull();
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto rows, taken.Finish());
  return arrow::compute::Take(items.values, *rows);
}

void TakeItem(Call& call) {
  GiveArray(call, ItemsAt(call));
}

void TakeMember(Call& call) {
  const auto& structs = static_cast<const arrow::StructArray&>(*call.args[0].array);
  GiveArray(call, structs.GetFlattenedField(static_cast<int>(call.node.option)));
}

template <typename ArrowType>
struct SumKernel {
  static constexpr Kernel kKernel = SumOfList<ArrowType>;
};
template <typename ArrowType>
struct AverageKernel {
  static constexpr Kernel kKernel = Average<ArrowType>;
};
template <typename ArrowType>
struct ContainsKernel {
  static constexpr Kernel kKernel = ContainsNumber<ArrowType>;
};

Result<NodePtr> BindLength(Arguments arguments) {
  if (IsList(arguments.type(0))) return std::move(arguments).Make(Plain(TypeKind::kInt64), LengthOfList);
  if (!arguments.type(0).is(TypeKind::kString) && !arguments.type(0).is_null()) {
    return arguments.Mismatch(0, "a string or a list");
  }
  TM_TRY(arguments.Become(0, Plain(TypeKind::kString)));
  return std::move(arguments).Make(Plain(TypeKind::kInt64), TextLengthKernel());
}

Result<NodePtr> BindListLength(Arguments arguments) {
  if (!IsList(arguments.type(0))) return arguments.Mismatch(0, "a list");
  return std::move(arguments).Make(Plain(TypeKind::kInt64), LengthOfList);
}

template <template <typename> typename K, bool kIsSum>
Result<NodePtr> BindReduce(Arguments arguments) {
  const ValueType list = arguments.type(0);
  const Kernel kernel = IsList(list) ? ByNumber<K>(ItemOf(list)) : nullptr;
  if (kernel == nullptr) return arguments.Mismatch(0, "a list of numbers");
  const bool is_whole =
      kIsSum && (ItemOf(list).kind == TypeKind::kInt32 || ItemOf(list).kind == TypeKind::kInt64);
  return std::move(arguments).Make(Plain(is_whole ? TypeKind::kInt64 : TypeKind::kFloat64), kernel);
}

Result<NodePtr> BindDotProduct(Arguments arguments) {
  for (std::size_t i = 0; i < 2; ++i) {
    const ValueType& type = arguments.type(i);
    const bool is_floats =
        IsList(type) && (ItemOf(type).kind == TypeKind::kFloat32 || ItemOf(type).kind == TypeKind::kFloat64);
    if (!is_floats) return arguments.Mismatch(i, "lists of float32 or float64");
  }
  if (arguments.type(0) != arguments.type(1)) return arguments.Mismatch(1, arguments.type(0).ToString());
  const bool is_narrow = ItemOf(arguments.type(0)).kind == TypeKind::kFloat32;
  return std::move(arguments).Make(Plain(is_narrow ? TypeKind::kFloat32 : TypeKind::kFloat64),
                                   is_narrow ? DotProduct<arrow::FloatType> : DotProduct<arrow::DoubleType>);
}

Result<NodePtr> BindContains(Arguments arguments) {
  if (!IsList(arguments.type(0))) return arguments.Mismatch(0, "a list");
  const DataType item = ItemOf(arguments.type(0));
  Kernel kernel = ByNumber<ContainsKernel>(item);
  if (item.kind == TypeKind::kDate) kernel = ContainsNumber<arrow::Date32Type>;
  if (item.kind == TypeKind::kTimestamp) kernel = ContainsNumber<arrow::TimestampType>;
  if (item.kind == TypeKind::kString || item.kind == TypeKind::kBinary) kernel = ContainsText;
  if (item.kind == TypeKind::kBool) kernel = ContainsBool;
  if (kernel == nullptr) return arguments.Mismatch(0, "a list of values that are not nested");
  TM_TRY(arguments.Become(1, {.type = item}));
  return std::move(arguments).Make(Plain(TypeKind::kBool), kernel);
}

Result<NodePtr> BindItem(Arguments arguments) {
  if (!IsList(arguments.type(0))) return arguments.Mismatch(0, "a list");
  TM_TRY(arguments.Become(1, Plain(TypeKind::kInt64)));
  const ValueType item{.type = ItemOf(arguments.type(0))};
  return std::move(arguments).Make(item, TakeItem);
}

Result<NodePtr> BindMember(Arguments arguments) {
  if (!arguments.type(0).is(TypeKind::kStruct)) return arguments.Mismatch(0, "a struct");
  TM_ASSIGN(const std::string name, arguments.ConstantText(1, "the name of a member"));
  const DataType type = arguments.type(0).type;
  for (const bool is_folded : {false, true}) {
    for (std::size_t i = 0; i < type.children.size(); ++i) {
      const std::string& member = type.children[i].name;
      if (is_folded ? FoldName(member) != FoldName(name) : member != name) continue;
      arguments.values.resize(1);
      NodePtr node = std::move(arguments).Make({.type = type.children[i].type}, TakeMember);
      node->option = static_cast<std::int64_t>(i);
      return node;
    }
  }
  std::vector<std::string> known;
  for (const NamedType& member : type.children)
    known.push_back(member.name);
  return FailAt(ErrorCode::kNotFound, arguments.text, arguments.values[1]->at,
                fmt::format("{} has no member {}{}", type.ToString(), Quoted(name), Suggest(name, known)));
}

constexpr std::array kLists = std::to_array<Function>({
    {"length", 1, 1, BindLength},
    {"len", 1, 1, BindLength},
    {"array_length", 1, 1, BindListLength},
    {"list_sum", 1, 1, BindReduce<SumKernel, true>},
    {"list_avg", 1, 1, BindReduce<AverageKernel, false>},
    {"list_dot_product", 2, 2, BindDotProduct},
    {"list_inner_product", 2, 2, BindDotProduct},
    {"list_contains", 2, 2, BindContains},
    {"array_contains", 2, 2, BindContains},
    {"list_extract", 2, 2, BindItem},
    {"[]", 2, 2, BindItem},
    {"struct_extract", 2, 2, BindMember},
});

}  // namespace

std::span<const Function> ListFunctions() {
  return kLists;
}

}  // namespace tidemark::expression_internal
