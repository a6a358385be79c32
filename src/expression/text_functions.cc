// Functions of texts. Positions and lengths count characters (code points), as DuckDB has them.
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include "base/hash.h"
#include "expression/binder_internal.h"
#include "model/name.h"

namespace tidemark::expression_internal {
namespace {

bool IsAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool IsLeading(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::int64_t CountCharacters(std::string_view text) {
  return std::ranges::count_if(text, IsLeading);
}

// The byte at which character `place` (from 0) begins; the size if there are not so many.
std::size_t ByteOf(std::string_view text, std::int64_t place) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (IsLeading(text[i]) && place-- == 0) return i;
  }
  return text.size();
}

std::string_view Keep(const Call& call, std::string_view text) {
  if (text.empty()) return {};
  char* const at = call.Text(text.size());
  std::memcpy(at, text.data(), text.size());
  return {at, text.size()};
}

// For every row that counts `of(row)`, else an empty text.
template <typename Of>
void EachText(Call& call, const Of& of) {
  auto* out = call.out.as<std::string_view>();
  for (std::int64_t row = 0; row < call.count; ++row)
    out[row] = call.Counts(row) ? of(row) : std::string_view();
}

Result<std::shared_ptr<arrow::Array>> TextArray(const Call& call, const Vector& texts) {
  if (texts.array) return texts.array;
  arrow::StringBuilder builder;
  arrow::Status status = builder.Reserve(call.count);
  for (std::int64_t row = 0; row < call.count && status.ok(); ++row)
    status = texts.is_valid(row) ? builder.Append(texts.as<std::string_view>()[row]) : builder.AppendNull();
  if (!status.ok()) return Fail(ErrorCode::kOutOfSpace, status.ToString());
  auto built = builder.Finish();
  if (!built.ok()) return Fail(ErrorCode::kOutOfSpace, built.status().ToString());
  return *built;
}

// The answer of one of Arrow's kernels, kept until the next run; null after an error.
std::shared_ptr<arrow::Array> AskArrow(Call& call, const char* function,
                                       const arrow::compute::FunctionOptions* options) {
  auto texts = TextArray(call, call.args[0]);
  if (!texts) {
    call.run.Fail(std::move(texts).error());
    return nullptr;
  }
  auto answer = arrow::compute::CallFunction(function, {*texts}, options);
  if (!answer.ok()) {
    call.run.Fail({ErrorCode::kInvalidData, answer.status().message(), std::string(call.node.name)});
    return nullptr;
  }
  call.run.slot(call.node).kept = answer->make_array();
  return call.run.slot(call.node).kept;
}

template <bool kUpper>
void ChangeCase(Call& call) {
  const auto* texts = call.arg<std::string_view>(0);
  bool all_ascii = true;
  for (std::int64_t row = 0; row < call.count; ++row)
    all_ascii = all_ascii && (!call.Counts(row) || IsAscii(texts[row]));
  if (!all_ascii) {
    const auto changed = AskArrow(call, kUpper ? "utf8_upper" : "utf8_lower", nullptr);
    if (!changed) return;
    const auto& values = static_cast<const arrow::StringArray&>(*changed);
    return EachText(call, [&](std::int64_t row) { return values.GetView(row); });
  }
  EachText(call, [&](std::int64_t row) {
    const std::string_view text = texts[row];
    if (text.empty()) return text;
    char* const at = call.Text(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (kUpper) {
        at[i] = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      } else {
        at[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      }
    }
    return std::string_view(at, text.size());
  });
}

void LengthOfText(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] =
        call.Counts(row) ? CountCharacters(call.arg<std::string_view>(0)[row]) : 0;
}

void BytesOfText(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] = static_cast<std::int64_t>(call.arg<std::string_view>(0)[row].size());
}

