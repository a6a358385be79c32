// Few rows become one frame of the log; many are sorted, stamped and written to files in one commit.
#include <arrow/array/builder_binary.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "engine/online_rows.h"
#include "engine/online_write.h"
#include "engine/tables/batch_content.h"
#include "engine/tables/erasures.h"
#include "engine/tables/feature_tables.h"
#include "engine/tables/plain_row.h"
#include "engine/tables/range_rows.h"
#include "engine/tables/source_rows.h"
#include "engine/tables/stamp_rows_internal.h"
#include "engine/tables/table_marks_internal.h"
#include "engine/tables/text_rows.h"
#include "model/time.h"
#include "pit/arrow_status.h"
#include "pit/sort_rows.h"

namespace tidemark {
namespace {

/// Up to here rows go through the log.
constexpr std::int64_t kLogRowsMax = 50'000;
constexpr std::int64_t kLogBytesMax = std::int64_t{8} << 20;
/// How many rows are sorted at a time on their way to files.
constexpr std::int64_t kSortRowsMax = 16'000'000;
constexpr std::int64_t kSortBytesMax = std::int64_t{1} << 30;
constexpr std::int64_t kSliceRows = 256 * 1024;

/// Rows that did not fit, and why.
class RejectedRows {
 public:
  void Add(const std::shared_ptr<arrow::RecordBatch>& row, std::string why) {
    rows_.push_back(row);
    errors_.push_back(std::move(why));
  }
  bool empty() const { return rows_.empty(); }

  Result<std::shared_ptr<arrow::Table>> Table() const {
    TM_ASSIGN(const auto table, FromArrowResult(arrow::Table::FromRecordBatches(rows_)));
    arrow::StringBuilder builder;
    TM_TRY(FromArrowStatus(builder.AppendValues(errors_)));
    TM_ASSIGN(const auto errors, FromArrowResult(builder.Finish()));
    return FromArrowResult(table->AddColumn(table->num_columns(), arrow::field("error", arrow::utf8()),
                                            std::make_shared<arrow::ChunkedArray>(errors)));
  }

 private:
  arrow::RecordBatchVector rows_;
  std::vector<std::string> errors_;
};

/// The user's batches, one after another, as the table's.
class Intake {
 public:
  /// `view` as a table; `keeps_expiry` says whether it is one.
  Intake(const CatalogView& view, bool keeps_expiry, std::shared_ptr<arrow::RecordBatchReader> rows,
         const IngestRequest& request, std::int64_t now_us)
      : view_(view),
        keeps_expiry_(keeps_expiry),
        rows_(std::move(rows)),
        request_(request),
        now_us_(now_us),
        next_row_(request.first_row) {}

  /// The next batch as it was given; null at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> NextGiven() {
    std::shared_ptr<arrow::RecordBatch> batch;
    if (!given_back_.empty()) {
      batch = std::move(given_back_.back());
      given_back_.pop_back();
    } else if (!is_read_) {
      TM_TRY(FromArrowStatus(rows_->ReadNext(&batch)));
      is_read_ = batch == nullptr;  // it is not to be asked again
    }
    return batch;
  }

  /// To be the next one.
  void GiveBack(std::shared_ptr<arrow::RecordBatch> batch) { given_back_.push_back(std::move(batch)); }

  /// The next rows; nothing at the end.
  Result<std::optional<TableRows>> Next() {
    while (ready_.empty()) {
      if (request_.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "interrupted");
      TM_ASSIGN(const auto batch, NextGiven());
      if (batch == nullptr) return std::nullopt;
      TM_TRY(TakeUnmarked(batch, next_row_));
      next_row_ += batch->num_rows();
      std::ranges::reverse(ready_);
    }
    TableRows rows = std::move(ready_.back());
    ready_.pop_back();
    for (std::int64_t row = 0; row < rows.count(); ++row) {
      if (IsAhead(rows, row)) ++ahead_;
    }
    return rows;
  }

  std::int64_t ahead() const { return ahead_; }
  bool was_cut() const { return was_cut_; }
  const RejectedRows& rejected() const { return rejected_; }

