// A frame is read whole before any of it is written, so that one with a bad value changes nothing.
#include "server/feast/writes.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/name.h"
#include "rows/arrow_types.h"
#include "server/feast/body_shape.h"
#include "server/feast/frame.h"
#include "tidemark/store.h"

namespace tidemark::server::feast {
namespace {

constexpr std::array<BodyField, 5> kPushFields{
    {{.name = "push_source_name", .shape = Shape::kText, .is_required = true},
     {.name = "df", .shape = Shape::kObject, .is_required = true},
     {.name = "allow_registry_cache", .shape = Shape::kFlag},
     {.name = "to", .shape = Shape::kText},
     {.name = "transform_on_write", .shape = Shape::kFlag}}};
constexpr std::array<BodyField, 4> kWriteFields{
    {{.name = "feature_view_name", .shape = Shape::kText, .is_required = true},
     {.name = "df", .shape = Shape::kObject, .is_required = true},
     {.name = "allow_registry_cache", .shape = Shape::kFlag},
     {.name = "transform_on_write", .shape = Shape::kFlag}}};

/// The tree of a body as large as this is not kept for the thread's next one.
constexpr std::size_t kKeptBodyBytes = 1UL << 20U;

/// Reads bodies, in memory that the thread keeps where it is not much.
class ThreadReader {
 public:
  explicit ThreadReader(std::size_t bytes)
      : large_(bytes > kKeptBodyBytes ? std::make_unique<BodyReader>() : nullptr) {}
  BodyReader& operator*() {
    thread_local BodyReader kept;
    return large_ ? *large_ : kept;
  }

 private:
  std::unique_ptr<BodyReader> large_;
};

/// Rows as what the store takes.
class RowStream {
 public:
  RowStream() = default;
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;
  ~RowStream() {
    if (stream_.release != nullptr) stream_.release(&stream_);
  }

  Result<EntityRows> Of(std::shared_ptr<arrow::RecordBatch> batch) {
    const auto schema = batch->schema();
    TM_ASSIGN(auto reader, OfBody(arrow::RecordBatchReader::Make({std::move(batch)}, schema)));
    TM_TRY(OfBody(arrow::ExportRecordBatchReader(std::move(reader), &stream_)));
    return EntityRows{.stream = &stream_, .path = {}};
  }

 private:
  ArrowArrayStream stream_{};
};

IngestOptions OptionsOf(const http::Request& request, WriteTarget to) {
  IngestOptions options;
  options.to = to;
  options.ignore_other_columns = true;
  options.idempotency_key = request.Header("idempotency-key").value_or("");
  options.stop = request.stop;
  return options;
}

Answer<WriteTarget> TargetOf(std::string_view to) {
  if (to == "online") return WriteTarget::kOnline;
  if (to == "offline") return WriteTarget::kOffline;
  if (to == "online_and_offline") return WriteTarget::kBoth;
  return Refuse(400, fmt::format("{} is not a supported push format. Please specify one of these ['online', "
                                 "'offline', 'online_and_offline'].",
                                 to));
}

}  // namespace

Answer<void> Writes::Push(const http::Request& request, http::Response& response) {
  ThreadReader reader(request.body.size());
  TM_ASSIGN(const auto body, (*reader).Read(request.body, limits_.json_depth_max, kPushFields));
  TM_ASSIGN(const WriteTarget to, TargetOf(TextOf(body, "to").value_or("online")));
  const std::string_view source = *TextOf(body, "push_source_name");
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  TM_ASSIGN(auto definitions, services_.definitions.Get(*store));
  auto views = definitions->ViewsOfPushSource(source);
  if (views.empty()) {
    TM_ASSIGN(definitions, services_.definitions.GetNow(*store));
    views = definitions->ViewsOfPushSource(source);
  }
  if (views.empty()) {
    return RefuseAs(422, "PushSourceNotFoundException",
                    fmt::format("Unable to find push source '{}'.", source));
  }
  TM_ASSIGN(auto rows, ReadFrame(simdjson::dom::object{*Find(body, "df")}, views, limits_.rows_max));
  RowStream stream;
  TM_ASSIGN(const EntityRows given, stream.Of(std::move(rows)));
  TM_TRY(store->Push(source, given, OptionsOf(request, to)));
  response.content_type = "";
  return {};
}

Answer<void> Writes::WriteOnline(const http::Request& request, http::Response& response) {
  ThreadReader reader(request.body.size());
  TM_ASSIGN(const auto body, (*reader).Read(request.body, limits_.json_depth_max, kWriteFields));
  const std::string_view name = *TextOf(body, "feature_view_name");
  TM_ASSIGN(const auto store, services_.stores->Get(request.project));
  TM_ASSIGN(auto definitions, services_.definitions.Get(*store));
  auto view = definitions->View(name);
  if (!view) {
    TM_ASSIGN(definitions, services_.definitions.GetNow(*store));
    view = definitions->View(name);
  }
  if (!view) {
    return RefuseAs(404, "FeastObjectNotFoundException",
                    fmt::format("Can't recognize feast object with a name {}", name));
  }
  const std::array<const KnownView*, 1> views{*view};
  TM_ASSIGN(auto rows, ReadFrame(simdjson::dom::object{*Find(body, "df")}, views, limits_.rows_max));
  RowStream stream;
  TM_ASSIGN(const EntityRows given, stream.Of(std::move(rows)));
  TM_TRY(store->Ingest(name, given, OptionsOf(request, WriteTarget::kOnline), nullptr));
  response.body = "null";
  return {};
}

}  // namespace tidemark::server::feast
