// Puts itself between SQLite and the operating system's files.
#include "adapters/sqlite/faulty_disk_testing.h"

#include <sqlite3.h>

#include <map>
#include <utility>

#include "base/check.h"

namespace tidemark::sqlite {
namespace {

std::function<int(std::string_view)>& Fault() {
  static std::function<int(std::string_view)> fault;
  return fault;
}

int FaultAt(std::string_view operation) {
  return Fault() ? Fault()(operation) : SQLITE_OK;
}

sqlite3_vfs* real_vfs = nullptr;

/// What a file's pMethods points to: SQLite sees the first member, we find the real methods behind it.
struct FaultyMethods {
  sqlite3_io_methods methods;
  const sqlite3_io_methods* real;
};

const sqlite3_io_methods* RealMethods(const sqlite3_file* file) {
  return reinterpret_cast<const FaultyMethods*>(file->pMethods)->real;
}

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const int code = FaultAt("write");
  return code != SQLITE_OK ? code : RealMethods(file)->xWrite(file, bytes, size, offset);
}

int Sync(sqlite3_file* file, int flags) {
  const int code = FaultAt("sync");
  return code != SQLITE_OK ? code : RealMethods(file)->xSync(file, flags);
}

int Delete(sqlite3_vfs*, const char* path, int sync_folder) {
  const int code = FaultAt("delete");
  return code != SQLITE_OK ? code : real_vfs->xDelete(real_vfs, path, sync_folder);
}

int Open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  static std::map<const sqlite3_io_methods*, FaultyMethods> by_real;  // databases and journals have their own
  const int code = real_vfs->xOpen(real_vfs, path, file, flags, out_flags);
  if (file->pMethods == nullptr) return code;
  const sqlite3_io_methods* real = file->pMethods;
  FaultyMethods& faulty = by_real[real];
  faulty = {*real, real};
  faulty.methods.xWrite = Write;
  faulty.methods.xSync = Sync;
  file->pMethods = &faulty.methods;
  return code;
}

sqlite3_vfs faulty_vfs;

}  // namespace

FaultyDisk::FaultyDisk() {
  real_vfs = sqlite3_vfs_find(nullptr);
  faulty_vfs = *real_vfs;
  faulty_vfs.zName = "faulty";
  faulty_vfs.pNext = nullptr;
  faulty_vfs.xOpen = Open;
  faulty_vfs.xDelete = Delete;
  TM_CHECK(sqlite3_vfs_register(&faulty_vfs, 1) == SQLITE_OK, "registering a file system with SQLite");
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&faulty_vfs);
  sqlite3_vfs_register(real_vfs, 1);
  Fault() = nullptr;
}

void FaultyDisk::set_fault(std::function<int(std::string_view)> fault) {
  Fault() = std::move(fault);
}

}  // namespace tidemark::sqlite
