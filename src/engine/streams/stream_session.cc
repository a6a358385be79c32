// One thread polls and decodes; what it has so far is written by another, and waited for where partitions
// change hands.
#include "engine/streams/stream_session.h"

#include <arrow/array/builder_primitive.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "engine/online_write.h"
#include "engine/streams/stream_identity.h"
#include "engine/tables/source_rows.h"
#include "model/feature_table.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"

namespace tidemark {
namespace {

constexpr auto kRetryAfter = std::chrono::milliseconds(200);
constexpr std::int64_t kTellEveryUs = 1'000'000;
constexpr std::int64_t kCheckEveryUs = 2'000'000;
constexpr std::int64_t kWarnAfterUs = 2'000'000;  // what is over sooner is not worth a line
constexpr std::int64_t kUsPerSecond = 1'000'000;
constexpr std::int64_t kMissedAfterUs = 15 * kUsPerSecond;  // by brokers, with some time to spare
constexpr std::size_t kFreshnessSamples = 64;               // of a batch
// Of a batch, so that it fits into a frame of the log, though messages may say little of many columns.
constexpr std::size_t kCellsMax = 1'000'000;

/// False if it was stopped meanwhile.
bool WaitToRetry(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, kRetryAfter, [] { return false; });
  return !stop.stop_requested();
}

bool IsPassing(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kIo;
}

const MessageRows& RowsOfSource(const StreamSource& source) {
  return std::visit([](const auto& each) -> const MessageRows& { return each.rows; }, source);
}

/// What a decoder is asked for: the view's columns as its table has them, but for those that are computed,
/// and what they are computed from.
DecoderRequest RequestFor(const CatalogView& view, const StreamSource& source,
                          const std::optional<StreamTransform>& transform) {
  DecoderRequest request;
  request.rows = RowsOfSource(source);
  const FeatureView& definition = view.definition;
  // A message that does not say when it was created was so when the broker got it.
  if (request.rows.created_timestamp_column.empty())
    request.rows.created_timestamp_column = definition.table.created_timestamp_column;
  const auto is_computed = [&](const std::string& name) { return transform && transform->is_computed(name); };
  const auto is_wanted = [&](const std::string& name) {
    if (is_computed(name)) return false;
    const bool is_key = std::ranges::find(view.join_keys, name, &JoinKey::name) != view.join_keys.end();
    const bool is_field = std::ranges::find(definition.fields, name, &Field::name) != definition.fields.end();
    return is_key || is_field || name == definition.table.timestamp_field ||
           (!name.empty() && name == definition.table.created_timestamp_column);
  };
  arrow::FieldVector fields;
  const auto schema = TableSchema(view);
  for (const auto& field : schema->fields()) {
    if (is_wanted(field->name())) fields.push_back(field->WithNullable(true));
  }
  if (definition.transformation) {
    for (const Field& input : definition.transformation->inputs)
      fields.push_back(arrow::field(input.name, ToArrow(input.type)));
  }
  for (const auto& [column, name] : request.rows.field_mapping) {
    if (name == system_column::kIsDeleted || name == system_column::kExpiresAt)
      fields.push_back(schema->GetFieldByName(name)->WithNullable(true));
  }
  request.wanted = arrow::schema(std::move(fields));
  for (const JoinKey& key : view.join_keys)
    request.join_keys.push_back(key.name);
  if (!is_computed(definition.table.timestamp_field)) request.event_column = definition.table.timestamp_field;
  return request;
}

}  // namespace

const CatalogView& ProgressTable(const StreamViews& views) {
  return views.view->definition.is_table() ? *views.view : *views.rejected;
}

Result<StreamSource> StreamSourceOf(const CatalogView& view) {
  const FeatureView& definition = view.definition;
  if (!definition.kafka && !definition.kinesis) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("view '{}' has no stream to read: give it a KafkaSource or a KinesisSource",
                            definition.name));
  }
  if (!definition.is_table() && !definition.online) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "view '{}' has a batch source beside its stream, whose rows would come online only, and is "
            "not online: make it online, or define it without its batch source",
            definition.name));
  }
  return definition.kafka ? StreamSource(*definition.kafka) : StreamSource(*definition.kinesis);
}

