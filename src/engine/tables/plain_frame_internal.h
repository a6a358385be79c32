// How a frame of one plain row lies in bytes: an Arrow IPC stream of one batch, always laid out alike, so
// that it is written and read without Arrow's general code.
//
//   the table's encoded schema | FF FF FF FF, bytes before the body | MessageHead, with the number of columns
//   a ColumnEntry for each | four bytes of nothing, number of buffers | a BufferEntry for each
//   the buffers, each aligned to 8: of every column a byte of validity if it is null (else nothing), then
//     a word or flag: its value;  a text: where it begins and ends (two int32), its bytes
//   FF FF FF FF 00 00 00 00
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidemark::plain_frame {

/// What the message has before its columns, for so many columns and buffers: a flatbuffer of a table
/// (version, kind, body's length) with a table (rows, columns, buffers) in it.
struct MessageHead {
  std::uint32_t root = 16;                                          // where the outer table is, from here
  std::array<std::uint16_t, 6> outer_fields{12, 20, 16, 18, 4, 8};  // sizes; version, kind, inner, body
  std::int32_t outer = 12;                                          // from there back to its fields
  std::uint32_t inner_at = 28;                                      // from here
  std::int64_t body_bytes = 0;
  std::int16_t version = 4;  // V5
  std::uint8_t kind = 3;     // RecordBatch
  std::uint8_t unused = 0;
  std::array<std::uint16_t, 6> inner_fields{10, 20, 8, 4, 16, 0};  // sizes; rows, columns, buffers
  std::int32_t inner = 12;
  std::uint32_t columns_at = 16;
  std::int64_t rows = 1;
  std::uint32_t buffers_at = 0;
  std::uint32_t columns = 0;
};
static_assert(sizeof(MessageHead) == 72 && offsetof(MessageHead, inner) == 48);

struct ColumnEntry {
  std::int64_t rows = 1;
  std::int64_t nulls = 0;
};
struct BufferEntry {
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
};

inline constexpr std::uint32_t kMessageBegins = 0xFFFFFFFF;
inline constexpr std::string_view kEndOfStream("\xFF\xFF\xFF\xFF\0\0\0\0", 8);

constexpr std::size_t kAlign = 8;
constexpr std::size_t Aligned(std::size_t bytes) {
  return (bytes + kAlign - 1) / kAlign * kAlign;
}

/// Where the parts of a message are in a frame.
struct Places {
  Places(std::size_t schema_bytes, std::size_t column_count, std::size_t buffer_count)
      : begin(schema_bytes),
        head(begin + 2 * sizeof(std::uint32_t)),
        columns(head + sizeof(MessageHead)),
        count(columns + column_count * sizeof(ColumnEntry) + sizeof(std::uint32_t)),
        buffers(count + sizeof(std::uint32_t)),
        body(buffers + buffer_count * sizeof(BufferEntry)) {}

  std::array<std::uint32_t, 2> BeginWords() const {
    return {kMessageBegins, static_cast<std::uint32_t>(body - head)};
  }
  MessageHead Head(std::size_t column_count, std::size_t body_bytes) const {
    MessageHead made;
    made.body_bytes = static_cast<std::int64_t>(body_bytes);
    made.columns = static_cast<std::uint32_t>(column_count);
    made.buffers_at = static_cast<std::uint32_t>(count - head - offsetof(MessageHead, buffers_at));
    return made;
  }

  std::size_t begin;
  std::size_t head;
  std::size_t columns;
  std::size_t count;  // of the buffers
  std::size_t buffers;
  std::size_t body;
};

}  // namespace tidemark::plain_frame
