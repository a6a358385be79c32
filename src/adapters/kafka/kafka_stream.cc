// A consumer that is told where to read from, and never tells the group.
#include "adapters/kafka/kafka_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <map>
#include <tuple>

#include "adapters/kafka/kafka_error_internal.h"
#include "adapters/kafka/kafka_settings_internal.h"

namespace tidemark {
namespace {

constexpr int kRequestMs = 10'000;
constexpr int kProbeMs = 1'000;
constexpr auto kProbeAfter = std::chrono::seconds(2);
constexpr std::size_t kReasonBytes = 512;

struct KafkaHandleDelete {
  // Leaving the group waits for brokers: that is done by Close.
  void operator()(rd_kafka_t* kafka) const {
    rd_kafka_destroy_flags(kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
};
struct KafkaMessageDelete {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
struct PartitionListDelete {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
struct KafkaTopicDelete {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, KafkaMessageDelete>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, PartitionListDelete>;

std::vector<std::string> NamesOf(const rd_kafka_topic_partition_list_t& list) {
  std::vector<std::string> names;
  for (int i = 0; i < list.cnt; ++i)
    names.push_back(std::to_string(list.elems[i].partition));
  return names;
}

std::span<const std::byte> BytesOf(const void* data, std::size_t bytes) {
  return {static_cast<const std::byte*>(data), data == nullptr ? 0 : bytes};
}

/// Kafka's offsets are of 63 bits.
Result<std::int64_t> NumberOf(const StreamOffset& offset) {
  std::int64_t number = 0;
  const std::string& text = offset.text();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return Fail(ErrorCode::kInvalidData, fmt::format("{} is no offset of a Kafka topic", text));
}

StreamOffset OffsetOf(std::int64_t number) {
  return StreamOffset(static_cast<std::uint64_t>(number));
}

struct Watermarks {
  std::int64_t low = 0;   // the first message that there still is
  std::int64_t high = 0;  // the next one that will be written
};

class KafkaStream final : public Stream {
 public:
  explicit KafkaStream(const KafkaSource& source) : topic_(source.topic) {}
  KafkaStream(const KafkaStream&) = delete;
  KafkaStream& operator=(const KafkaStream&) = delete;

  Result<void> Open(KafkaConf conf) {
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_rebalance_cb(conf.get(), [](rd_kafka_t* /*kafka*/, rd_kafka_resp_err_t code,
                                                  rd_kafka_topic_partition_list_t* partitions, void* self) {
      static_cast<KafkaStream*>(self)->OnRebalance(code, *partitions);
    });
    rd_kafka_conf_set_error_cb(
        conf.get(), [](rd_kafka_t* /*kafka*/, int code, const char* reason, void* self) {
          static_cast<KafkaStream*>(self)->OnError(static_cast<rd_kafka_resp_err_t>(code), reason);
        });
    // What is worth telling comes as errors; lines on stderr would be nobody's.
    rd_kafka_conf_set_log_cb(conf.get(), nullptr);
    std::array<char, kReasonBytes> reason{};
    kafka_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), reason.data(), reason.size()));
    if (kafka_ == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the settings of topic '{}' are refused: {}", topic_, reason.data()));
    }
    std::ignore = conf.release();  // the handle has it now
    rd_kafka_poll_set_consumer(kafka_.get());
    return {};
  }

  Result<PolledMessages> Poll(const PollOptions& options, const StreamHandlers& handlers) override {
    // Partitions whose beginning could not be asked for are handed out again.
    if (std::exchange(must_rejoin_, false)) {
      rd_kafka_unsubscribe(kafka_.get());
      is_subscribed_ = false;
    }
    if (!is_subscribed_) TM_TRY(Subscribe());
    handlers_ = &handlers;
    auto polled = Gather(options);
    handlers_ = nullptr;
    return polled;
  }

  Result<void> Close(const StreamHandlers& handlers) override {
    if (!is_subscribed_) return {};
    handlers_ = &handlers;
    gathered_.clear();
    const rd_kafka_resp_err_t code = rd_kafka_consumer_close(kafka_.get());
    handlers_ = nullptr;
    is_subscribed_ = false;
    if (failed_) return std::unexpected(*std::exchange(failed_, std::nullopt));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(KafkaError(code, topic_));
    return {};
  }

  Result<std::vector<StreamLag>> Lags(const std::map<std::string, StreamOffset>& read) override {
    TM_ASSIGN(const auto partitions, Partitions());
    std::vector<StreamLag> lags;
    for (const std::int32_t partition : partitions) {
      TM_ASSIGN(const Watermarks marks, Query(partition));
      StreamLag lag;
      lag.partition = std::to_string(partition);
      std::int64_t next = marks.low;
      if (const auto found = read.find(lag.partition); found != read.end()) {
        TM_ASSIGN(const std::int64_t last, NumberOf(found->second));
        next = std::max(next, last + 1);
      }
      lag.messages = std::max<std::int64_t>(0, marks.high - next);
      lag.earliest = OffsetOf(marks.low);
      lag.end = OffsetOf(marks.high);
      lags.push_back(std::move(lag));
    }
    return lags;
  }

  Result<StreamIdentity> Identify() override { return StreamIdentity{}; }

 private:
  Result<void> Subscribe() {
    const PartitionList topics(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t code = rd_kafka_subscribe(kafka_.get(), topics.get());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(KafkaError(code, topic_));
    is_subscribed_ = true;
    subscribed_ = std::chrono::steady_clock::now();
    return {};
  }

  /// Asks whether a broker answers, unless one surely does: brokers that come back say nothing of it.
  Result<void> CheckReached() {
    const bool is_late = !was_assigned_ && std::chrono::steady_clock::now() >= subscribed_ + kProbeAfter;
    if (!is_unreached_ && (!is_late || was_reached_)) return {};
    const rd_kafka_metadata_t* metadata = nullptr;
    const rd_kafka_resp_err_t code = rd_kafka_metadata(kafka_.get(), 0, nullptr, &metadata, kProbeMs);
    is_unreached_ = code != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (is_unreached_)
      return std::unexpected(KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, topic_, last_reason_));
    rd_kafka_metadata_destroy(metadata);
    was_reached_ = true;
    return {};
  }

  /// Messages until there are enough, or none is waiting, or partitions changed hands.
  Result<PolledMessages> Gather(const PollOptions& options) {
    if (failed_) return std::unexpected(*std::exchange(failed_, std::nullopt));
    std::size_t bytes = 0;
    was_rebalanced_ = false;
    const auto deadline = std::chrono::steady_clock::now() +
                          std::chrono::microseconds(std::max<std::int64_t>(0, options.wait_us));
    while (!was_rebalanced_ && !failed_ && gathered_.size() < options.messages_max &&
           bytes < options.bytes_max) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      const bool has_something = !gathered_.empty() || !at_end_.empty();
      const int wait_ms = has_something ? 0 : static_cast<int>(std::max<std::int64_t>(0, left.count()));
      KafkaMessage message(rd_kafka_consumer_poll(kafka_.get(), wait_ms));
      if (message == nullptr) {
        if (has_something || left.count() <= 0) break;
        continue;
      }
      // It may have come behind an error or a new assignment, in the same call: it counts all the same.
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        bytes += message->key_len + message->len;
        at_end_.erase(message->partition);
        gathered_.push_back(std::move(message));
      } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        at_end_.insert_or_assign(message->partition, message->offset);
      } else {
        OnMessageError(*message);
      }
    }
    // What came before an error is handed out first.
    if (gathered_.empty() && at_end_.empty() && failed_)
      return std::unexpected(*std::exchange(failed_, std::nullopt));
    if (!gathered_.empty() || !at_end_.empty()) is_unreached_ = false;
    if (gathered_.empty() && at_end_.empty() && !was_rebalanced_) TM_TRY(CheckReached());
    return Handed();
  }