/// Messages by the partitions that they came from; the first of a partition may have been proved and left
/// out.
struct StreamSession::Batch {
  struct Run {
    std::string partition;
    std::size_t begin = 0;  // of the messages
    std::size_t end = 0;
    std::optional<StreamOffset> passed = {};  // behind them, at the end of the partition
  };
  std::vector<Run> runs;  // one may have no messages, and only tell what was passed
  std::vector<StreamMessage> messages;
  std::vector<StreamOffset> offsets;
  std::shared_ptr<const void> bytes;

  const Run& RunOf(std::size_t message) const {
    return *std::ranges::upper_bound(runs, message, {}, &Run::end);
  }
};

Result<void> StreamSession::Run(const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    status_.started_us = parts_.clock->now_us();
  }
  auto ran = Join(stop);
  while (!ran && was_outrun_.exchange(false)) {
    NoteError(ran.error());
    ran = stop.stop_requested() ? Result<void>() : Join(stop);  // others have what it had
  }
  if (!ran) NoteError(ran.error());
  Tell(true);
  TellOfRejected();
  return ran;
}

Result<void> StreamSession::Join(const std::stop_token& stop) {
  held_.clear();
  at_end_.clear();
  TM_TRY(Refresh());
  auto opened = parts_.open(*source_, {.group = options_.group, .lease_file = options_.lease_file});
  if (!opened) return std::unexpected(std::move(opened).error().In(Place()));
  const auto stream = *std::move(opened);
  stream_ = stream.get();
  const StreamHandlers handlers = Handlers();
  StreamWriter writer(Steps());
  writer_ = &writer;
  auto read = Loop(*stream, handlers, stop);
  // What came before an error counts; what others have taken does not.
  if (!was_outrun_) {
    if (auto written = writer.Drain(); read && !written) read = std::move(written);
  }
  if (read) {
    auto left = stream->Close(handlers);
    if (left || left.error().code != ErrorCode::kUnavailable) return left;
    // Brokers that cannot hear that we leave find it out; what was read is in the table.
    NoteError(left.error());
    return {};
  }
  // What could not be written is read again by whoever has the partitions next.
  const StreamHandlers leaving{
      .assigned = handlers.assigned,
      .revoked = [](std::span<const std::string>, bool) -> Result<void> { return {}; }};
  if (auto closed = stream->Close(leaving); !closed) NoteError(closed.error());
  return read;
}

StreamSteps StreamSession::Steps() {
  StreamSteps steps = StepsOf(parts_.tables, progress().id);
  steps.check = [this, check = std::move(steps.check)](StreamFrame& frame) {
    auto checked = check(frame);
    if (frame.was_outrun) was_outrun_ = true;
    return checked;
  };
  return steps;
}

Result<void> StreamSession::Loop(Stream& stream, const StreamHandlers& handlers,
                                 const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    TM_TRY(writer_->Check());
    TM_TRY(Refresh());
    const std::int64_t tried_us = parts_.clock->now_us();
    auto polled = stream.Poll({.messages_max = MessagesMax(), .bytes_max = options_.bytes_max}, handlers);
    if (!polled) {
      if (polled.error().code != ErrorCode::kUnavailable) return std::unexpected(std::move(polled).error());
      TM_TRY(NoteUnreachable(polled.error(), tried_us));
      if (!WaitToRetry(stop)) return {};
      continue;
    }
    NoteReached();
    TM_TRY(CheckHeld());
    TM_TRY(Write(*polled, stop));
    for (const PolledMessages::End& end : polled->at_end)
      at_end_.insert(end.partition);
    if (options_.until_end && IsAtEnd() && IsLeftNone()) return {};
    Tell(false);
    writer_->Pause();
  }
  return {};
}

std::size_t StreamSession::MessagesMax() const {
  const std::size_t columns = views_.view->definition.fields.size() + views_.view->join_keys.size();
  return std::clamp(kCellsMax / (columns + 1), std::size_t{1}, options_.messages_max);
}

Result<void> StreamSession::CheckHeld() {
  const std::int64_t now_us = parts_.clock->now_us();
  if (now_us - checked_us_ < kCheckEveryUs) return {};
  checked_us_ = now_us;
  TM_ASSIGN(const StreamMarks marks, parts_.tables->FlushedStreamMarks(progress()));
  for (const auto& [partition, held] : held_) {
    const auto mark = marks.find(held.place);
    if (mark == marks.end() || mark->second.epoch <= held.mark.epoch) continue;
    was_outrun_ = true;
    return Fail(
        ErrorCode::kBusy,
        fmt::format("{} was taken by another reader: if this comes again and again, readers of this store "
                    "name different groups",
                    held.place));
  }
  return {};
}

