// Types to text and back. The grammar, with white space allowed between any two parts:
//
//   type    = scalar | "decimal" "(" digits [ "," digits ] ")"
//           | ( "list" | "array" ) open type close
//           | "map" open type "," type close
//           | "struct" open member { "," member } close
//   member  = name ":" type
//   name    = letters, digits and "_" | "`" anything, a back-tick doubled "`"
//   open, close = "<" and ">", or "(" and ")"
#include "model/type.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "base/check.h"
#include "model/name.h"

namespace tidemark {
namespace {

struct ScalarName {
  std::string_view name;
  TypeKind kind;
};

// The first name of a kind is the one that is printed.
constexpr std::array kScalarNames = std::to_array<ScalarName>({
    {"bool", TypeKind::kBool},
    {"boolean", TypeKind::kBool},
    {"int32", TypeKind::kInt32},
    {"int64", TypeKind::kInt64},
    {"int", TypeKind::kInt64},
    {"integer", TypeKind::kInt64},
    {"float32", TypeKind::kFloat32},
    {"float64", TypeKind::kFloat64},
    {"float", TypeKind::kFloat64},
    {"double", TypeKind::kFloat64},
    {"string", TypeKind::kString},
    {"binary", TypeKind::kBinary},
    {"bytes", TypeKind::kBinary},
    {"timestamp", TypeKind::kTimestamp},
    {"unixtimestamp", TypeKind::kTimestamp},
    {"unix_timestamp", TypeKind::kTimestamp},
    {"date", TypeKind::kDate},
});

constexpr std::array<std::string_view, 6> kCompoundNames{"decimal", "decimal128", "list",
                                                         "array",   "map",        "struct"};

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view ScalarText(TypeKind kind) {
  for (const ScalarName& scalar : kScalarNames) {
    if (scalar.kind == kind) return scalar.name;
  }
  TM_CHECK(false, "a kind of type that has no text");
}

void AppendMemberName(std::string_view name, std::string& out) {
  bool plain = !name.empty();
  for (const char c : name)
    plain = plain && IsWordCharacter(c);
  if (plain) {
    out += name;
    return;
  }
  out += '`';
  for (const char c : name)
    out.append(c == '`' ? 2 : 1, c);
  out += '`';
}

void AppendType(const DataType& type, std::string& out) {
  switch (type.kind) {
    case TypeKind::kDecimal:
      fmt::format_to(std::back_inserter(out), "decimal({}, {})", type.precision, type.scale);
      return;
    case TypeKind::kList:
      out += "list<";
      AppendType(type.children.at(0).type, out);
      break;
    case TypeKind::kMap:
      out += "map<";
      AppendType(type.children.at(0).type, out);
      out += ", ";
      AppendType(type.children.at(1).type, out);
      break;
    case TypeKind::kStruct:
      out += "struct<";
      for (std::size_t i = 0; i < type.children.size(); ++i) {
        if (i > 0) out += ", ";
        AppendMemberName(type.children[i].name, out);
        out += ": ";
        AppendType(type.children[i].type, out);
      }
      break;
    default:
      out += ScalarText(type.kind);
      return;
  }
  out += '>';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<DataType> Whole() {
    TM_ASSIGN(DataType type, Type(1));
    SkipSpace();
    if (at_ < text_.size()) return Wrong("the type ends here, but the text goes on");
    return type;
  }

 private:
  // The position is counted from 1, in bytes, as an editor would show it.
  std::unexpected<Error> Wrong(std::string_view problem) const { return WrongAt(at_, problem); }
  std::unexpected<Error> WrongAt(std::size_t at, std::string_view problem) const {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot read the type {} at position {}: {}", Quoted(text_), at + 1, problem));
  }

  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
      ++at_;
  }

