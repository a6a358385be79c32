// The one place that includes nlohmann/json.hpp: it reads text, and writes numbers and text that need care.
#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace tidemark {
namespace {

using Library = nlohmann::ordered_json;

[[noreturn]] void Wrong(std::string_view wanted, const Json& found) {
  static constexpr std::string_view kNames[] = {"null",     "true or false", "a number", "a number",
                                                "a number", "text",          "an array", "an object"};
  throw JsonError(
      fmt::format("JSON has {} where {} is needed", kNames[static_cast<std::size_t>(found.kind())], wanted));
}

class Builder final : public nlohmann::json_sax<Library> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Add(nullptr) != nullptr; }
  bool boolean(bool value) override { return Add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return Add(value) != nullptr; }
  bool string(string_t& value) override { return Add(std::move(value)) != nullptr; }
  bool binary(binary_t& /*value*/) override { return Refuse("binary values are not JSON"); }

  bool start_object(std::size_t /*members*/) override { return Open(Json::object()); }
  bool start_array(std::size_t /*items*/) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    const bool is_new = open_.back().names.insert(name).second;
    if (!is_new && limits_.quote_repeated != nullptr)
      return Refuse(fmt::format("member {} is there twice", limits_.quote_repeated(name)));
    key_ = std::move(name);
    is_key_new_ = is_new;
    return true;
  }

  bool parse_error(std::size_t /*position*/, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& problem) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view text = problem.what();
    const std::size_t bracket = text.find("] ");
    return Refuse(bracket == std::string_view::npos ? text : text.substr(bracket + 2));
  }

  Result<Json> Take(bool complete) && {
    if (complete) return std::move(root_);
    return Fail(ErrorCode::kInvalidArgument, "cannot read the JSON text: " + problem_);
  }

 private:
  struct Level {
    Json* value;
    std::unordered_set<std::string> names;  // of an object's members so far
  };

  bool Refuse(std::string_view problem) {
    problem_ = problem;
    return false;
  }

  // Puts `value` where the text is now. The pointer holds until the level that it was put in gets another.
  Json* Add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    // Its own insertion would look through all members for each.
    if (is_key_new_) return &parent.members().emplace_back(std::move(key_), std::move(value)).second;
    return &(parent[key_] = std::move(value));
  }

  bool Open(Json empty) {
    if (open_.size() >= limits_.depth_max)
      return Refuse(fmt::format("it nests more than {} deep", limits_.depth_max));
    Json* value = Add(std::move(empty));
    open_.push_back({value, {}});
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  const JsonLimits limits_;
  Json root_;
  std::vector<Level> open_;
  std::string key_;
  bool is_key_new_ = true;
  std::string problem_;
};

void WriteText(const std::string& text, std::string& out) {
  const bool is_plain =
      std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; });
  if (is_plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out += Library(text).dump(-1, ' ', false, Library::error_handler_t::replace);
  }
}

class Writer {
 public:
  Writer(int indent, std::string& out) : indent_(indent), out_(out) {}

  void Write(const Json& value, int level = 0) {
    switch (value.kind()) {
      case Json::Kind::kNull:
        out_ += "null";
        break;
      case Json::Kind::kBool:
        out_ += value.get<bool>() ? "true" : "false";
        break;
      case Json::Kind::kInteger:
        fmt::format_to(std::back_inserter(out_), "{}", value.get<std::int64_t>());
        break;
      case Json::Kind::kUnsigned:
        fmt::format_to(std::back_inserter(out_), "{}", value.get<std::uint64_t>());
        break;
      case Json::Kind::kFloat:
        out_ += Library(value.get<double>()).dump();
        break;
      case Json::Kind::kText:
        WriteText(value.text(), out_);
        break;
      case Json::Kind::kArray:
        Group('[', ']', value.items_of_array(), level, [&](const Json& item) { Write(item, level + 1); });
        break;
      case Json::Kind::kObject:
        Group('{', '}', value.items(), level, [&](const auto& member) {
          WriteText(member.first, out_);
          out_ += indent_ < 0 ? ":" : ": ";
          Write(member.second, level + 1);
        });
        break;
    }
  }