bool StreamSession::IsAtEnd() const {
  return !held_.empty() &&
         std::ranges::all_of(held_, [&](const auto& held) { return at_end_.contains(held.first); });
}

bool StreamSession::IsLeftNone() {
  if (!parts_.elsewhere) return true;
  const std::int64_t now_us = parts_.clock->now_us();
  if (!all_at_end_us_) all_at_end_us_ = now_us;
  if (now_us - *all_at_end_us_ >= kMissedAfterUs) return true;
  const auto is_held = [&](const std::string& partition) { return held_.contains(partition); };
  if (std::ranges::all_of(partitions_, is_held)) return true;
  const std::set<std::string> elsewhere = parts_.elsewhere();
  return std::ranges::all_of(partitions_, [&](const std::string& partition) {
    return is_held(partition) || elsewhere.contains(partition);
  });
}

Result<void> StreamSession::ListPartitions() {
  all_at_end_us_.reset();
  if (!options_.until_end || !parts_.elsewhere) return {};
  TM_ASSIGN(const auto lags, stream_->Lags({}));
  partitions_.clear();
  for (const StreamLag& lag : lags)
    partitions_.push_back(lag.partition);
  return {};
}

Result<void> StreamSession::Refresh() {
  TM_ASSIGN(StreamViews views, parts_.views());
  const bool is_same = views_.view != nullptr && views_.view->version == views.view->version;
  views_ = std::move(views);
  if (is_same) return {};
  parts_.gauge->Begin(views_.view->id, views_.view->version);
  TM_ASSIGN(StreamSource source, StreamSourceOf(*views_.view));
  if (source_ && StreamPlace(*source_, "") != StreamPlace(source, "")) {
    return Fail(ErrorCode::kCancelled, fmt::format("view '{}' was given another stream: run it again",
                                                   views_.view->definition.name));
  }
  source_ = std::move(source);
  table_ = AsTable(*views_.view);
  transform_.reset();
  if (views_.view->definition.transformation) {
    TM_ASSIGN(transform_, StreamTransform::Bind(views_.view->definition, views_.view->join_keys));
  }
  auto decoder = parts_.decoder(RequestFor(table_, *source_, transform_));
  if (!decoder) return std::unexpected(std::move(decoder).error().In(Place()));
  decoder_ = *std::move(decoder);
  return {};
}

StreamHandlers StreamSession::Handlers() {
  return {.assigned = [this](std::span<const std::string> partitions) { return TakeOver(partitions); },
          .revoked = [this](std::span<const std::string> partitions,
                            bool is_lost) { return GiveUp(partitions, is_lost); }};
}

Result<StreamMarks> StreamSession::TakeRejected(const std::vector<std::string>& places,
                                                const StreamIdentity& identity) const {
  if (!has_table()) return parts_.tables->TakeStream(*views_.rejected, places, {}, identity.made);
  // What was rejected of a partition that the view's table never had was so for another table of the view's
  // name, which was dropped: that says nothing of what is read now.
  TM_ASSIGN(const StreamMarks had, parts_.tables->FlushedStreamMarks(*views_.view));
  StreamMarks anew;
  for (const std::string& place : places) {
    if (!had.contains(place)) anew.emplace(place, StreamMark{});
  }
  return parts_.tables->TakeStream(*views_.rejected, places, anew);
}

Result<std::vector<StreamStart>> StreamSession::TakeOver(std::span<const std::string> partitions) {
  std::vector<std::string> places;
  for (const std::string& partition : partitions)
    places.push_back(StreamPlace(*source_, partition));
  TM_TRY(writer_->Drain());
  TM_TRY(ListPartitions());
  TM_ASSIGN(const StreamIdentity identity, stream_->Identify());
  TM_ASSIGN(const StreamMarks rejected, TakeRejected(places, identity));
  StreamMarks marks = rejected;
  if (has_table()) {
    TM_ASSIGN(marks, parts_.tables->TakeStream(*views_.view, places, {}, identity.made));
  }
  TM_TRY(CheckSameStream(*source_, marks, identity));
  std::vector<StreamStart> starts;
  for (std::size_t i = 0; i < places.size(); ++i) {
    Held held{.place = places[i], .mark = marks.at(places[i]), .rejected = rejected.at(places[i])};
    held.is_proved = held.mark.fingerprint.empty();
    if (held.mark.read) {
      const auto kind = held.is_proved ? StreamStart::Kind::kAfter : StreamStart::Kind::kAt;
      starts.push_back({.kind = kind, .at = *held.mark.read, .passed = held.mark.passed});
    } else {
      starts.push_back({});
    }
    held_.insert_or_assign(partitions[i], std::move(held));
    at_end_.erase(partitions[i]);
  }
  return starts;
}

