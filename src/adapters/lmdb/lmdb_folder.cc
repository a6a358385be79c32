// The table of open folders. A fork takes its lock first, so that the child finds it whole and free.
#include "adapters/lmdb/lmdb_folder_internal.h"

#include <pthread.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <tuple>

#include "adapters/lmdb/lmdb_error_internal.h"
#include "base/check.h"

namespace tidemark::lmdb {
namespace {

std::atomic<std::uint64_t> g_forks{0};

struct Table {
  // Which folder it is, by whatever path, and which process of a line of forks opened it.
  using Id = std::tuple<std::uint64_t, dev_t, ino_t>;
  struct Entry {
    std::unique_ptr<Folder> folder;
    std::size_t users = 0;
  };

  std::mutex mutex;  // guards `entries`; held while a folder is opened or closed, so never both at once
  std::map<Id, Entry> entries;

  static Table& Get() {
    static Table* const table = [] {
      pthread_atfork([] { Get().mutex.lock(); }, [] { Get().mutex.unlock(); },
                     [] {
                       g_forks.fetch_add(1);
                       Get().mutex.unlock();
                     });
      return new Table;  // never destroyed: stores may be closed while the process ends
    }();
    return *table;
  }
};

}  // namespace

Folder::Folder(std::unique_ptr<Environment> opened, const std::string& erase_key)
    : environment_(std::move(opened)), merges_(*environment_, erase_key), forks_(g_forks.load()) {}

bool Folder::is_own() const {
  return forks_ == g_forks.load(std::memory_order_relaxed);
}

Result<Folder*> OpenFolder(const LmdbOptions& options, const Contents& contents) {
  Table& table = Table::Get();
  const std::lock_guard lock(table.mutex);
  const auto find = [&]() -> std::map<Table::Id, Table::Entry>::iterator {
    struct stat about{};
    if (::stat(options.folder.c_str(), &about) != 0) return table.entries.end();
    return table.entries.find({g_forks.load(), about.st_dev, about.st_ino});
  };
  if (const auto found = find(); found != table.entries.end()) {
    found->second.folder->environment().RaiseLimit(options.map_bytes_max);
    ++found->second.users;
    return found->second.folder.get();
  }
  TM_ASSIGN(std::unique_ptr<Environment> environment, Environment::Open(options, contents));
  struct stat about{};
  if (::stat(options.folder.c_str(), &about) != 0) {
    return FailWith(errno, "find it", {.folder = options.folder, .contents = &contents});
  }
  Table::Entry entry{.folder = std::make_unique<Folder>(std::move(environment), options.erase_key),
                     .users = 1};
  Folder* const folder = entry.folder.get();
  table.entries.emplace(Table::Id{g_forks.load(), about.st_dev, about.st_ino}, std::move(entry));
  return folder;
}

void CloseFolder(Folder* folder) {
  if (!folder->is_own()) return;
  Table& table = Table::Get();
  const std::lock_guard lock(table.mutex);
  for (auto at = table.entries.begin(); at != table.entries.end(); ++at) {
    if (at->second.folder.get() != folder) continue;
    if (--at->second.users == 0) table.entries.erase(at);
    return;
  }
  TM_CHECK(false, "an environment's folder was closed twice");
}

}  // namespace tidemark::lmdb
