// Schemas are told by a text of all that is in them.
#include "pit/stream_import.h"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/c/helpers.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "pit/arrow_status.h"

namespace tidemark {
namespace {

constexpr std::size_t kSchemasKept = 16;
constexpr std::size_t kFormBytesMax = std::size_t{16} << 10;  // of a schema that is kept
constexpr int kDepthMax = 32;

/// A schema, and the same as the type of a batch's one column in C.
struct KnownSchema {
  std::shared_ptr<arrow::Schema> schema;
  std::shared_ptr<arrow::DataType> type;
};

/// Appends all that a schema says, so that two of the same text are the same. False for one that is not told
/// so: with metadata or a dictionary, or too large, or none at all.
bool AppendForm(const ArrowSchema& schema, int depth, std::string& form) {
  if (schema.format == nullptr || schema.metadata != nullptr || schema.dictionary != nullptr) return false;
  if (depth > kDepthMax || form.size() > kFormBytesMax || schema.n_children < 0) return false;
  form.append(schema.format).push_back('\0');
  form.append(schema.name == nullptr ? "" : schema.name).push_back('\0');
  const std::array<std::int64_t, 2> numbers{schema.flags, schema.n_children};
  form.append(reinterpret_cast<const char*>(numbers.data()), sizeof(numbers));
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (schema.children[i] == nullptr || !AppendForm(*schema.children[i], depth + 1, form)) return false;
  }
  return true;
}

/// The schemas that were read last.
class KnownSchemas {
 public:
  std::optional<KnownSchema> Find(const std::string& form) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, schema] : kept_) {
      if (known == form) return schema;
    }
    return std::nullopt;
  }

  void Keep(std::string form, KnownSchema schema) {
    const std::lock_guard lock(mutex_);
    kept_[next_] = {std::move(form), std::move(schema)};
    next_ = (next_ + 1) % kSchemasKept;
  }

 private:
  mutable std::mutex mutex_;
  std::array<std::pair<std::string, KnownSchema>, kSchemasKept> kept_;
  std::size_t next_ = 0;
};

KnownSchemas& Known() {
  static KnownSchemas known;
  return known;
}

