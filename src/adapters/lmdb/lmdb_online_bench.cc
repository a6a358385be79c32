// What the online store costs over LMDB itself: the same rows of 50 float64, looked up and loaded by bare
// LMDB calls and through OnlineStore. Run with --benchmark_counters_tabular; TIDEMARK_BENCH_ROWS sets the
// rows.
#include <arrow/builder.h>
#include <benchmark/benchmark.h>
#include <lmdb.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "adapters/lmdb/lmdb_online_store.h"
#include "base/check.h"
#include "model/key_codec.h"
#include "store/packed_row.h"

namespace tidemark {
namespace {

constexpr int kFeatures = 50;
constexpr std::size_t kMapBytes = std::size_t{8} << 30;
constexpr std::size_t kRowsPerTransaction = 65'536;

void Ok(int code) {
  TM_CHECK(code == 0, mdb_strerror(code));
}

std::size_t RowCount() {
  const char* text = std::getenv("TIDEMARK_BENCH_ROWS");
  return text == nullptr ? 300'000 : std::strtoull(text, nullptr, 10);
}

const PackedLayout& Layout() {
  static const PackedLayout layout = [] {
    std::vector<Field> fields(kFeatures);
    for (int i = 0; i < kFeatures; ++i) {
      fields[static_cast<std::size_t>(i)].type.kind = TypeKind::kFloat64;
      fields[static_cast<std::size_t>(i)].id = i + 1;
    }
    return PackedLayout(1, fields);
  }();
  return layout;
}

std::string Key(std::size_t i) {
  std::string key;
  AppendViewId(1, key);
  AppendKeyInt64(static_cast<std::int64_t>(i * 7), key);
  return key;
}

struct Rows {
  std::vector<std::string> keys;
  std::vector<std::string> values;
  std::vector<OnlineWrite> writes;

  static const Rows& Get() {
    static const Rows rows = Make();
    return rows;
  }

