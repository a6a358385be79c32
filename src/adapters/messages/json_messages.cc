// Messages of one stream have the same members in the same order, mostly: where a member goes is looked up
// once for each place in the message, and remembered.
#include "adapters/messages/json_messages_internal.h"

#include <fmt/format.h>

#include <utility>

#include "adapters/messages/decoded_rows_internal.h"
#include "adapters/messages/message_columns_internal.h"

namespace tidemark::messages {
namespace {

namespace dom = simdjson::dom;

/// The five bytes of a schema registry; no JSON begins with a zero byte.
std::string_view WithoutSchemaNumber(std::string_view text) {
  constexpr std::size_t kHeaderBytes = 5;
  return text.size() > kHeaderBytes && text.front() == '\0' ? text.substr(kHeaderBytes) : text;
}

class JsonDecoder final : public MessageDecoder {
 public:
  explicit JsonDecoder(WantedColumns wanted) : wanted_(std::move(wanted)), columns_(wanted_) {}
  JsonDecoder(const JsonDecoder&) = delete;
  JsonDecoder& operator=(const JsonDecoder&) = delete;

  Result<void> Prepare() { return PrepareParser(parser_); }

  Result<DecodedMessages> Decode(std::span<const StreamMessage> messages) override {
    DecodedRows rows(wanted_, messages);
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].has_value) {
        TM_TRY(AddMessage(TextOf(messages[i].value), i, rows));
      } else {
        TM_TRY(AddTombstone(messages[i], i, columns_, rows));
      }
    }
    TM_ASSIGN(auto columns, columns_.Finish());
    return rows.Finish(std::move(columns));
  }

 private:
  struct Place {
    std::string name;
    std::size_t member = WantedColumns::kNotWanted;
  };

  std::size_t MemberAt(std::size_t place, std::string_view name) {
    if (place >= places_.size()) {
      constexpr std::size_t kPlacesMax = 1'024;
      if (place >= kPlacesMax) return wanted_.Find(name);
      places_.resize(place + 1);
    }
    Place& known = places_[place];
    if (known.name != name) [[unlikely]]
      known = {.name = std::string(name), .member = wanted_.Find(name)};
    return known.member;
  }

  bool AddMembers(const dom::object& object, std::int64_t row, std::string& why) {
    std::size_t place = 0;
    for (const auto [name, value] : object) {
      const std::size_t member = MemberAt(place++, name);
      if (member != WantedColumns::kNotWanted && !columns_.Append(member, value, row, why)) return false;
    }
    return true;
  }

  Result<void> AddMessage(std::string_view text, std::size_t message, DecodedRows& rows) {
    std::string why;
    dom::element root;
    if (!ParseMessageJson(parser_, WithoutSchemaNumber(text), root, why)) {
      rows.Reject(message, std::move(why));
      return {};
    }
    dom::object object;
    if (root.get_object().get(object) != simdjson::SUCCESS) {
      rows.Reject(message, fmt::format("{} is no JSON object", ShownInMessage(root)));
      return {};
    }
    if (AddMembers(object, rows.count(), why)) {
      rows.Add(message);
    } else {
      rows.AddBroken(message, std::move(why));
    }
    return columns_.FillWithNulls(rows.count());
  }

  const WantedColumns wanted_;
  MessageColumns columns_;
  dom::parser parser_;
  std::vector<Place> places_;
};

}  // namespace

Result<std::unique_ptr<MessageDecoder>> MakeJsonDecoder(WantedColumns wanted) {
  auto decoder = std::make_unique<JsonDecoder>(std::move(wanted));
  TM_TRY(decoder->Prepare());
  return decoder;
}

}  // namespace tidemark::messages
