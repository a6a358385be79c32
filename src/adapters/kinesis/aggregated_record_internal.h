// Records that Amazon's producer library has put together into one.
//
//   F3 89 9A C2 | AggregatedRecord | MD5 of that
//
//   message AggregatedRecord { repeated string partition_key_table = 1; repeated string
//   explicit_hash_key_table = 2;
//                              repeated Record records = 3; }
//   message Record { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
//                    required bytes data = 3; repeated Tag tags = 4; }
//
// (github.com/awslabs/amazon-kinesis-producer, aggregation-format.md.)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::kinesis {

/// Which part of all hashes of keys a shard has: decimal numbers of 128 bits, both included.
struct HashKeyRange {
  std::string first = "0";
  std::string last = "340282366920938463463374607431768211455";
};

struct PackedRecord {
  std::string key;
  std::string data;
  std::string hash_key;  // decimal: that was stated, or else that of the key
};

/// Nothing for data that is no such record, which is one by itself: without the first bytes, without a right
/// MD5, or of another make.
std::optional<std::vector<PackedRecord>> UnpackAggregated(std::string_view data);

/// Whether a record is of this shard. The library sends those that are not, after a shard was split under
/// way, once more by themselves.
bool IsInRange(const PackedRecord& record, const HashKeyRange& range);

}  // namespace tidemark::kinesis
