// The file appears whole or not at all: by a link, so that of two stores only one gets it.
#include "wiring/place_owner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <random>
#include <span>
#include <sstream>

#include "base/disk_full.h"
#include "base/file_descriptor.h"
#include "base/result.h"
#include "model/name.h"
#include "wiring/config.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOwnerFile = "belongs-to";

std::unexpected<Error> Failed(std::string_view doing, const fs::path& path, int error) {
  return Fail(IsDiskFull(error) ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
              fmt::format("cannot {} {}: {}", doing, Quoted(path.string()), std::strerror(error)));
}

bool CannotWrite(int error) {
  return error == EROFS || error == EACCES || error == EPERM;
}

/// The store's folder that a place names as its owner; nothing if it names none.
Result<std::optional<fs::path>> OwnerOf(const fs::path& place) {
  const fs::path path = place / kOwnerFile;
  std::error_code failed;
  if (!fs::exists(path, failed)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  std::string owner = text.str();
  if (!file || !owner.ends_with('\n') || !owner.starts_with('/')) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("{} does not name a store's folder: write the folder of the store that the place "
                            "belongs to into it, and a line's end",
                            Quoted(path.string())));
  }
  owner.pop_back();
  return fs::path(owner);
}

/// Writes the owner's file under a name of its own; an empty path in a place that cannot be written.
Result<fs::path> WriteOwner(const fs::path& place, const fs::path& owner) {
  std::random_device random;
  const fs::path path = place / fmt::format("{}.{:08x}", kOwnerFile, random());
  const FileDescriptor file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  if (!file.is_open() && CannotWrite(errno)) return fs::path();
  if (!file.is_open()) return Failed("make", path, errno);
  const std::string text = owner.string() + "\n";
  int error = WriteAll(file, std::as_bytes(std::span(text)));
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (error == 0) return path;
  ::unlink(path.c_str());
  return Failed("write", path, error);
}

Result<void> SyncPlace(const fs::path& place) {
  const int error = SyncPath(place);
  return error == 0 ? Result<void>() : Failed("sync the folder", place, error);
}

}  // namespace

fs::path PlainPath(const fs::path& folder) {
  std::error_code failed;
  fs::path plain = fs::weakly_canonical(folder, failed);
  if (failed) plain = folder.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

bool LiesWithin(const fs::path& place, const fs::path& store_folder) {
  const fs::path inner = PlainPath(place);
  const fs::path outer = PlainPath(store_folder);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

Result<void> ClaimPlace(const fs::path& place, const fs::path& store_folder) {
  if (LiesWithin(place, store_folder)) return {};
  const fs::path own = PlainPath(store_folder);
  TM_ASSIGN(auto owner, OwnerOf(place));
  if (!owner) {
    std::error_code failed;
    fs::create_directories(place, failed);
    if (failed) return Failed("make the folder", place, failed.value());
    TM_ASSIGN(const fs::path written, WriteOwner(place, own));
    if (written.empty()) return {};
    const bool linked = ::link(written.c_str(), (place / kOwnerFile).c_str()) == 0;
    const int error = errno;
    ::unlink(written.c_str());
    if (!linked && error != EEXIST) return Failed("make", place / kOwnerFile, error);
    TM_TRY(SyncPlace(place));
    TM_ASSIGN(owner, OwnerOf(place));  // another store may have been first
  }
  if (!owner || *owner == own) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} belongs to the store in {}, and this one was moved or copied from there: run "
                          "`tidemark relocate`",
                          Quoted(place.string()), Quoted(owner->string())));
}

Result<void> TakeOverPlace(const fs::path& place, const fs::path& store_folder) {
  if (LiesWithin(place, store_folder)) return {};
  const fs::path own = PlainPath(store_folder);
  TM_ASSIGN(const auto owner, OwnerOf(place));
  if (!owner || *owner == own) return ClaimPlace(place, store_folder);
  std::error_code failed;
  if (fs::exists(*owner / kOwnFolder, failed)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} belongs to the store in {}, which is still there, and two stores must not share it: "
                    "copy it to a place of this store's own, name that in {}, and relocate again; or, if {} "
                    "is another store by now, remove {}",
                    Quoted(place.string()), Quoted(owner->string()), Quoted((own / kConfigFile).string()),
                    Quoted(owner->string()), Quoted((place / kOwnerFile).string())));
  }
  TM_ASSIGN(const fs::path written, WriteOwner(place, own));
  if (written.empty()) return Failed("write into", place, EACCES);
  if (::rename(written.c_str(), (place / kOwnerFile).c_str()) != 0)
    return Failed("name", place / kOwnerFile, errno);
  return SyncPlace(place);
}

}  // namespace tidemark
