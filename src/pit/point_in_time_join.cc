// Keeps the greatest candidate of each slot, and in the end lets each group's rows run along it.
#include "pit/point_in_time_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <variant>

#include "base/check.h"
#include "base/parallel.h"
#include "pit/entity_groups_internal.h"
#include "pit/feature_columns_internal.h"
#include "pit/slot_finder_internal.h"

namespace tidemark {

using namespace pit_internal;  // NOLINT(google-build-using-namespace): this file is a part of it

namespace {

constexpr std::size_t kFinishPlaces = 16384;  // places of groups that one task of Finish takes

constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kKeptAhead = 24;  // slots: where their rows' answers go is asked for so early

// Word by word and always written: a guess whether the candidate is greater would often be wrong.
template <typename State>
void KeepGreater(State& kept, const State& candidate) {
  using Words = std::array<std::uint64_t, sizeof(State) / sizeof(std::uint64_t)>;
  static_assert(sizeof(Words) == sizeof(State));
  const std::uint64_t mask = -static_cast<std::uint64_t>(kept < candidate);
  auto words = std::bit_cast<Words>(kept);
  const auto others = std::bit_cast<Words>(candidate);
  for (std::size_t i = 0; i < words.size(); ++i)
    words[i] ^= (words[i] ^ others[i]) & mask;
  kept = std::bit_cast<State>(words);
}

// What one thread has seen. Each thread has its own states, so that none waits for another.
struct JoinWorker {
  explicit JoinWorker(const GroupIndex& index) : finder(index), slots(index.slots) {}

  SlotFinder finder;
  std::size_t slots;
  StateKind kind = StateKind::kPlain;
  std::variant<ZeroedArray<PlainState>, ZeroedArray<CreatedState>, ZeroedArray<WrittenState>,
               ZeroedArray<FullState>>
      states;
  bool has_states = false;
  std::array<std::int64_t, kRunRows> times{};

  template <typename State>
  ZeroedArray<State>& Get() {
    return std::get<ZeroedArray<State>>(states);
  }

  // Makes room for rows of `wanted`: the first time, or when columns appear that earlier rows did not have.
  void Hold(StateKind wanted) {
    if (has_states && wanted <= kind) return;
    WithState(wanted, [this]<typename To>(To) {
      ZeroedArray<To> wider(slots);
      if (has_states) {
        std::visit(
            [&wider]<typename From>(const ZeroedArray<From>& old) {
              if constexpr (From::kKind < To::kKind) {
                for (std::size_t i = 0; i < old.size(); ++i)
                  wider[i] = WidenState<To>(old[i]);
              }
            },
            states);
      }
      states = std::move(wider);
    });
    kind = wanted;
    has_states = true;
  }
};

struct KeepWinners {
  std::vector<Winner>& winners;

  void WillKeep(std::uint32_t row) const { __builtin_prefetch(winners.data() + row, 1); }
  void operator()(std::uint32_t row, const Winner& winner) const { winners[row] = winner; }
};

struct KeepChosen {
  PointInTimeJoin::Chosen& out;

  void WillKeep(std::uint32_t row) const { __builtin_prefetch(out.locations.data() + row, 1); }
  void operator()(std::uint32_t row, const Winner& winner) const {
    if (winner.status == Status::kPresent) out.locations[row] = winner.location;
    if (!out.statuses.empty()) out.statuses[row] = winner.status;
  }
};

}  // namespace

struct PointInTimeJoin::Impl {
  const EntityGroups& groups;
  const GroupIndex& index;
  Options options;
  std::vector<std::unique_ptr<JoinWorker>> workers;
  bool finished = false;

  template <KnownBy::Kind kKnownBy, typename State>
  void AddRows(const FeatureColumns& columns, KeyReader& keys, JoinWorker& worker) const;
  template <typename State, typename Keep>
  void FinishGroups(const std::vector<ZeroedArray<State>*>& states, std::size_t begin, std::size_t end,
                    const Keep& keep) const;
  template <typename State, typename Keep>
  void FinishAll(std::size_t threads, const Keep& keep);
  template <typename Keep>
  void Finish(std::size_t threads, const Keep& keep);
};

template <KnownBy::Kind kKnownBy, typename State>
void PointInTimeJoin::Impl::AddRows(const FeatureColumns& columns, KeyReader& keys,
                                    JoinWorker& worker) const {
  State* const states = worker.Get<State>().data();
  const auto will_use = [states](std::uint32_t slot) {
    __builtin_prefetch(states + slot, 1);
    if constexpr (kLineBytes % sizeof(State) != 0) {  // it may lie on two lines
      __builtin_prefetch(reinterpret_cast<const char*>(states + slot) + sizeof(State) - 1, 1);
    }
  };
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < columns.rows; begin += count) {
    count = std::min(worker.finder.block_rows(), columns.rows - begin);
    const std::int64_t* times = columns.event + begin;
    const auto takes = [&](std::size_t i) {
      if constexpr (kKnownBy == KnownBy::Kind::kTime)
        return columns.created[begin + i] <= options.known_by.time_us;
      return true;
    };
    if constexpr (kKnownBy == KnownBy::Kind::kEntityRow) {
      for (std::size_t i = 0; i < count; ++i) {
        worker.times[i] = std::max(columns.event[begin + i], columns.created[begin + i]);
      }
      times = worker.times.data();
    }
    const auto is_greater = [&](std::size_t i, std::size_t other) {
      const std::int64_t event = columns.event[begin + i];
      const std::int64_t others = columns.event[begin + other];
      if (event != others) return event > others;
      return columns.Read<State>(begin + other) < columns.Read<State>(begin + i);
    };
    for (const SlotFinder::Match match :
         worker.finder.Find(keys, begin, count, {.known = times, .event = columns.event + begin}, takes,
                            is_greater, will_use)) {
      KeepGreater(states[match.slot], columns.Read<State>(begin + match.row));
    }
  }
}