Result<void> StreamSession::GiveUp(std::span<const std::string> partitions, bool is_lost) {
  for (const std::string& partition : partitions) {
    held_.erase(partition);
    at_end_.erase(partition);
  }
  if (is_lost && held_.empty()) {
    writer_->Drop();
    return {};
  }
  TM_TRY(writer_->Drain());
  if (is_lost) return {};
  TM_TRY(parts_.tables->Flush(*views_.rejected));
  if (has_table()) TM_TRY(parts_.tables->Flush(*views_.view));
  return {};
}

Result<StreamSession::Batch> StreamSession::Prove(const PolledMessages& polled) {
  Batch batch;
  batch.bytes = polled.bytes;
  batch.messages.reserve(polled.messages.size());
  batch.offsets.reserve(polled.offsets.size());
  std::size_t at = 0;
  for (const PolledMessages::Run& run : polled.runs) {
    const auto found = held_.find(run.partition);
    if (found == held_.end())
      return Fail(ErrorCode::kInternal,
                  fmt::format("messages of partition {}, which was not taken", run.partition));
    Held& held = found->second;
    std::size_t from = at;
    at += run.count;
    if (!std::exchange(held.is_proved, true) && polled.offsets[from] == *held.mark.read) {
      if (FingerprintOf(polled.messages[from]) != held.mark.fingerprint) {
        return Fail(
            ErrorCode::kInvalidData,
            fmt::format("{}: the message at offset {} is not the one that was read there before: the stream "
                        "was made anew; see 'messages that are gone' in docs/streams.md",
                        held.place, held.mark.read->text()));
      }
      ++from;
    }
    if (from == at) continue;
    const std::size_t begin = batch.messages.size();
    for (std::size_t i = from; i < at; ++i) {
      batch.messages.push_back(polled.messages[i]);
      batch.offsets.push_back(polled.offsets[i]);
    }
    batch.runs.push_back({run.partition, begin, batch.messages.size()});
  }
  for (const PolledMessages::End& end : polled.at_end)
    NotePassed(end, batch);
  return batch;
}

void StreamSession::NotePassed(const PolledMessages::End& end, Batch& batch) const {
  const auto held = held_.find(end.partition);
  if (held == held_.end() || end.passed <= held->second.mark.reached()) return;
  auto run = std::ranges::find(batch.runs, end.partition, &Batch::Run::partition);
  if (run != batch.runs.end() && *end.passed <= batch.offsets[run->end - 1]) return;
  if (run == batch.runs.end())
    run = batch.runs.insert(run, {end.partition, batch.messages.size(), batch.messages.size()});
  run->passed = end.passed;
}

Result<void> StreamSession::Write(const PolledMessages& polled, const std::stop_token& stop) {
  TM_ASSIGN(const Batch batch, Prove(polled));
  if (batch.runs.empty()) return {};
  TM_ASSIGN(DecodedMessages decoded, Decode(batch, stop));
  TM_ASSIGN(const std::int64_t filtered, Transform(batch, decoded));
  TM_ASSIGN(const auto arrivals, ArrivalsOf(batch, decoded));
  TM_ASSIGN(const CheckedStreamRows checked, CheckStreamRows(table_, {.rows = decoded.rows,
                                                                      .is_tombstone = decoded.is_deleted,
                                                                      .arrivals = arrivals,
                                                                      .event_us_max = LatestEventTime()}));
  std::vector<RejectedMessage> rejected = std::move(decoded.rejected);
  for (const RejectedStreamRow& row : checked.rejected)
    rejected.push_back({decoded.message_of_row[row.row], row.reason});
  std::ranges::sort(rejected, {}, &RejectedMessage::message);
  if (!parts_.gauge->Admit(batch.messages.size(), rejected.size())) {
    const RejectedMessage& first = rejected.front();
    return Fail(
        ErrorCode::kInvalidData,
        fmt::format(
            "view '{}': more than {:.4g}% of the newest messages are no rows, so nothing of them was "
            "written; the first one is of partition {}, offset {}: {}; mend the view's definition, or "
            "read them with another --rejected-max of 'stream run' (rejected_max in Python); see "
            "'messages that are no rows' in docs/streams.md",
            views_.view->definition.name, parts_.gauge->rate_max() * 100,
            batch.RunOf(first.message).partition, batch.offsets[first.message].text(), first.reason));
  }
  auto written = Noting(batch, {.rows = checked.rows.count(),
                                .deletions = checked.rows.deletions->true_count(),
                                .filtered = filtered,
                                .rejected = std::ssize(rejected)});
  if (!has_table()) return WriteOnline(batch, checked, decoded.message_of_row, rejected, std::move(written));
  if (!rejected.empty()) TM_TRY(WriteRejected(batch, rejected));
  return WriteRows(batch, checked, decoded.message_of_row, std::move(written));
}