 private:
  template <typename Items, typename WriteOne>
  void Group(char open, char close, const Items& items, int level, WriteOne write_one) {
    out_ += open;
    for (bool is_first = true; const auto& item : items) {
      if (!is_first) out_ += ',';
      is_first = false;
      Line(level + 1);
      write_one(item);
    }
    if (!items.empty()) Line(level);
    out_ += close;
  }

  void Line(int level) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(level), ' ');
  }

  const int indent_;
  std::string& out_;
};

bool IsMember(const Json& item) {
  return item.is_array() && item.size() == 2 && item[0].is_string();
}

// Moves what `value` holds to the end of `waiting`.
void TakeApart(Json& value, Json::Array& waiting) {
  for (Json& inner : value) {
    if (inner.is_structured() && !inner.empty()) waiting.push_back(std::move(inner));
  }
}

}  // namespace

Json::Json(std::nullptr_t) {}
Json::Json(bool value) : value_(value) {}
Json::Json(double value) : value_(value) {}
Json::Json(const char* text) : value_(std::string(text)) {}
Json::Json(std::string_view text) : value_(std::string(text)) {}
Json::Json(std::string text) : value_(std::move(text)) {}
Json::Json(std::initializer_list<Json> items) {
  if (!std::ranges::all_of(items, IsMember)) {
    value_ = Array(items);
    return;
  }
  Object& members = value_.emplace<Object>();
  for (const Json& item : items)
    members.emplace_back(item[0].text(), item[1]);
}
Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept : value_(std::exchange(other.value_, {})) {}
Json& Json::operator=(const Json& other) {
  return *this = Json(other);
}
Json& Json::operator=(Json&& other) noexcept {
  // What was here may hold `other`.
  const Json before(std::move(*this));
  value_ = std::exchange(other.value_, {});
  return *this;
}

// Level by level: text may nest deeper than a stack holds calls.
Json::~Json() {
  if (!is_structured()) return;
  Array waiting;
  TakeApart(*this, waiting);
  while (!waiting.empty()) {
    Json next = std::move(waiting.back());
    waiting.pop_back();
    TakeApart(next, waiting);
  }
}

Json Json::array(std::initializer_list<Json> items) {
  Json made;
  made.value_ = Array(items);
  return made;
}

Json Json::object() {
  Json made;
  made.value_.emplace<Object>();
  return made;
}

Json Json::OfInteger(std::int64_t value) {
  Json made;
  made.value_ = value;
  return made;
}

Json Json::OfUnsigned(std::uint64_t value) {
  Json made;
  made.value_ = value;
  return made;
}

Json Json::parse(std::string_view text) {
  Result<Json> parsed = ParseJson(text);
  if (!parsed) throw JsonError(parsed.error().message);
  return *std::move(parsed);
}

std::string Json::dump(int indent) const {
  std::string out;
  Writer(indent, out).Write(*this);
  return out;
}

bool Json::truth() const {
  if (!is_boolean()) Wrong("true or false", *this);
  return std::get<bool>(value_);
}

double Json::real() const {
  if (kind() == Kind::kFloat) return std::get<double>(value_);
  if (kind() == Kind::kUnsigned) return static_cast<double>(std::get<std::uint64_t>(value_));
  return static_cast<double>(integer());
}

std::int64_t Json::integer() const {
  if (kind() == Kind::kInteger) return std::get<std::int64_t>(value_);
  if (kind() == Kind::kUnsigned) return static_cast<std::int64_t>(std::get<std::uint64_t>(value_));
  if (kind() == Kind::kFloat) return static_cast<std::int64_t>(std::get<double>(value_));
  Wrong("a number", *this);
}

const std::string& Json::text() const {
  if (!is_string()) Wrong("text", *this);
  return std::get<std::string>(value_);
}

const Json::Array& Json::items_of_array() const {
  if (!is_array()) Wrong("an array", *this);
  return std::get<Array>(value_);
}

Json::Array& Json::items_of_array() {
  return const_cast<Array&>(std::as_const(*this).items_of_array());
}

const Json::Object& Json::items() const {
  static const Object none;
  if (is_null()) return none;
  if (!is_object()) Wrong("an object", *this);
  return std::get<Object>(value_);
}

