// Feature rows as the kernel's loops read them: checked once per call, then plain pointers.
#pragma once

#include <cstdint>

#include "pit/point_in_time_join.h"
#include "pit/row_state_internal.h"

namespace tidemark::pit_internal {

/// The columns of a FeatureRows, all of one length. Absent ones are null.
struct FeatureColumns {
  std::size_t rows = 0;
  RowLocation first_location = 0;
  const std::int64_t* event = nullptr;
  const std::int64_t* created = nullptr;
  const std::int64_t* sequence = nullptr;
  const std::uint32_t* origin = nullptr;
  const arrow::BooleanArray* is_deleted = nullptr;
  const arrow::Int64Array* expires_at = nullptr;

  /// kInvalidArgument for a missing event column, different lengths, or nulls where none may be.
  static Result<FeatureColumns> Make(const FeatureRows& rows);

  /// The smallest state that holds all that is there.
  StateKind kind() const;

  /// Row `row` as a state.
  template <typename State>
  State Read(std::size_t row) const {
    State state;
    state.event = Biased(event[row]);
    state.place = first_location + row + 1;
    if constexpr (State::kKind >= StateKind::kCreated) {
      state.created = created != nullptr ? Biased(created[row]) : CreatedState::kCreatedNone;
    }
    if constexpr (State::kKind >= StateKind::kWritten) {
      state.sequence =
          Biased(sequence != nullptr ? sequence[row] : static_cast<std::int64_t>(state.place - 1));
    }
    if constexpr (State::kKind == StateKind::kFull) {
      const auto at = static_cast<std::int64_t>(row);
      if (origin != nullptr) state.origin = origin[row];
      if (is_deleted != nullptr) state.is_deleted = is_deleted->IsValid(at) && is_deleted->Value(at) ? 1 : 0;
      const bool expires = expires_at != nullptr && expires_at->IsValid(at);
      state.expires_at_us = expires ? expires_at->Value(at) : kNeverExpires;
    }
    return state;
  }
};

}  // namespace tidemark::pit_internal
