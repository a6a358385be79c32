// YAML to definitions, and JSON to YAML. The one file that includes yaml-cpp.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <exception>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "model/definition_json.h"
#include "model/json_tree_internal.h"
#include "model/name.h"
#include "model/time.h"

namespace tidemark {
namespace {

// More than any project defines; aliases of aliases multiply without end.
constexpr std::size_t kYamlNodesMax = 1'000'000;

std::unexpected<Error> WrongYaml(const YAML::Mark& mark, std::string_view problem) {
  if (mark.is_null())
    return Fail(ErrorCode::kInvalidArgument, fmt::format("cannot read the YAML text: {}", problem));
  return Fail(ErrorCode::kInvalidArgument, fmt::format("cannot read the YAML text at line {}, column {}: {}",
                                                       mark.line + 1, mark.column + 1, problem));
}

// Turns a YAML document into a tree whose scalars are all strings.
class TreeFromYaml {
 public:
  Result<Json> Of(const YAML::Node& node, std::size_t depth) {
    if (++nodes_ > kYamlNodesMax) return WrongYaml(node.Mark(), "it has more than a million nodes");
    if (depth > kTreeDepthMax)
      return WrongYaml(node.Mark(), fmt::format("it nests more than {} deep", kTreeDepthMax));
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return Json(node.Scalar());
      case YAML::NodeType::Sequence:
        return OfSequence(node, depth);
      case YAML::NodeType::Map:
        return OfMap(node, depth);
      default:
        return Json(nullptr);
    }
  }

 private:
  Result<Json> OfSequence(const YAML::Node& node, std::size_t depth) {
    Json list = Json::array();
    for (const YAML::Node& item : node) {
      TM_ASSIGN(Json value, Of(item, depth + 1));
      list.push_back(std::move(value));
    }
    return list;
  }

  Result<Json> OfMap(const YAML::Node& node, std::size_t depth) {
    Json object = Json::object();
    auto& members = object.members();
    std::unordered_set<std::string> names;
    for (const auto& entry : node) {
      const YAML::Node& key = entry.first;
      // `null: x` and `~: x` name a member too, but their text is lost.
      if (!key.IsScalar()) return WrongYaml(key.Mark(), "the name of a member must be plain text");
      if (!names.insert(key.Scalar()).second) {
        return WrongYaml(key.Mark(), fmt::format("member {} is there twice", Quoted(key.Scalar())));
      }
      TM_ASSIGN(Json tree, Of(entry.second, depth + 1));
      members.emplace_back(key.Scalar(), std::move(tree));
    }
    return object;
  }

  std::size_t nodes_ = 0;
};

// Remembers where documents start, and passes over what is in them.
class DocumentStarts final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { starts_.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}

  const std::vector<YAML::Mark>& starts() const { return starts_; }

 private:
  std::vector<YAML::Mark> starts_;
};

// Where a second document, or whatever else follows the first, starts. YAML::Load takes the first alone, and
// YAML::LoadAll never returns if text that no document can start with follows one (`{a: b}, c`).
std::optional<YAML::Mark> SecondDocument(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts documents;
  if (!parser.HandleNextDocument(documents) || !parser.HandleNextDocument(documents)) return std::nullopt;
  return documents.starts().back();
}

Result<Json> ParseYamlTree(std::string_view text) {
  try {
    if (const std::optional<YAML::Mark> second = SecondDocument(std::string(text))) {
      return WrongYaml(*second, "the document has ended, but the text goes on; put all in one document");
    }
    TM_ASSIGN(Json tree, TreeFromYaml().Of(YAML::Load(std::string(text)), 1));
    return tree.is_null() ? Json::object() : std::move(tree);
  } catch (const YAML::Exception& problem) {
    return WrongYaml(problem.mark, problem.msg);
  } catch (const std::exception& problem) {
    return WrongYaml(YAML::Mark::null_mark(), problem.what());
  }
}