Json::Object& Json::members() {
  if (!is_object()) Wrong("an object", *this);
  return std::get<Object>(value_);
}

std::size_t Json::size() const {
  if (is_null()) return 0;
  if (is_array()) return items_of_array().size();
  return is_object() ? items().size() : 1;
}

Json::const_iterator Json::begin() const {
  if (is_null()) return {};
  return is_array() ? const_iterator(items_of_array().data()) : const_iterator(items().data());
}

Json::const_iterator Json::end() const {
  if (is_null()) return {};
  return is_array() ? const_iterator(items_of_array().data() + size())
                    : const_iterator(items().data() + size());
}

Json::iterator Json::begin() {
  if (is_null()) return {};
  return is_array() ? iterator(items_of_array().data()) : iterator(members().data());
}

Json::iterator Json::end() {
  if (is_null()) return {};
  return is_array() ? iterator(items_of_array().data() + size()) : iterator(members().data() + size());
}

const Json& Json::back() const {
  return is_array() ? items_of_array().back() : items().back().second;
}

Json& Json::back() {
  return const_cast<Json&>(std::as_const(*this).back());
}

const Json* Json::member(std::string_view name) const {
  if (!is_object()) return nullptr;
  const Object& members = std::get<Object>(value_);
  const auto found = std::ranges::find(members, name, &Object::value_type::first);
  return found == members.end() ? nullptr : &found->second;
}

Json* Json::member(std::string_view name) {
  return const_cast<Json*>(std::as_const(*this).member(name));
}

Json::const_iterator Json::find(std::string_view name) const {
  if (!is_object()) return end();
  const Object& members = items();
  const auto found = std::ranges::find(members, name, &Object::value_type::first);
  return const_iterator(members.data() + (found - members.begin()));
}

Json::iterator Json::find(std::string_view name) {
  if (!is_object()) return end();
  Object& members = this->members();
  const auto found = std::ranges::find(members, name, &Object::value_type::first);
  return iterator(members.data() + (found - members.begin()));
}

const Json& Json::at(std::string_view name) const {
  if (!is_object()) Wrong("an object", *this);
  if (const Json* found = member(name)) return *found;
  throw JsonError(fmt::format("JSON lacks the member '{}'", name));
}

Json& Json::at(std::string_view name) {
  return const_cast<Json&>(std::as_const(*this).at(name));
}

const Json& Json::at(std::size_t i) const {
  const Array& items = items_of_array();
  if (i < items.size()) return items[i];
  throw JsonError(fmt::format("JSON has {} items where item {} is needed", items.size(), i));
}

Json& Json::at(std::size_t i) {
  return const_cast<Json&>(std::as_const(*this).at(i));
}

Json& Json::operator[](std::string_view name) {
  if (Json* found = member(name)) return *found;
  if (is_null()) value_.emplace<Object>();
  return members().emplace_back(name, nullptr).second;
}

Json Json::value(std::string_view name, const Json& fallback) const {
  if (!is_object()) Wrong("an object", *this);
  const Json* found = member(name);
  return found == nullptr ? fallback : *found;
}

std::string Json::value(std::string_view name, const char* fallback) const {
  return value(name, Json(fallback)).text();
}

bool Json::value(std::string_view name, bool fallback) const {
  return value(name, Json(fallback)).truth();
}

void Json::push_back(Json item) {
  emplace_back(std::move(item));
}

Json& Json::emplace_back(Json item) {
  if (is_null()) value_.emplace<Array>();
  return items_of_array().emplace_back(std::move(item));
}

bool Json::erase(std::string_view name) {
  return std::erase_if(members(), [&](const auto& member) { return member.first == name; }) > 0;
}

bool Json::operator==(const Json& other) const {
  if (kind() == other.kind()) return value_ == other.value_;
  if (!is_number() || !other.is_number()) return false;
  if (kind() == Kind::kFloat || other.kind() == Kind::kFloat) return real() == other.real();
  const Json& is_signed = kind() == Kind::kInteger ? *this : other;
  return is_signed.integer() >= 0 && integer() == other.integer();
}

Result<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  Builder builder(limits);
  const bool complete = Library::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).Take(complete);
}

}  // namespace tidemark
