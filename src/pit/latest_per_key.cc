// Reduces rows to the greatest of each key, block by block, and gives them out in key order.
#include "pit/latest_per_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <variant>

#include "base/check.h"
#include "pit/feature_columns_internal.h"
#include "pit/key_order_internal.h"
#include "pit/latest_table_internal.h"

namespace tidemark {

using namespace pit_internal;  // NOLINT(google-build-using-namespace): this file is a part of it

namespace {

constexpr std::size_t kProbeRows = 256;

// An entry on its way into key order.
template <typename State, bool kBytes>
struct SortedEntry {
  std::uint64_t place = 0;  // of the key's first column; key_order_internal.h
  const typename LatestTable<State, kBytes>::Entry* entry = nullptr;
};
template <typename State>
struct SortedEntry<State, true> {
  std::uint64_t place = 0;
  const typename LatestTable<State, true>::Entry* entry = nullptr;
  const LatestTable<State, true>* table = nullptr;  // which has the key's bytes
  std::string_view key() const { return table->KeyOf(*entry); }
};

struct Worker {
  std::atomic<std::int64_t> memory_bytes{0};
  StateKind kind = StateKind::kPlain;
  bool is_open = false;
  std::variant<LatestTable<PlainState, false>, LatestTable<CreatedState, false>,
               LatestTable<WrittenState, false>, LatestTable<FullState, false>, LatestTable<PlainState, true>,
               LatestTable<CreatedState, true>, LatestTable<WrittenState, true>, LatestTable<FullState, true>>
      table;

  template <typename State, bool kBytes>
  LatestTable<State, kBytes>& Get() {
    return std::get<LatestTable<State, kBytes>>(table);
  }

  // Makes the table one that holds rows of `wanted`, with what is there already.
  void Hold(StateKind wanted, bool bytes) {
    if (is_open && wanted <= kind) return;
    if (is_open) wanted = std::max(wanted, kind);
    WithState(wanted, [&]<typename To>(To) {
      if (bytes) {
        Widen<LatestTable<To, true>, To>();
      } else {
        Widen<LatestTable<To, false>, To>();
      }
    });
    kind = wanted;
    is_open = true;
  }

 private:
  template <typename Table, typename To>
  void Widen() {
    Table wider;
    std::visit(
        [&wider](const auto& old) {
          wider.Reserve(old.keys());
          old.ForEach([&]<typename Entry>(const Entry& entry) {
            if constexpr (decltype(Entry::state)::kKind < To::kKind) {
              wider.Keep(entry.hash, old.KeyOf(entry), WidenState<To>(entry.state));
            }
          });
        },
        table);
    table = std::move(wider);
  }
};

}  // namespace

struct LatestPerKey::Impl {
  Options options;
  std::vector<std::unique_ptr<Worker>> workers;
  bool finished = false;
  std::once_flag types_once;
  std::vector<KeyType> types;  // of the first rows that were added
  KeyForm form = KeyForm::kNone;

  bool IsBytes() const { return form == KeyForm::kBytes; }
  bool Takes(std::int64_t event_us, std::uint64_t hash) const {
    // By the low bits of the hash; the table goes by the high ones.
    const bool own = ((hash & 0xFFFFFFFF) * options.parts >> 32) == options.part;
    return (event_us >= options.start_us) & (event_us <= options.end_us) & own;
  }

  template <typename State, bool kBytes>
  void AddRows(const FeatureColumns& columns, KeyReader& keys, LatestTable<State, kBytes>& table) const;
  template <typename State, bool kBytes>
  std::vector<SortedEntry<State, kBytes>> EntriesInKeyOrder();
  template <typename State, bool kBytes>
  std::vector<LatestRow> FinishAll();
};

template <typename State, bool kBytes>
void LatestPerKey::Impl::AddRows(const FeatureColumns& columns, KeyReader& keys,
                                 LatestTable<State, kBytes>& table) const {
  std::array<std::uint64_t, kProbeRows> hashes;
  std::array<std::uint32_t, kProbeRows> taken;
  for (std::size_t begin = 0; begin < columns.rows; begin += kProbeRows) {
    const std::size_t count = std::min(kProbeRows, columns.rows - begin);
    keys.ReadBlock(static_cast<std::int64_t>(begin), {hashes.data(), count});
    std::size_t takes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      taken[takes] = static_cast<std::uint32_t>(i);
      takes += Takes(columns.event[begin + i], hashes[i]) ? 1 : 0;
    }
    if (takes == 0) continue;
    table.Reserve(takes);
    for (std::size_t j = 0; j < takes; ++j)
      table.Prefetch(hashes[taken[j]]);
    if constexpr (kBytes) {
      for (std::size_t j = 0; j < takes; ++j)
        table.PrefetchKey(hashes[taken[j]]);
    }
    for (std::size_t j = 0; j < takes; ++j) {
      const std::uint32_t i = taken[j];
      std::string_view key;
      if constexpr (kBytes) key = keys.bytes(i);
      table.Keep(hashes[i], key, columns.Read<State>(begin + i));
    }
  }
}

