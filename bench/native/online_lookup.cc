// Lookups through Tidemark's C++ API beside bare gets of the same keys from the same bytes, in one
// process, taking turns. The bound for lookups is what LMDB itself takes to find the rows.
//
//   tidemark_online_bench STORE BARE KEYS VIEW...
//
// STORE: a store whose views have one int64 join key and float64 features f0, f1, ...; KEYS: the keys
// are below it. BARE: a folder with a copy of the store's data.mdb, because LMDB allows one environment
// of a file in a process. Checks every answer against the bare bytes, then prints one JSON object.

#include <lmdb.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tidemark/online.h"
#include "tidemark/store.h"

namespace {

constexpr int kRounds = 9;  // of each contestant, in turns; the median counts
constexpr double kRoundSeconds = 0.2;
constexpr std::size_t kKeysDrawn = std::size_t{1} << 16;
// Of the packed row (docs/formats.md).
constexpr std::size_t kHeaderBytes = 48;
constexpr std::size_t kKeyBytes = 12;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "tidemark_online_bench: %s\n", what.c_str());
  std::exit(1);
}

void Check(int code, const char* what) {
  if (code != 0) Die(std::string(what) + ": " + mdb_strerror(code));
}

template <typename T>
T Value(tidemark::Result<T> result) {
  if (!result) Die(result.error().ToString());
  return std::move(result).value();
}

/// A key's bytes in one view: the view's id, then the integer big-endian with its sign bit flipped.
std::array<char, kKeyBytes> KeyBytes(std::uint32_t view_id, std::int64_t key) {
  std::array<char, kKeyBytes> bytes{};
  const std::uint32_t id = __builtin_bswap32(view_id);
  const std::uint64_t flipped = __builtin_bswap64(static_cast<std::uint64_t>(key) ^ (std::uint64_t{1} << 63));
  std::memcpy(bytes.data(), &id, sizeof id);
  std::memcpy(bytes.data() + sizeof id, &flipped, sizeof flipped);
  return bytes;
}

/// The bare side: one read transaction that is renewed for each lookup, and a get for each key and view.
class Bare {
 public:
  Bare(const char* folder, std::int64_t keys, std::size_t views) {
    Check(mdb_env_create(&env_), "create");
    Check(mdb_env_open(env_, folder, MDB_RDONLY | MDB_NOTLS, 0644), "open the copy");
    Check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_), "begin");
    Check(mdb_dbi_open(txn_, nullptr, 0, &dbi_), "open the database");
    const std::vector<std::uint32_t> ids = ViewIds();
    if (ids.size() != views) Die("the store holds another number of views than were named");
    for (const std::uint32_t id : ids) {
      auto& made = keys_.emplace_back();
      for (std::int64_t key = 0; key < keys; ++key)
        made.push_back(KeyBytes(id, key));
    }
    mdb_txn_reset(txn_);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;
  ~Bare() {
    mdb_txn_abort(txn_);
    mdb_env_close(env_);
  }

  /// The rows of all keys in all views, view by view; an empty one where there is none.
  void Get(std::span<const std::int64_t> keys, std::vector<std::string_view>& rows) {
    Check(mdb_txn_renew(txn_), "renew");
    rows.clear();
    for (auto& view : keys_) {
      for (const std::int64_t wanted : keys) {
        auto& bytes = view[static_cast<std::size_t>(wanted)];
        MDB_val key{bytes.size(), bytes.data()};
        MDB_val value{0, nullptr};
        const int code = mdb_get(txn_, dbi_, &key, &value);
        if (code != 0 && code != MDB_NOTFOUND) Check(code, "get");
        rows.emplace_back(static_cast<const char*>(value.mv_data), code == 0 ? value.mv_size : 0);
      }
    }
    mdb_txn_reset(txn_);
  }

 private:
  /// Ids begin every key; they grow in the order in which views were made.
  std::vector<std::uint32_t> ViewIds() const {
    std::set<std::uint32_t> ids;
    MDB_cursor* cursor = nullptr;
    Check(mdb_cursor_open(txn_, dbi_, &cursor), "cursor");
    MDB_val key{};
    MDB_val value{};
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
      if (key.mv_size != kKeyBytes) continue;
      std::uint32_t id = 0;
      std::memcpy(&id, key.mv_data, sizeof id);
      if (id != 0) ids.insert(__builtin_bswap32(id));  // 0: what the store notes of itself
    }
    mdb_cursor_close(cursor);
    return {ids.begin(), ids.end()};
  }

  MDB_env* env_ = nullptr;
  MDB_txn* txn_ = nullptr;
  MDB_dbi dbi_ = 0;
  std::vector<std::vector<std::array<char, kKeyBytes>>> keys_;  // by view, by key
};

/// The side of the API.
class Ours {
 public:
  Ours(const char* folder, const std::vector<std::string>& views)
      : store_(Value(tidemark::Store::Open({.path = folder, .create = false}))) {
    tidemark::OnlineOptions options;
    options.features = views;
    options.full_feature_names = true;
    reader_ = Value(store_->PrepareOnline(options));
  }