Result<std::shared_ptr<arrow::Int64Array>> StreamSession::ArrivalsOf(const Batch& batch,
                                                                     const DecodedMessages& decoded) {
  arrow::Int64Builder arrivals;
  TM_TRY(FromArrowStatus(arrivals.Reserve(std::ssize(decoded.message_of_row))));
  for (const std::size_t message : decoded.message_of_row)
    arrivals.UnsafeAppend(batch.messages[message].timestamp_us);
  TM_ASSIGN(const auto times, FromArrowResult(arrivals.Finish()));
  return std::static_pointer_cast<arrow::Int64Array>(times);
}

Result<std::int64_t> StreamSession::Transform(const Batch& batch, DecodedMessages& decoded) const {
  if (!transform_) return 0;
  TM_ASSIGN(const auto arrivals, ArrivalsOf(batch, decoded));
  TM_ASSIGN(
      const TransformedRows done,
      transform_->Run({.rows = decoded.rows, .is_tombstone = decoded.is_deleted, .arrivals = arrivals}));
  for (const TransformProblem& problem : done.problems)
    decoded.rejected.push_back({decoded.message_of_row[problem.row], problem.reason});
  std::vector<std::size_t> message_of_row;
  std::vector<bool> is_deleted;
  for (const std::size_t place : done.places) {
    message_of_row.push_back(decoded.message_of_row[place]);
    is_deleted.push_back(decoded.is_deleted[place]);
  }
  decoded.rows = done.rows;
  decoded.message_of_row = std::move(message_of_row);
  decoded.is_deleted = std::move(is_deleted);
  return done.left_out;
}

Result<DecodedMessages> StreamSession::Decode(const Batch& batch, const std::stop_token& stop) {
  while (true) {
    const std::int64_t tried_us = parts_.clock->now_us();
    auto decoded = decoder_->Decode(batch.messages);
    if (decoded) NoteReached();
    if (decoded || !IsPassing(decoded.error())) return decoded;
    TM_TRY(NoteUnreachable(decoded.error(), tried_us));
    if (!WaitToRetry(stop)) return decoded;
  }
}

Result<void> StreamSession::WriteFrames(const std::shared_ptr<const CatalogView>& view, const Batch& batch,
                                        const TableRows& rows, std::span<const StreamPart> parts,
                                        std::function<void()> written) {
  std::size_t done = 0;
  std::int64_t rows_done = 0;
  while (done < parts.size()) {
    const auto rest = parts.subspan(done);
    const auto now = rest.first(PartsThatFit(rest));
    std::int64_t count = 0;
    for (const StreamPart& part : now)
      count += part.rows;
    const bool is_last = done + now.size() == parts.size();
    TM_TRY(writer_->Put({.view = view,
                         .rows = SliceRows(rows, rows_done, count),
                         .parts = {now.begin(), now.end()},
                         .written = is_last ? std::exchange(written, nullptr) : nullptr}));
    for (std::size_t i = 0; i < now.size(); ++i)
      held_.at(batch.runs[done + i].partition).mark = now[i].mark;
    done += now.size();
    rows_done += count;
  }
  return {};
}

