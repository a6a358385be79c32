// Shards are read in turn, each through an iterator of its own. A call gives up to 10 MiB; what Poll does not
// hand out at once is kept for the next.
#include "adapters/kinesis/kinesis_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "adapters/kinesis/kinesis_api_internal.h"
#include "adapters/kinesis/shard_leases_internal.h"

namespace tidemark {
namespace kinesis {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kRecordsOfCallMax = 10'000;  // Kinesis's own limit
constexpr std::int64_t kUsPerMs = 1'000;

/// A shard as far as it is known, and read.
struct ReadShard {
  enum class State : std::uint8_t {
    kWaiting,  // for what it came of, or to be assigned
    kReading,
    kHandedOut,  // all of it, by the Poll before
    kEnded,      // and written
  };
  std::vector<std::string> parents;
  State state = State::kWaiting;
  StreamStart start{};                    // of the next iterator
  std::optional<StreamOffset> must_have;  // what the first record has to be
  std::string iterator;                   // empty: none yet, or no more
  bool had_iterator = false;
  bool is_closed = false;   // there comes no more than what is buffered
  bool is_at_end = false;   // for now, behind what is buffered
  bool was_at_end = false;  // and that was told
  std::deque<Record> buffered;
  SteadyClock::time_point due{};  // of the next call
  std::int64_t backoff_us = 0;
};

class KinesisStream final : public Stream {
 public:
  KinesisStream(const KinesisSource& source, const StreamOpening& opening, const KinesisPacing& pacing,
                std::unique_ptr<KinesisApi> api)
      : name_(source.stream_name),
        bytes_max_(std::max<std::size_t>(opening.bytes_max, 1)),
        lease_file_(opening.lease_file),
        pacing_(pacing),
        api_(std::move(api)) {}

  Result<PolledMessages> Poll(const PollOptions& options, const StreamHandlers& handlers) override {
    if (failed_) return std::unexpected(*std::exchange(failed_, std::nullopt));
    if (!made_.empty() && SteadyClock::now() >= look_due_) TM_TRY(CheckSame());
    TM_TRY(TakeReady(handlers));
    const auto deadline =
        SteadyClock::now() + std::chrono::microseconds(std::max<std::int64_t>(0, options.wait_us));
    Handing handing{.polled = {}, .records = std::make_shared<std::vector<Record>>()};
    while (true) {
      Fetch();
      HandOut(options, handing);
      if (!handing.records->empty() || !at_end_.empty() || failed_) break;
      const auto next = std::min(NextDue(), deadline);
      if (SteadyClock::now() >= deadline) break;
      std::this_thread::sleep_until(next);
    }
    if (handing.records->empty() && at_end_.empty() && failed_)
      return std::unexpected(*std::exchange(failed_, std::nullopt));
    return Handed(std::move(handing));
  }

  Result<void> Close(const StreamHandlers& handlers) override {
    std::vector<std::string> taken;
    for (const auto& [id, shard] : shards_) {
      if (shard.state != ReadShard::State::kWaiting) taken.push_back(id);
    }
    shards_.clear();
    at_end_.clear();
    buffered_bytes_ = 0;
    is_listed_ = false;
    auto revoked = taken.empty() ? Result<void>() : handlers.revoked(taken, false);
    leases_.reset();  // only now may others read on
    return revoked;
  }

  Result<std::vector<StreamLag>> Lags(const std::map<std::string, StreamOffset>& read) override {
    TM_ASSIGN(auto shards, api_->ListShards());
    std::ranges::sort(shards, {}, &Shard::id);
    std::vector<StreamLag> lags;
    for (const Shard& shard : shards) {
      StreamStart start;
      if (const auto found = read.find(shard.id); found != read.end())
        start = {.kind = StreamStart::Kind::kAfter, .at = found->second};
      TM_ASSIGN(const std::optional<std::int64_t> behind_us, Behind(shard.id, start));
      lags.push_back(
          {.partition = shard.id, .messages = {}, .behind_us = behind_us, .earliest = {}, .end = {}});
    }
    return lags;
  }

  Result<StreamIdentity> Identify() override {
    TM_ASSIGN(made_, api_->Made());
    look_due_ = SteadyClock::now() + std::chrono::microseconds(pacing_.between_looks_us);
    TM_ASSIGN(const auto listed, api_->ListShards());
    StreamIdentity identity{.made = made_, .partitions = {}};
    for (const Shard& shard : listed)
      identity.partitions.push_back({shard.id, shard.parents});
    return identity;
  }

