// A bare LMDB load: records in key order into a fresh environment, durable at the end. It is the
// bound for the put phase of materialize.
//
//   bare_lmdb RECORDS FOLDER put|append ROWS_PER_TRANSACTION
//
// RECORDS: three little-endian uint64 (rows, key bytes, value bytes), then rows * (key, value).
// Prints one JSON object.

#include <lmdb.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

void Check(int code, const char* what) {
  if (code == 0) return;
  std::fprintf(stderr, "%s: %s\n", what, mdb_strerror(code));
  std::exit(1);
}

struct Records {
  std::uint64_t rows = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  std::vector<char> bytes;
};

Records Read(const char* path) {
  Records records;
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(&records.rows), 8);
  file.read(reinterpret_cast<char*>(&records.key_bytes), 8);
  file.read(reinterpret_cast<char*>(&records.value_bytes), 8);
  records.bytes.resize(records.rows * (records.key_bytes + records.value_bytes));
  file.read(records.bytes.data(), static_cast<std::streamsize>(records.bytes.size()));
  if (!file) Check(EINVAL, path);
  return records;
}

void Load(MDB_env* env, Records& records, unsigned flags, std::uint64_t rows_per_transaction) {
  MDB_txn* txn = nullptr;
  MDB_dbi dbi = 0;
  const std::uint64_t width = records.key_bytes + records.value_bytes;
  for (std::uint64_t row = 0; row < records.rows; ++row) {
    if (txn == nullptr) {
      Check(mdb_txn_begin(env, nullptr, 0, &txn), "begin");
      Check(mdb_dbi_open(txn, nullptr, 0, &dbi), "open");
    }
    char* at = records.bytes.data() + row * width;
    MDB_val key{records.key_bytes, at};
    MDB_val value{records.value_bytes, at + records.key_bytes};
    Check(mdb_put(txn, dbi, &key, &value, flags), "put");
    if ((row + 1) % rows_per_transaction == 0 || row + 1 == records.rows) {
      Check(mdb_txn_commit(txn), "commit");
      txn = nullptr;
    }
  }
  Check(mdb_env_sync(env, 1), "sync");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bare_lmdb RECORDS FOLDER put|append ROWS_PER_TRANSACTION\n");
    return 2;
  }
  Records records = Read(argv[1]);
  MDB_env* env = nullptr;
  Check(mdb_env_create(&env), "create");
  const std::uint64_t payload = records.bytes.size();
  Check(mdb_env_set_mapsize(env, payload * 3 + (64ULL << 20)), "mapsize");
  Check(mdb_env_open(env, argv[2], MDB_NOMETASYNC, 0644), "open");
  const unsigned flags = std::strcmp(argv[3], "append") == 0 ? MDB_APPEND : 0;
  const auto started = std::chrono::steady_clock::now();
  Load(env, records, flags, std::strtoull(argv[4], nullptr, 10));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  std::printf("{\"seconds\": %.6f, \"rows\": %llu, \"value_bytes\": %llu}\n", taken.count(),
              static_cast<unsigned long long>(records.rows),
              static_cast<unsigned long long>(records.value_bytes));
  mdb_env_close(env);
  return 0;
}
