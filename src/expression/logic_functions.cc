// Comparisons, and, or, not, and what asks for nulls. Of floats NaN equals itself and is greater than all
// others.
#include <fmt/format.h>

#include <algorithm>

#include "expression/binder_internal.h"

namespace tidemark::expression_internal {
namespace {

template <typename T>
bool Less(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return !(a >= b) & (a == a);
  } else {
    return a < b;
  }
}

template <typename T>
bool Equal(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return (a == b) | ((a != a) & (b != b));
  } else {
    return a == b;
  }
}

// A month counts as 30 days.
__int128 LengthOf(const Interval& interval) {
  constexpr std::int64_t kDay = 86'400'000'000;
  return (static_cast<__int128>(interval.months) * 30 + interval.days) * kDay + interval.us;
}
template <>
bool Less(const Interval& a, const Interval& b) {
  return LengthOf(a) < LengthOf(b);
}
template <>
bool Equal(const Interval& a, const Interval& b) {
  return LengthOf(a) == LengthOf(b);
}

enum class Order : std::uint8_t { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

template <Order kOrder, typename T>
bool Holds(const T& a, const T& b) {
  switch (kOrder) {
    case Order::kEqual:
      return Equal(a, b);
    case Order::kNotEqual:
      return !Equal(a, b);
    case Order::kLess:
      return Less(a, b);
    case Order::kLessOrEqual:
      return !Less(b, a);
    case Order::kGreater:
      return Less(b, a);
    case Order::kGreaterOrEqual:
      return !Less(a, b);
  }
}

template <Order kOrder, typename T>
void Compare(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  auto* out = call.out.as<std::uint8_t>();
  for (std::int64_t row = 0; row < call.count; ++row)
    out[row] = Holds<kOrder>(a[row], b[row]) ? 1 : 0;
}

template <bool kDistinct, typename T>
void Distinct(Call& call) {
  const T* a = call.arg<T>(0);
  const T* b = call.arg<T>(1);
  auto* out = call.out.as<std::uint8_t>();
  for (std::int64_t row = 0; row < call.count; ++row) {
    const bool left = call.args[0].is_valid(row);
    const bool right = call.args[1].is_valid(row);
    const bool is_distinct = left != right || (left && !Equal(a[row], b[row]));
    out[row] = is_distinct == kDistinct ? 1 : 0;
  }
}

// The greatest, or least, of those that are not null.
template <bool kGreatest, typename T>
void Extreme(Call& call) {
  T* out = call.out.as<T>();
  const bool any_null =
      std::ranges::any_of(call.args, [](const Vector& arg) { return arg.valid != nullptr; });
  std::copy_n(call.arg<T>(0), call.count, out);
  if (any_null) {
    std::uint8_t* valid = call.Validity();
    for (std::int64_t row = 0; row < call.count; ++row)
      valid[row] = call.args[0].is_valid(row) ? 1 : 0;
  }
  for (std::size_t i = 1; i < call.args.size(); ++i) {
    const T* values = call.arg<T>(i);
    for (std::int64_t row = 0; row < call.count; ++row) {
      if (!call.args[i].is_valid(row)) continue;
      const bool is_better = kGreatest ? Less(out[row], values[row]) : Less(values[row], out[row]);
      if (is_better || !call.out.is_valid(row)) out[row] = values[row];
      if (call.out.valid != nullptr) call.out.valid[row] = 1;
    }
  }
}

// One kernel for each lane that has an order: `K<T>::kKernel`.
template <template <typename> typename K>
Kernel ByLane(Lane lane) {
  switch (lane) {
    case Lane::kBool:
      return K<std::uint8_t>::kKernel;
    case Lane::kInt32:
      return K<std::int32_t>::kKernel;
    case Lane::kInt64:
      return K<std::int64_t>::kKernel;
    case Lane::kFloat32:
      return K<float>::kKernel;
    case Lane::kFloat64:
      return K<double>::kKernel;
    case Lane::kDecimal:
      return K<Decimal>::kKernel;
    case Lane::kText:
      return K<std::string_view>::kKernel;
    case Lane::kInterval:
      return K<Interval>::kKernel;
    case Lane::kArray:
      return nullptr;
  }
  return nullptr;
}

template <Order kOrder>
struct Compares {
  template <typename T>
  struct With {
    static constexpr Kernel kKernel = Compare<kOrder, T>;
  };
};
template <bool kDistinct>
struct Distincts {
  template <typename T>
  struct With {
    static constexpr Kernel kKernel = Distinct<kDistinct, T>;
  };
};
template <bool kGreatest>
struct Extremes {
  template <typename T>
  struct With {
    static constexpr Kernel kKernel = Extreme<kGreatest, T>;
  };
};

// The type that all arguments have afterwards; one that has an order.
Result<ValueType> OneOrderedType(Arguments& arguments) {
  TM_ASSIGN(ValueType type, arguments.Unify());
  if (type.is_null()) {
    type = Plain(TypeKind::kInt32);
    for (std::size_t i = 0; i < arguments.size(); ++i)
      TM_TRY(arguments.Become(i, type));
  }
  if (type.lane() == Lane::kArray) return arguments.Mismatch(0, "values that have an order");
  return type;
}

template <Order kOrder>
Result<NodePtr> BindCompare(Arguments arguments) {
  TM_ASSIGN(const ValueType type, OneOrderedType(arguments));
  return std::move(arguments).Make(Plain(TypeKind::kBool),
                                   ByLane<Compares<kOrder>::template With>(type.lane()));
}

template <bool kDistinct>
Result<NodePtr> BindDistinct(Arguments arguments) {
  TM_ASSIGN(const ValueType type, OneOrderedType(arguments));
  const Kernel kernel = ByLane<Distincts<kDistinct>::template With>(type.lane());
  return std::move(arguments).Make(Plain(TypeKind::kBool), kernel, false);
}

template <bool kGreatest>
Result<NodePtr> BindExtreme(Arguments arguments) {
  TM_ASSIGN(const ValueType type, OneOrderedType(arguments));
  if (type.kind == ValueType::Kind::kInterval) return arguments.Mismatch(0, "values of a field's type");
  return std::move(arguments).Make(type, ByLane<Extremes<kGreatest>::template With>(type.lane()), false);
}

// SQL's three values: null and false is false, null or true is true.
template <bool kAnd>
void Connect(Call& call) {
  auto* out = call.out.as<std::uint8_t>();
  constexpr std::uint8_t kNeutral = kAnd ? 1 : 0;
  std::fill_n(out, call.count, kNeutral);
  std::uint8_t* valid = nullptr;
  for (const Vector& arg : call.args) {
    if (arg.valid != nullptr) valid = call.Validity();
  }
  for (const Vector& arg : call.args) {
    const auto* values = arg.as<std::uint8_t>();
    const std::uint8_t* const known = arg.valid;
    if (known == nullptr) {
      for (std::int64_t row = 0; row < call.count; ++row)
        out[row] = static_cast<std::uint8_t>(kAnd ? out[row] & values[row] : out[row] | values[row]);
      continue;
    }
    for (std::int64_t row = 0; row < call.count; ++row) {
      out[row] = static_cast<std::uint8_t>(kAnd ? out[row] & (values[row] | (known[row] ^ 1))
                                                : out[row] | (values[row] & known[row]));
      valid[row] = static_cast<std::uint8_t>(valid[row] & known[row]);
    }
  }
  if (valid == nullptr) return;
  for (std::int64_t row = 0; row < call.count; ++row)
    valid[row] = static_cast<std::uint8_t>(valid[row] | (out[row] ^ kNeutral));
}

void Negation(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::uint8_t>()[row] = call.arg<std::uint8_t>(0)[row] ^ 1;
}

template <bool kIsNull>
void AskNull(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::uint8_t>()[row] = call.args[0].is_valid(row) == kIsNull ? 0 : 1;
}

template <bool kAnd>
Result<NodePtr> BindConnect(Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i)
    TM_TRY(arguments.Become(i, Plain(TypeKind::kBool)));
  return std::move(arguments).Make(Plain(TypeKind::kBool), Connect<kAnd>, false);
}