 private:
  /// Reads the rows of a batch that their reader has not marked as bad; those are given back.
  Result<void> TakeUnmarked(const std::shared_ptr<arrow::RecordBatch>& batch, std::int64_t first_row) {
    const int column = request_.skip_bad_rows ? batch->schema()->GetFieldIndex(system_column::kUnfit) : -1;
    if (column < 0 || batch->column(column)->type_id() != arrow::Type::STRING) return Take(batch, first_row);
    const auto marks = std::static_pointer_cast<arrow::StringArray>(batch->column(column));
    TM_ASSIGN(const auto rows, FromArrowResult(batch->RemoveColumn(column)));
    std::int64_t begin = 0;
    for (std::int64_t row = 0; row < rows->num_rows(); ++row) {
      if (marks->IsNull(row)) continue;
      // Also of no rows: columns that fit in none are the request's mistake.
      if (row > begin || row == 0) TM_TRY(Take(rows->Slice(begin, row - begin), first_row + begin));
      rejected_.Add(rows->Slice(row, 1), marks->GetString(row));
      begin = row + 1;
    }
    if (begin > 0 && begin == rows->num_rows()) return {};
    return Take(rows->Slice(begin), first_row + begin);
  }

  /// Reads a batch; where bad rows are skipped, one that fails is halved until they are found.
  Result<void> Take(const std::shared_ptr<arrow::RecordBatch>& batch, std::int64_t first_row) {
    auto rows = Read(batch, first_row);
    if (rows) {
      if (rows->count() > 0 || first_row == request_.first_row) ready_.push_back(*std::move(rows));
      return {};
    }
    const ErrorCode code = rows.error().code;
    const bool is_of_values = code == ErrorCode::kInvalidData || code == ErrorCode::kTypeMismatch;
    // A column that fits in no row is the request's mistake.
    if (!request_.skip_bad_rows || !is_of_values || !Read(batch->Slice(0, 0), first_row))
      return std::unexpected(std::move(rows).error());
    if (batch->num_rows() == 1) {
      rejected_.Add(batch, rows.error().ToString());
      return {};
    }
    const std::int64_t half = batch->num_rows() / 2;
    TM_TRY(Take(batch->Slice(0, half), first_row));
    return Take(batch->Slice(half), first_row + half);
  }

  Result<TableRows> Read(std::shared_ptr<arrow::RecordBatch> batch, std::int64_t first_row) {
    if (request_.is_text) {
      TM_ASSIGN(batch, ReadText(view_, batch, first_row));
    }
    TM_TRY(CheckOneTime(*batch));
    TM_ASSIGN(
        TableRows rows,
        ReadTableRows(view_, *batch,
                      {.arrival_us = now_us_,
                       .first_row = first_row,
                       .is_deleted = request_.is_deletion,
                       .event_us = request_.is_deletion ? std::optional(request_.event_us.value_or(now_us_))
                                                        : std::nullopt,
                       .others_allowed = request_.others_allowed},
                      &was_cut_));
    if (request_.to == WriteTo::kOnline) TM_TRY(CheckDue(rows, first_row));
    if (keeps_expiry_ || rows.expires_at == nullptr) return rows;
    if (!request_.others_allowed && rows.count() > 0) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("column '{}': the files of a batch source do not say when rows expire: leave it "
                      "out",
                      system_column::kExpiresAt));
    }
    rows.expires_at = nullptr;
    return rows;
  }

  /// Deletions have one event time for all, or a column of them.
  Result<void> CheckOneTime(const arrow::RecordBatch& batch) const {
    const std::string& name = view_.definition.table.timestamp_field;
    if (!request_.is_deletion || !request_.event_us || batch.schema()->GetFieldIndex(name) < 0) return {};
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the deletions have event times of their own in column '{}', and one is given for "
                    "all: leave one of the two out",
                    name));
  }

  bool IsAhead(const TableRows& rows, std::int64_t row) const {
    return rows.event->Value(row) > now_us_ + kFutureToleranceUs;
  }

  Result<void> CheckDue(const TableRows& rows, std::int64_t first_row) const {
    for (std::int64_t row = 0; row < rows.count(); ++row) {
      if (!IsAhead(rows, row)) continue;
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("column '{}', row {}: {} is more than 10 minutes ahead of the clock; an online row "
                      "must be due. Write it offline too: it comes online by materialize",
                      view_.definition.table.timestamp_field, first_row + row,
                      FormatTimestampUs(rows.event->Value(row))));
    }
    return {};
  }

  const CatalogView& view_;
  const bool keeps_expiry_;
  const std::shared_ptr<arrow::RecordBatchReader> rows_;
  bool is_read_ = false;                 // to its end
  arrow::RecordBatchVector given_back_;  // read before the others, the last first
  const IngestRequest& request_;
  const std::int64_t now_us_;
  std::int64_t next_row_;
  std::vector<TableRows> ready_;  // of the last batch, the last first
  std::int64_t ahead_ = 0;
  bool was_cut_ = false;
  RejectedRows rejected_;
};