  const tidemark::OnlineResult& Read(std::span<const std::int64_t> keys) {
    const std::array<tidemark::KeyColumn, 1> columns{tidemark::KeyColumn{keys}};
    const auto read = reader_->Read(columns, keys.size(), result_);
    if (!read) Die(read.error().ToString());
    return result_;
  }

 private:
  std::unique_ptr<tidemark::Store> store_;
  std::shared_ptr<const tidemark::OnlineReader> reader_;
  tidemark::OnlineResult result_;
};

/// Compares every value of one lookup with the bare rows; returns how many there were.
std::size_t CheckAnswer(const tidemark::OnlineResult& answer, const std::vector<std::string_view>& rows,
                        std::size_t views) {
  const std::size_t features = answer.columns() / views;
  const std::size_t entities = answer.rows();
  const std::size_t values_begin = kHeaderBytes + (features + 7) / 8;
  for (std::size_t column = 0; column < answer.columns(); ++column) {
    const std::size_t feature = column % features;
    const double* values = answer.Fixed<double>(column);
    for (std::size_t entity = 0; entity < entities; ++entity) {
      const std::string_view row = rows[column / features * entities + entity];
      double expected = 0;
      auto status = tidemark::Status::kNotFound;
      if (!row.empty()) {
        const bool is_null = (row[kHeaderBytes + feature / 8] >> (feature % 8) & 1) != 0;
        status = is_null ? tidemark::Status::kNullValue : tidemark::Status::kPresent;
        std::memcpy(&expected, row.data() + values_begin + feature * sizeof expected, sizeof expected);
      }
      if (answer.status(column, entity) != status || values[entity] != expected)
        Die("a lookup and the bare row differ in column " + std::to_string(column));
    }
  }
  return answer.columns() * entities;
}

/// Microseconds of one call of `look_up` on average over a round; batches follow one another.
template <typename LookUp>
double Round(const std::vector<std::int64_t>& drawn, std::size_t entities, const LookUp& look_up) {
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  std::size_t calls = 0;
  std::size_t at = 0;
  double seconds = 0;
  while (seconds < kRoundSeconds) {
    for (int i = 0; i < 16; ++i, ++calls, at += entities) {
      if (at + entities > drawn.size()) at = 0;
      look_up(std::span(drawn).subspan(at, entities));
    }
    seconds = std::chrono::duration<double>(Clock::now() - began).count();
  }
  return seconds * 1e6 / static_cast<double>(calls);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Figures {
  double bare_us = 0;
  double lookup_us = 0;
  double ratio = 0;  // the median of the turns' ratios
};

Figures Measure(Bare& bare, Ours& ours, const std::vector<std::int64_t>& drawn, std::size_t entities) {
  std::vector<std::string_view> rows;
  const auto get = [&](std::span<const std::int64_t> keys) { bare.Get(keys, rows); };
  const auto read = [&](std::span<const std::int64_t> keys) { ours.Read(keys); };
  Round(drawn, entities, get);  // both warm
  Round(drawn, entities, read);
  std::vector<double> bare_us;
  std::vector<double> lookup_us;
  std::vector<double> ratios;
  for (int i = 0; i < kRounds; ++i) {
    bare_us.push_back(Round(drawn, entities, get));
    lookup_us.push_back(Round(drawn, entities, read));
    ratios.push_back(lookup_us.back() / bare_us.back());
  }
  return {Median(bare_us), Median(lookup_us), Median(ratios)};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: tidemark_online_bench STORE BARE KEYS VIEW...\n");
    return 2;
  }
  const std::int64_t keys = std::atoll(argv[3]);
  const std::vector<std::string> views(argv + 4, argv + argc);
  Bare bare(argv[2], keys, views.size());
  Ours ours(argv[1], views);

  std::mt19937_64 random(7);
  std::vector<std::int64_t> drawn(kKeysDrawn);
  for (std::int64_t& key : drawn)
    key = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(keys));

  std::size_t checked = 0;
  std::vector<std::string_view> rows;
  for (std::size_t at = 0; at + 100 <= drawn.size(); at += 100) {
    const auto batch = std::span<const std::int64_t>(drawn).subspan(at, 100);
    bare.Get(batch, rows);
    checked += CheckAnswer(ours.Read(batch), rows, views.size());
  }
  const Figures one = Measure(bare, ours, drawn, 1);
  const Figures hundred = Measure(bare, ours, drawn, 100);
  std::printf(
      "{\"ratios\": {\"1\": %.3f, \"100\": %.3f}, \"bare_us\": {\"1\": %.3f, \"100\": %.3f}, "
      "\"lookup_us\": {\"1\": %.3f, \"100\": %.3f}, \"rounds\": %d, \"values_checked\": %zu}\n",
      one.ratio, hundred.ratio, one.bare_us, hundred.bare_us, one.lookup_us, hundred.lookup_us, kRounds,
      checked);
  return 0;
}
