// JSON objects of answers, member by member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/json/json_text.h"

namespace tidemark::server {

/// JsonObject().Text("a", "b").Number("n", 1).End() is {"a":"b","n":1}.
class JsonObject {
 public:
  JsonObject& Text(std::string_view name, std::string_view value) {
    json::AppendText(Name(name), value);
    return *this;
  }
  JsonObject& Number(std::string_view name, std::int64_t value) {
    json::AppendNumber(Name(name), value);
    return *this;
  }
  JsonObject& Real(std::string_view name, double value) {
    json::AppendNumber(Name(name), value);
    return *this;
  }
  JsonObject& Flag(std::string_view name, bool value) {
    Name(name).append(value ? "true" : "false");
    return *this;
  }
  /// JSON text; empty: null.
  JsonObject& Json(std::string_view name, std::string_view value) {
    Name(name).append(value.empty() ? std::string_view("null") : value);
    return *this;
  }
  JsonObject& Texts(std::string_view name, const std::vector<std::string>& values) {
    std::string& out = Name(name);
    out.push_back('[');
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out.push_back(',');
      json::AppendText(out, values[i]);
    }
    out.push_back(']');
    return *this;
  }
  std::string End() {
    text_.push_back('}');
    return std::move(text_);
  }

 private:
  std::string& Name(std::string_view name) {
    if (text_.size() > 1) text_.push_back(',');
    json::AppendText(text_, name);
    text_.push_back(':');
    return text_;
  }
  std::string text_ = "{";
};

/// `[a,b]` of JSON texts.
template <typename Values, typename Function>
std::string JsonList(const Values& values, const Function& text_of) {
  std::string out = "[";
  for (const auto& value : values) {
    if (out.size() > 1) out.push_back(',');
    out.append(text_of(value));
  }
  out.push_back(']');
  return out;
}

}  // namespace tidemark::server