  bool Take(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<void> Expect(char c) {
    if (Take(c)) return {};
    return Wrong(fmt::format("expected '{}'", c));
  }

  std::string_view Word() {
    SkipSpace();
    const std::size_t start = at_;
    while (at_ < text_.size() && IsWordCharacter(text_[at_]))
      ++at_;
    return text_.substr(start, at_ - start);
  }

  Result<DataType> Type(std::size_t depth) {
    SkipSpace();
    const std::size_t start = at_;
    if (depth > kTypeDepthMax) return Wrong(fmt::format("types nest at most {} deep", kTypeDepthMax));
    const std::string word = FoldName(Word());
    if (word.empty()) return WrongAt(start, "expected the name of a type");
    for (const ScalarName& scalar : kScalarNames) {
      if (scalar.name == word) return DataType{.kind = scalar.kind};
    }
    if (word == "decimal" || word == "decimal128") return DecimalType();
    if (word == "list" || word == "array") return ListType(depth);
    if (word == "map") return MapType(depth);
    if (word == "struct") return StructType(depth);
    return WrongAt(start, UnknownType(word));
  }

  static std::string UnknownType(const std::string& word) {
    std::vector<std::string> known(kCompoundNames.begin(), kCompoundNames.end());
    for (const ScalarName& scalar : kScalarNames)
      known.emplace_back(scalar.name);
    const std::string near = Suggest(word, known);
    if (!near.empty()) return fmt::format("there is no type {}{}", Quoted(word), near);
    return fmt::format(
        "there is no type {}; there are bool, int32, int64, float32, float64, string, binary, timestamp, "
        "date, "
        "decimal(p, s), list<...>, struct<...> and map<...>",
        Quoted(word));
  }

  // What closes the bracket that comes next.
  Result<char> Open(std::string_view example) {
    if (Take('<')) return '>';
    if (Take('(')) return ')';
    return Wrong(fmt::format("expected what it holds, as in {}", example));
  }

  Result<int> Number(std::string_view what, int at_least, int at_most) {
    SkipSpace();
    const std::size_t start = at_;
    const std::string_view digits = Word();
    int value = 0;
    bool valid = !digits.empty() && digits.size() <= 3;
    for (const char c : digits.substr(0, 3)) {
      valid = valid && c >= '0' && c <= '9';
      value = value * 10 + (c - '0');
    }
    if (valid && value >= at_least && value <= at_most) return value;
    return WrongAt(start, fmt::format("the {} is a number from {} to {}", what, at_least, at_most));
  }

  Result<DataType> DecimalType() {
    TM_ASSIGN(const char close, Open("decimal(10, 2)"));
    TM_ASSIGN(const int precision, Number("precision of a decimal", 1, 38));
    int scale = 0;
    if (Take(',')) {
      TM_ASSIGN(scale, Number("scale of this decimal", 0, precision));
    }
    TM_TRY(Expect(close));
    return DataType::Decimal(precision, scale);
  }

  Result<DataType> ListType(std::size_t depth) {
    TM_ASSIGN(const char close, Open("list<int64>"));
    TM_ASSIGN(DataType item, Type(depth + 1));
    TM_TRY(Expect(close));
    return DataType::List(std::move(item));
  }

  Result<DataType> MapType(std::size_t depth) {
    TM_ASSIGN(const char close, Open("map<string, int64>"));
    TM_ASSIGN(DataType key, Type(depth + 1));
    TM_TRY(Expect(','));
    TM_ASSIGN(DataType value, Type(depth + 1));
    TM_TRY(Expect(close));
    return DataType::Map(std::move(key), std::move(value));
  }

  Result<DataType> StructType(std::size_t depth) {
    TM_ASSIGN(const char close, Open("struct<a: int64>"));
    std::vector<NamedType> members;
    do {
      SkipSpace();
      const std::size_t start = at_;
      TM_ASSIGN(std::string name, MemberName());
      for (const NamedType& other : members) {
        if (other.name == name) return WrongAt(start, fmt::format("a second member named {}", Quoted(name)));
      }
      TM_TRY(Expect(':'));
      TM_ASSIGN(DataType type, Type(depth + 1));
      members.push_back({std::move(name), std::move(type)});
    } while (Take(','));
    TM_TRY(Expect(close));
    return DataType::Struct(std::move(members));
  }

  Result<std::string> MemberName() {
    const std::size_t start = at_;
    if (!Take('`')) {
      std::string name(Word());
      if (name.empty()) return WrongAt(start, "expected the name of a member, as in struct<a: int64>");
      return name;
    }
    std::string name;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != '`') {
        name += c;
      } else if (at_ < text_.size() && text_[at_] == '`') {
        name += text_[at_++];
      } else {
        if (name.empty()) return WrongAt(start, "a member has no name");
        return name;
      }
    }
    return WrongAt(start, "the back-tick is never closed");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

NamedTypes::NamedTypes() = default;
NamedTypes::NamedTypes(std::vector<NamedType> types) : std::vector<NamedType>(std::move(types)) {}
NamedTypes::NamedTypes(std::initializer_list<NamedType> types) : std::vector<NamedType>(types) {}
NamedTypes::NamedTypes(const NamedTypes& other) = default;
NamedTypes::NamedTypes(NamedTypes&& other) noexcept = default;
NamedTypes& NamedTypes::operator=(const NamedTypes& other) = default;
NamedTypes& NamedTypes::operator=(NamedTypes&& other) noexcept = default;
NamedTypes::~NamedTypes() = default;

DataType DataType::Decimal(int precision, int scale) {
  return DataType{.kind = TypeKind::kDecimal, .precision = precision, .scale = scale};
}

DataType DataType::List(DataType item) {
  DataType type{.kind = TypeKind::kList};
  type.children.push_back({"item", std::move(item)});
  return type;
}

DataType DataType::Struct(std::vector<NamedType> members) {
  return DataType{.kind = TypeKind::kStruct, .children = std::move(members)};
}

DataType DataType::Map(DataType key, DataType value) {
  DataType type{.kind = TypeKind::kMap};
  type.children.push_back({"key", std::move(key)});
  type.children.push_back({"value", std::move(value)});
  return type;
}

bool DataType::operator==(const DataType& other) const {
  return kind == other.kind && precision == other.precision && scale == other.scale &&
         children == other.children;
}

bool DataType::is_nested() const {
  return kind == TypeKind::kList || kind == TypeKind::kStruct || kind == TypeKind::kMap;
}

std::string DataType::ToString() const {
  std::string out;
  AppendType(*this, out);
  return out;
}

Result<DataType> DataType::Parse(std::string_view text) {
  return Parser(text).Whole();
}

bool CanBeJoinKey(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
    case TypeKind::kInt32:
    case TypeKind::kInt64:
    case TypeKind::kString:
    case TypeKind::kBinary:
    case TypeKind::kTimestamp:
      return true;
    default:
      return false;
  }
}

}  // namespace tidemark
