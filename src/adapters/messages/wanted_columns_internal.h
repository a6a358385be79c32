// What a view wants of the messages, and what it is called there.
#pragma once

#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/type.h"
#include "store/stream.h"

namespace tidemark::messages {

/// A column of the rows that are made.
struct WantedColumn {
  enum class Role : std::uint8_t { kValue, kJoinKey, kEventTime, kCreatedTime, kDeletion };
  std::string name;  // as definitions have it
  DataType type;
  Role role = Role::kValue;
  std::string member;  // what messages call it
};

/// A member of the messages, and the columns that it fills: one, or more if a time is a feature as well.
struct WantedMember {
  std::string name;
  std::vector<std::size_t> columns;
};

class WantedColumns {
 public:
  static constexpr std::size_t kNotWanted = static_cast<std::size_t>(-1);

  /// Errors as MakeMessageDecoder.
  static Result<WantedColumns> Of(const DecoderRequest& request);

  const std::vector<WantedColumn>& columns() const { return columns_; }
  const std::vector<WantedMember>& members() const { return members_; }
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  std::size_t join_keys() const { return join_keys_; }
  /// The number of the member of that name; kNotWanted if no column wants it.
  std::size_t Find(std::string_view member) const;

 private:
  std::vector<WantedColumn> columns_;
  std::vector<WantedMember> members_;
  std::shared_ptr<arrow::Schema> schema_;
  std::size_t join_keys_ = 0;
};

}  // namespace tidemark::messages
