// What the kernel remembers of the greatest row seen so far: as few bytes as the source's columns allow.
//
// Times are kept as unsigned numbers with the sign bit flipped, and a row's place is its location + 1: so
// zeroed memory is "no row", lesser than every row, and rows compare word by word.
#pragma once

#include <cstdint>

#include "pit/point_in_time_join.h"

namespace tidemark::pit_internal {

constexpr std::uint64_t Biased(std::int64_t value) {
  return static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
}
constexpr std::int64_t Unbiased(std::uint64_t value) {
  return static_cast<std::int64_t>(value ^ (std::uint64_t{1} << 63));
}

/// Two words as one number. Comparing these takes no branch, where a guess would often be wrong.
__extension__ using WideNumber = unsigned __int128;
constexpr WideNumber Wide(std::uint64_t high, std::uint64_t low) {
  return static_cast<WideNumber>(high) << 64 | low;
}

/// Each kind holds all that the one before holds.
enum class StateKind : std::uint8_t { kPlain, kCreated, kWritten, kFull };

/// External files without a created column.
struct PlainState {
  static constexpr StateKind kKind = StateKind::kPlain;
  std::uint64_t event = 0;
  std::uint64_t place = 0;

  bool operator<(const PlainState& other) const {
    return Wide(event, place) < Wide(other.event, other.place);
  }
};

/// External files with one.
struct CreatedState {
  static constexpr StateKind kKind = StateKind::kCreated;
  // Rows without a created time count as created at the same moment, 0.
  static constexpr std::uint64_t kCreatedNone = Biased(0);
  std::uint64_t event = 0;
  std::uint64_t created = 0;
  std::uint64_t place = 0;

  bool operator<(const CreatedState& other) const {
    const WideNumber own = Wide(event, created);
    const WideNumber others = Wide(other.event, other.created);
    return (own < others) | ((own == others) & (place < other.place));
  }
};

/// Tidemark's own tables, as long as no row is deleted or expires and all are of one writer, the first.
struct WrittenState {
  static constexpr StateKind kKind = StateKind::kWritten;
  std::uint64_t event = 0;
  std::uint64_t created = 0;
  std::uint64_t sequence = 0;
  std::uint64_t place = 0;

  bool operator<(const WrittenState& other) const {
    const WideNumber own = Wide(event, created);
    const WideNumber others = Wide(other.event, other.created);
    return (own < others) | ((own == others) & (Wide(sequence, place) < Wide(other.sequence, other.place)));
  }
};

/// Tidemark's own tables.
struct FullState {
  static constexpr StateKind kKind = StateKind::kFull;
  std::uint64_t event = 0;
  std::uint64_t created = 0;
  std::uint64_t sequence = 0;
  std::uint64_t place = 0;
  std::int64_t expires_at_us = 0;
  std::uint32_t origin = 0;
  std::uint32_t is_deleted = 0;

  bool operator<(const FullState& other) const {
    if (event != other.event) return event < other.event;
    if (created != other.created) return created < other.created;
    if (sequence != other.sequence) return sequence < other.sequence;
    return origin != other.origin ? origin < other.origin : place < other.place;
  }
};

/// `from` with all that `To` holds.
template <typename To, typename From>
To WidenState(const From& from) {
  if constexpr (std::is_same_v<To, From>) {
    return from;
  } else {
    To to;
    if (from.place == 0) return to;
    to.event = from.event;
    to.place = from.place;
    to.created = CreatedState::kCreatedNone;
    if constexpr (From::kKind >= StateKind::kCreated) to.created = from.created;
    if constexpr (From::kKind == StateKind::kWritten) {
      to.sequence = from.sequence;
    } else if constexpr (To::kKind >= StateKind::kWritten) {
      to.sequence = Biased(static_cast<std::int64_t>(from.place - 1));  // the location
    }
    if constexpr (To::kKind == StateKind::kFull) to.expires_at_us = kNeverExpires;
    return to;
  }
}

/// The order that a state stands for; without a sequence it is the row's location.
template <typename State>
RowOrder OrderOf(const State& state) {
  RowOrder out;
  const FullState full = WidenState<FullState>(state);
  out.event = {Unbiased(full.event)};
  out.created = {Unbiased(full.created)};
  out.sequence = Unbiased(full.sequence);
  out.origin = full.origin;
  return out;
}

/// Calls `task` with a default state of that kind.
template <typename Task>
decltype(auto) WithState(StateKind kind, const Task& task) {
  switch (kind) {
    case StateKind::kPlain:
      return task(PlainState{});
    case StateKind::kCreated:
      return task(CreatedState{});
    case StateKind::kWritten:
      return task(WrittenState{});
    default:
      return task(FullState{});
  }
}

}  // namespace tidemark::pit_internal
