// Schemas are told by a text of all that is in them.
#include "pit/stream_import.h"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/c/bridge.h>
#include <arrow/c/helpers.h>
#include <arrow/type.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

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