// From `start` (1 is the first, -1 the last, 0 one before the first) on; a negative length goes the other
// way.
std::string_view Part(std::string_view text, std::int64_t start, std::int64_t length, bool has_length) {
  const std::int64_t size = CountCharacters(text);
  start = std::clamp<std::int64_t>(start, -(size + (std::int64_t{1} << 32)), std::int64_t{1} << 32);
  length = std::clamp<std::int64_t>(length, -(std::int64_t{1} << 33), std::int64_t{1} << 33);
  std::int64_t begin = start > 0 ? start - 1 : start < 0 ? size + start : 0;
  std::int64_t end = size;
  if (start == 0 && has_length) {
    begin = -1;
  }
  if (has_length) {
    end = begin + length;
    if (length < 0) std::swap(begin, end);
  }
  begin = std::clamp<std::int64_t>(begin, 0, size);
  end = std::clamp<std::int64_t>(end, 0, size);
  if (begin >= end) return {};
  const std::size_t first = ByteOf(text, begin);
  return text.substr(first, ByteOf(text.substr(first), end - begin));
}

void TakePart(Call& call) {
  const bool has_length = call.args.size() == 3;
  EachText(call, [&](std::int64_t row) {
    return Part(call.arg<std::string_view>(0)[row], call.arg<std::int64_t>(1)[row],
                has_length ? call.arg<std::int64_t>(2)[row] : 0, has_length);
  });
}

enum class Side : std::uint8_t { kLeft, kRight, kBoth };

// Whether `set`, a text of characters, has the one at the front (or back) of `text`; its bytes, or 0.
std::size_t StripOne(std::string_view text, std::string_view set, bool is_front) {
  for (std::size_t i = 0; i < set.size();) {
    std::size_t size = 1;
    while (i + size < set.size() && !IsLeading(set[i + size]))
      ++size;
    const std::string_view character = set.substr(i, size);
    if (is_front ? text.starts_with(character) : text.ends_with(character)) return size;
    i += size;
  }
  return 0;
}

template <Side kSide>
void Strip(Call& call) {
  EachText(call, [&](std::int64_t row) {
    std::string_view text = call.arg<std::string_view>(0)[row];
    const std::string_view set = call.args.size() == 2 ? call.arg<std::string_view>(1)[row] : " ";
    if constexpr (kSide != Side::kRight) {
      while (const std::size_t bytes = StripOne(text, set, true))
        text.remove_prefix(bytes);
    }
    if constexpr (kSide != Side::kLeft) {
      while (const std::size_t bytes = StripOne(text, set, false))
        text.remove_suffix(bytes);
    }
    return text;
  });
}

// Nulls are left out, as DuckDB's concat does; `||` is null instead, by being strict.
void Concatenate(Call& call) {
  EachText(call, [&](std::int64_t row) {
    std::size_t bytes = 0;
    for (const Vector& arg : call.args)
      bytes += arg.is_valid(row) ? arg.as<std::string_view>()[row].size() : 0;
    if (bytes == 0) return std::string_view();
    char* const at = call.Text(bytes);
    char* next = at;
    for (const Vector& arg : call.args) {
      if (arg.is_valid(row)) next = std::ranges::copy(arg.as<std::string_view>()[row], next).out;
    }
    return std::string_view(at, bytes);
  });
}

void Replace(Call& call) {
  std::string changed;
  EachText(call, [&](std::int64_t row) {
    const std::string_view text = call.arg<std::string_view>(0)[row];
    const std::string_view from = call.arg<std::string_view>(1)[row];
    const std::string_view to = call.arg<std::string_view>(2)[row];
    if (from.empty()) return text;
    changed.clear();
    std::size_t at = 0;
    for (std::size_t found = text.find(from); found != std::string_view::npos; found = text.find(from, at)) {
      changed.append(text.substr(at, found - at)).append(to);
      at = found + from.size();
    }
    changed.append(text.substr(at));
    return Keep(call, changed);
  });
}

enum class Where : std::uint8_t { kAnywhere, kStart, kEnd };

template <Where kWhere>
void Search(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    const std::string_view text = call.arg<std::string_view>(0)[row];
    const std::string_view part = call.arg<std::string_view>(1)[row];
    bool found = false;
    if (!call.Counts(row)) {
      found = false;
    } else if (kWhere == Where::kAnywhere) {
      found = text.contains(part);
    } else {
      found = kWhere == Where::kStart ? text.starts_with(part) : text.ends_with(part);
    }
    call.out.as<std::uint8_t>()[row] = found ? 1 : 0;
  }
}