/// Releases `c_schema`.
arrow::Result<KnownSchema> Import(ArrowSchema& c_schema) {
  thread_local std::string form;
  form.clear();
  const bool is_told = AppendForm(c_schema, 0, form);
  if (is_told) {
    if (auto known = Known().Find(form)) {
      ArrowSchemaRelease(&c_schema);
      return *std::move(known);
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto schema, arrow::ImportSchema(&c_schema));
  KnownSchema made{schema, arrow::struct_(schema->fields())};
  if (is_told) Known().Keep(form, made);
  return made;
}

/// The memory of a batch in C, given back when the last of its buffers is gone.
class HeldBatch {
 public:
  explicit HeldBatch(ArrowArray* batch) { ArrowArrayMove(batch, &batch_); }
  ~HeldBatch() { ArrowArrayRelease(&batch_); }
  HeldBatch(const HeldBatch&) = delete;
  HeldBatch& operator=(const HeldBatch&) = delete;

  const ArrowArray& batch() const { return batch_; }
  arrow::Buffer* Add(const void* bytes, std::int64_t size) {
    return &buffers_.emplace_back(static_cast<const std::uint8_t*>(bytes), size);
  }

 private:
  ArrowArray batch_{};
  std::deque<arrow::Buffer> buffers_;
};

bool IsText32(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::BINARY;
}

/// Whether a column is numbers, flags or text with all that belongs to it; others are left to Arrow.
bool IsFlat(const ArrowArray* column, std::int64_t rows, const arrow::DataType& type) {
  const bool is_text = IsText32(type);
  if (!is_text && !arrow::is_primitive(type.id())) return false;
  if (column == nullptr || column->release == nullptr || column->buffers == nullptr) return false;
  if (column->n_buffers != (is_text ? 3 : 2) || column->n_children != 0 || column->dictionary != nullptr)
    return false;
  if (column->length != rows || column->offset < 0 || column->null_count < -1) return false;
  if (column->buffers[1] == nullptr || (is_text && column->buffers[2] == nullptr)) return false;
  return column->null_count <= 0 || column->buffers[0] != nullptr;
}

/// Whether all columns of a batch are such ones.
bool IsFlat(const ArrowArray& batch, const arrow::Schema& schema) {
  if (batch.length <= 0 || batch.offset != 0 || batch.null_count != 0 || batch.dictionary != nullptr)
    return false;
  if (batch.n_children != schema.num_fields() || batch.n_children == 0) return false;
  for (int i = 0; i < schema.num_fields(); ++i) {
    if (!IsFlat(batch.children[i], batch.length, *schema.field(i)->type())) return false;
  }
  return true;
}

/// What Arrow's import makes of a batch that is flat, with fewer pieces: a small one costs little else.
std::shared_ptr<arrow::RecordBatch> ImportFlat(ArrowArray* c_array, std::shared_ptr<arrow::Schema> schema) {
  const auto held = std::make_shared<HeldBatch>(c_array);
  const auto buffer = [&held](const void* bytes, std::int64_t size) {
    return std::shared_ptr<arrow::Buffer>(held, held->Add(bytes, size));
  };
  const auto bytes_of = [](std::int64_t bits) { return bits / 8 + (bits % 8 != 0 ? 1 : 0); };
  std::vector<std::shared_ptr<arrow::ArrayData>> columns;
  columns.reserve(static_cast<std::size_t>(schema->num_fields()));
  for (int i = 0; i < schema->num_fields(); ++i) {
    const ArrowArray& column = *held->batch().children[i];
    const auto& type = schema->field(i)->type();
    const std::int64_t rows = column.offset + column.length;
    const bool has_nulls = column.null_count != 0 && column.buffers[0] != nullptr;
    std::vector<std::shared_ptr<arrow::Buffer>> buffers(static_cast<std::size_t>(column.n_buffers));
    if (has_nulls) buffers[0] = buffer(column.buffers[0], bytes_of(rows));
    if (IsText32(*type)) {
      const auto* const ends = static_cast<const std::int32_t*>(column.buffers[1]);
      buffers[1] = buffer(ends, (rows + 1) * std::int64_t{sizeof(*ends)});
      buffers[2] = buffer(column.buffers[2], ends[rows]);
    } else {
      buffers[1] = buffer(column.buffers[1], bytes_of(rows * type->bit_width()));
    }
    columns.push_back(arrow::ArrayData::Make(type, column.length, std::move(buffers),
                                             has_nulls ? column.null_count : 0, column.offset));
  }
  return arrow::RecordBatch::Make(std::move(schema), held->batch().length, std::move(columns));
}

arrow::StatusCode CodeOf(int error) {
  switch (error) {
    case EDOM:
    case EINVAL:
    case ERANGE:
      return arrow::StatusCode::Invalid;
    case ENOMEM:
      return arrow::StatusCode::OutOfMemory;
    case ENOSYS:
      return arrow::StatusCode::NotImplemented;
    default:
      return arrow::StatusCode::IOError;
  }
}

class ImportedStream final : public arrow::RecordBatchReader {
 public:
  explicit ImportedStream(ArrowArrayStream* stream) { ArrowArrayStreamMove(stream, &stream_); }
  ~ImportedStream() override {
    if (stream_.release != nullptr) ArrowArrayStreamRelease(&stream_);
  }
  ImportedStream(const ImportedStream&) = delete;
  ImportedStream& operator=(const ImportedStream&) = delete;

  arrow::Status Begin() {
    ArrowSchema c_schema{};
    ARROW_RETURN_NOT_OK(Told(stream_.get_schema(&stream_, &c_schema)));
    ARROW_ASSIGN_OR_RAISE(known_, Import(c_schema));
    return arrow::Status::OK();
  }

  std::shared_ptr<arrow::Schema> schema() const override { return known_.schema; }

  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    *batch = nullptr;
    if (stream_.release == nullptr) return arrow::Status::Invalid("the stream of rows was closed");
    ArrowArray c_array{};
    ARROW_RETURN_NOT_OK(Told(stream_.get_next(&stream_, &c_array)));
    if (ArrowArrayIsReleased(&c_array)) return arrow::Status::OK();
    if (IsFlat(c_array, *known_.schema)) {
      *batch = ImportFlat(&c_array, known_.schema);
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(const auto rows, arrow::ImportArray(&c_array, known_.type));
    if (rows->null_count() != 0 || rows->offset() != 0)
      return arrow::Status::Invalid("a batch of the stream has a validity or an offset of its own");
    *batch = arrow::RecordBatch::Make(known_.schema, rows->length(), rows->data()->child_data);
    return arrow::Status::OK();
  }

  arrow::Status Close() override {
    if (stream_.release != nullptr) ArrowArrayStreamRelease(&stream_);
    return arrow::Status::OK();
  }

 private:
  arrow::Status Told(int error) {
    if (error == 0) return arrow::Status::OK();
    const char* const text = stream_.get_last_error(&stream_);
    return {CodeOf(error), text != nullptr ? std::string(text) : std::generic_category().message(error)};
  }

  ArrowArrayStream stream_{};
  KnownSchema known_;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatchReader>> ImportStream(ArrowArrayStream* stream) {
  auto reader = std::make_shared<ImportedStream>(stream);
  TM_TRY(FromArrowStatus(reader->Begin()));
  return reader;
}

}  // namespace tidemark