bool IsAsciiLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Whether any reader of YAML 1.1 or 1.2 takes `text`, unquoted, as this very text.
bool IsPlainYaml(std::string_view text) {
  constexpr std::string_view kInside = "_-./<>()=, :@+";
  constexpr std::array<std::string_view, 9> kWords{"y",     "n",  "yes", "no",  "true",
                                                   "false", "on", "off", "null"};
  if (text.empty() || !(IsAsciiLetterOrDigit(text.front()) || text.front() == '_' || text.front() == '/')) {
    return false;
  }
  for (const char c : text) {
    if (!IsAsciiLetterOrDigit(c) && kInside.find(c) == kInside.npos) return false;
  }
  if (text.back() == ' ' || text.back() == ':' || text.find(": ") != text.npos) return false;
  const std::string folded = FoldName(text);
  for (const std::string_view word : kWords) {
    if (folded == word) return false;
  }
  // What starts with a digit may be a number, a date or a time of day; a length of time is none of these.
  const bool digit = text.front() >= '0' && text.front() <= '9';
  return !digit || (text.back() >= 'a' && ParseDurationUs(text).has_value());
}

std::string YamlText(const std::string& text) {
  // The escapes of JSON mean the same between the double quotes of YAML. DEL is not printable there.
  if (IsPlainYaml(text)) return text;
  std::string quoted;
  for (const char c : DumpJsonTree(Json(text), -1)) {
    if (c == '\x7F') {
      quoted += "\\x7F";
    } else {
      quoted += c;
    }
  }
  return quoted;
}

void AppendYaml(const Json& value, std::size_t indent, std::string& out);

// `name:` at its margin. YAML allows a name before a colon 1024 characters; a longer one has a mark of its
// own.
void AppendMemberName(const std::string& name, std::size_t indent, std::string& out) {
  constexpr std::size_t kImplicitNameBytesMax = 1000;
  const std::string text = YamlText(name);
  out.append(indent, ' ');
  if (text.size() > kImplicitNameBytesMax) {
    out.append("? ").append(text) += '\n';
    out.append(indent, ' ');
  } else {
    out += text;
  }
  out += ':';
}

// What follows `name:`; `indent` is that of the name.
void AppendMemberValue(const Json& value, std::size_t indent, std::string& out) {
  if (value.is_structured() && !value.empty()) {
    out += '\n';
    AppendYaml(value, indent + 2, out);
  } else {
    out += ' ';
    AppendYaml(value, indent, out);
  }
}

// A structured value starts at the margin `indent` and ends with a line break; so does a scalar, without
// margin.
void AppendYaml(const Json& value, std::size_t indent, std::string& out) {
  if (value.is_structured() && value.empty()) {
    out += value.is_object() ? "{}\n" : "[]\n";
  } else if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      AppendMemberName(name, indent, out);
      AppendMemberValue(member, indent, out);
    }
  } else if (value.is_array()) {
    for (const Json& item : value) {
      const std::size_t start = out.size();
      AppendYaml(item, item.is_structured() && !item.empty() ? indent + 2 : 0, out);
      // The dash takes the place of the margin of the item's first line, or stands before a scalar.
      const bool has_margin = item.is_structured() && !item.empty();
      out.replace(start, has_margin ? indent + 2 : 0, std::string(indent, ' ') + "- ");
    }
  } else {
    out += value.is_string() ? YamlText(value.text()) : DumpJsonTree(value, -1);
    out += '\n';
  }
}

}  // namespace

Result<Definitions> DefinitionsFromYaml(std::string_view yaml) {
  TM_ASSIGN(const Json tree, ParseYamlTree(yaml));
  return DefinitionsFromTree(tree, true);
}

std::string JsonToYaml(std::string_view json) {
  const Result<Json> tree = ParseJsonTree(json);
  TM_CHECK(tree.has_value(), "JSON that Tidemark printed cannot be read");
  std::string out;
  AppendYaml(*tree, 0, out);
  return out;
}

}  // namespace tidemark
