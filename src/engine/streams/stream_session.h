// Reads a stream into a feature table, each message once.
//
//   poll -> messages -> decode -> transform -> check -> one frame of the log: the rows, and how far it was
//   read
//                              \-> messages that are no rows -> the table of rejected ones, first
//
// Frames are written while the next messages are read (stream_writer.h).
//
// Where to read on from is known by the table alone. Taking a partition flushes the table and raises the
// partition's epoch in the same commit; what a former owner writes later counts no more. The message that was
// read last is read again and its fingerprint compared, so that a topic that was made anew is never taken for
// the one that was read before.
//
// Messages that are no rows go to a table of their own, which keeps how far it was read in the same way: it
// is written first, and what it has already is not written again.
//
// A view with a batch source has its history there; rows of its stream come online only. How far it was read
// is kept by its table of rejected messages, whose frame is written after that of the rows: what a crash
// leaves in between is merged again, in the same order, which changes nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/stream_transform.h"
#include "engine/streams/rejected_messages.h"
#include "engine/streams/stream_progress.h"
#include "engine/streams/stream_writer.h"
#include "engine/tables/feature_tables.h"
#include "store/stream.h"

namespace tidemark {

/// The view and its table of rejected messages, as they are defined at one moment.
struct StreamViews {
  std::shared_ptr<const CatalogView> view;
  std::shared_ptr<const CatalogView> rejected;
};

struct StreamSessionParts {
  std::shared_ptr<FeatureTables> tables;
  std::function<Result<StreamViews>()> views;  // asked before every batch: cheap as long as nothing changed
  StreamOpener open;
  DecoderMaker decoder;
  std::shared_ptr<const Clock> clock;
  RejectionGauge* gauge = nullptr;  // of who runs sessions of this view; too many messages stop this one
  std::function<void(const StreamSessionStatus&)> tell = {};  // about every second, by the session's thread
  /// Partitions that living readers elsewhere have of a stream whose members keep their own for a while when
  /// they die: who reads until the end waits that long for those that nobody has. Empty: there are none.
  std::function<std::set<std::string>()> elsewhere = {};
  /// That the stream is waited for, and that it is there again: once each; in the end how many messages are
  /// no rows. By the session's thread.
  std::function<void(const std::string&)> warn = {};
};

struct StreamSessionOptions {
  std::string group;
  std::string lease_file = {};  // as StreamOpening has it
  bool until_end = false;       // ends when all partitions that no other reader has were read to their end
  /// So long a stream that cannot be reached is waited for; nothing: until it can. Microseconds.
  std::optional<std::int64_t> wait_max_us = {};
  std::size_t messages_max = 20'000;  // of a batch
  std::size_t bytes_max = std::size_t{4} << 20;
};

/// The table that keeps how far the view's stream was read: its own, or else that of rejected messages.
const CatalogView& ProgressTable(const StreamViews& views);

/// The stream source of a view. kUnsupported, with what to do, for a view that no stream is read into.
Result<StreamSource> StreamSourceOf(const CatalogView& view);

/// One reader of one view's stream.
class StreamSession {
 public:
  StreamSession(StreamSessionParts parts, StreamSessionOptions options)
      : parts_(std::move(parts)), options_(std::move(options)) {}

  /// Reads until `stop` (or the end, if that was asked for); then the partitions are given up and the table
  /// is flushed. A stream that cannot be reached is waited for, or for so long as the options say: then it is
  /// kUnavailable. kInvalidData: messages are gone or are not
  /// those that were there, or too many are no rows: nothing of these was written. Other errors are those of
  /// writing.
  Result<void> Run(const std::stop_token& stop);

  /// Thread safe.
  StreamSessionStatus status() const;

 private:
  /// A partition that this session has.
  struct Held {
    std::string place;
    StreamMark mark;
    StreamMark rejected;     // of the table of rejected messages
    bool is_proved = false;  // that the stream is the one that was read before
  };
  /// Messages of one poll that are to be written.
  struct Batch;

