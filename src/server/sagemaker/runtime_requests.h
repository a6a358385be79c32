// The bodies of the runtime API, read from JSON.
//
// Unknown members are ignored, a null member is an absent one; a member of another type than it should have
// is kUnreadable and names its place. Patterns and limits of what is read are checked here, values of
// features by values.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/sagemaker/group.h"
#include "server/sagemaker/refusal.h"
#include "server/sagemaker/values.h"

namespace tidemark::sagemaker {

/// One record to write. Views into the body that it was read from.
struct WriteEntry {
  std::string_view group;              // of a batch
  std::vector<FeatureValue> record;    // at least one
  std::optional<Targets> targets;      // nothing: every store that the group has
  std::optional<std::int64_t> ttl_us;  // of its own, or the request's
};

struct UpdateRequest {
  std::string_view identifier;
  WriteEntry entry;
};

struct BatchEntry {
  std::optional<Refusal> refusal;  // why it cannot be written
  WriteEntry entry;
  std::string json;  // as it came, to be sent back
};

struct BatchIdentifier {
  std::string_view group;
  std::vector<std::string_view> identifiers;
  std::vector<std::string_view> features;  // empty: all
};

struct BatchGetRequest {
  std::vector<BatchIdentifier> identifiers;
  bool wants_expiry = false;
};

struct ListRequest {
  std::int64_t limit = 100;
  std::string_view next;
  bool deleted = false;
};

/// Reads one body at a time: what it gave is valid until it reads again. Not thread safe.
class RuntimeReader {
 public:
  explicit RuntimeReader(std::size_t depth_max);
  ~RuntimeReader();
  RuntimeReader(const RuntimeReader&) = delete;
  RuntimeReader& operator=(const RuntimeReader&) = delete;

  Answer<WriteEntry> Put(std::string_view body);
  Answer<UpdateRequest> Update(std::string_view body);
  Answer<std::vector<BatchEntry>> BatchWrite(std::string_view body);
  Answer<BatchGetRequest> BatchGet(std::string_view body);
  Answer<ListRequest> List(std::string_view body);

 private:
  struct Parser;
  const std::unique_ptr<Parser> parser_;
};

/// Reads TargetStores, of a body or a query.
Answer<Targets> TargetsOf(const std::vector<std::string_view>& names);
/// Reads `Enabled` and `Disabled`.
Answer<bool> WantsExpiry(std::string_view text);

inline constexpr std::size_t kIdentifierBytesMax = 2'048;
inline constexpr std::size_t kRecordBytesMax = 358'400;

}  // namespace tidemark::sagemaker