/// How far a run brings its partition, without its rows.
StreamPart StreamSession::PartOf(const Batch& batch, std::size_t run_number) const {
  const Batch::Run& run = batch.runs[run_number];
  const Held& held = held_.at(run.partition);
  StreamMark mark = held.mark;
  if (run.end > run.begin) {
    mark.read = batch.offsets[run.end - 1];
    mark.fingerprint = FingerprintOf(batch.messages[run.end - 1]);
  }
  mark.passed = run.passed;
  return {held.place, mark, 0};
}

std::vector<StreamPart> StreamSession::PartsOf(const Batch& batch, const CheckedStreamRows& checked,
                                               const std::vector<std::size_t>& message_of_row) const {
  std::vector<StreamPart> parts;
  std::size_t row = 0;
  for (std::size_t run = 0; run < batch.runs.size(); ++run) {
    const std::size_t begin = row;
    while (row < checked.places.size() && message_of_row[checked.places[row]] < batch.runs[run].end)
      ++row;
    StreamPart& part = parts.emplace_back(PartOf(batch, run));
    part.rows = static_cast<std::int64_t>(row - begin);
  }
  return parts;
}

Result<void> StreamSession::WriteRows(const Batch& batch, const CheckedStreamRows& checked,
                                      const std::vector<std::size_t>& message_of_row,
                                      std::function<void()> written) {
  const auto parts = PartsOf(batch, checked, message_of_row);
  return WriteFrames(views_.view, batch, checked.rows, parts, std::move(written));
}

Result<void> StreamSession::WriteOnline(const Batch& batch, const CheckedStreamRows& checked,
                                        const std::vector<std::size_t>& message_of_row,
                                        const std::vector<RejectedMessage>& rejected,
                                        std::function<void()> written) {
  if (checked.rows.count() > 0) {
    TM_TRY(writer_->Put(
        {.view = views_.view, .rows = checked.rows, .parts = PartsOf(batch, checked, message_of_row)}));
  }
  std::vector<StreamPart> parts;
  std::size_t at = 0;
  for (std::size_t run = 0; run < batch.runs.size(); ++run) {
    const std::size_t begin = at;
    while (at < rejected.size() && rejected[at].message < batch.runs[run].end)
      ++at;
    StreamPart& part = parts.emplace_back(PartOf(batch, run));
    part.rows = static_cast<std::int64_t>(at - begin);
  }
  TM_ASSIGN(const CheckedStreamRows rows, RejectedRows(batch, rejected));
  return WriteFrames(views_.rejected, batch, rows.rows, parts, std::move(written));
}

Result<CheckedStreamRows> StreamSession::RejectedRows(const Batch& batch,
                                                      std::span<const RejectedMessage> rejected) const {
  std::vector<RejectedRow> rows;
  arrow::Int64Builder arrivals;
  for (const RejectedMessage& each : rejected) {
    const std::size_t message = each.message;
    rows.push_back(
        {batch.RunOf(message).partition, batch.offsets[message], batch.messages[message], each.reason});
    TM_TRY(FromArrowStatus(arrivals.Append(batch.messages[message].timestamp_us)));
  }
  TM_ASSIGN(const auto batch_of_rows, RejectedBatch(*source_, rows));
  TM_ASSIGN(const auto times, FromArrowResult(arrivals.Finish()));
  TM_ASSIGN(
      CheckedStreamRows checked,
      CheckStreamRows(*views_.rejected, {.rows = batch_of_rows,
                                         .is_tombstone = std::vector<bool>(rows.size()),
                                         .arrivals = std::static_pointer_cast<arrow::Int64Array>(times)}));
  if (!checked.rejected.empty()) return Fail(ErrorCode::kInternal, checked.rejected.front().reason);
  return checked;
}

Result<void> StreamSession::WriteRejected(const Batch& batch, const std::vector<RejectedMessage>& rejected) {
  for (std::size_t at = 0; at < rejected.size();) {
    const Batch::Run& run = batch.RunOf(rejected[at].message);
    Held& held = held_.at(run.partition);
    StreamMark mark = held.rejected;
    std::vector<RejectedMessage> fresh;
    for (; at < rejected.size() && rejected[at].message < run.end; ++at) {
      const std::size_t message = rejected[at].message;
      // A message may have been written here by an owner that came no further.
      if (!mark.read || batch.offsets[message] > *mark.read) fresh.push_back(rejected[at]);
    }
    if (fresh.empty()) continue;
    mark.read = batch.offsets[fresh.back().message];
    mark.fingerprint = FingerprintOf(batch.messages[fresh.back().message]);
    TM_ASSIGN(const CheckedStreamRows rows, RejectedRows(batch, fresh));
    const StreamPart part{held.place, mark, rows.rows.count()};
    TM_TRY(writer_->Put({.view = views_.rejected, .rows = rows.rows, .parts = {part}}));
    held.rejected = mark;
  }
  return {};
}