/// A reader whose rows are made by functions of ours.
class MadeRows : public arrow::RecordBatchReader {
 public:
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) final {
    auto next = Next();
    if (!next) return ToStatus(next.error());
    *batch = *std::move(next);
    return arrow::Status::OK();
  }

 private:
  /// Null at the end.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
};

/// Rows on their way to files: sorted in runs, stamped, in slices. They are added to `content`, if given.
class StampedReader final : public MadeRows {
 public:
  /// Of a range (null: none) deletions follow the rows.
  StampedReader(const TableShape& shape, std::vector<TableRows> first, Intake& intake,
                WriteTimes& write_times, std::int64_t now_us, BatchContentSum* content, RangeRows* range)
      : schema_(shape.schema),
        first_(std::move(first)),
        intake_(intake),
        write_times_(write_times),
        now_us_(now_us),
        content_(content),
        range_(range) {}

  std::int64_t deletions() const { return deletions_; }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (run_ == nullptr || begin_ >= run_->num_rows()) {
      TM_ASSIGN(const bool is_more, NextRun());
      if (!is_more) return nullptr;
    }
    auto slice = run_->Slice(begin_, std::min(kSliceRows, run_->num_rows() - begin_));
    begin_ += slice->num_rows();
    if (content_ != nullptr) TM_TRY(content_->Add(*slice));
    return slice;
  }

  Result<bool> NextRun() {
    run_.reset();
    begin_ = 0;
    std::vector<TableRows> parts = std::exchange(first_, {});
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    for (const TableRows& part : parts) {
      rows += part.count();
      bytes += BytesOf(part);
    }
    while (rows < kSortRowsMax && bytes < kSortBytesMax) {
      TM_ASSIGN(auto part, intake_.Next());
      if (!part) break;
      if (range_ != nullptr) TM_TRY(range_->Keep(*part));
      rows += part->count();
      bytes += BytesOf(*part);
      parts.push_back(*std::move(part));
    }
    if (rows == 0 && range_ != nullptr) {
      TM_ASSIGN(auto gone, std::exchange(range_, nullptr)->Deletions());
      if (gone) {
        rows = deletions_ = gone->count();
        parts = {*std::move(gone)};
      }
    }
    if (rows == 0) return false;
    TM_ASSIGN(StampedBatch stamped, StampRows(schema_, parts, write_times_, now_us_));
    run_ = std::move(stamped.rows);
    return true;
  }

  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<TableRows> first_;
  Intake& intake_;
  WriteTimes& write_times_;
  const std::int64_t now_us_;
  BatchContentSum* const content_;
  RangeRows* range_;  // null once its deletions were read
  std::int64_t deletions_ = 0;
  std::shared_ptr<arrow::RecordBatch> run_;
  std::int64_t begin_ = 0;
};

/// Rows on their way into the files of a batch source, in the order in which they came. They are added to
/// `content`, if given.
class FolderReader final : public MadeRows {
 public:
  FolderReader(const CatalogView& view, const TableShape& shape, std::vector<TableRows> first, Intake& intake,
               const IngestRequest& request, BatchContentSum* content)
      : view_(view),
        table_schema_(shape.schema),
        schema_(SourceSchema(view)),
        first_(std::move(first)),
        intake_(intake),
        request_(request),
        content_(content) {
    std::ranges::reverse(first_);
  }

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }

 private:
  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    std::optional<TableRows> rows;
    if (first_.empty()) {
      TM_ASSIGN(rows, intake_.Next());
      if (!rows) return nullptr;
    } else {
      rows = std::move(first_.back());
      first_.pop_back();
    }
    // Files have the first columns of a table; what is stamped on its rows is not among them.
    TM_ASSIGN(const auto stamped, StampedRows(table_schema_, *rows, rows->event));
    if (content_ != nullptr) TM_TRY(content_->Add(*stamped));
    rows_ += rows->count();
    if (request_.progress) request_.progress(rows_);
    return SourceRows(view_, *stamped);
  }

  const CatalogView& view_;
  const std::shared_ptr<arrow::Schema> table_schema_;
  const std::shared_ptr<arrow::Schema> schema_;
  std::vector<TableRows> first_;  // the last first
  Intake& intake_;
  const IngestRequest& request_;
  BatchContentSum* const content_;
  std::int64_t rows_ = 0;
};

