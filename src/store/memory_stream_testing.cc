// Members take partitions in turn; one that has too many gives all up first.
#include "store/memory_stream_testing.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace tidemark::testing_support {

namespace {

std::span<const std::byte> BytesOfText(const std::optional<std::string>& text) {
  return text ? std::as_bytes(std::span(*text)) : std::span<const std::byte>();
}

std::int64_t NumberOfOffset(const StreamOffset& offset) {
  return std::stoll(offset.text());
}

}  // namespace

class MemoryStream final : public Stream {
 public:
  explicit MemoryStream(MemoryTopic& topic) : topic_(topic) {}
  ~MemoryStream() override { Leave(); }

  Result<PolledMessages> Poll(const PollOptions& options, const StreamHandlers& handlers) override {
    {
      const std::lock_guard lock(topic_.mutex_);
      if (topic_.error_) return std::unexpected(*topic_.error_);
      topic_.members_.insert(this);
    }
    TM_TRY(Rebalance(handlers));
    const std::lock_guard lock(topic_.mutex_);
    PolledMessages polled;
    auto bytes = std::make_shared<std::vector<std::unique_ptr<MemoryMessage>>>();
    std::size_t size = 0;
    for (auto& [partition, next] : next_) {
      PolledMessages::Run run{std::to_string(partition), 0};
      for (const MemoryMessage& message : topic_.partitions_[partition].messages) {
        if (message.offset < next) continue;
        if (polled.messages.size() >= options.messages_max || size >= options.bytes_max) break;
        const MemoryMessage& kept = *bytes->emplace_back(std::make_unique<MemoryMessage>(message));
        polled.messages.push_back(
            {BytesOfText(kept.key), BytesOfText(kept.value), kept.value.has_value(), kept.timestamp_us});
        polled.offsets.emplace_back(static_cast<std::uint64_t>(kept.offset));
        size += polled.messages.back().key.size() + polled.messages.back().value.size();
        next = kept.offset + 1;
        ++run.count;
      }
      while (topic_.partitions_[partition].markers.contains(next))
        ++next;
      if (next >= topic_.partitions_[partition].next) {
        PolledMessages::End& end = polled.at_end.emplace_back(run.partition);
        if (next > 0) end.passed = StreamOffset(static_cast<std::uint64_t>(next - 1));
      }
      if (run.count > 0) polled.runs.push_back(std::move(run));
    }
    polled.bytes = std::move(bytes);
    return polled;
  }

  Result<void> Close(const StreamHandlers& handlers) override {
    const auto names = Names();
    Result<void> revoked;
    if (!names.empty()) revoked = handlers.revoked(names, false);
    Leave();
    return revoked;
  }

  Result<std::vector<StreamLag>> Lags(const std::map<std::string, StreamOffset>& read) override {
    const std::lock_guard lock(topic_.mutex_);
    std::vector<StreamLag> lags;
    for (std::size_t i = 0; i < topic_.partitions_.size(); ++i) {
      StreamLag lag;
      lag.partition = std::to_string(i);
      std::int64_t next = EarliestOf(i);
      if (const auto found = read.find(lag.partition); found != read.end())
        next = std::max(next, NumberOfOffset(found->second) + 1);
      lag.messages = std::max<std::int64_t>(0, topic_.partitions_[i].next - next);
      lag.earliest = StreamOffset(static_cast<std::uint64_t>(EarliestOf(i)));
      lag.end = StreamOffset(static_cast<std::uint64_t>(topic_.partitions_[i].next));
      lags.push_back(std::move(lag));
    }
    return lags;
  }

  Result<StreamIdentity> Identify() override {
    const std::lock_guard lock(topic_.mutex_);
    return topic_.identity_;
  }

