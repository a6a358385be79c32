// The file loses its name as soon as it is made, so that nothing is left over however the process ends.
#include "adapters/files/spill_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include "base/disk_full.h"
#include "base/result.h"

namespace tidemark {
namespace {

Error SystemError(std::string_view what, int error, std::string place) {
  const bool is_full = IsDiskFull(error);
  return {is_full ? ErrorCode::kOutOfSpace : ErrorCode::kIo,
          fmt::format("cannot {}: {}", what, std::generic_category().message(error)), std::move(place)};
}

class SpillFile final : public Spill {
 public:
  SpillFile(int file, std::string folder) : file_(file), folder_(std::move(folder)) {}
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  ~SpillFile() override { close(file_); }

  Result<void> Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = write(file_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return std::unexpected(Failed("write", errno));
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<std::string> Read(std::int64_t offset, std::int64_t count) const override {
    std::string bytes(static_cast<std::size_t>(count), '\0');
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t got =
          pread(file_, bytes.data() + done, bytes.size() - done, offset + static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(Failed("read", errno));
      if (got == 0)
        return std::unexpected(Error{ErrorCode::kCorruption, "what was put aside ends early", Place()});
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

 private:
  std::string Place() const { return "temporary file in " + folder_; }
  Error Failed(std::string_view what, int error) const { return SystemError(what, error, Place()); }

  const int file_;
  const std::string folder_;
};

}  // namespace

Result<std::unique_ptr<Spill>> OpenSpillFile(const std::filesystem::path& folder) {
  std::string name = folder / "spill-XXXXXX";
  const int file = mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) {
    return std::unexpected(SystemError("make a temporary file", errno, "folder " + folder.string()));
  }
  unlink(name.c_str());
  return std::make_unique<SpillFile>(file, folder.string());
}

}  // namespace tidemark
