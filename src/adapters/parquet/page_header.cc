// Reads no more of Thrift's compact protocol than a page's header needs; what is not wanted is passed over.
#include "adapters/parquet/page_header.h"

#include <cstddef>
#include <utility>

namespace tidemark {
namespace {

// Types of fields and elements.
enum ThriftType : std::uint8_t {
  kStop = 0,
  kTrue = 1,
  kFalse = 2,
  kByte = 3,
  kI16 = 4,
  kI32 = 5,
  kI64 = 6,
  kDouble = 7,
  kBinary = 8,
  kList = 9,
  kSet = 10,
  kMap = 11,
  kStruct = 12,
};

constexpr int kNestingMax = 8;  // headers have structs within structs within one

std::unexpected<Error> NoHeader() {
  return Fail(ErrorCode::kCorruption, "a page's header makes no sense");
}

std::unexpected<Error> EndsWithin() {
  return Fail(ErrorCode::kOutOfSpace, "a page's header does not end where it should");
}

class ThriftReader {
 public:
  explicit ThriftReader(std::string_view bytes) : bytes_(bytes) {}

  struct ThriftField {
    int id = 0;
    std::uint8_t type = kStop;
  };

  std::int64_t position() const { return static_cast<std::int64_t>(at_); }

  Result<ThriftField> NextField(int last_id) {
    TM_ASSIGN(const std::uint8_t head, Byte());
    const auto type = static_cast<std::uint8_t>(head & 0x0F);
    if (type == kStop) return head == 0 ? Result<ThriftField>(ThriftField{}) : NoHeader();
    if (head >> 4 != 0) return ThriftField{last_id + (head >> 4), type};
    TM_ASSIGN(const std::int64_t id, Signed());
    if (id < 0 || id > 0x7FFF) return NoHeader();
    return ThriftField{static_cast<int>(id), type};
  }

  Result<std::int64_t> Int32(const ThriftField& field) {
    if (field.type != kI32) return NoHeader();
    TM_ASSIGN(const std::int64_t value, Signed());
    if (value < INT32_MIN || value > INT32_MAX) return NoHeader();
    return value;
  }

  Result<void> Skip(std::uint8_t type, int depth) {
    if (depth > kNestingMax) return NoHeader();
    switch (type) {
      case kTrue:
      case kFalse:
        return {};
      case kByte:
        return Advance(1);
      case kI16:
      case kI32:
      case kI64: {
        TM_ASSIGN(const std::int64_t ignored, Signed());
        static_cast<void>(ignored);
        return {};
      }
      case kDouble:
        return Advance(8);
      case kBinary: {
        TM_ASSIGN(const std::uint64_t length, Unsigned());
        return Advance(length);
      }
      case kList:
      case kSet:
        return SkipList(depth);
      case kStruct:
        return SkipStruct(depth);
      default:
        return NoHeader();
    }
  }

 private:
  Result<std::uint8_t> Byte() {
    if (at_ >= bytes_.size()) return EndsWithin();
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }

  Result<std::uint64_t> Unsigned() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      TM_ASSIGN(const std::uint8_t byte, Byte());
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return NoHeader();
  }

  Result<std::int64_t> Signed() {
    TM_ASSIGN(const std::uint64_t zigzag, Unsigned());
    return static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1);
  }

  Result<void> Advance(std::uint64_t bytes) {
    if (bytes > bytes_.size() - at_) return EndsWithin();
    at_ += bytes;
    return {};
  }

  Result<void> SkipList(int depth) {
    TM_ASSIGN(const std::uint8_t head, Byte());
    std::uint64_t count = head >> 4;
    if (count == 0x0F) {
      TM_ASSIGN(count, Unsigned());
    }
    for (; count > 0; --count) {
      const auto type = static_cast<std::uint8_t>(head & 0x0F);
      // Within a list a truth value is a byte.
      TM_TRY(type == kTrue || type == kFalse ? Advance(1) : Skip(type, depth + 1));
    }
    return {};
  }

