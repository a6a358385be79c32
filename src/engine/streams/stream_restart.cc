// Partition by partition. Kafka tells its offsets, which are numbers one behind the other; Kinesis does not.
#include "engine/streams/stream_restart.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>

#include "model/name.h"

namespace tidemark {
namespace {

Result<std::uint64_t> OffsetNumber(const StreamOffset& offset) {
  std::uint64_t number = 0;
  const std::string& text = offset.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return Fail(ErrorCode::kUnsupported, fmt::format("offset {} is no number of 64 bits", text));
}

/// As if all before `next` had been read.
Result<StreamMark> MarkBefore(const StreamOffset& next) {
  TM_ASSIGN(const std::uint64_t number, OffsetNumber(next));
  StreamMark mark;
  if (number > 0) mark.read = StreamOffset(number - 1);
  return mark;
}

/// One partition, and what the stream says of it; null: the stream has it no more.
class RestartOfPartition {
 public:
  RestartOfPartition(const StreamSource& source, const StreamLag* lag, PartitionRestart restart)
      : is_kafka_(std::holds_alternative<KafkaSource>(source)), lag_(lag), restart_(std::move(restart)) {}

  Result<PartitionRestart> From(StreamRestart from) {
    if (lag_ == nullptr) {
      restart_.gives_up = "the stream has it no more; it is forgotten how far it was read";
    } else if (from == StreamRestart::kEarliest) {
      Earliest();
    } else if (from == StreamRestart::kLatest) {
      TM_TRY(Latest());
    } else {
      TM_TRY(Continue());
    }
    return std::move(restart_);
  }

 private:
  void Earliest() {
    restart_.next = lag_->earliest;
    restart_.gives_up =
        restart_.read ? fmt::format(
                            "read from the first message that there is; those that were read before, up to "
                            "offset {}, become rows once more if they are still there",
                            restart_.read->text())
                      : "read from the first message that there is, as it would be anyway";
  }

  Result<void> Latest() {
    if (!is_kafka_ || !lag_->end) {
      return Fail(
          ErrorCode::kUnsupported,
          "Kinesis does not say where a shard ends, so nothing can be read from there on and be sure that "
          "nothing is missed: restart from earliest");
    }
    TM_ASSIGN(restart_.mark, MarkBefore(*lag_->end));
    restart_.next = lag_->end;
    restart_.gives_up = restart_.read
                            ? fmt::format("messages behind offset {} and before {} are never read",
                                          restart_.read->text(), lag_->end->text())
                            : fmt::format("messages before offset {} are never read", lag_->end->text());
    return {};
  }

  Result<void> Continue() {
    restart_.next = lag_->earliest;
    if (!restart_.read) {
      restart_.gives_up = "nothing: it was never read, and begins with the first message";
      return {};
    }
    restart_.mark.read = restart_.read;
    restart_.next.reset();
    restart_.gives_up = "messages that were removed before they were read, if there are such";
    if (!is_kafka_ || !lag_->end || !lag_->earliest) return {};
    if (*restart_.read >= *lag_->end) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("it was read up to offset {}, and ends before {} now, so that there is nothing to "
                      "continue with: restart from earliest or latest",
                      restart_.read->text(), lag_->end->text()));
    }
    TM_ASSIGN(const std::uint64_t read, OffsetNumber(*restart_.read));
    restart_.next = std::max(StreamOffset(read + 1), *lag_->earliest);
    TM_ASSIGN(restart_.mark, MarkBefore(*restart_.next));
    restart_.gives_up =
        StreamOffset(read + 1) < *lag_->earliest
            ? fmt::format("messages behind offset {} and before {}, which were removed before they were read",
                          restart_.read->text(), lag_->earliest->text())
            : fmt::format("whether the message at offset {} is the one that was read there is not asked",
                          restart_.read->text());
    return {};
  }

  const bool is_kafka_;
  const StreamLag* const lag_;
  PartitionRestart restart_;
};

}  // namespace

Result<std::vector<PartitionRestart>> PlanRestart(const StreamSource& source, const StreamMarks& marks,
                                                  std::span<const StreamLag> lags,
                                                  const RestartStreamOptions& options) {
  std::map<std::string, const StreamLag*> known;
  for (const auto& [place, mark] : marks) {
    if (const auto partition = PartitionOfPlace(source, place)) known.emplace(*partition, nullptr);
  }
  for (const StreamLag& lag : lags)
    known.insert_or_assign(lag.partition, &lag);
  std::vector<std::string> partitions = options.partitions;
  if (partitions.empty()) {
    for (const auto& [partition, lag] : known)
      partitions.push_back(partition);
  }
  std::vector<PartitionRestart> restarts;
  for (const std::string& partition : partitions) {
    const auto found = known.find(partition);
    if (found == known.end()) {
      std::vector<std::string> names;
      for (const auto& [name, lag] : known)
        names.push_back(name);
      return Fail(ErrorCode::kNotFound, fmt::format("the stream has no partition {}; it has {}",
                                                    Quoted(partition), fmt::join(names, ", ")));
    }
    PartitionRestart restart;
    restart.partition = partition;
    restart.place = StreamPlace(source, partition);
    if (const auto mark = marks.find(restart.place); mark != marks.end())
      restart.read = mark->second.reached();
    auto planned = RestartOfPartition(source, found->second, std::move(restart)).From(options.from);
    if (!planned)
      return std::unexpected(std::move(planned).error().In(fmt::format("partition {}", partition)));
    restarts.push_back(*std::move(planned));
  }
  return restarts;
}

}  // namespace tidemark
