// Lossless casts of columns, nested ones part by part.
#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "pit/cast_internal.h"
#include "pit/columns.h"
#include "pit/utf8.h"

namespace tidemark {
namespace pit_internal {
namespace {

// A problem in an item is a problem of the list that holds it: `ends[row]` is where row's items end.
CastProblem InList(CastProblem problem, const std::int32_t* ends, std::int64_t rows, std::string_view part) {
  if (problem.row >= 0) problem.row = std::upper_bound(ends, ends + rows, problem.row) - ends;
  problem.field = fmt::format(".{}{}", part, problem.field);
  return problem;
}

struct Lists {
  std::shared_ptr<arrow::Buffer> offsets;  // rows + 1, from 0; nothing lies between lists or under nulls
  std::shared_ptr<arrow::Buffer> validity;
  std::shared_ptr<arrow::Array> items;
  const std::int32_t* ends() const { return offsets->data_as<std::int32_t>() + 1; }
};

template <typename Array>
std::expected<Lists, CastProblem> TakeApart(const Array& array) {
  Lists out;
  auto flat = array.Flatten();
  if (!flat.ok()) return CastFail(FromStatus(flat.status()));
  out.items = *std::move(flat);
  if (out.items->length() > std::numeric_limits<std::int32_t>::max()) {
    return CastFail(-1, fmt::format("{} items in one batch; at most {} fit", out.items->length(),
                                    std::numeric_limits<std::int32_t>::max()));
  }
  auto buffer = arrow::AllocateBuffer((array.length() + 1) * static_cast<std::int64_t>(sizeof(std::int32_t)));
  if (!buffer.ok()) return CastFail(FromStatus(buffer.status()));
  auto* offsets = reinterpret_cast<std::int32_t*>((*buffer)->mutable_data());
  offsets[0] = 0;
  for (std::int64_t row = 0; row < array.length(); ++row) {
    const auto length = array.IsNull(row) ? 0 : static_cast<std::int32_t>(array.value_length(row));
    offsets[row + 1] = offsets[row] + length;
  }
  out.offsets = *std::move(buffer);
  auto validity = ValidityOf(array);
  if (!validity) return CastFail(std::move(validity).error());
  out.validity = *std::move(validity);
  return out;
}

std::expected<Lists, CastProblem> ListsOf(const arrow::Array& array, const DataType& type) {
  switch (array.type_id()) {
    case arrow::Type::LIST:
    case arrow::Type::MAP:
      return TakeApart(static_cast<const arrow::ListArray&>(array));
    case arrow::Type::LARGE_LIST:
      return TakeApart(static_cast<const arrow::LargeListArray&>(array));
    case arrow::Type::FIXED_SIZE_LIST:
      return TakeApart(static_cast<const arrow::FixedSizeListArray&>(array));
    case arrow::Type::LIST_VIEW:
      return TakeApart(static_cast<const arrow::ListViewArray&>(array));
    case arrow::Type::LARGE_LIST_VIEW:
      return TakeApart(static_cast<const arrow::LargeListViewArray&>(array));
    default:
      return CastFail(-1, fmt::format("{} cannot become {}", array.type()->ToString(), type.ToString()));
  }
}

std::shared_ptr<arrow::Array> PutTogether(const Lists& lists, std::int64_t rows, const DataType& type,
                                          const std::shared_ptr<arrow::Array>& items) {
  return arrow::MakeArray(arrow::ArrayData::Make(ToArrow(type), rows, {lists.validity, lists.offsets},
                                                 {items->data()}, arrow::kUnknownNullCount));
}

CastResult CastList(const arrow::Array& array, const DataType& type) {
  const auto lists = ListsOf(array, type);
  if (!lists) return std::unexpected(lists.error());
  auto items = CastAny(lists->items, type.children[0].type);
  if (!items) return std::unexpected(InList(std::move(items).error(), lists->ends(), array.length(), "item"));
  return PutTogether(*lists, array.length(), type, *std::move(items));
}

/// The names of the fields, row after row, as keys of a map.
CastResult KeysOfFields(const arrow::StructType& fields, std::int64_t rows, const DataType& key) {
  arrow::StringBuilder names;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const auto& field : fields.fields()) {
      if (const auto status = names.Append(field->name()); !status.ok()) return CastFail(FromStatus(status));
    }
  }
  auto made = names.Finish();
  if (!made.ok()) return CastFail(FromStatus(made.status()));
  return CastAny(*made, key);
}

/// The values of the fields, row after row, each as the type of a map's values.
CastResult ValuesOfFields(const arrow::StructArray& array, const NamedType& value) {
  const int fields = array.num_fields();
  arrow::ArrayVector columns;
  for (int i = 0; i < fields; ++i) {
    auto field = array.GetFlattenedField(i);  // what lies under a null struct is nobody's value
    if (!field.ok()) return CastFail(FromStatus(field.status()));
    auto cast = CastAny(*field, value.type);
    if (!cast) {
      cast.error().field = fmt::format(".{}{}", array.struct_type()->field(i)->name(), cast.error().field);
      return cast;
    }
    columns.push_back(*std::move(cast));
  }
  auto builder = arrow::MakeBuilder(ToArrow(value.type));
  if (!builder.ok()) return CastFail(FromStatus(builder.status()));
  for (std::int64_t row = 0; row < array.length(); ++row) {
    for (const auto& column : columns) {
      const auto status = (*builder)->AppendArraySlice(*column->data(), row, 1);
      if (!status.ok()) return CastFail(FromStatus(status));
    }
  }
  auto made = (*builder)->Finish();
  if (!made.ok()) return CastFail(FromStatus(made.status()));
  return *std::move(made);
}

// A struct as a map from its fields' names, the form in which pandas writes dicts to Parquet. What lies under
// a null struct stays behind in `entries`, where no row refers to it.
CastResult CastStructToMap(const arrow::StructArray& array, const DataType& type) {
  const auto rows = array.length();
  const auto fields = static_cast<std::int32_t>(array.num_fields());
  if (rows * fields > std::numeric_limits<std::int32_t>::max()) {
    return CastFail(-1, fmt::format("{} items in one batch; at most {} fit", rows * fields,
                                    std::numeric_limits<std::int32_t>::max()));
  }
  auto keys = KeysOfFields(*array.struct_type(), rows, type.children[0].type);
  if (!keys) return keys;
  auto values = ValuesOfFields(array, type.children[1]);
  if (!values) return values;
  auto buffer = arrow::AllocateBuffer((rows + 1) * static_cast<std::int64_t>(sizeof(std::int32_t)));
  if (!buffer.ok()) return CastFail(FromStatus(buffer.status()));
  auto* offsets = reinterpret_cast<std::int32_t*>((*buffer)->mutable_data());
  for (std::int64_t row = 0; row <= rows; ++row)
    offsets[row] = static_cast<std::int32_t>(row) * fields;
  auto validity = ValidityOf(array);
  if (!validity) return CastFail(std::move(validity).error());
  const auto target = std::static_pointer_cast<arrow::MapType>(ToArrow(type));
  auto entries = std::make_shared<arrow::StructArray>(
      target->value_type(), rows * fields, arrow::ArrayVector{*std::move(keys), *std::move(values)});
  return arrow::MakeArray(arrow::ArrayData::Make(target, rows, {*std::move(validity), *std::move(buffer)},
                                                 {entries->data()}, arrow::kUnknownNullCount));
}

// Also takes a list of structs of two fields, the form in which some writers keep maps, and a struct.
CastResult CastMap(const arrow::Array& array, const DataType& type) {
  if (array.type_id() == arrow::Type::STRUCT)
    return CastStructToMap(static_cast<const arrow::StructArray&>(array), type);
  const auto lists = ListsOf(array, type);
  if (!lists) return std::unexpected(lists.error());
  if (lists->items->type_id() != arrow::Type::STRUCT || lists->items->num_fields() != 2) {
    return CastFail(-1, fmt::format("{} cannot become {}", array.type()->ToString(), type.ToString()));
  }
  const auto& pairs = static_cast<const arrow::StructArray&>(*lists->items);
  arrow::ArrayVector parts;
  for (int i = 0; i < 2; ++i) {
    const NamedType& child = type.children[static_cast<std::size_t>(i)];
    auto part = CastAny(pairs.field(i), child.type);
    if (part && i == 0 && (*part)->null_count() > 0) {
      std::int64_t row = 0;
      while ((*part)->IsValid(row))
        ++row;
      part = CastFail(row, "null; a map's keys have values", ErrorCode::kInvalidData);
    }
    if (!part)
      return std::unexpected(InList(std::move(part).error(), lists->ends(), array.length(), child.name));
    parts.push_back(*std::move(part));
  }
  const auto target = std::static_pointer_cast<arrow::MapType>(ToArrow(type));
  auto entries = std::make_shared<arrow::StructArray>(target->value_type(), pairs.length(), std::move(parts));
  return PutTogether(*lists, array.length(), type, std::move(entries));
}

std::string FieldNames(const arrow::StructType& type) {
  std::string out;
  for (const auto& field : type.fields())
    out += fmt::format("{}'{}'", out.empty() ? "" : ", ", field->name());
  return out;
}

CastResult CastStruct(const arrow::Array& array, const DataType& type) {
  if (array.type_id() != arrow::Type::STRUCT) {
    return CastFail(-1, fmt::format("{} cannot become {}", array.type()->ToString(), type.ToString()));
  }
  const auto& from = static_cast<const arrow::StructType&>(*array.type());
  if (from.num_fields() != static_cast<int>(type.children.size())) {
    return CastFail(-1, fmt::format("a struct of {} cannot become {}", FieldNames(from), type.ToString()));
  }
  arrow::ArrayVector fields;
  for (const NamedType& child : type.children) {
    const int index = from.GetFieldIndex(child.name);
    if (index < 0) {
      return CastFail(
          -1, fmt::format("the struct has no field '{}' (or two); it has {}", child.name, FieldNames(from)));
    }
    // Nulls of the struct become nulls of the field: what lies under them is nobody's value.
    auto field = static_cast<const arrow::StructArray&>(array).GetFlattenedField(index);
    if (!field.ok()) return CastFail(FromStatus(field.status()));
    auto cast = CastAny(*field, child.type);
    if (!cast) {
      cast.error().field = fmt::format(".{}{}", child.name, cast.error().field);
      return cast;
    }
    fields.push_back(*std::move(cast));
  }
  auto validity = ValidityOf(array);
  if (!validity) return CastFail(std::move(validity).error());
  return std::make_shared<arrow::StructArray>(ToArrow(type), array.length(), std::move(fields),
                                              *std::move(validity));
}

bool HasText(const DataType& type) {
  return type.kind == TypeKind::kString ||
         std::ranges::any_of(type.children, [](const NamedType& child) { return HasText(child.type); });
}

std::optional<CastProblem> BadText(const arrow::StringArray& texts) {
  for (std::int64_t row = 0; row < texts.length(); ++row) {
    if (texts.IsNull(row)) continue;
    const std::string_view text = texts.GetView(row);
    if (IsUtf8(text)) continue;
    constexpr std::size_t kShown = 16;
    std::string bytes;
    for (const char byte : text.substr(0, kShown))
      bytes += fmt::format("{}{:02x}", bytes.empty() ? "" : " ", static_cast<unsigned char>(byte));
    CastProblem problem;
    problem.row = row;
    problem.code = ErrorCode::kInvalidData;
    problem.what = fmt::format("the bytes {}{} are no UTF-8 text; bytes of any kind go into a binary field",
                               bytes, text.size() > kShown ? " ..." : "");
    return problem;
  }
  return std::nullopt;
}

/// Finds text that is not UTF-8 in a column of ToArrow(type): others could not read it.
std::optional<CastProblem> FindBadText(const arrow::Array& array, const DataType& type) {
  if (!HasText(type)) return std::nullopt;
  if (type.kind == TypeKind::kString) return BadText(static_cast<const arrow::StringArray&>(array));
  if (type.kind == TypeKind::kStruct) {
    for (std::size_t i = 0; i < type.children.size(); ++i) {
      const auto field = static_cast<const arrow::StructArray&>(array).GetFlattenedField(static_cast<int>(i));
      if (!field.ok()) return CastFail(FromStatus(field.status())).error();
      if (auto problem = FindBadText(**field, type.children[i].type)) {
        problem->field = fmt::format(".{}{}", type.children[i].name, problem->field);
        return problem;
      }
    }
    return std::nullopt;
  }
  const auto lists = ListsOf(array, type);
  if (!lists) return lists.error();
  for (std::size_t i = 0; i < type.children.size(); ++i) {
    const NamedType& child = type.children[i];
    const bool is_map = type.kind == TypeKind::kMap;
    const auto items = is_map
                           ? static_cast<const arrow::StructArray&>(*lists->items).field(static_cast<int>(i))
                           : lists->items;
    if (auto problem = FindBadText(*items, child.type))
      return InList(*std::move(problem), lists->ends(), array.length(), is_map ? child.name : "item");
  }
  return std::nullopt;
}

}  // namespace