  /// From joining the group to leaving it.
  Result<void> Join(const std::stop_token& stop);
  /// What writes; it notices that others have what this session had.
  StreamSteps Steps();
  Result<void> Loop(Stream& stream, const StreamHandlers& handlers, const std::stop_token& stop);
  Result<void> Refresh();
  StreamHandlers Handlers();
  Result<StreamMarks> TakeRejected(const std::vector<std::string>& places,
                                   const StreamIdentity& identity) const;
  Result<std::vector<StreamStart>> TakeOver(std::span<const std::string> partitions);
  Result<void> GiveUp(std::span<const std::string> partitions, bool is_lost);
  /// From time to time, for rows that do not go online: that nobody else has taken what this session has,
  /// while it was held up. What it writes until it notices counts no more.
  Result<void> CheckHeld();
  Result<void> Write(const PolledMessages& polled, const std::stop_token& stop);
  Result<Batch> Prove(const PolledMessages& polled);
  /// Has the batch tell what was passed behind its messages, unless it is known.
  void NotePassed(const PolledMessages::End& end, Batch& batch) const;
  Result<DecodedMessages> Decode(const Batch& batch, const std::stop_token& stop);
  /// When the broker got the message of each decoded row.
  static Result<std::shared_ptr<arrow::Int64Array>> ArrivalsOf(const Batch& batch,
                                                               const DecodedMessages& decoded);
  /// Runs the view's transformation, if it has one, over what was decoded. Answers how many rows it left out.
  Result<std::int64_t> Transform(const Batch& batch, DecodedMessages& decoded) const;
  Result<void> WriteRows(const Batch& batch, const CheckedStreamRows& checked,
                         const std::vector<std::size_t>& message_of_row, std::function<void()> written);
  Result<void> WriteRejected(const Batch& batch, const std::vector<RejectedMessage>& rejected);
  /// Of a view with a batch source: first the rows, then what was rejected with how far was read.
  Result<void> WriteOnline(const Batch& batch, const CheckedStreamRows& checked,
                           const std::vector<std::size_t>& message_of_row,
                           const std::vector<RejectedMessage>& rejected, std::function<void()> written);
  /// A frame, or several if it has not room for all parts. `parts` are those of the batch's runs.
  Result<void> WriteFrames(const std::shared_ptr<const CatalogView>& view, const Batch& batch,
                           const TableRows& rows, std::span<const StreamPart> parts,
                           std::function<void()> written);
  StreamPart PartOf(const Batch& batch, std::size_t run_number) const;
  /// Those of the batch's runs, with how many of the rows each has.
  std::vector<StreamPart> PartsOf(const Batch& batch, const CheckedStreamRows& checked,
                                  const std::vector<std::size_t>& message_of_row) const;
  std::optional<std::int64_t> LatestEventTime() const;
  Result<CheckedStreamRows> RejectedRows(const Batch& batch, std::span<const RejectedMessage> rejected) const;
  bool has_table() const { return views_.view->definition.is_table(); }
  /// What keeps how far the stream was read.
  const CatalogView& progress() const { return ProgressTable(views_); }
  /// What became of a batch's messages.
  struct Counts {
    std::int64_t rows = 0;
    std::int64_t deletions = 0;
    std::int64_t filtered = 0;
    std::int64_t rejected = 0;
  };
  /// What counts them when they are written.
  std::function<void()> Noting(const Batch& batch, const Counts& counts);
  void NoteError(const Error& error);
  /// Of what was tried since `tried_us`. Succeeds if it is worth waiting.
  Result<void> NoteUnreachable(const Error& error, std::int64_t tried_us);
  void NoteReached();
  /// In the end, of messages that are no rows.
  void TellOfRejected() const;
  std::string Place() const { return "view " + views_.view->definition.name; }
  void Tell(bool is_last);
  bool IsAtEnd() const;
  /// False as long as partitions may come to this session that a reader has left who is gone.
  bool IsLeftNone();
  /// Of the stream, for IsLeftNone. When partitions are handed out nothing is being fetched, which an answer
  /// would have to wait for.
  Result<void> ListPartitions();
  std::size_t MessagesMax() const;

  const StreamSessionParts parts_;
  const StreamSessionOptions options_;
  // Of the session's thread alone.
  StreamViews views_;
  CatalogView table_;  // the view as a table's
  std::optional<StreamSource> source_;
  std::optional<StreamTransform> transform_;
  std::unique_ptr<MessageDecoder> decoder_;
  std::map<std::string, Held> held_;  // by partition
  std::set<std::string> at_end_;
  std::vector<std::string> partitions_;        // of the stream, where it matters
  std::optional<std::int64_t> all_at_end_us_;  // since when, of what it has
  Stream* stream_ = nullptr;                   // of the Join that runs
  StreamWriter* writer_ = nullptr;             // of the same
  std::int64_t told_us_ = 0;
  std::int64_t checked_us_ = 0;
  bool is_outage_told_ = false;
  std::atomic<bool> was_outrun_ = false;  // by another reader, who has taken what this one had
  mutable std::mutex mutex_;              // guards status_ and meter_
  StreamSessionStatus status_;
  StreamMeter meter_;
};

}  // namespace tidemark
