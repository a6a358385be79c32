// Any bytes are read as a segment of a log, or refused: nothing is read beyond their end. And a segment of
// frames that is then damaged is never read as other frames than were written.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adapters/wal/frame_codec_internal.h"
#include "adapters/wal/segment_reader_internal.h"
#include "base/check.h"

namespace tidemark::wal {
namespace {

constexpr SegmentPlace kPlace{.log = 0x1122334455667788, .number = 3};
constexpr std::uint64_t kFirstLsn = 17;

ReadBytes ReadMemory(const std::vector<std::byte>& bytes) {
  return [&bytes](std::int64_t offset, std::span<std::byte> into,
                  std::size_t /*needed*/) -> Result<std::size_t> {
    TM_CHECK(offset >= 0 && static_cast<std::size_t>(offset) + into.size() <= bytes.size(),
             "a read beyond the segment");
    std::copy_n(bytes.begin() + offset, into.size(), into.begin());
    return into.size();
  };
}

// Walks the segment; `visit` has each frame with its payload, or without if it is not wanted.
template <typename Visit>
void Walk(const std::vector<std::byte>& bytes, bool wants_payload, const Visit& visit) {
  SegmentReader reader(ReadMemory(bytes), static_cast<std::int64_t>(bytes.size()));
  const auto header = reader.ReadHeader();
  if (!header || !*header) return;
  std::uint64_t lsn = (*header)->first_lsn;
  while (true) {
    LogFrame frame;
    const auto step = reader.Next([&](const LogFrame&) { return wants_payload; }, frame);
    TM_CHECK(step.has_value(), "memory can be read");
    if (*step != SegmentReader::Step::kFrame) break;
    TM_CHECK(frame.lsn == lsn++, "frames follow one another");
    visit(frame);
  }
  TM_CHECK(reader.offset() <= static_cast<std::int64_t>(bytes.size()), "a frame beyond the end");
  TM_CHECK(reader.whole_offset() <= reader.offset() && reader.whole_lsn() <= reader.next_lsn(),
           "what belongs together is not read before its first frame");
  TM_CHECK(reader.DurableSaidLater().has_value(), "memory can be read");
}

// Takes bytes off the input; zeros when it is over.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const std::byte first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return static_cast<std::uint8_t>(first);
  }
  std::span<const std::byte> Bytes(std::size_t most) {
    const auto taken = bytes_.first(std::min(most, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  bool is_over() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
};

bool IsSame(const LogFrame& frame, const LogFrame& written, bool has_payload) {
  const LogRecord& a = frame.record;
  const LogRecord& b = written.record;
  return frame.lsn == written.lsn && frame.durable_lsn == written.durable_lsn &&
         frame.behind == written.behind && a.kind == b.kind && a.targets == b.targets &&
         a.table_id == b.table_id && a.schema_version == b.schema_version &&
         a.write_time_us == b.write_time_us && a.batch_key == b.batch_key &&
         std::ranges::equal(a.stream_offsets, b.stream_offsets) &&
         (!has_payload || std::ranges::equal(a.payload, b.payload));
}

void WriteDamageAndRead(Input input) {
  std::vector<std::byte> bytes = EncodeSegmentHeader({.place = kPlace, .first_lsn = kFirstLsn});
  std::vector<LogFrame> written;
  const std::size_t frames = input.Byte() % 6;
  for (std::size_t i = 0; i < frames; ++i) {
    LogFrame frame{
        .lsn = kFirstLsn + i, .durable_lsn = kFirstLsn + i - 1, .behind = input.Byte(), .record = {}};
    frame.record.targets = input.Byte();
    frame.record.table_id = input.Byte();
    frame.record.write_time_us = input.Byte();
    const auto key = input.Bytes(input.Byte());
    frame.record.batch_key = {reinterpret_cast<const char*>(key.data()), key.size()};
    frame.record.stream_offsets = input.Bytes(input.Byte());
    frame.record.payload = input.Bytes(input.Byte());
    EncodeFrame(kPlace, static_cast<std::int64_t>(bytes.size()), frame, PayloadChecksum(frame.record.payload),
                bytes);
    written.push_back(frame);
  }
  const bool is_damaged = input.Byte() % 2 == 1;
  while (is_damaged && !input.is_over()) {
    const std::size_t at = (std::size_t{input.Byte()} << 8 | input.Byte()) % bytes.size();
    bytes[at] ^= static_cast<std::byte>(input.Byte());
    if (input.Byte() == 0) bytes.resize(std::max<std::size_t>(1, at));
  }
  for (const bool wants_payload : {false, true}) {
    std::size_t count = 0;
    Walk(bytes, wants_payload, [&](const LogFrame& frame) {
      TM_CHECK(count < written.size() && IsSame(frame, written[count], wants_payload),
               "another frame was read");
      ++count;
    });
    TM_CHECK(is_damaged || count == written.size(), "a whole segment is read to its end");
  }
}

}  // namespace
}  // namespace tidemark::wal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto all = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> copy(all.begin(), all.end());
  for (const bool wants_payload : {false, true})
    tidemark::wal::Walk(copy, wants_payload, [](const tidemark::LogFrame&) {});
  tidemark::wal::WriteDamageAndRead(tidemark::wal::Input(copy));
  return 0;
}