/// Rows that come online only must be due.
std::optional<std::int64_t> StreamSession::LatestEventTime() const {
  if (has_table()) return std::nullopt;
  return parts_.clock->now_us() + kFutureToleranceUs;
}

std::function<void()> StreamSession::Noting(const Batch& batch, const Counts& counts) {
  std::vector<std::int64_t> sent_us;
  const std::size_t step = std::max<std::size_t>(1, batch.messages.size() / kFreshnessSamples);
  for (std::size_t i = 0; i < batch.messages.size(); i += step)
    sent_us.push_back(batch.messages[i].timestamp_us);
  return [this, counts, messages = std::ssize(batch.messages), sent_us = std::move(sent_us)] {
    const std::int64_t now_us = parts_.clock->now_us();
    const std::lock_guard lock(mutex_);
    meter_.AddRows(now_us, counts.rows);
    for (const std::int64_t us : sent_us)
      meter_.AddFreshness(std::max<std::int64_t>(0, now_us - us));
    status_.messages += messages;
    status_.rows += counts.rows;
    status_.deletions += counts.deletions;
    status_.filtered += counts.filtered;
    status_.rejected += counts.rejected;
  };
}

void StreamSession::NoteError(const Error& error) {
  const std::lock_guard lock(mutex_);
  status_.last_error = error.ToString();
  status_.last_error_us = parts_.clock->now_us();
}

Result<void> StreamSession::NoteUnreachable(const Error& error, std::int64_t tried_us) {
  NoteError(error);
  std::int64_t since_us = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!status_.unreachable_since_us) status_.unreachable_since_us = tried_us;
    since_us = *status_.unreachable_since_us;
  }
  Tell(false);
  const std::int64_t waited_us = parts_.clock->now_us() - since_us;
  if (options_.wait_max_us && waited_us >= *options_.wait_max_us) {
    return Fail(error.code, fmt::format("it was waited for {} seconds for what cannot be reached: {}",
                                        waited_us / kUsPerSecond, error.message));
  }
  if (waited_us >= kWarnAfterUs && !std::exchange(is_outage_told_, true) && parts_.warn)
    parts_.warn(fmt::format("it is waited for what cannot be reached: {}", error.ToString()));
  return {};
}

void StreamSession::NoteReached() {
  std::optional<std::int64_t> since_us;
  {
    const std::lock_guard lock(mutex_);
    since_us = std::exchange(status_.unreachable_since_us, std::nullopt);
  }
  if (!since_us || !std::exchange(is_outage_told_, false) || !parts_.warn) return;
  const std::int64_t waited_us = parts_.clock->now_us() - *since_us;
  parts_.warn(fmt::format("it can be reached again, after {} seconds", waited_us / kUsPerSecond));
}

void StreamSession::Tell(bool is_last) {
  const std::int64_t now_us = parts_.clock->now_us();
  if (!is_last && now_us - told_us_ < kTellEveryUs) return;
  told_us_ = now_us;
  StreamSessionStatus status;
  {
    const std::lock_guard lock(mutex_);
    status_.is_running = !is_last;
    status_.updated_us = now_us;
    status_.rows_per_second = meter_.RowsPerSecond(now_us);
    status_.freshness_p50_us = meter_.Freshness(0.5);
    status_.freshness_p99_us = meter_.Freshness(0.99);
    status_.partitions.clear();
    status_.read.clear();
    for (const auto& [partition, held] : held_) {
      status_.partitions.push_back(partition);
      if (held.mark.read) status_.read.emplace(partition, *held.mark.read);
    }
    status = status_;
  }
  if (parts_.tell) parts_.tell(status);
}

void StreamSession::TellOfRejected() const {
  const StreamSessionStatus counted = status();
  if (counted.rejected == 0 || !parts_.warn) return;
  parts_.warn(
      fmt::format("{} of the {} messages that were read are no rows: {} has them, each with the reason",
                  counted.rejected, counted.messages, views_.rejected->definition.name));
}

StreamSessionStatus StreamSession::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace tidemark