/// Rows that become one frame of the log.
struct Frame {
  LogRecord record;
  std::shared_ptr<arrow::Buffer> payload;  // that the record refers to
  std::int64_t rows = 0;
  std::optional<FrameOnlineRows> online;
  std::optional<FolderRows> folder;
  BatchContent content;

  const PackedRows* online_rows() const { return online ? &online->rows : nullptr; }
  const FolderRows* folder_rows() const { return folder ? &*folder : nullptr; }
};

class Ingesting {
 public:
  Ingesting(const CatalogView& view, std::shared_ptr<const TableShape> shape,
            std::shared_ptr<arrow::RecordBatchReader> rows, const IngestRequest& request,
            const FeatureTables& tables)
      : target_(view),
        shape_(std::move(shape)),
        view_(shape_->table),
        request_(request),
        tables_(tables),
        parts_(tables.parts()),
        now_us_(parts_.clock->now_us()),
        intake_(view_, view.definition.is_table(), std::move(rows), request, now_us_),
        content_(view_.definition.table.created_timestamp_column, static_cast<std::uint8_t>(request.to)) {}

  /// True if keys were erased while rows were on their way to files.
  bool crossed_erasure() const { return crossed_erasure_; }

  Result<IngestedRows> Run() {
    if (request_.range) {
      TM_TRY(ToRange());
      return Report();
    }
    if (MayBePlain()) {
      TM_ASSIGN(const bool is_done, PlainToLog());
      if (is_done) return Report();
    }
    TM_ASSIGN(Beginning first, ReadBeginning());
    std::vector<TableRows>& parts = first.parts;
    if (request_.dry_run) {
      TM_TRY(CheckAll(parts));
    } else if (is_for_warehouse()) {
      if (first.rows > 0) TM_TRY(first.is_all ? ToWarehouse(std::move(parts)) : ToFolder(std::move(parts)));
    } else if (first.is_all) {
      if (first.rows > 0) TM_TRY(ToLog(std::move(parts), request_.to));
    } else if (request_.to == WriteTo::kOnline) {
      TM_TRY(AllToLog(std::move(parts)));
    } else if (target_.definition.is_table()) {
      TM_TRY(ToFiles(std::move(parts)));
    } else {
      TM_TRY(ToFolder(std::move(parts)));
    }
    return Report();
  }

  /// The rows as one frame of the log, instead of Run; false if they are to be written otherwise.
  Result<bool> MakeFrame(Frame& frame) {
    if (request_.range || request_.dry_run || is_for_warehouse()) return false;
    TM_ASSIGN(Beginning first, ReadBeginning());
    if (!first.is_all || first.rows == 0) return false;
    TM_TRY(Encode(std::move(first.parts), request_.to, frame));
    return true;
  }

  /// After MakeFrame, when the frame is written.
  Result<IngestedRows> ReportOf(const Frame& frame, const TableLog::Written& written) {
    TM_TRY(Note(frame, written));
    return Report();
  }

 private:
  /// As many rows as go through the log, and somewhat more if there are more.
  struct Beginning {
    std::vector<TableRows> parts;
    std::int64_t rows = 0;
    bool is_all = false;
  };
  Result<Beginning> ReadBeginning() {
    Beginning first;
    std::int64_t bytes = 0;
    while (first.rows <= kLogRowsMax && bytes <= kLogBytesMax) {
      TM_ASSIGN(auto part, intake_.Next());
      if (!part) {
        first.is_all = true;
        break;
      }
      first.rows += part->count();
      bytes += BytesOf(*part);
      first.parts.push_back(*std::move(part));
    }
    return first;
  }

  Result<IngestedRows> Report() {
    report_.ahead = intake_.ahead();
    if (intake_.was_cut()) report_.warnings.emplace_back("timestamps finer than a microsecond were cut");
    if (!intake_.rejected().empty()) {
      TM_ASSIGN(report_.rejected, intake_.rejected().Table());
    }
    return std::move(report_);
  }

  Result<void> CheckAll(const std::vector<TableRows>& first) {
    for (const TableRows& part : first)
      report_.rows += part.count();
    while (true) {
      TM_ASSIGN(const auto part, intake_.Next());
      if (!part) return {};
      report_.rows += part->count();
    }
  }

  /// Whether one row alone is all that is given, and all that is asked is that it is kept.
  bool MayBePlain() const {
    return target_.definition.is_table() && request_.batch_key.empty() && !request_.dry_run &&
           !request_.skip_bad_rows && !request_.is_text && !request_.is_deletion &&
           !request_.stop.stop_requested();
  }