 private:
  static Rows Make() {
    Rows rows;
    arrow::ArrayVector columns;
    arrow::DoubleBuilder builder;
    for (int i = 0; i < kFeatures; ++i) {
      TM_CHECK(builder.Append(i * 0.5).ok(), "a value");
      columns.push_back(builder.Finish().ValueOrDie());
    }
    const PackedRowWriter writer(Layout(), columns);
    for (std::size_t i = 0; i < RowCount(); ++i) {
      rows.keys.push_back(Key(i));
      rows.values.emplace_back();
      TM_CHECK(writer.Append(0, {}, rows.keys.back(), rows.values.back()), "a row");
    }
    for (std::size_t i = 0; i < rows.keys.size(); ++i) {
      rows.writes.push_back({rows.keys[i], std::as_bytes(std::span(rows.values[i]))});
    }
    return rows;
  }
};

class Folder {
 public:
  explicit Folder(std::string_view name)
      : path_(std::filesystem::temp_directory_path() /
              ("tidemark-bench-" + std::to_string(::getpid()) + "-" + std::string(name))) {
    Clear();
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void Clear() {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

MDB_env* OpenBare(const std::string& path) {
  MDB_env* env = nullptr;
  Ok(mdb_env_create(&env));
  Ok(mdb_env_set_mapsize(env, kMapBytes));
  Ok(mdb_env_open(env, path.c_str(), MDB_NOTLS | MDB_NOMETASYNC, 0644));
  return env;
}

void LoadBare(MDB_env* env) {
  const Rows& rows = Rows::Get();
  for (std::size_t i = 0; i < rows.keys.size();) {
    MDB_txn* txn = nullptr;
    MDB_dbi dbi = 0;
    MDB_cursor* cursor = nullptr;
    Ok(mdb_txn_begin(env, nullptr, 0, &txn));
    Ok(mdb_dbi_open(txn, nullptr, 0, &dbi));
    Ok(mdb_cursor_open(txn, dbi, &cursor));
    for (const std::size_t end = std::min(rows.keys.size(), i + kRowsPerTransaction); i < end; ++i) {
      MDB_val key{rows.keys[i].size(), const_cast<char*>(rows.keys[i].data())};
      MDB_val value{rows.values[i].size(), const_cast<char*>(rows.values[i].data())};
      Ok(mdb_cursor_put(cursor, &key, &value, MDB_APPEND));
    }
    mdb_cursor_close(cursor);
    Ok(mdb_txn_commit(txn));
  }
  Ok(mdb_env_sync(env, 1));
}

void Load(OnlineStore& store) {
  const std::span<const OnlineWrite> writes = Rows::Get().writes;
  for (std::size_t i = 0; i < writes.size(); i += kRowsPerTransaction) {
    TM_CHECK(store.Merge(writes.subspan(i, std::min(kRowsPerTransaction, writes.size() - i)), {}), "a merge");
  }
  TM_CHECK(store.Sync(), "a sync");
}

// Keys in a random order, the same for all contestants.
std::vector<std::string_view> RandomKeys() {
  std::mt19937_64 random(1);
  std::vector<std::string_view> keys(1 << 16);
  for (std::string_view& key : keys)
    key = Rows::Get().keys[random() % Rows::Get().keys.size()];
  return keys;
}

void Count(benchmark::State& state, std::size_t rows) {
  state.SetItemsProcessed(static_cast<std::int64_t>(rows) * state.iterations());
}

void BM_GetBare(benchmark::State& state) {
  static Folder folder("get-bare");
  static MDB_env* const env = [] {
    MDB_env* opened = OpenBare(folder.path());
    LoadBare(opened);
    return opened;
  }();
  const std::vector<std::string_view> keys = RandomKeys();
  const auto batch = static_cast<std::size_t>(state.range(0));
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  Ok(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
  Ok(mdb_dbi_open(txn, nullptr, 0, &dbi));
  mdb_txn_reset(txn);
  std::size_t at = 0;
  for (auto _ : state) {
    if (at + batch > keys.size()) at = 0;
    Ok(mdb_txn_renew(txn));
    for (std::size_t i = 0; i < batch; ++i) {
      MDB_val key{keys[at + i].size(), const_cast<char*>(keys[at + i].data())};
      MDB_val value{};
      Ok(mdb_get(txn, dbi, &key, &value));
      benchmark::DoNotOptimize(value.mv_data);
    }
    mdb_txn_reset(txn);
    at += batch;
  }
  mdb_txn_abort(txn);
  Count(state, batch);
}

template <bool kDecode>
void BM_Get(benchmark::State& state) {
  static Folder folder(kDecode ? "decode" : "get");
  static const std::unique_ptr<OnlineStore> store = [] {
    auto opened = OpenLmdbOnlineStore({.folder = folder.path(), .map_bytes_max = kMapBytes}).value();
    Load(*opened);
    return opened;
  }();
  const std::vector<std::string_view> keys = RandomKeys();
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::vector<double> decoded(batch * kFeatures);
  std::size_t at = 0;
  const auto visit = [&](std::size_t index, std::span<const std::byte> row) {
    benchmark::DoNotOptimize(row.data());
    if constexpr (kDecode) {
      TM_CHECK(CheckPacked(Layout(), row), "a whole row");
      double* to = decoded.data() + index * kFeatures;
      for (const PackedLayout::Slot& slot : Layout().slots()) {
        const std::byte* from = PackedFixed(Layout(), slot, row);
        if (from != nullptr) std::memcpy(to, from, sizeof(double));
        ++to;
      }
    }
  };
  for (auto _ : state) {
    if (at + batch > keys.size()) at = 0;
    TM_CHECK(store->Get(std::span(keys).subspan(at, batch), visit), "a lookup");
    at += batch;
    benchmark::ClobberMemory();
  }
  Count(state, batch);
}

void BM_LoadBare(benchmark::State& state) {
  Folder folder("load-bare");
  Rows::Get();
  for (auto _ : state) {
    state.PauseTiming();
    folder.Clear();
    MDB_env* env = OpenBare(folder.path());
    state.ResumeTiming();
    LoadBare(env);
    state.PauseTiming();
    mdb_env_close(env);
    state.ResumeTiming();
  }
  Count(state, Rows::Get().keys.size());
}

void BM_LoadMerge(benchmark::State& state) {
  Folder folder("load-merge");
  Rows::Get();
  for (auto _ : state) {
    state.PauseTiming();
    folder.Clear();
    auto store = OpenLmdbOnlineStore({.folder = folder.path(), .map_bytes_max = kMapBytes}).value();
    state.ResumeTiming();
    Load(*store);
    state.PauseTiming();
    store.reset();
    state.ResumeTiming();
  }
  Count(state, Rows::Get().keys.size());
}

BENCHMARK(BM_GetBare)->Arg(1)->Arg(100);
BENCHMARK(BM_Get<false>)->Name("BM_Get")->Arg(1)->Arg(100);
BENCHMARK(BM_Get<true>)->Name("BM_GetAndDecode")->Arg(1)->Arg(100);
BENCHMARK(BM_LoadBare)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_LoadMerge)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace tidemark

BENCHMARK_MAIN();