  PolledMessages Handed() {
    auto owned = std::make_shared<std::vector<KafkaMessage>>(std::exchange(gathered_, {}));
    std::ranges::stable_sort(*owned, {}, [](const KafkaMessage& message) { return message->partition; });
    PolledMessages polled;
    polled.messages.reserve(owned->size());
    polled.offsets.reserve(owned->size());
    for (std::size_t i = 0; i < owned->size(); ++i) {
      const rd_kafka_message_t& message = *(*owned)[i];
      if (i == 0 || message.partition != (*owned)[i - 1]->partition)
        polled.runs.push_back({std::to_string(message.partition), 0});
      ++polled.runs.back().count;
      StreamMessage out;
      out.key = BytesOf(message.key, message.key_len);
      out.value = BytesOf(message.payload, message.len);
      out.has_value = message.payload != nullptr;
      rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
      out.timestamp_us = std::max<std::int64_t>(0, rd_kafka_message_timestamp(&message, &type)) * 1'000;
      polled.messages.push_back(out);
      polled.offsets.push_back(OffsetOf(message.offset));
    }
    for (const auto& [partition, next] : std::exchange(at_end_, {})) {
      PolledMessages::End& end = polled.at_end.emplace_back(std::to_string(partition));
      if (next > 0) end.passed = OffsetOf(next - 1);
    }
    polled.bytes = std::move(owned);
    return polled;
  }