  /// Writes the row that is given, if it is one and goes into a frame as it is; else false, and nothing is
  /// done.
  Result<bool> PlainToLog() {
    TM_ASSIGN(auto batch, intake_.NextGiven());
    if (batch == nullptr) return false;
    const auto columns = tables_.plain_columns().Get(view_, shape_->schema, batch->schema());
    const bool has_fit_columns = request_.others_allowed || !columns->has_others();
    std::optional<PlainRow> row = has_fit_columns ? PlainRow::Of(*columns, *batch, now_us_) : std::nullopt;
    const bool is_online = (static_cast<std::uint8_t>(request_.to) & kLogToOnline) != 0;
    if (row && row->event_us() > now_us_ + kFutureToleranceUs) row.reset();
    std::shared_ptr<arrow::RecordBatch> next;
    if (row) {
      TM_ASSIGN(next, intake_.NextGiven());
    }
    if (!row || next != nullptr) {
      if (next != nullptr) intake_.GiveBack(std::move(next));
      intake_.GiveBack(std::move(batch));
      return false;
    }
    const std::int64_t write_time_us = parts_.write_times->Take(now_us_, 1);
    const std::string frame = row->Frame(shape_->plain_schema, write_time_us);
    LogRecord record = RecordOf(request_.to, write_time_us);
    record.kind = FrameKind::kPlainRow;
    record.payload = std::as_bytes(std::span(frame));
    PackedRows packed;
    if (is_online) {
      TM_ASSIGN(const arrow::ArrayVector keys, row->Keys(view_));
      const arrow::ArrayVector features = row->Features();
      TM_TRY(OnlineBatch(shape_->layout, target_.id, keys, features)
                 .Add(0, row->Header(record.schema_version, write_time_us), packed));
    }
    TM_ASSIGN(const TableLog::Written written, parts_.log->Append(record, is_online ? &packed : nullptr));
    Logged(written, record, 1, is_online ? 1 : 0);
    return true;
  }

  LogRecord RecordOf(WriteTo to, std::int64_t write_time_us) const {
    LogRecord record;
    record.targets = static_cast<std::uint8_t>(to);
    record.table_id = view_.id;
    record.schema_version = static_cast<std::uint32_t>(view_.version);
    record.write_time_us = write_time_us;
    return record;
  }

  void Logged(const TableLog::Written& written, const LogRecord& record, std::int64_t rows,
              std::int64_t online_rows) {
    report_.token = TokenOf(written.position, record.targets);
    report_.rows += rows;
    report_.online_rows += online_rows;
    if (request_.progress) request_.progress(report_.rows);
  }

  /// One frame: all of it is written, or nothing.
  Result<void> ToLog(std::vector<TableRows> parts, WriteTo to) {
    Frame frame;
    TM_TRY(Encode(std::move(parts), to, frame));
    TM_ASSIGN(const TableLog::Written written,
              parts_.log->Append(frame.record, frame.online_rows(), frame.folder_rows(), frame.content));
    return Note(frame, written);
  }

  /// What becomes a frame of the log.
  Result<void> Encode(std::vector<TableRows> parts, WriteTo to, Frame& frame) {
    TM_ASSIGN(const TableRows rows, JoinRows(std::move(parts)));
    frame.rows = rows.count();
    const bool is_in_folder =
        (static_cast<std::uint8_t>(to) & kLogToOffline) != 0 && !target_.definition.is_table();
    TM_ASSIGN(const StampedBatch stamped,
              StampRows(shape_->schema, {&rows, 1}, *parts_.write_times, now_us_,
                        is_in_folder ? StampOrder::kOfFiles : StampOrder::kAsGiven));
    TM_ASSIGN(frame.payload, EncodeBatch(shape_->encoded_schema, *stamped.rows));
    frame.record = RecordOf(to, stamped.write_time_us);
    LogRecord& record = frame.record;
    // Of rows that a warehouse has, the ledger knows the batch already.
    if (!is_for_warehouse()) record.batch_key = request_.batch_key;
    record.payload = {reinterpret_cast<const std::byte*>(frame.payload->data()),
                      static_cast<std::size_t>(frame.payload->size())};
    if ((record.targets & kLogToOnline) != 0) {
      TM_ASSIGN(frame.online, OnlineRowsOf(target_, shape_->layout, *stamped.rows, now_us_));
    }
    if (is_in_folder) frame.folder.emplace(target_, stamped.rows);
    if (record.batch_key.empty()) return {};
    BatchContentSum content(view_.definition.table.created_timestamp_column, record.targets);
    TM_TRY(content.Add(*stamped.rows));
    frame.content = content.content();
    return {};
  }

