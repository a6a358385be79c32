// A JSON value, and its text. Compiled once: the library behind it is a template that costs every file that
// uses it ten seconds, so only base/json.cc sees it. Names and meanings are those of nlohmann::ordered_json.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidemark {

class Json;

/// Thrown by Json where a value is not of the kind that is asked for, or a member is missing. Whoever reads
/// text of unknown content catches it there, or asks before.
class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace json_internal {

template <typename T>
concept Number = std::integral<T> && !std::same_as<T, bool>;
template <typename T>
concept Map = requires { typename T::mapped_type; };
/// A vector or set of what Json can be made of; not text, nor a path, whose characters can be walked too.
template <typename T>
concept List = !Map<T> && !std::same_as<T, Json> && requires(const T& list) {
  requires !std::same_as<typename T::value_type, char>;
  list.begin() != list.end();
};

/// Over the items of an array or the values of an object's members.
template <bool kConst>
class Iterator {
 public:
  using Value = std::conditional_t<kConst, const Json, Json>;
  using Member = std::conditional_t<kConst, const std::pair<std::string, Json>, std::pair<std::string, Json>>;
  using value_type = Json;
  using difference_type = std::ptrdiff_t;
  using reference = Value&;
  using pointer = Value*;
  using iterator_category = std::forward_iterator_tag;

  Iterator() = default;
  explicit Iterator(Value* item) : item_(item) {}
  explicit Iterator(Member* member) : member_(member) {}

  Value& operator*() const;
  Value* operator->() const { return &**this; }
  Iterator& operator++();
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator&) const = default;

 private:
  Value* item_ = nullptr;
  Member* member_ = nullptr;
};

}  // namespace json_internal

