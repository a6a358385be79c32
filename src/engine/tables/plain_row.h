// One row in the types that its table keeps, as most small writes are: it goes into a frame as it is.
//
// What casts, stamps and encodes columns does that for many rows as cheaply as for one; of one row it is
// nearly all that a write costs. A row that needs more than to be copied is left to it, and so is one with a
// mistake, which it tells of.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/catalog.h"
#include "engine/tables/plain_frames.h"
#include "store/packed_row.h"

namespace tidemark {

/// Where the columns of a table lie in batches of one schema. Immutable.
class PlainColumns {
 public:
  /// `table` is a feature table, and `kept` TableSchema(table). Of a schema with columns of other types, or
  /// some that Tidemark writes, no row is plain.
  PlainColumns(const CatalogView& table, std::shared_ptr<arrow::Schema> kept,
               std::shared_ptr<arrow::Schema> given);

  bool IsOf(const arrow::Schema& kept, const arrow::Schema& given) const {
    return kept_.get() == &kept && given_.get() == &given;
  }
  bool are_plain() const { return are_plain_; }
  /// Columns were given that the table does not have.
  bool has_others() const { return has_others_; }

 private:
  friend class PlainRow;

  enum class Kind : std::uint8_t { kGiven, kWriteTime, kArrival, kIsDeleted, kExpiry, kOrigin };
  struct Column {
    Kind kind = Kind::kGiven;
    int given = -1;    // which column of the batch
    PlainType type{};  // of one that is given
    bool is_required = false;
  };

  bool Place(const CatalogView& table);
  std::optional<Column> Given(const arrow::Field& field) const;

  // Both are held, so that no others have their addresses.
  const std::shared_ptr<arrow::Schema> kept_;
  const std::shared_ptr<arrow::Schema> given_;
  std::vector<Column> columns_;  // of the table
  std::vector<int> keys_;        // of the batch
  std::vector<int> features_;
  int event_ = -1;
  int created_ = -1;  // of the batch; below zero: the moment of arrival
  bool are_plain_ = false;
  bool has_others_ = false;
};

/// The columns that were written to last. Thread safe.
class KnownPlainColumns {
 public:
  std::shared_ptr<const PlainColumns> Get(const CatalogView& table,
                                          const std::shared_ptr<arrow::Schema>& kept,
                                          const std::shared_ptr<arrow::Schema>& given);

 private:
  static constexpr std::size_t kKept = 16;
  std::mutex mutex_;
  std::array<std::shared_ptr<const PlainColumns>, kKept> known_;
  std::size_t next_ = 0;
};

/// A row that can be copied, which its batch has. Both must outlive it.
class PlainRow {
 public:
  /// Nothing if the batch has another number of rows, or the row needs more than to be copied.
  static std::optional<PlainRow> Of(const PlainColumns& columns, const arrow::RecordBatch& batch,
                                    std::int64_t arrival_us);

  std::int64_t event_us() const { return event_us_; }

  /// The payload of a frame of FrameKind::kPlainRow. `plain_schema` is EncodePlainSchema of the table's.
  std::string Frame(std::string_view plain_schema, std::int64_t write_time_us) const;

  /// What the online store keeps of it.
  Result<arrow::ArrayVector> Keys(const CatalogView& table) const;
  arrow::ArrayVector Features() const;
  PackedHeader Header(std::uint32_t schema_version, std::int64_t write_time_us) const;

 private:
  struct Value {
    const std::uint8_t* bytes = nullptr;  // of a word or text
    std::size_t size = 0;                 // of a text
    bool is_set = false;                  // of a flag
    bool is_null = false;
  };

  PlainRow(const PlainColumns& columns, const arrow::RecordBatch& batch, std::int64_t arrival_us)
      : columns_(columns), batch_(batch), arrival_us_(arrival_us) {}
  bool Read();
  static void AppendGiven(const PlainType& type, const Value& value, std::string& frame);
  bool Append(std::size_t column, std::int64_t write_time_us, std::string& frame) const;
  Value ValueOf(const PlainColumns::Column& column) const;
  std::int64_t TimeOf(int column) const;

  const PlainColumns& columns_;
  const arrow::RecordBatch& batch_;
  const std::int64_t arrival_us_;
  std::int64_t event_us_ = 0;
  std::int64_t created_us_ = 0;
  std::vector<Value> values_;   // for each column of the table; empty of those that are not given
  std::size_t text_bytes_ = 0;  // of all of them
};

}  // namespace tidemark