  /// What came of a frame.
  Result<void> Note(const Frame& frame, const TableLog::Written& written) {
    report_.repeated = written.repeated;
    if (!written.repeated) {
      Logged(written, frame.record, frame.rows, frame.online ? frame.rows - frame.online->ahead : 0);
      return {};
    }
    report_.token = TokenOf(written.position, frame.record.targets);
    // Its first write may have gone straight to files.
    return written.position.log == 0 && target_.definition.is_table() ? TokenOfNewest() : Result<void>();
  }

  /// Rows for the online store only have no files to go to: frame after frame, when all are known to be good.
  Result<void> AllToLog(std::vector<TableRows> parts) {
    while (true) {
      TM_ASSIGN(auto part, intake_.Next());
      if (!part) break;
      parts.push_back(*std::move(part));
    }
    if (!request_.batch_key.empty()) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("a batch with an idempotency key may have {} rows to go online only; send it in "
                      "parts, each with a key of its own",
                      kLogRowsMax));
    }
    for (TableRows& part : parts) {
      const std::int64_t row_bytes = BytesOf(part) / std::max<std::int64_t>(1, part.count()) + 1;
      const std::int64_t rows_max = std::clamp<std::int64_t>(kLogBytesMax / row_bytes, 1, kLogRowsMax);
      for (std::int64_t begin = 0; begin < part.count(); begin += rows_max) {
        auto written = ToLog({SliceRows(part, begin, std::min(rows_max, part.count() - begin))}, request_.to);
        if (written) continue;
        if (report_.rows == 0) return written;
        Error& error = written.error();
        return Fail(ErrorCode::kUnknownFate,
                    fmt::format("the first {} rows are online, then it failed: {}. Send the rows again: they "
                                "are replaced by themselves",
                                report_.rows, error.message));
      }
    }
    return {};
  }

  Result<void> ToFiles(std::vector<TableRows> first) {
    // Few rows and many count as one batch if their keys are the same.
    TM_ASSIGN(const bool is_new, parts_.log->Once(
                                     target_.id, request_.batch_key, [&] { return CommitFiles(first); },
                                     [&] { return ContentOf(first); }));
    report_.repeated = report_.repeated || !is_new;
    report_.to_files = true;
    return is_new ? Result<void>() : TokenOfNewest();
  }

  /// Rows of a range always go to files, also if there are none: the commit says that it is done.
  Result<void> ToRange() {
    const SourceOpeners open{
        .file = {},
        .table = [&](const CatalogView& view) { return tables_.OpenSource(view, {}); },
    };
    TM_ASSIGN(range_, RangeRows::Read(target_, open,
                                      {.range = request_.range->range,
                                       .arrival_us = now_us_,
                                       .threads = parts_.threads,
                                       .stop = request_.stop}));
    std::vector<TableRows> first;
    TM_TRY(CommitFiles(first));
    report_.to_files = true;
    return {};
  }

  /// The token of a batch that is somewhere in the table's files.
  Result<void> TokenOfNewest() {
    TM_ASSIGN(const auto table, parts_.offline->Open(target_.id));
    TM_ASSIGN(const auto snapshot, table->Snapshot({}));
    report_.token = TokenOf(snapshot->id(), snapshot->committed_us());
    return {};
  }

  BatchContentSum* content_if_asked() { return request_.batch_key.empty() ? nullptr : &content_; }

  /// Of rows that were written, or else of all that come.
  Result<BatchContent> ContentOf(const std::vector<TableRows>& first) {
    const auto add = [&](const TableRows& rows) -> Result<void> {
      TM_ASSIGN(const auto stamped, StampedRows(shape_->schema, rows, rows.event));
      return content_.Add(*stamped);
    };
    for (const TableRows& rows : first)
      TM_TRY(add(rows));
    while (true) {
      TM_ASSIGN(const auto rows, intake_.Next());
      if (!rows) return content_.content();
      TM_TRY(add(*rows));
    }
  }

  /// Takes the rows out of `first`.
  Result<void> CommitFiles(std::vector<TableRows>& first) {
    TM_ASSIGN(const auto table, parts_.offline->Open(view_.id));
    {
      TM_ASSIGN(const auto snapshot, table->Snapshot({}));
      properties_ = snapshot->properties();
    }
    StampedReader reader(*shape_, std::exchange(first, {}), intake_, *parts_.write_times, now_us_,
                         content_if_asked(), range_ ? &*range_ : nullptr);
    StageOptions options;
    options.threads = parts_.threads;
    options.stop = request_.stop;
    options.progress = request_.progress;
    TM_ASSIGN(auto staged, table->Stage(reader, options));
    if (request_.before_files) TM_TRY(request_.before_files());
    const std::int64_t rows = staged->rows();
    const std::string batch_name = request_.batch_key.empty() ? "" : BatchName(request_.batch_key);
    TM_ASSIGN(const CommitOutcome outcome, table->Append(std::move(staged), [&](const TableHead& head) {
      return Decide(head, batch_name);
    }));
    const auto snapshot = table->Snapshot({});
    if (!snapshot) return std::unexpected(AfterCommit("looking at them failed", snapshot.error()));
    report_.token = TokenOf(outcome.snapshot_id, (*snapshot)->committed_us());
    report_.repeated = !outcome.committed;
    if (!outcome.committed) return {};
    report_.deletions = reader.deletions();
    report_.rows = rows - report_.deletions;
    return {};
  }

  bool is_for_warehouse() const {
    const auto& source = target_.definition.source;
    return source && source->warehouse && request_.to != WriteTo::kOnline;
  }

  /// Few rows for a table in a warehouse, which may refuse them for reasons of its own: only those that it
  /// has committed are logged, for the online store. What a crash leaves between the two, the mark of
  /// `before_files` stands for.
  Result<void> ToWarehouse(std::vector<TableRows> rows) {
    std::vector<TableRows> online = rows;
    TM_TRY(ToFolder(std::move(rows)));
    if (request_.to == WriteTo::kOffline || report_.repeated) return {};
    const std::int64_t written = report_.rows;
    if (auto logged = ToLog(std::move(online), WriteTo::kOnline); !logged)
      return std::unexpected(AfterCommit("bringing them online failed", logged.error()));
    report_.rows = written;
    report_.to_files = false;
    return {};
  }

  Result<void> ToFolder(std::vector<TableRows> first) {
    const BatchSource& source = *target_.definition.source;
    std::optional<BatchContent> seen;
    const auto write = [&]() -> Result<void> {
      if (!request_.batch_key.empty()) {
        // Of a writer that died before it could tell the ledger.
        TM_ASSIGN(const auto names, parts_.folders->Names(source));
        for (const std::string& name : names) {
          seen = ContentOfBatchFile(name, request_.batch_key, now_us_ - kBatchMemoryUs);
          if (!seen) continue;
          report_.repeated = true;
          return {};
        }
      }
      if (request_.before_files) TM_TRY(request_.before_files());
      FolderReader reader(target_, *shape_, std::exchange(first, {}), intake_, request_, content_if_asked());
      const std::int64_t write_time_us = parts_.write_times->Take(now_us_, 1);
      TM_ASSIGN(const auto written,
                parts_.folders->Add(source,
                                    {.name = FileNameOf(write_time_us, request_.batch_key),
                                     .end = [&] { return BatchFileEnd(content_.content()); }},
                                    reader));
      report_.rows = written.value_or(0);
      return {};
    };
    TM_ASSIGN(const bool is_new,
              parts_.log->Once(target_.id, request_.batch_key, write, [&]() -> Result<BatchContent> {
                if (seen && !seen->is_known()) return *seen;
                TM_ASSIGN(const BatchContent now, ContentOf(first));
                if (seen) TM_TRY(CheckSameContent(request_.batch_key, *seen, now));
                return now;
              }));
    report_.repeated = report_.repeated || !is_new;
    report_.to_files = true;
    return {};
  }

  Result<CommitDecision> Decide(const TableHead& head, const std::string& batch_name) {
    CommitDecision decision;
    crossed_erasure_ = !HasNoNewFence(properties_, head.properties);
    if (crossed_erasure_) {
      // Rows that were stamped before a key was erased come into files after its files were looked through.
      TM_ASSIGN(const std::vector<Fence> fences, FencesOf(head.properties));
      for (Fence fence : fences) {
        fence.is_swept = false;
        decision.properties.emplace(FenceName(fence.key), FenceText(fence));
      }
    }
    if (request_.range) {
      TM_ASSIGN(const tidemark::DoneRanges done, DoneRangesOf(head.properties));
      decision.commit = !IsDone(done, request_.range->range);
      decision.properties.emplace(
          kDoneRangesProperty,
          DoneRangesText(WithRange(done, {request_.range->range, request_.range->query})));
    }
    if (batch_name.empty()) return decision;
    const auto before = head.properties.find(batch_name);
    if (before != head.properties.end()) {
      TM_TRY(CheckSameContent(request_.batch_key, ContentOfMark(before->second), content_.content()));
      decision.commit = false;
    } else {
      decision.properties.emplace(batch_name, BatchText(now_us_, content_.content()));
    }
    return decision;
  }

  const CatalogView& target_;
  const std::shared_ptr<const TableShape> shape_;
  const CatalogView& view_;  // as a table
  const IngestRequest& request_;
  const FeatureTables& tables_;
  const FeatureTablesParts& parts_;
  const std::int64_t now_us_;
  Intake intake_;
  BatchContentSum content_;     // of rows that go straight to files
  TableProperties properties_;  // when rows began to be stamped for files
  bool crossed_erasure_ = false;
  std::optional<RangeRows> range_;  // what the table has of the range that is written
  IngestedRows report_;
};

}  // namespace