// Sorts entries whose keys are bytes: by eight bytes after what all keys start with, and equal ones on. The
// part that keys have in common says nothing and would leave all of the work to comparisons.
template <typename Sorted>
void SortByKeys(const std::vector<KeyType>& types, std::vector<Sorted>& entries) {
  if (entries.empty()) return;
  const bool one_column = types.size() == 1;
  const auto first_part = [&](const Sorted& item) {
    std::string_view key = item.key();
    return one_column ? KeyPart{0, key} : TakeKeyPart(types[0], key);
  };
  std::string_view prefix = first_part(entries[0]).bytes;
  for (const Sorted& item : entries) {
    const std::string_view key = first_part(item).bytes;
    const auto common = std::mismatch(prefix.begin(), prefix.end(), key.begin(), key.end()).first;
    prefix = prefix.substr(0, static_cast<std::size_t>(common - prefix.begin()));
  }
  for (Sorted& item : entries) {
    const KeyPart part = first_part(item);
    item.place = types[0] == KeyType::kBinary ? PlaceOfBytes(part.bytes.substr(prefix.size()))
                                              : PlaceOfInteger(part.integer);
  }
  RadixSort(entries, [](const Sorted& item) { return item.place; });
  for (auto first = entries.begin(); first != entries.end();) {
    const auto last =
        std::find_if(first, entries.end(), [&](const Sorted& item) { return item.place != first->place; });
    std::sort(first, last,
              [&](const Sorted& a, const Sorted& b) { return CompareKeys(types, a.key(), b.key()) < 0; });
    first = last;
  }
}

// Of all threads; a key that several threads have comes several times in a row.
template <typename State, bool kBytes>
std::vector<SortedEntry<State, kBytes>> LatestPerKey::Impl::EntriesInKeyOrder() {
  using Sorted = SortedEntry<State, kBytes>;
  std::vector<Sorted> out;
  std::size_t count = 0;
  for (auto& worker : workers) {
    worker->Hold(State::kKind, kBytes);
    count += worker->template Get<State, kBytes>().keys();
  }
  out.reserve(count);
  for (auto& worker : workers) {
    const auto& table = worker->template Get<State, kBytes>();
    table.ForEach([&](const auto& entry) {
      if constexpr (kBytes) {
        out.push_back({0, &entry, &table});
      } else {
        const auto value = static_cast<std::int64_t>(UnmixHash(entry.hash));
        out.push_back({form == KeyForm::kInteger ? PlaceOfInteger(value) : 0, &entry});
      }
    });
  }
  if constexpr (kBytes) {
    SortByKeys(types, out);
  } else {
    RadixSort(out, [](const Sorted& item) { return item.place; });
  }
  return out;
}

template <typename State, bool kBytes>
std::vector<LatestRow> LatestPerKey::Impl::FinishAll() {
  const auto entries = EntriesInKeyOrder<State, kBytes>();
  const auto same_key = [&](std::size_t i, std::size_t j) {
    if (entries[i].place != entries[j].place) return false;
    if constexpr (kBytes) return entries[i].key() == entries[j].key();
    return true;
  };
  std::vector<LatestRow> out;
  out.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size();) {
    constexpr std::size_t kAhead = 16;
    State best;
    const std::size_t first = i;
    do {
      if (i + kAhead < entries.size()) __builtin_prefetch(entries[i + kAhead].entry);
      if (best < entries[i].entry->state) best = entries[i].entry->state;
      ++i;
    } while (i < entries.size() && same_key(first, i));
    LatestRow row;
    row.location = best.place - 1;
    row.order = OrderOf(best);
    if constexpr (State::kKind == StateKind::kFull) {
      row.is_deleted = best.is_deleted != 0;
      row.expires_at_us = best.expires_at_us;
    }
    out.push_back(row);
  }
  return out;
}

LatestPerKey::LatestPerKey(const Options& options) : impl_(std::make_unique<Impl>()) {
  TM_CHECK(options.part < options.parts, "a part that is not among the parts");
  impl_->options = options;
  impl_->options.threads = std::max<std::size_t>(1, options.threads);
  for (std::size_t i = 0; i < impl_->options.threads; ++i)
    impl_->workers.push_back(std::make_unique<Worker>());
}

LatestPerKey::~LatestPerKey() = default;

Result<void> LatestPerKey::Add(const FeatureRows& rows, std::size_t thread) {
  Impl& self = *impl_;
  TM_CHECK(!self.finished, "Add after Finish");
  TM_CHECK(thread < self.workers.size(), "a thread number that was not announced");
  TM_ASSIGN(const FeatureColumns columns, FeatureColumns::Make(rows));
  TM_ASSIGN(KeyReader keys, KeyReader::Make(rows.keys, rows.event->length()));
  std::call_once(self.types_once, [&] {
    self.types = keys.types();
    self.form = keys.form();
  });
  if (keys.types() != self.types) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("keys of {} after keys of {}; cast them to one type first",
                            KeyTypeNames(keys.types()), KeyTypeNames(self.types)));
  }
  try {
    Worker& worker = *self.workers[thread];
    worker.Hold(columns.kind(), self.IsBytes());
    WithState(worker.kind, [&]<typename State>(State) {
      if (self.IsBytes()) {
        self.AddRows(columns, keys, worker.Get<State, true>());
      } else {
        self.AddRows(columns, keys, worker.Get<State, false>());
      }
    });
    const std::size_t bytes =
        std::visit([](const auto& table) { return table.memory_bytes(); }, worker.table);
    worker.memory_bytes.store(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kOutOfSpace, "no memory for one row per key; reduce the keys in more parts");
  }
  return {};
}

std::int64_t LatestPerKey::memory_bytes() const {
  std::int64_t out = 0;
  for (const auto& worker : impl_->workers)
    out += worker->memory_bytes.load(std::memory_order_relaxed);
  return out;
}

std::vector<LatestRow> LatestPerKey::Finish() {
  Impl& self = *impl_;
  TM_CHECK(!std::exchange(self.finished, true), "Finish was called before");
  StateKind kind = StateKind::kPlain;
  for (const auto& worker : self.workers)
    kind = std::max(kind, worker->kind);
  return WithState(kind, [&]<typename State>(State) {
    return self.IsBytes() ? self.FinishAll<State, true>() : self.FinishAll<State, false>();
  });
}

}  // namespace tidemark