/// A value with what it holds: null, true or false, a number, text, an array, an object. Members keep the
/// order in which they were put; they are looked for from the first, so objects are small. References and
/// iterators into a value hold until it gets another item or member.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  using iterator = json_internal::Iterator<false>;
  using const_iterator = json_internal::Iterator<true>;
  enum class Kind : std::uint8_t { kNull, kBool, kInteger, kUnsigned, kFloat, kText, kArray, kObject };

  // NOLINTBEGIN(google-explicit-constructor): what a JSON value can be stands for one.
  Json(std::nullptr_t = nullptr);
  Json(bool value);
  Json(double value);
  Json(const char* text);
  Json(std::string_view text);
  Json(std::string text);
  template <json_internal::Number T>
  Json(T value) : Json(OfNumber(value)) {}
  template <json_internal::List T>
  Json(const T& items) : Json(array()) {
    for (const auto& item : items)
      push_back(item);
  }
  template <json_internal::Map T>
  Json(const T& members) : Json(object()) {
    for (const auto& [name, value] : members)
      (*this)[name] = value;
  }
  /// An object if every item is an array of a text and a value, else an array.
  Json(std::initializer_list<Json> items);
  // NOLINTEND(google-explicit-constructor)

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  static Json array(std::initializer_list<Json> items = {});
  static Json object();

  /// What `text` says; JsonError with the place of the first mistake. Of a member that is there twice the
  /// last counts.
  static Json parse(std::string_view text);
  /// On one line, or with `indent` spaces for each level. Bytes that are not UTF-8 become U+FFFD.
  std::string dump(int indent = -1) const;

  Kind kind() const { return static_cast<Kind>(value_.index()); }
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_boolean() const { return kind() == Kind::kBool; }
  bool is_number_integer() const { return kind() == Kind::kInteger || kind() == Kind::kUnsigned; }
  bool is_number_unsigned() const { return kind() == Kind::kUnsigned; }
  bool is_number() const { return is_number_integer() || kind() == Kind::kFloat; }
  bool is_string() const { return kind() == Kind::kText; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_structured() const { return is_array() || is_object(); }

  /// As T: bool, a number, text, or a vector or map of them. Between numbers it casts.
  template <typename T>
  T get() const;
  template <typename T>
  void get_to(T& out) const {
    out = get<T>();
  }
  const std::string& text() const;
  const Array& items_of_array() const;
  Array& items_of_array();
  /// The members, as `[name, value]`; a null has none.
  const Object& items() const;
  Object& members();

  /// Items or members; of null 0, of any other value 1.
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  iterator begin();
  iterator end();
  const_iterator begin() const;
  const_iterator end() const;
  const Json& front() const { return *begin(); }
  const Json& back() const;
  Json& front() { return *begin(); }
  Json& back();

  /// Null if this is no object or has no such member.
  const Json* member(std::string_view name) const;
  Json* member(std::string_view name);
  const_iterator find(std::string_view name) const;
  iterator find(std::string_view name);
  bool contains(std::string_view name) const { return member(name) != nullptr; }
  const Json& at(std::string_view name) const;
  Json& at(std::string_view name);
  const Json& at(std::size_t i) const;
  Json& at(std::size_t i);
  /// Puts a null there if there is none yet; a null becomes an object.
  Json& operator[](std::string_view name);
  const Json& operator[](std::string_view name) const { return at(name); }
  Json& operator[](const char* name) { return (*this)[std::string_view(name)]; }
  const Json& operator[](const char* name) const { return at(std::string_view(name)); }
  template <json_internal::Number T>
  Json& operator[](T i) {
    return at(static_cast<std::size_t>(i));
  }
  template <json_internal::Number T>
  const Json& operator[](T i) const {
    return at(static_cast<std::size_t>(i));
  }
  /// The member if there is one, else `fallback`; JsonError if this is no object.
  Json value(std::string_view name, const Json& fallback) const;
  std::string value(std::string_view name, const char* fallback) const;
  bool value(std::string_view name, bool fallback) const;

  /// A null becomes an array.
  void push_back(Json item);
  Json& emplace_back(Json item);
  /// Whether there was such a member.
  bool erase(std::string_view name);

  /// Numbers by what they are worth, objects member by member in their order.
  bool operator==(const Json& other) const;

 private:
  template <json_internal::Number T>
  static Json OfNumber(T value) {
    if constexpr (std::unsigned_integral<T>) {
      return OfUnsigned(value);
    } else {
      return OfInteger(value);
    }
  }
  static Json OfInteger(std::int64_t value);
  static Json OfUnsigned(std::uint64_t value);
  bool truth() const;
  double real() const;
  /// Of a number, as the bits of an int64; a uint64 beyond it comes back whole by the cast to uint64.
  std::int64_t integer() const;

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

template <typename T>
T Json::get() const {
  if constexpr (std::same_as<T, bool>) {
    return truth();
  } else if constexpr (json_internal::Number<T>) {
    return static_cast<T>(integer());
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(real());
  } else if constexpr (std::same_as<T, std::string>) {
    return text();
  } else if constexpr (json_internal::Map<T>) {
    T out;
    for (const auto& member : items())
      out[member.first] = member.second.template get<typename T::mapped_type>();
    return out;
  } else {
    T out;
    for (const Json& item : items_of_array())
      out.insert(out.end(), item.get<typename T::value_type>());
    return out;
  }
}

namespace json_internal {

template <bool kConst>
auto Iterator<kConst>::operator*() const -> Value& {
  return item_ != nullptr ? *item_ : member_->second;
}

template <bool kConst>
Iterator<kConst>& Iterator<kConst>::operator++() {
  if (item_ != nullptr) {
    ++item_;
  } else {
    ++member_;
  }
  return *this;
}

}  // namespace json_internal

/// What a text must keep to, beyond JSON.
struct JsonLimits {
  std::size_t depth_max = SIZE_MAX;
  /// How the name of a member that is there twice is shown in the error. Null: no error, the last counts.
  std::string (*quote_repeated)(std::string_view name) = nullptr;
};

/// kInvalidArgument that names line and column, or the member that is there twice, or the depth.
Result<Json> ParseJson(std::string_view text, const JsonLimits& limits = {});

}  // namespace tidemark