Error AfterCommit(std::string_view what, const Error& error) {
  // Who interrupts knows that it is not whole.
  const bool is_wished = error.code == ErrorCode::kCancelled;
  return {is_wished ? error.code : ErrorCode::kUnknownFate,
          fmt::format("the rows are written, but {}: {}. Do not send them again; `materialize` brings "
                      "them online",
                      what, error.message),
          error.context};
}

Result<void> FeatureTables::CheckTakes(const CatalogView& view, const IngestRequest& request) const {
  const std::string place = "view " + view.definition.name;
  if (!request.dry_run) TM_TRY(CheckWritable());
  if (request.to != WriteTo::kOffline && !view.definition.online) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not kept online (online: false): write to offline", place));
  }
  if (!view.definition.is_table()) {
    if (request.to != WriteTo::kOnline)
      TM_TRY_IN(parts_.folders->Check(*view.definition.source, *SourceSchema(view)), place);
  } else if (!request.dry_run) {
    TM_TRY(Prepare(view));
  }
  return {};
}

Result<IngestedRows> FeatureTables::Ingest(const CatalogView& view,
                                           std::shared_ptr<arrow::RecordBatchReader> rows,
                                           const IngestRequest& request) const {
  TM_TRY(CheckTakes(view, request));
  TM_ASSIGN(auto shape, ShapeOf(view));
  Ingesting ingesting(view, std::move(shape), std::move(rows), request, *this);
  auto report = ingesting.Run();
  if (!report) return std::unexpected(std::move(report).error().In("view " + view.definition.name));
  if (ingesting.crossed_erasure()) TM_TRY(CompleteErasures(view, request.stop));
  return report;
}