// `%` stands for any text, `_` for one character.
bool IsLike(std::string_view text, std::string_view pattern) {
  std::size_t t = 0;
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;  // the last % seen, and where the text went on after it
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == '_') {
      ++p;
      ++t;
      while (t < text.size() && !IsLeading(text[t]))
        ++t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      ++resume;
      while (resume < text.size() && !IsLeading(text[resume]))
        ++resume;
      t = resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%')
    ++p;
  return p == pattern.size();
}

void MatchLike(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    call.out.as<std::uint8_t>()[row] =
        call.Counts(row) && IsLike(call.arg<std::string_view>(0)[row], call.arg<std::string_view>(1)[row])
            ? 1
            : 0;
  }
}

// A pattern for each row; option 1 ignores case.
void MatchRegexes(Call& call) {
  auto* out = call.out.as<std::uint8_t>();
  std::fill_n(out, call.count, std::uint8_t{0});
  std::map<std::string_view, std::vector<std::int64_t>> rows_of;
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (call.Counts(row)) rows_of[call.arg<std::string_view>(1)[row]].push_back(row);
  }
  for (const auto& [pattern, rows] : rows_of) {
    const arrow::compute::MatchSubstringOptions options(std::string(pattern), call.node.option == 1);
    arrow::StringBuilder texts;
    arrow::Status status;
    for (const std::int64_t row : rows)
      status &= texts.Append(call.arg<std::string_view>(0)[row]);
    std::shared_ptr<arrow::Array> asked;
    status &= texts.Finish(&asked);
    arrow::Datum matched;
    if (status.ok())
      status = arrow::compute::CallFunction("match_substring_regex", {asked}, &options).Value(&matched);
    if (!status.ok()) {
      return call.Fail(rows.front(),
                       fmt::format("the pattern {} cannot be read: {}", Quoted(pattern), status.message()));
    }
    const std::shared_ptr<arrow::Array> array = matched.make_array();
    const auto& values = static_cast<const arrow::BooleanArray&>(*array);
    for (std::size_t i = 0; i < rows.size(); ++i)
      out[rows[i]] = values.Value(static_cast<std::int64_t>(i)) ? 1 : 0;
  }
}

// The pattern is in the node's constant; option 1 ignores case.
void MatchRegex(Call& call) {
  const arrow::compute::MatchSubstringOptions options(call.node.constant.text, call.node.option == 1);
  const auto matched = AskArrow(call, "match_substring_regex", &options);
  if (!matched) return;
  const auto& values = static_cast<const arrow::BooleanArray&>(*matched);
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::uint8_t>()[row] = values.IsValid(row) && values.Value(row) ? 1 : 0;
}

arrow::Status AppendParts(std::string_view text, std::string_view separator, arrow::StringBuilder& parts) {
  if (separator.empty()) {
    if (text.empty()) return parts.Append("");
    while (!text.empty()) {
      const std::size_t size = ByteOf(text, 1);
      ARROW_RETURN_NOT_OK(parts.Append(text.substr(0, size)));
      text.remove_prefix(size);
    }
    return arrow::Status::OK();
  }
  while (true) {
    const std::size_t found = text.find(separator);
    ARROW_RETURN_NOT_OK(parts.Append(text.substr(0, found)));
    if (found == std::string_view::npos) return arrow::Status::OK();
    text.remove_prefix(found + separator.size());
  }
}

// As DuckDB has it, a text without a separator (null) is one part.
arrow::Result<std::shared_ptr<arrow::Array>> SplitAll(const Call& call) {
  auto parts = std::make_shared<arrow::StringBuilder>();
  arrow::ListBuilder lists(arrow::default_memory_pool(), parts, call.node.array_type);
  for (std::int64_t row = 0; row < call.count; ++row) {
    if (!call.args[0].is_valid(row) || !call.Counts(row)) {
      ARROW_RETURN_NOT_OK(lists.AppendNull());
      continue;
    }
    ARROW_RETURN_NOT_OK(lists.Append());
    const std::string_view text = call.arg<std::string_view>(0)[row];
    if (call.args[1].is_valid(row)) {
      ARROW_RETURN_NOT_OK(AppendParts(text, call.arg<std::string_view>(1)[row], *parts));
    } else {
      ARROW_RETURN_NOT_OK(parts->Append(text));
    }
  }
  return lists.Finish();
}

