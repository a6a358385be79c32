// The online store's keys: which bytes stand for (view, join keys).
//
//   view id, 4 bytes big-endian
//   each join key, in the order of the join keys' names (bytewise):
//     int32, int64, timestamp   8 bytes: the int64 big-endian with its sign bit flipped
//     bool                      1 byte: 0 or 1
//     string, binary            the bytes with 0x00 written as 0x00 0xFF, then 0x00 0x01
//   in the end, if all that is longer than 400 bytes: its first 385 bytes and the 128-bit hash of the whole,
//   which makes 401 bytes: no key that is stored whole can be equal to a shortened one
//
// Keys of one view sort as their values do (long ones up to their prefix). Two values of different integer
// types but equal value have the same key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "model/type.h"

namespace tidemark {

inline constexpr std::size_t kOnlineKeyBytesMax = 400;
inline constexpr std::size_t kOnlineKeyPrefixBytes = 385;

/// One join key's value. Integers and timestamps (microseconds) are the int64.
using KeyValue = std::variant<std::int64_t, bool, std::string_view>;

/// Appends the bytes of one join key to `out`; AppendViewId comes first, then the values in order of name.
void AppendViewId(std::uint32_t view_id, std::string& out);
void AppendKeyInt64(std::int64_t value, std::string& out);
void AppendKeyBool(bool value, std::string& out);
void AppendKeyBytes(std::string_view value, std::string& out);
void AppendKeyValue(const KeyValue& value, std::string& out);

/// Takes the value of one join key of a type off the front of `key`; a text into `text`, which the value then
/// refers to. Nothing if the bytes are none of it.
std::optional<KeyValue> TakeKeyValue(const DataType& type, std::string_view& key, std::string& text);

/// True if `full_key` is stored under a shortened key, with the full one in the value.
constexpr bool IsLongKey(std::string_view full_key) {
  return full_key.size() > kOnlineKeyBytesMax;
}

/// The bytes to look `full_key` up by: itself, or for a long one its prefix and hash.
std::string StoredKey(std::string_view full_key);

}  // namespace tidemark