template <typename State, typename Keep>
void PointInTimeJoin::Impl::FinishGroups(const std::vector<ZeroedArray<State>*>& states, std::size_t begin,
                                         std::size_t end, const Keep& keep) const {
  for (std::size_t at = begin; at < end; ++at) {
    const GroupIndex::Group group = index.GroupAt(at);
    State best;
    for (std::size_t slot = group.first_slot; slot < std::size_t{group.first_slot} + group.rows; ++slot) {
      keep.WillKeep(index.slot_row[std::min(slot + kKeptAhead, index.slots - 1)]);
      for (const ZeroedArray<State>* of_thread : states) {
        if (best < (*of_thread)[slot]) best = (*of_thread)[slot];
      }
      if (best.place == 0) continue;
      RowState row{.event = {Unbiased(best.event)}};
      if constexpr (State::kKind == StateKind::kFull) {
        row.is_deleted = best.is_deleted != 0;
        row.expires_at_us = best.expires_at_us;
      }
      keep(index.slot_row[slot],
           Winner{best.place - 1, row.event.us, StatusAt(row, index.slot_time[slot], options.ttl_us)});
    }
  }
}

template <typename State, typename Keep>
void PointInTimeJoin::Impl::FinishAll(std::size_t threads, const Keep& keep) {
  std::vector<ZeroedArray<State>*> states;
  for (auto& worker : workers) {
    if (worker == nullptr) continue;
    worker->Hold(State::kKind);
    states.push_back(&worker->Get<State>());
  }
  const std::size_t tasks = (index.places() + kFinishPlaces - 1) / kFinishPlaces;
  const auto done = ParallelFor(tasks, threads, {}, [&](std::size_t task, std::size_t) -> Result<void> {
    const std::size_t begin = task * kFinishPlaces;
    FinishGroups<State>(states, begin, std::min(begin + kFinishPlaces, index.places()), keep);
    return {};
  });
  TM_CHECK(done.has_value(), "the tasks of Finish cannot fail");
}

/// Calls keep(entity row, winner) for each entity row that has one, from several threads, and before that
/// keep.WillKeep(entity row), for others too.
template <typename Keep>
void PointInTimeJoin::Impl::Finish(std::size_t threads, const Keep& keep) {
  TM_CHECK(!std::exchange(finished, true), "Finish was called before");
  StateKind kind = StateKind::kPlain;
  for (const auto& worker : workers) {
    if (worker != nullptr) kind = std::max(kind, worker->kind);
  }
  WithState(kind, [&]<typename State>(State) { FinishAll<State>(threads, keep); });
}

PointInTimeJoin::PointInTimeJoin(const EntityGroups& groups, const Options& options)
    : impl_(new Impl{groups, groups.impl_->index, options, {}}) {
  impl_->options.threads = std::max<std::size_t>(1, options.threads);
  impl_->workers.resize(impl_->options.threads);
}

PointInTimeJoin::~PointInTimeJoin() = default;

Result<void> PointInTimeJoin::Add(const FeatureRows& rows, std::size_t thread) {
  Impl& self = *impl_;
  TM_CHECK(!self.finished, "Add after Finish");
  TM_CHECK(thread < self.workers.size(), "a thread number that was not announced");
  TM_ASSIGN(const FeatureColumns columns, FeatureColumns::Make(rows));
  TM_ASSIGN(KeyReader keys, KeyReader::Make(rows.keys, rows.event->length()));
  if (keys.types() != self.index.types) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the feature rows' keys are {}, the entity rows' are {}; cast them to one type first",
                    KeyTypeNames(keys.types()), KeyTypeNames(self.index.types)));
  }
  const KnownBy::Kind known_by = self.options.known_by.kind;
  if (known_by != KnownBy::Kind::kAll && columns.created == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                "known_by needs a created timestamp column, and the source has none");
  }
  if (self.index.slots == 0) return {};
  try {
    auto& worker = self.workers[thread];
    if (worker == nullptr) worker = std::make_unique<JoinWorker>(self.index);
    worker->Hold(columns.kind());
    WithState(worker->kind, [&]<typename State>(State) {
      if (known_by == KnownBy::Kind::kAll) self.AddRows<KnownBy::Kind::kAll, State>(columns, keys, *worker);
      if (known_by == KnownBy::Kind::kTime) self.AddRows<KnownBy::Kind::kTime, State>(columns, keys, *worker);
      if (known_by == KnownBy::Kind::kEntityRow)
        self.AddRows<KnownBy::Kind::kEntityRow, State>(columns, keys, *worker);
    });
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kOutOfSpace,
                fmt::format("no memory to join {} entity rows; join them in parts", self.index.slots));
  }
  return {};
}

std::vector<Winner> PointInTimeJoin::Finish() {
  std::vector<Winner> winners(impl_->index.slots);
  impl_->Finish(impl_->options.threads, KeepWinners{winners});
  return winners;
}

PointInTimeJoin::Chosen PointInTimeJoin::FinishChosen(bool with_statuses, std::size_t threads) {
  Chosen out;
  out.locations.resize(impl_->index.slots, kNoRow);
  if (with_statuses) out.statuses.resize(impl_->index.slots, Status::kNotFound);
  impl_->Finish(threads, KeepChosen{out});
  return out;
}

}  // namespace tidemark