void Split(Call& call) {
  auto split = SplitAll(call);
  if (!split.ok()) return call.run.Fail({ErrorCode::kOutOfSpace, split.status().ToString(), {}});
  call.out.array = *std::move(split);
  ReadArray(*call.out.array, 0, call.count, Lane::kArray, call.run.slot(call.node), call.out);
}

constexpr std::uint64_t kHashOfNull = 0x9E3779B97F4A7C15ULL;

// What two values that are equal have alike: integers of any width are hashed as int64, floats as float64.
template <typename T>
std::uint64_t HashOf(const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return Hash64(std::as_bytes(std::span(value)));
  } else if constexpr (std::is_floating_point_v<T>) {
    double same = static_cast<double>(value);
    if (same == 0) same = 0;  // -0.0 is equal to 0.0
    if (same != same) same = std::numeric_limits<double>::quiet_NaN();
    return MixHash(std::bit_cast<std::uint64_t>(same) ^ 1);
  } else {
    return MixHash(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) + kHashOfNull);
  }
}

template <typename T>
void AddHashes(const Vector& values, std::int64_t count, bool is_first, std::int64_t* out) {
  for (std::int64_t row = 0; row < count; ++row) {
    const std::uint64_t hash = values.is_valid(row) ? HashOf(values.as<T>()[row]) : kHashOfNull;
    const auto before = static_cast<std::uint64_t>(out[row]);
    out[row] = static_cast<std::int64_t>(is_first ? hash : MixHash(before * 31 + hash));
  }
}

void HashAll(Call& call) {
  auto* out = call.out.as<std::int64_t>();
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    const Vector& values = call.args[i];
    switch (call.node.args[i]->type.lane()) {
      case Lane::kBool:
        AddHashes<std::uint8_t>(values, call.count, i == 0, out);
        break;
      case Lane::kInt32:
        AddHashes<std::int32_t>(values, call.count, i == 0, out);
        break;
      case Lane::kInt64:
        AddHashes<std::int64_t>(values, call.count, i == 0, out);
        break;
      case Lane::kFloat32:
        AddHashes<float>(values, call.count, i == 0, out);
        break;
      case Lane::kFloat64:
        AddHashes<double>(values, call.count, i == 0, out);
        break;
      default:
        AddHashes<std::string_view>(values, call.count, i == 0, out);
        break;
    }
  }
}

Result<void> AllText(Arguments& arguments, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < std::min(arguments.size(), first + count); ++i)
    TM_TRY(arguments.Become(i, Plain(TypeKind::kString)));
  return {};
}

template <Kernel kKernel, TypeKind kResult>
Result<NodePtr> BindTexts(Arguments arguments) {
  TM_TRY(AllText(arguments, 0, arguments.size()));
  return std::move(arguments).Make(Plain(kResult), kKernel);
}

Result<NodePtr> BindPart(Arguments arguments) {
  TM_TRY(AllText(arguments, 0, 1));
  for (std::size_t i = 1; i < arguments.size(); ++i)
    TM_TRY(arguments.Become(i, Plain(TypeKind::kInt64)));
  return std::move(arguments).Make(Plain(TypeKind::kString), TakePart);
}

// Everything that has a text is written as one.
template <bool kNullCounts>
Result<NodePtr> BindConcatenate(Arguments arguments) {
  const ValueType text = Plain(TypeKind::kString);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const ValueType& type = arguments.type(i);
    if (!type.is_null() && type != text && CastKernel(type, text, false) == nullptr) {
      return arguments.Mismatch(i, "texts, numbers, bools and times");
    }
    arguments.values[i] = CastTo(std::move(arguments.values[i]), text, arguments.text);
  }
  return std::move(arguments).Make(text, Concatenate, kNullCounts);
}