 private:
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [partition, next] : next_)
      names.push_back(std::to_string(partition));
    return names;
  }

  std::int64_t EarliestOf(std::size_t partition) const {
    const auto& messages = topic_.partitions_[partition].messages;
    return messages.empty() ? topic_.partitions_[partition].next : messages.front().offset;
  }

  void Leave() {
    const std::lock_guard lock(topic_.mutex_);
    topic_.members_.erase(this);
    std::erase_if(topic_.owners_, [this](const auto& owned) { return owned.second == this; });
    next_.clear();
  }

  /// Takes partitions that nobody has up to a fair share; gives all up if it has more than that.
  Result<void> Rebalance(const StreamHandlers& handlers) {
    std::vector<std::string> taken;
    std::vector<std::size_t> numbers;
    bool is_too_many = false;
    {
      const std::lock_guard lock(topic_.mutex_);
      const std::size_t share =
          (topic_.partitions_.size() + topic_.members_.size() - 1) / topic_.members_.size();
      is_too_many = next_.size() > share;
    }
    if (is_too_many) {
      TM_TRY(handlers.revoked(Names(), false));
      const std::lock_guard lock(topic_.mutex_);
      std::erase_if(topic_.owners_, [this](const auto& owned) { return owned.second == this; });
      next_.clear();
    }
    {
      const std::lock_guard lock(topic_.mutex_);
      const std::size_t share =
          (topic_.partitions_.size() + topic_.members_.size() - 1) / topic_.members_.size();
      for (std::size_t i = 0; i < topic_.partitions_.size() && next_.size() + taken.size() < share; ++i) {
        if (!topic_.owners_.try_emplace(i, this).second) continue;
        taken.push_back(std::to_string(i));
        numbers.push_back(i);
      }
    }
    if (taken.empty()) return {};
    TM_ASSIGN(const auto starts, handlers.assigned(taken));
    const std::lock_guard lock(topic_.mutex_);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      TM_ASSIGN(const std::int64_t next, Beginning(numbers[i], starts[i]));
      next_.emplace(numbers[i], next);
    }
    return {};
  }

  Result<std::int64_t> Beginning(std::size_t partition, const StreamStart& start) const {
    const MemoryTopic::Partition& from = topic_.partitions_[partition];
    if (start.kind == StreamStart::Kind::kLatest) return from.next;
    if (start.kind == StreamStart::Kind::kEarliest) return EarliestOf(partition);
    const std::int64_t last = NumberOfOffset(start.at);
    const std::int64_t passed = start.passed ? NumberOfOffset(*start.passed) : last;
    if (passed >= from.next || passed + 1 < EarliestOf(partition)) {
      return tidemark::Fail(ErrorCode::kInvalidData, "partition " + std::to_string(partition) +
                                                         ": messages that were to be read are "
                                                         "there no more");
    }
    return std::max(EarliestOf(partition), start.kind == StreamStart::Kind::kAt ? last : last + 1);
  }

  MemoryTopic& topic_;
  std::map<std::size_t, std::int64_t> next_;  // by partition that it has
};

void MemoryTopic::Add(std::size_t partition, MemoryMessage message) {
  const std::lock_guard lock(mutex_);
  message.offset = partitions_[partition].next++;
  partitions_[partition].messages.push_back(std::move(message));
}

void MemoryTopic::AddMarker(std::size_t partition) {
  const std::lock_guard lock(mutex_);
  partitions_[partition].markers.insert(partitions_[partition].next++);
}

void MemoryTopic::RemoveBefore(std::size_t partition, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  std::erase_if(partitions_[partition].messages,
                [offset](const MemoryMessage& message) { return message.offset < offset; });
}

void MemoryTopic::Clear() {
  const std::lock_guard lock(mutex_);
  for (Partition& partition : partitions_)
    partition = {};
}

void MemoryTopic::Identify(StreamIdentity identity) {
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
}

void MemoryTopic::Fail(std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
}

std::unique_ptr<Stream> MemoryTopic::Open() {
  return std::make_unique<MemoryStream>(*this);
}

}  // namespace tidemark::testing_support