struct RowsTogether::Part {
  CatalogView view;
  IngestRequest request;
  std::optional<Ingesting> ingesting;  // that refers to those above
  Frame frame;
};

RowsTogether::RowsTogether(const FeatureTables& tables) : tables_(tables) {}
RowsTogether::~RowsTogether() = default;

Result<bool> RowsTogether::Add(const CatalogView& view, std::shared_ptr<arrow::RecordBatchReader> rows,
                               const IngestRequest& request) {
  TM_TRY(tables_.CheckTakes(view, request));
  TM_ASSIGN(auto shape, tables_.ShapeOf(view));
  auto part = std::make_unique<Part>(view, request);
  part->ingesting.emplace(part->view, std::move(shape), std::move(rows), part->request, tables_);
  auto is_frame = part->ingesting->MakeFrame(part->frame);
  if (!is_frame) return std::unexpected(std::move(is_frame).error().In("view " + view.definition.name));
  if (*is_frame) parts_.push_back(std::move(part));
  return *is_frame;
}

Result<std::vector<IngestedRows>> RowsTogether::Write() {
  std::vector<IngestedRows> reports;
  if (parts_.empty()) return reports;
  std::vector<TableLog::Write> writes;
  for (const auto& part : parts_) {
    const Frame& frame = part->frame;
    writes.push_back({frame.record, frame.online_rows(), frame.folder_rows(), frame.content});
  }
  TM_ASSIGN(const auto written, tables_.log().AppendTogether(writes));
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    TM_ASSIGN(IngestedRows report, parts_[i]->ingesting->ReportOf(parts_[i]->frame, written[i]));
    reports.push_back(std::move(report));
  }
  parts_.clear();
  return reports;
}

}  // namespace tidemark