Result<NodePtr> BindNot(Arguments arguments) {
  TM_TRY(arguments.Become(0, Plain(TypeKind::kBool)));
  return std::move(arguments).Make(Plain(TypeKind::kBool), Negation);
}

template <bool kIsNull>
Result<NodePtr> BindAskNull(Arguments arguments) {
  if (arguments.type(0).is_null()) TM_TRY(arguments.Become(0, Plain(TypeKind::kBool)));
  return std::move(arguments).Make(Plain(TypeKind::kBool), AskNull<kIsNull>, false);
}

Result<NodePtr> BindCoalesce(Arguments arguments) {
  TM_ASSIGN(const ValueType type, arguments.Unify());
  NodePtr node = std::move(arguments).Make(type, nullptr, false);
  node->kind = Node::Kind::kCoalesce;
  return node;
}

constexpr std::array kLogic = std::to_array<Function>({
    {"=", 2, 2, BindCompare<Order::kEqual>},
    {"<>", 2, 2, BindCompare<Order::kNotEqual>},
    {"<", 2, 2, BindCompare<Order::kLess>},
    {"<=", 2, 2, BindCompare<Order::kLessOrEqual>},
    {">", 2, 2, BindCompare<Order::kGreater>},
    {">=", 2, 2, BindCompare<Order::kGreaterOrEqual>},
    {"is distinct", 2, 2, BindDistinct<true>},
    {"is not distinct", 2, 2, BindDistinct<false>},
    {"is null", 1, 1, BindAskNull<true>},
    {"is not null", 1, 1, BindAskNull<false>},
    {"and", 2, kManyArguments, BindConnect<true>},
    {"or", 2, kManyArguments, BindConnect<false>},
    {"not", 1, 1, BindNot},
    {"coalesce", 1, kManyArguments, BindCoalesce},
    {"ifnull", 2, 2, BindCoalesce},
    {"greatest", 1, kManyArguments, BindExtreme<true>},
    {"least", 1, kManyArguments, BindExtreme<false>},
});

}  // namespace

std::span<const Function> LogicFunctions() {
  return kLogic;
}

}  // namespace tidemark::expression_internal
