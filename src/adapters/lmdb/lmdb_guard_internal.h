// Keeps LMDB's assertions from ending the process: one that fails inside a guarded call is MDB_CORRUPTED.
// They fail when pages of a damaged file contradict each other.
#pragma once

#include <lmdb.h>

#include <csetjmp>

namespace tidemark::lmdb {

/// Where a failed assertion of this thread goes; null: LMDB prints it and stops the process.
inline thread_local std::jmp_buf* t_assertion_landing = nullptr;

/// For mdb_env_set_assert.
inline void OnAssertion(MDB_env* /*env*/, const char* /*message*/) {
  if (t_assertion_landing != nullptr) std::longjmp(*t_assertion_landing, 1);
}

/// What `call`, one LMDB function that only reads or puts within a transaction, returns. The transaction is
/// only good for being ended after MDB_CORRUPTED. `call` must not own anything: a jump skips destructors.
template <typename Call>
[[gnu::noinline]] int Guarded(const Call& call) {
  std::jmp_buf landing;
  t_assertion_landing = &landing;
  if (_setjmp(landing) != 0) {
    t_assertion_landing = nullptr;
    return MDB_CORRUPTED;
  }
  const int code = call();
  t_assertion_landing = nullptr;
  return code;
}

inline int Get(MDB_txn* txn, MDB_dbi dbi, MDB_val* key, MDB_val* value) {
  return Guarded([=] { return mdb_get(txn, dbi, key, value); });
}
inline int CursorGet(MDB_cursor* cursor, MDB_val* key, MDB_val* value, MDB_cursor_op op) {
  return Guarded([=] { return mdb_cursor_get(cursor, key, value, op); });
}
inline int CursorPut(MDB_cursor* cursor, MDB_val* key, MDB_val* value, unsigned flags) {
  return Guarded([=] { return mdb_cursor_put(cursor, key, value, flags); });
}
inline int CursorDelete(MDB_cursor* cursor) {
  return Guarded([=] { return mdb_cursor_del(cursor, 0); });
}

}  // namespace tidemark::lmdb
