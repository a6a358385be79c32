// Checks and reads canonical key columns.
#include "pit/key_reader_internal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tidemark::pit_internal {

std::string_view KeyTypeName(KeyType type) {
  static constexpr std::array<std::string_view, 3> kNames{"int64", "bool", "binary"};
  return kNames.at(static_cast<std::size_t>(type));
}

std::string KeyTypeNames(const std::vector<KeyType>& types) {
  if (types.empty()) return "no columns";
  std::string out;
  for (const KeyType type : types)
    out += fmt::format("{}{}", out.empty() ? "" : ", ", KeyTypeName(type));
  return out;
}

std::uint64_t UnmixHash(std::uint64_t hash) {
  // The multiplicative inverses (modulo 2^64) of MixHash's factors; x ^= x >> s is undone by repeating the
  // shift.
  hash ^= (hash >> 31) ^ (hash >> 62);
  hash *= 0x319642B2D24D8EC3ULL;
  hash ^= (hash >> 27) ^ (hash >> 54);
  hash *= 0x96DE1B173F119089ULL;
  return hash ^ (hash >> 30) ^ (hash >> 60);
}

Result<KeyReader::Column> KeyReader::MakeColumn(const arrow::Array& column, std::size_t number) {
  if (column.null_count() > 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("key column {} has nulls; make it canonical first", number));
  }
  Column out;
  switch (column.type_id()) {
    case arrow::Type::INT64:
      out.integers = static_cast<const arrow::Int64Array&>(column).raw_values();
      return out;
    case arrow::Type::BOOL:
      out.type = KeyType::kBool;
      out.bools = static_cast<const arrow::BooleanArray*>(&column);
      return out;
    case arrow::Type::BINARY:
    case arrow::Type::STRING: {
      const auto& binary = static_cast<const arrow::BinaryArray&>(column);
      out.type = KeyType::kBinary;
      out.ends = binary.raw_value_offsets();
      out.data = reinterpret_cast<const char*>(binary.raw_data());
      return out;
    }
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::LARGE_STRING: {
      const auto& binary = static_cast<const arrow::LargeBinaryArray&>(column);
      out.type = KeyType::kBinary;
      out.large_ends = binary.raw_value_offsets();
      out.data = reinterpret_cast<const char*>(binary.raw_data());
      return out;
    }
    default:
      return Fail(ErrorCode::kInvalidArgument, fmt::format("key column {} is {}; make it canonical first",
                                                           number, column.type()->ToString()));
  }
}

Result<KeyReader> KeyReader::Make(const arrow::ArrayVector& columns, std::int64_t rows) {
  KeyReader out;
  for (const auto& column : columns) {
    const std::size_t number = out.columns_.size();
    if (column->length() != rows) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("key column {} has {} rows, the times have {}",
                                                           number, column->length(), rows));
    }
    TM_ASSIGN(auto made, MakeColumn(*column, number));
    out.types_.push_back(made.type);
    out.columns_.push_back(made);
  }
  if (out.types_.empty()) {
    out.form_ = KeyForm::kNone;
  } else if (out.types_.size() == 1 && out.types_[0] != KeyType::kBinary) {
    out.form_ = KeyForm::kInteger;
  } else {
    out.form_ = KeyForm::kBytes;
    if (std::ranges::find(out.types_, KeyType::kBinary) == out.types_.end()) {
      for (const KeyType type : out.types_)
        out.fixed_bytes_ += type == KeyType::kBool ? 1 : sizeof(std::int64_t);
    }
  }
  return out;
}

void KeyReader::Encode(std::int64_t row, std::string& out) const {
  const auto append = [&out](const void* from, std::size_t size) {
    out.append(static_cast<const char*>(from), size);
  };
  for (const Column& column : columns_) {
    if (column.type == KeyType::kBinary) {
      const std::string_view value = column.Bytes(row);
      const std::uint64_t size = value.size();
      append(&size, sizeof size);
      append(value.data(), value.size());
    } else if (column.type == KeyType::kBool) {
      out.push_back(column.bools->Value(row) ? '\1' : '\0');
    } else {
      append(&column.integers[row], sizeof(std::int64_t));
    }
  }
}

// The block's keys as Encode has them, column by column.
void KeyReader::EncodeFixed(std::size_t count) {
  block_bytes_.resize(count * fixed_bytes_);
  char* column_begin = block_bytes_.data();
  for (const Column& column : columns_) {
    char* at = column_begin;
    if (column.type == KeyType::kBool) {
      for (std::size_t i = 0; i < count; ++i, at += fixed_bytes_) {
        *at = column.bools->Value(block_begin_ + static_cast<std::int64_t>(i)) ? '\1' : '\0';
      }
      column_begin += 1;
    } else {
      const std::int64_t* values = column.integers + block_begin_;
      for (std::size_t i = 0; i < count; ++i, at += fixed_bytes_)
        std::memcpy(at, values + i, sizeof *values);
      column_begin += sizeof *values;
    }
  }
}

void KeyReader::ReadBlock(std::int64_t begin, std::span<std::uint64_t> hashes) {
  block_begin_ = begin;
  if (form_ == KeyForm::kNone) {
    std::fill(hashes.begin(), hashes.end(), 0);
    return;
  }
  if (form_ == KeyForm::kInteger) {
    const Column& column = columns_[0];
    if (column.integers != nullptr) {
      const std::int64_t* values = column.integers + begin;
      for (std::size_t i = 0; i < hashes.size(); ++i)
        hashes[i] = IntegerHash(values[i]);
    } else {
      for (std::uint64_t& hash : hashes)
        hash = IntegerHash(column.Integer(begin++));
    }
    return;
  }
  if (fixed_bytes_ > 0) {
    EncodeFixed(hashes.size());
  } else if (columns_.size() > 1) {
    block_bytes_.clear();
    block_ends_.assign(1, 0);
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      Encode(begin + static_cast<std::int64_t>(i), block_bytes_);
      block_ends_.push_back(block_bytes_.size());
    }
  }
  for (std::size_t i = 0; i < hashes.size(); ++i)
    hashes[i] = Hash64(std::as_bytes(std::span(bytes(i))));
}

std::string_view KeyReader::RowBytes(std::int64_t row, std::string& scratch) const {
  if (columns_.size() == 1) return columns_[0].Bytes(row);
  scratch.clear();
  Encode(row, scratch);
  return scratch;
}

KeyPart TakeKeyPart(KeyType type, std::string_view& encoded) {
  KeyPart out;
  if (type == KeyType::kBool) {
    out.integer = encoded.front();
    encoded.remove_prefix(1);
    return out;
  }
  std::memcpy(&out.integer, encoded.data(), sizeof out.integer);
  encoded.remove_prefix(sizeof out.integer);
  if (type == KeyType::kBinary) {
    const auto size = static_cast<std::size_t>(std::exchange(out.integer, 0));
    out.bytes = encoded.substr(0, size);
    encoded.remove_prefix(size);
  }
  return out;
}

int CompareKeys(const std::vector<KeyType>& types, std::string_view left, std::string_view right) {
  const auto sign = [](auto order) { return order < 0 ? -1 : order > 0 ? 1 : 0; };
  if (types.size() == 1) return sign(left.compare(right));  // a single binary column: its bytes
  for (const KeyType type : types) {
    const KeyPart a = TakeKeyPart(type, left);
    const KeyPart b = TakeKeyPart(type, right);
    const int order =
        type == KeyType::kBinary ? sign(a.bytes.compare(b.bytes)) : sign(a.integer <=> b.integer);
    if (order != 0) return order;
  }
  return 0;
}

}  // namespace tidemark::pit_internal