  Result<void> SkipStruct(int depth) {
    int last_id = 0;
    while (true) {
      TM_ASSIGN(const ThriftField field, NextField(last_id));
      if (field.type == kStop) return {};
      TM_TRY(Skip(field.type, depth + 1));
      last_id = field.id;
    }
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

// DataPageHeader and DataPageHeaderV2: the first field counts the values.
Result<std::int64_t> ReadValues(ThriftReader& reader) {
  std::optional<std::int64_t> values;
  int last_id = 0;
  while (true) {
    TM_ASSIGN(const auto field, reader.NextField(last_id));
    if (field.type == kStop) break;
    if (field.id == 1) {
      TM_ASSIGN(values, reader.Int32(field));
    } else {
      TM_TRY(reader.Skip(field.type, 1));
    }
    last_id = field.id;
  }
  if (!values || *values < 0) return NoHeader();
  return *values;
}

/// Fields come in the order of their ids.
class ThriftWriter {
 public:
  void Int32(int id, std::int32_t value) {
    Field(id, kI32);
    const auto bits = static_cast<std::uint32_t>(value);
    for (std::uint32_t left = (bits << 1) ^ (value < 0 ? 0xFFFFFFFFU : 0U);; left >>= 7) {
      bytes_.push_back(static_cast<char>(left < 0x80 ? left : (left & 0x7F) | 0x80));
      if (left < 0x80) return;
    }
  }

  void BeginStruct(int id) {
    Field(id, kStruct);
    last_id_ = 0;
  }

  void End() { bytes_.push_back(static_cast<char>(kStop)); }

  std::string Bytes() && { return std::move(bytes_); }

 private:
  void Field(int id, std::uint8_t type) {
    bytes_.push_back(static_cast<char>((id - last_id_) << 4 | type));
    last_id_ = id;
  }

  std::string bytes_;
  int last_id_ = 0;
};

}  // namespace

Result<PageHeader> ReadPageHeader(std::string_view bytes) {
  enum FieldId : std::uint8_t { kType = 1, kUnpacked, kPacked, kCrc, kData, kIndex, kDictionary, kDataV2 };
  ThriftReader reader(bytes);
  std::optional<std::int64_t> type;
  std::optional<std::int64_t> unpacked;
  std::optional<std::int64_t> packed;
  PageHeader header;
  int kind = 0;
  int last_id = 0;
  while (true) {
    TM_ASSIGN(const auto field, reader.NextField(last_id));
    if (field.type == kStop) break;
    last_id = field.id;
    if (field.id == kType) {
      TM_ASSIGN(type, reader.Int32(field));
    } else if (field.id == kUnpacked) {
      TM_ASSIGN(unpacked, reader.Int32(field));
    } else if (field.id == kPacked) {
      TM_ASSIGN(packed, reader.Int32(field));
    } else if (field.id == kCrc) {
      TM_ASSIGN(const std::int64_t crc, reader.Int32(field));
      header.crc = static_cast<std::uint32_t>(crc);
    } else if (field.id >= kData && field.id <= kDataV2) {
      if (field.type != kStruct || kind != 0) return NoHeader();
      kind = field.id;
      if (field.id == kData || field.id == kDataV2) {
        TM_ASSIGN(header.values, ReadValues(reader));
      } else {
        TM_TRY(reader.Skip(kStruct, 1));
      }
    } else {
      TM_TRY(reader.Skip(field.type, 1));
    }
  }
  if (!type || !unpacked || !packed || *packed < 0 || *unpacked < 0) return NoHeader();
  if (*type < 0 || *type > 3 || kind != *type + kData) return NoHeader();
  header.bytes = reader.position();
  header.type = static_cast<std::int32_t>(*type);
  header.page_bytes = *packed;
  header.unpacked_bytes = *unpacked;
  return header;
}

std::string PlainPageHeader(std::int64_t page_bytes, std::int64_t rows, std::uint32_t crc) {
  constexpr std::int32_t kDataPage = 0;
  constexpr std::int32_t kPlain = 0;
  constexpr std::int32_t kRunLengths = 3;
  ThriftWriter writer;
  writer.Int32(1, kDataPage);
  writer.Int32(2, static_cast<std::int32_t>(page_bytes));
  writer.Int32(3, static_cast<std::int32_t>(page_bytes));
  writer.Int32(4, static_cast<std::int32_t>(crc));
  writer.BeginStruct(5);
  writer.Int32(1, static_cast<std::int32_t>(rows));
  writer.Int32(2, kPlain);
  writer.Int32(3, kRunLengths);  // of definition levels
  writer.Int32(4, kRunLengths);  // of repetition levels
  writer.End();
  writer.End();
  return std::move(writer).Bytes();
}

}  // namespace tidemark