Result<NodePtr> BindRegex(Arguments arguments) {
  TM_TRY(AllText(arguments, 0, arguments.size()));
  if (arguments.values[1]->constant.is_null) {
    return CastTo(std::move(arguments.values[1]), Plain(TypeKind::kBool), arguments.text);
  }
  std::string options;
  if (arguments.size() == 3) {
    TM_ASSIGN(options, arguments.ConstantText(2, "its options"));
  }
  if (!options.empty() && options != "i" && options != "c") {
    return arguments.Wrong(arguments.values[2]->at, "the options are 'i', which ignores case, or 'c'");
  }
  if (arguments.values[1]->kind != Node::Kind::kConstant) {
    arguments.values.resize(2);
    NodePtr each = std::move(arguments).Make(Plain(TypeKind::kBool), MatchRegexes);
    each->option = options == "i" ? 1 : 0;
    return each;
  }
  const std::string pattern = arguments.values[1]->constant.text;
  const arrow::compute::MatchSubstringOptions tried(pattern, options == "i");
  arrow::StringBuilder one;
  auto status = one.Append("");
  auto array = status.ok() ? one.Finish() : arrow::Result<std::shared_ptr<arrow::Array>>(status);
  if (array.ok()) status = arrow::compute::CallFunction("match_substring_regex", {*array}, &tried).status();
  if (!status.ok()) {
    return arguments.Wrong(arguments.values[1]->at,
                           fmt::format("the pattern cannot be read: {}", status.message()));
  }
  arguments.values.resize(1);
  NodePtr node = std::move(arguments).Make(Plain(TypeKind::kBool), MatchRegex);
  node->constant.text = pattern;
  node->option = options == "i" ? 1 : 0;
  return node;
}

Result<NodePtr> BindLikeAnyCase(Arguments arguments) {
  TM_TRY(AllText(arguments, 0, 2));
  for (std::size_t i = 0; i < 2; ++i) {
    Arguments lower{.text = arguments.text, .name = "lower", .at = arguments.values[i]->at, .values = {}};
    lower.values.push_back(std::move(arguments.values[i]));
    arguments.values[i] =
        Fold(std::move(lower).Make(Plain(TypeKind::kString), ChangeCase<false>), arguments.text);
  }
  return std::move(arguments).Make(Plain(TypeKind::kBool), MatchLike);
}

Result<NodePtr> BindSplit(Arguments arguments) {
  TM_TRY(AllText(arguments, 0, 2));
  return std::move(arguments).Make({.type = DataType::List({.kind = TypeKind::kString})}, Split, false);
}

Result<NodePtr> BindHash(Arguments arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments.type(i).is_null()) TM_TRY(arguments.Become(i, Plain(TypeKind::kBool)));
    const Lane lane = arguments.type(i).lane();
    if (lane == Lane::kArray || lane == Lane::kInterval || lane == Lane::kDecimal)
      return arguments.Mismatch(i, "values that are not nested");
  }
  return std::move(arguments).Make(Plain(TypeKind::kInt64), HashAll, false);
}

constexpr auto kString = TypeKind::kString;
constexpr auto kBoolean = TypeKind::kBool;

constexpr std::array kTexts = std::to_array<Function>({
    {"lower", 1, 1, BindTexts<ChangeCase<false>, kString>},
    {"upper", 1, 1, BindTexts<ChangeCase<true>, kString>},
    {"strlen", 1, 1, BindTexts<BytesOfText, TypeKind::kInt64>},
    {"substr", 2, 3, BindPart},
    {"substring", 2, 3, BindPart},
    {"concat", 1, kManyArguments, BindConcatenate<false>},
    {"||", 2, 2, BindConcatenate<true>},
    {"trim", 1, 2, BindTexts<Strip<Side::kBoth>, kString>},
    {"ltrim", 1, 2, BindTexts<Strip<Side::kLeft>, kString>},
    {"rtrim", 1, 2, BindTexts<Strip<Side::kRight>, kString>},
    {"replace", 3, 3, BindTexts<Replace, kString>},
    {"contains", 2, 2, BindTexts<Search<Where::kAnywhere>, kBoolean>},
    {"starts_with", 2, 2, BindTexts<Search<Where::kStart>, kBoolean>},
    {"ends_with", 2, 2, BindTexts<Search<Where::kEnd>, kBoolean>},
    {"like", 2, 2, BindTexts<MatchLike, kBoolean>},
    {"ilike", 2, 2, BindLikeAnyCase},
    {"regexp_matches", 2, 3, BindRegex},
    {"split", 2, 2, BindSplit},
    {"string_split", 2, 2, BindSplit},
    {"str_split", 2, 2, BindSplit},
    {"hash", 1, kManyArguments, BindHash},
});

}  // namespace

Kernel TextLengthKernel() {
  return LengthOfText;
}

std::span<const Function> TextFunctions() {
  return kTexts;
}

}  // namespace tidemark::expression_internal