  void OnMessageError(const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) return;  // the partitions are taken from us next
    const std::string reason =
        fmt::format("partition {}: {}", message.partition, rd_kafka_message_errstr(&message));
    failed_ = KafkaError(message.err, topic_, reason);
    // A broker that starts does not know its topics at once.
    if (failed_->code == ErrorCode::kNotFound && was_assigned_) failed_->code = ErrorCode::kUnavailable;
  }

  /// Errors of no message; those of one broker alone pass.
  void OnError(rd_kafka_resp_err_t code, const char* reason) {
    // What passes does not hide what does not.
    if (failed_ && failed_->code != ErrorCode::kUnavailable) return;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
      is_unreached_ = true;
    } else if (code == RD_KAFKA_RESP_ERR__TRANSPORT && IsTlsRefusal(reason)) {
      failed_ = KafkaError(RD_KAFKA_RESP_ERR__SSL, topic_, reason);
    } else if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE) {
      last_reason_ = reason;
    } else {
      failed_ = KafkaError(code, topic_, reason);
    }
  }

  /// On the thread of Poll or Close.
  void OnRebalance(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t& partitions) {
    was_rebalanced_ = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      auto assigned = Assign(partitions);
      if (assigned) return;
      failed_ = std::move(assigned).error();
      must_rejoin_ = true;
      if (auto left = handlers_->revoked(NamesOf(partitions), true); !left) failed_ = std::move(left).error();
    } else {
      // Messages that nobody has got yet are read by whoever has their partition next.
      gathered_.clear();
      at_end_.clear();
      const bool is_lost = rd_kafka_assignment_lost(kafka_.get()) != 0;
      if (handlers_ != nullptr && partitions.cnt > 0) {
        auto revoked = handlers_->revoked(NamesOf(partitions), is_lost);
        if (!revoked) failed_ = std::move(revoked).error();
      }
    }
    rd_kafka_assign(kafka_.get(), nullptr);
  }

  Result<void> Assign(const rd_kafka_topic_partition_list_t& partitions) {
    const PartitionList starts(rd_kafka_topic_partition_list_copy(&partitions));
    if (partitions.cnt > 0) {
      TM_ASSIGN(const auto from, handlers_->assigned(NamesOf(partitions)));
      for (int i = 0; i < starts->cnt; ++i) {
        auto& element = starts->elems[i];
        TM_ASSIGN(element.offset, Beginning(element.partition, from[static_cast<std::size_t>(i)]));
      }
    }
    const rd_kafka_resp_err_t code = rd_kafka_assign(kafka_.get(), starts.get());
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(KafkaError(code, topic_));
    was_assigned_ = true;
    return {};
  }

  /// The offset to begin at; never one that leaves unread messages out.
  Result<std::int64_t> Beginning(std::int32_t partition, const StreamStart& start) {
    // The library would wait for half a second before it asked for the first or last one.
    TM_ASSIGN(const Watermarks marks, Query(partition));
    if (start.kind == StreamStart::Kind::kLatest) return marks.high;
    if (start.kind == StreamStart::Kind::kEarliest) return marks.low;
    TM_ASSIGN(const std::int64_t last, NumberOf(start.at));
    TM_ASSIGN(const std::int64_t passed, NumberOf(start.passed.value_or(start.at)));
    if (passed >= marks.high) {
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("topic '{}', partition {}: it was read up to offset {}, but ends at {} now: it was "
                      "made anew, or has lost messages; see 'messages that are gone' in docs/streams.md",
                      topic_, partition, passed, marks.high - 1));
    }
    if (passed + 1 < marks.low) {
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("topic '{}', partition {}: messages from offset {} to {} were removed from it before "
                      "they were read; see 'messages that are gone' in docs/streams.md",
                      topic_, partition, passed + 1, marks.low - 1));
    }
    return std::max(marks.low, start.kind == StreamStart::Kind::kAt ? last : last + 1);
  }

  Result<Watermarks> Query(std::int32_t partition) {
    Watermarks marks;
    const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(kafka_.get(), topic_.c_str(), partition,
                                                                      &marks.low, &marks.high, kRequestMs);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(KafkaError(code, topic_));
    return marks;
  }

  Result<std::vector<std::int32_t>> Partitions() {
    const std::unique_ptr<rd_kafka_topic_t, KafkaTopicDelete> topic(
        rd_kafka_topic_new(kafka_.get(), topic_.c_str(), nullptr));
    if (topic == nullptr) return std::unexpected(KafkaError(rd_kafka_last_error(), topic_));
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka_.get(), 0, topic.get(), &metadata, kProbeMs);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Who is refused, or finds nobody, would wait for the whole of it, and be told only that time is over.
      // A member of the group hears of it by Poll, which must not miss a message.
      if (!is_subscribed_) const KafkaMessage none(rd_kafka_consumer_poll(kafka_.get(), 0));
      if (failed_) return std::unexpected(*std::exchange(failed_, std::nullopt));
      if (is_unreached_)
        return std::unexpected(KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, topic_, last_reason_));
      code = rd_kafka_metadata(kafka_.get(), 0, topic.get(), &metadata, kRequestMs);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(KafkaError(code, topic_));
    std::vector<std::int32_t> partitions;
    rd_kafka_resp_err_t of_topic = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (metadata->topic_cnt == 1) {
      of_topic = metadata->topics[0].err;
      for (int i = 0; i < metadata->topics[0].partition_cnt; ++i)
        partitions.push_back(metadata->topics[0].partitions[i].id);
    }
    rd_kafka_metadata_destroy(metadata);
    if (of_topic != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(KafkaError(of_topic, topic_));
    std::ranges::sort(partitions);
    return partitions;
  }

  const std::string topic_;
  std::unique_ptr<rd_kafka_t, KafkaHandleDelete> kafka_;
  bool is_subscribed_ = false;
  bool was_assigned_ = false;
  bool must_rejoin_ = false;
  std::chrono::steady_clock::time_point subscribed_{};
  bool was_reached_ = false;                  // as far as it was asked
  bool is_unreached_ = false;                 // no broker answers, as far as it is known
  const StreamHandlers* handlers_ = nullptr;  // of the call that is running
  bool was_rebalanced_ = false;               // during it
  std::vector<KafkaMessage> gathered_;
  std::map<std::int32_t, std::int64_t> at_end_;  // partitions, with what would be read next
  std::optional<Error> failed_;                  // not told yet
  std::string last_reason_ = "none can be reached";
};

}  // namespace

Result<std::unique_ptr<Stream>> OpenKafkaStream(const KafkaSource& source, const StreamOpening& opening) {
  TM_ASSIGN(KafkaConf conf, KafkaSettings(source, opening));
  auto stream = std::make_unique<KafkaStream>(source);
  TM_TRY(stream->Open(std::move(conf)));
  return stream;
}

}  // namespace tidemark