 private:
  /// What one Poll hands out.
  struct Handing {
    PolledMessages polled;
    std::shared_ptr<std::vector<Record>> records;
    std::size_t bytes = 0;
  };

  /// An iterator may give records of another stream, of the same name, as if nothing had been.
  Result<void> CheckSame() {
    TM_ASSIGN(const std::string made, api_->Made());
    look_due_ = SteadyClock::now() + std::chrono::microseconds(pacing_.between_looks_us);
    if (made.empty() || made == made_) return {};
    return Fail(
        ErrorCode::kInvalidData,
        fmt::format("Kinesis stream '{}' was made anew while it was read: it is another one of the same "
                    "name; see 'messages that are gone' in docs/streams.md",
                    name_));
  }

  Result<std::optional<std::int64_t>> Behind(const std::string& shard, const StreamStart& start) {
    TM_ASSIGN(const ShardIterator iterator, api_->IteratorAt(shard, start));
    if (iterator.state != CallState::kDone) return std::nullopt;
    TM_ASSIGN(Records got, api_->GetRecords(shard, iterator.text, 1));
    if (got.state != CallState::kDone) return std::nullopt;
    DropRead(start, got);
    // How old the next record is; a call may find none although there are more.
    if (got.records.empty()) return got.behind_ms * kUsPerMs;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::int64_t now_us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    return std::max<std::int64_t>(now_us - got.records.front().arrival_us, 0);
  }

  Result<void> List() {
    TM_ASSIGN(const auto listed, api_->ListShards());
    std::set<std::string> ids;
    for (const Shard& shard : listed) {
      ids.insert(shard.id);
      const auto [known, is_new] = shards_.try_emplace(shard.id);
      if (is_new) known->second.parents = shard.parents;
    }
    // Those that are there no more, with all of their records, were never begun.
    std::erase_if(shards_, [&](const auto& known) {
      return known.second.state == ReadShard::State::kWaiting && !ids.contains(known.first);
    });
    is_listed_ = true;
    return {};
  }

  /// Whether all of a shard was read and written, by whomever; or it is there no more.
  Result<bool> IsDoneWith(const std::string& id) const {
    const auto shard = shards_.find(id);
    if (shard == shards_.end() || shard->second.state >= ReadShard::State::kHandedOut) return true;
    if (leases_ == nullptr) return false;
    return leases_->HasEnded(id);
  }

  Result<bool> IsReady(const ReadShard& shard) const {
    if (shard.state != ReadShard::State::kWaiting) return false;
    for (const std::string& parent : shard.parents) {
      TM_ASSIGN(const bool is_done, IsDoneWith(parent));
      if (!is_done) return false;
    }
    return true;
  }

  bool IsTimeToShare() const { return SteadyClock::now() >= share_due_; }

  /// Of those that there are to read, how many this reader should have.
  Result<std::size_t> Share() {
    if (leases_ == nullptr) return shards_.size();
    share_due_ = SteadyClock::now() + std::chrono::microseconds(pacing_.between_shares_us);
    TM_ASSIGN(const std::size_t readers, leases_->Readers());
    std::size_t open = 0;
    for (const auto& [id, shard] : shards_) {
      if (shard.state == ReadShard::State::kReading) ++open;
      TM_ASSIGN(const bool is_ready, IsReady(shard));
      if (!is_ready) continue;
      TM_ASSIGN(const bool has_ended, leases_->HasEnded(id));
      if (!has_ended) ++open;
    }
    return (open + readers - 1) / readers;
  }