CastResult CastAny(const std::shared_ptr<arrow::Array>& given, const DataType& type) {
  const auto target = ToArrow(type);
  if (given->type()->Equals(*target)) return given;
  auto plain = Plain(given);
  if (!plain) return CastFail(std::move(plain).error());
  const arrow::Array& array = **plain;
  if (array.type()->Equals(*target)) return *plain;
  if (array.type_id() == arrow::Type::NA) {
    auto nulls = arrow::MakeArrayOfNull(target, array.length());
    if (!nulls.ok()) return CastFail(FromStatus(nulls.status()));
    return *std::move(nulls);
  }
  switch (type.kind) {
    case TypeKind::kList:
      return CastList(array, type);
    case TypeKind::kMap:
      return CastMap(array, type);
    case TypeKind::kStruct:
      return CastStruct(array, type);
    default:
      return CastValues(array, type);
  }
}

}  // namespace pit_internal

Result<std::shared_ptr<arrow::Array>> CastColumn(const std::shared_ptr<arrow::Array>& column,
                                                 const DataType& type, std::string_view name,
                                                 std::int64_t first_row) {
  auto cast = pit_internal::CastAny(column, type);
  if (cast) {
    auto problem = pit_internal::FindBadText(**cast, type);
    if (!problem) return *std::move(cast);
    cast = std::unexpected(*std::move(problem));
  }
  const pit_internal::CastProblem& problem = cast.error();
  const std::string path = fmt::format("{}{}", name, problem.field);
  if (problem.row < 0) return Fail(problem.code, fmt::format("column '{}': {}", path, problem.what));
  return Fail(problem.code,
              fmt::format("{}: {}", pit_internal::PlaceOf(path, first_row + problem.row), problem.what));
}

}  // namespace tidemark