  std::size_t CountReading() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        shards_, [](const auto& shard) { return shard.second.state == ReadShard::State::kReading; }));
  }

  /// Gives up what is more than this reader's share; what was handed out of it was written.
  Result<void> GiveUpBeyond(std::size_t share, const StreamHandlers& handlers) {
    std::vector<std::string> extra;
    const std::size_t reading = CountReading();
    for (auto shard = shards_.rbegin(); shard != shards_.rend() && reading > share + extra.size(); ++shard) {
      if (shard->second.state == ReadShard::State::kReading) extra.push_back(shard->first);
    }
    if (extra.empty()) return {};
    TM_TRY(handlers.revoked(extra, false));
    for (const std::string& id : extra) {
      ReadShard& shard = shards_.at(id);
      for (const Record& record : shard.buffered)
        buffered_bytes_ -= record.key.size() + record.data.size();
      const auto parents = shard.parents;
      shard = {};
      shard.parents = parents;
      at_end_.erase(id);
      leases_->GiveUp(id);
    }
    return {};
  }

  Result<std::vector<std::string>> TakeUpTo(std::size_t share) {
    std::vector<std::string> taken;
    const std::size_t reading = CountReading();
    for (const auto& [id, shard] : shards_) {
      if (reading + taken.size() >= share) break;
      TM_ASSIGN(const bool is_ready, IsReady(shard));
      if (!is_ready) continue;
      bool is_own = true;
      if (leases_ != nullptr) {
        TM_ASSIGN(is_own, leases_->TryTake(id));
      }
      if (is_own) taken.push_back(id);
    }
    return taken;
  }

  Result<void> Assign(const std::vector<std::string>& ready, const StreamHandlers& handlers) {
    if (ready.empty()) return {};
    auto starts = handlers.assigned(ready);
    if (!starts) {
      for (const std::string& id : ready) {
        if (leases_ != nullptr) leases_->GiveUp(id);
      }
      return std::unexpected(std::move(starts).error());
    }
    for (std::size_t i = 0; i < ready.size(); ++i) {
      ReadShard& shard = shards_.at(ready[i]);
      const StreamStart& start = (*starts)[i];
      shard.state = ReadShard::State::kReading;
      shard.start = start;
      if (start.kind == StreamStart::Kind::kAt) shard.must_have = start.at;
    }
    return {};
  }

  /// Has the shards assigned that can be read now. What was handed out whole by the Poll before was written
  /// since; only now is it at its end.
  Result<void> TakeReady(const StreamHandlers& handlers) {
    if (!lease_file_.empty() && leases_ == nullptr) {
      TM_ASSIGN(leases_, ShardLeases::Join(lease_file_));
      share_due_ = {};
    }
    const bool has_ended = std::ranges::any_of(
        shards_, [](const auto& shard) { return shard.second.state == ReadShard::State::kHandedOut; });
    const bool is_shared_anew = leases_ != nullptr && IsTimeToShare();
    // A shard that somebody else read to its end has come to others.
    if (!is_listed_ || has_ended || is_shared_anew) TM_TRY(List());
    if (leases_ == nullptr || is_shared_anew || has_ended) {
      TM_ASSIGN(const std::size_t share, Share());
      if (is_shared_anew) TM_TRY(GiveUpBeyond(share, handlers));
      TM_ASSIGN(const auto ready, TakeUpTo(share));
      TM_TRY(Assign(ready, handlers));
    }
    for (auto& [id, shard] : shards_) {
      if (shard.state != ReadShard::State::kHandedOut) continue;
      shard.state = ReadShard::State::kEnded;
      at_end_.insert(id);
      if (leases_ != nullptr) TM_TRY(leases_->NoteEnd(id));
    }
    return {};
  }

  bool IsToBeCalled(const ReadShard& shard) const {
    return shard.state == ReadShard::State::kReading && !shard.is_closed && shard.buffered.empty() &&
           buffered_bytes_ < bytes_max_;
  }

  SteadyClock::time_point NextDue() const {
    auto next = SteadyClock::time_point::max();
    for (const auto& [id, shard] : shards_) {
      if (IsToBeCalled(shard)) next = std::min(next, shard.due);
    }
    return next;
  }

  /// One call for each shard that it is time for.
  void Fetch() {
    for (auto& [id, shard] : shards_) {
      if (failed_) return;
      if (!IsToBeCalled(shard) || SteadyClock::now() < shard.due) continue;
      if (auto fetched = FetchOf(id, shard); !fetched) failed_ = std::move(fetched).error();
    }
  }

  void NotBefore(ReadShard& shard, CallState state) const {
    if (state == CallState::kTooMany) {
      shard.backoff_us =
          std::clamp(2 * shard.backoff_us, std::max<std::int64_t>(pacing_.between_calls_us, kUsPerMs),
                     pacing_.backoff_max_us);
    } else {
      shard.backoff_us = 0;
    }
    shard.due =
        SteadyClock::now() + std::chrono::microseconds(std::max(shard.backoff_us, pacing_.between_calls_us));
  }

  Result<void> FetchOf(const std::string& id, ReadShard& shard) {
    if (shard.iterator.empty()) {
      if (std::exchange(shard.had_iterator, true) && !made_.empty()) TM_TRY(CheckSame());
      TM_ASSIGN(auto iterator, api_->IteratorAt(id, shard.start));
      if (iterator.state == CallState::kTooMany) {
        NotBefore(shard, iterator.state);
        return {};
      }
      shard.iterator = std::move(iterator.text);
    }
    auto called = api_->GetRecords(id, shard.iterator, kRecordsOfCallMax);
    if (!called) {
      shard.iterator.clear();  // it may be one of a stream that is there no more
      return std::unexpected(std::move(called).error());
    }
    Records& got = *called;
    NotBefore(shard, got.state);
    if (got.state == CallState::kTooMany) return {};
    if (got.state == CallState::kExpired) {
      shard.iterator.clear();
      return {};
    }
    DropRead(shard.start, got);
    TM_TRY(CheckFirst(id, shard, got));
    for (Record& record : got.records) {
      buffered_bytes_ += record.key.size() + record.data.size();
      shard.start = {.kind = StreamStart::Kind::kAfter, .at = record.offset};
      shard.buffered.push_back(std::move(record));
    }
    shard.is_closed = !got.next.has_value();
    shard.iterator = got.next.value_or("");
    shard.is_at_end = got.behind_ms == 0;
    if (!shard.buffered.empty()) shard.was_at_end = false;
    return {};
  }

  /// Leaves out what came in one with the record to begin at, and before it.
  static void DropRead(const StreamStart& start, Records& got) {
    std::erase_if(got.records, [&](const Record& record) {
      if (start.kind == StreamStart::Kind::kAt) return record.offset < start.at;
      return start.kind == StreamStart::Kind::kAfter && record.offset <= start.at;
    });
  }

  /// A shard whose records are gone begins with the first one that there still is.
  Result<void> CheckFirst(const std::string& id, ReadShard& shard, const Records& got) const {
    if (!shard.must_have || got.records.empty()) return {};
    const StreamOffset wanted = *std::exchange(shard.must_have, std::nullopt);
    if (got.records.front().offset == wanted) return {};
    return Fail(
        ErrorCode::kInvalidData,
        fmt::format("Kinesis stream '{}', partition {}: the record {}, up to which it was read, is there no "
                    "more, so those behind it may be gone too; see 'messages that are gone' in "
                    "docs/streams.md",
                    name_, id, wanted.text()));
  }

  void HandOut(const PollOptions& options, Handing& handing) {
    for (auto& [id, shard] : shards_) {
      if (shard.state != ReadShard::State::kReading) continue;
      std::size_t count = 0;
      while (!shard.buffered.empty() && handing.records->size() < options.messages_max &&
             handing.bytes < options.bytes_max) {
        Record& record = shard.buffered.front();
        const std::size_t bytes = record.key.size() + record.data.size();
        handing.bytes += bytes;
        buffered_bytes_ -= bytes;
        handing.records->push_back(std::move(record));
        shard.buffered.pop_front();
        ++count;
      }
      if (count > 0) handing.polled.runs.push_back({.partition = id, .count = count});
      if (!shard.buffered.empty()) continue;
      if (shard.is_closed) {
        shard.state = ReadShard::State::kHandedOut;
      } else if (shard.is_at_end && !std::exchange(shard.was_at_end, true)) {
        at_end_.insert(id);
      }
    }
  }

  PolledMessages Handed(Handing handing) {
    PolledMessages polled = std::move(handing.polled);
    for (const Record& record : *handing.records) {
      polled.messages.push_back({.key = std::as_bytes(std::span(record.key)),
                                 .value = std::as_bytes(std::span(record.data)),
                                 .has_value = !record.data.empty(),
                                 .timestamp_us = record.arrival_us});
      polled.offsets.push_back(record.offset);
    }
    for (const std::string& id : std::exchange(at_end_, {}))
      polled.at_end.push_back({.partition = id});
    polled.bytes = std::move(handing.records);
    return polled;
  }

  const std::string name_;
  const std::size_t bytes_max_;
  const std::string lease_file_;
  const KinesisPacing pacing_;
  const std::unique_ptr<KinesisApi> api_;
  std::unique_ptr<ShardLeases> leases_;  // null: nobody shares the stream
  SteadyClock::time_point share_due_{};
  std::string made_;  // empty: not asked for, or not known
  SteadyClock::time_point look_due_{};
  bool is_listed_ = false;
  std::map<std::string, ReadShard> shards_;
  std::size_t buffered_bytes_ = 0;
  std::set<std::string> at_end_;  // not told yet
  std::optional<Error> failed_;   // not told yet
};

}  // namespace
}  // namespace kinesis

Result<std::unique_ptr<Stream>> OpenKinesisStream(const KinesisSource& source, const StreamOpening& opening,
                                                  const KinesisPacing& pacing) {
  TM_ASSIGN(auto api, kinesis::KinesisApi::Make(source, kinesis::ProcessEnvironment));
  return std::make_unique<kinesis::KinesisStream>(source, opening, pacing, std::move(api));
}

}  // namespace tidemark
