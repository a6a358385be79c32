// Walks folders and globs, in the order of names, and reads the partition values off the folders' names.
#include "adapters/files/file_listing.h"

#include <dirent.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "adapters/parquet/data_file.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHiveNull = "__HIVE_DEFAULT_PARTITION__";

bool EndsWith(std::string_view text, std::string_view ending) {
  if (text.size() < ending.size()) return false;
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? char(a - 'A' + 'a') : a) == b; };
  return std::equal(ending.begin(), ending.end(), text.end() - static_cast<std::ptrdiff_t>(ending.size()),
                    [&](char e, char t) { return same(t, e); });
}

std::optional<FileFormat> FormatByEnding(std::string_view name) {
  if (EndsWith(name, ".parquet") || EndsWith(name, ".pq")) return FileFormat::kParquet;
  if (EndsWith(name, ".csv") || EndsWith(name, ".csv.gz")) return FileFormat::kCsv;
  return std::nullopt;
}

bool IsPassedOver(std::string_view name) {
  return name.starts_with('.') || name.starts_with('_');
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string UrlDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

class Walk {
 public:
  Walk(const fs::path& path, std::optional<FileFormat> format) : path_(path), format_(format) {}

  Result<FileListing> Run() {
    TM_TRY(Start());
    if (listing_.files.empty()) return NothingFound();
    std::ranges::sort(listing_.files, {},
                      [](const ListedFile& file) -> const std::string& { return file.file.path; });
    // A glob with `**` can reach a file in two ways.
    const auto again = std::ranges::unique(
        listing_.files, [](const ListedFile& a, const ListedFile& b) { return a.file.path == b.file.path; });
    listing_.files.erase(again.begin(), again.end());
    TM_TRY(DecideFormat());
    return std::move(listing_);
  }

 private:
  Result<void> Start() {
    auto found = StatFile(path_);
    if (found) {
      named_ = !S_ISDIR(found->st_mode);
      return Visit(path_, *found, {});
    }
    if (found.error().code != ErrorCode::kNotFound || !HasWildcard(path_.string())) {
      return std::unexpected(std::move(found).error());
    }
    fs::path fixed;
    std::vector<std::string> pattern;
    for (const fs::path& part : path_) {
      if (pattern.empty() && !HasWildcard(part.string())) {
        fixed /= part;
      } else if (!part.empty()) {
        pattern.push_back(part.string());
      }
    }
    named_ = true;
    if (const auto root = StatFile(fixed)) open_folders_.emplace_back(root->st_dev, root->st_ino);
    return Match(fixed, pattern, 0, {});
  }

  // Files and folders below `folder` that match the pattern from component `at` on.
  Result<void> Match(const fs::path& folder, const std::vector<std::string>& pattern, std::size_t at,
                     const std::vector<PartitionValue>& partitions) {
    const bool any_depth = pattern[at] == "**";
    const bool last = at + 1 == pattern.size();
    if (any_depth && !last) TM_TRY(Match(folder, pattern, at + 1, partitions));
    auto names = NamesIn(folder);
    if (!names) {
      // A fixed part that does not exist matches nothing; the message of an empty match says more.
      if (names.error().code == ErrorCode::kNotFound) return {};
      return std::unexpected(std::move(names).error());
    }
    for (const std::string& name : *names) {
      if (!any_depth && ::fnmatch(pattern[at].c_str(), name.c_str(), FNM_PERIOD) != 0) continue;
      if (IsPassedOver(name) && (any_depth || HasWildcard(pattern[at]))) continue;
      const fs::path path = folder / name;
      TM_ASSIGN(const auto there, StatIfThere(path));
      if (!there) continue;
      const struct stat& found = *there;
      if (last) {
        TM_TRY(Visit(path, found, partitions));
      } else if (S_ISDIR(found.st_mode)) {
        TM_TRY(Within(found,
                      [&] { return Match(path, pattern, any_depth ? at : at + 1, With(partitions, name)); }));
      }
    }
    return {};
  }

  // A file is listed; of a folder, all that is below it.
  Result<void> Visit(const fs::path& path, const struct stat& found,
                     const std::vector<PartitionValue>& partitions) {
    if (!S_ISDIR(found.st_mode)) {
      if (!S_ISREG(found.st_mode)) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("{} is neither a file nor a folder", path.string()));
      }
      listing_.files.push_back({DescribeFile(path, found), partitions});
      return {};
    }
    return Within(found, [&] { return VisitFolder(path, partitions); });
  }

  Result<void> VisitFolder(const fs::path& path, const std::vector<PartitionValue>& partitions) {
    const std::vector<PartitionValue> inner = With(partitions, path == path_ ? "" : path.filename().string());
    TM_ASSIGN(const std::vector<std::string> names, NamesIn(path));
    for (const std::string& name : names) {
      if (IsPassedOver(name)) continue;
      const fs::path below = path / name;
      TM_ASSIGN(const auto there, StatIfThere(below));
      if (!there) continue;
      const struct stat& what = *there;
      // What is neither a folder nor readable as a table lies beside the data: a README, a socket.
      if (!S_ISDIR(what.st_mode) && !(S_ISREG(what.st_mode) && (format_ || FormatByEnding(name)))) continue;
      TM_TRY(Visit(below, what, inner));
    }
    return {};
  }

  // Does `work` in a folder, unless a link has led back to one that work is going on in.
  template <typename Work>
  Result<void> Within(const struct stat& folder, const Work& work) {
    const std::pair<dev_t, ino_t> self{folder.st_dev, folder.st_ino};
    if (std::ranges::find(open_folders_, self) != open_folders_.end()) return {};
    open_folders_.push_back(self);
    TM_TRY(work());
    open_folders_.pop_back();
    return {};
  }

  // Of a name that a folder had: nothing if it is gone by now, an error if it is a link to what is not there.
  static Result<std::optional<struct stat>> StatIfThere(const fs::path& path) {
    auto found = StatFile(path);
    if (found) return *found;
    if (found.error().code != ErrorCode::kNotFound) return std::unexpected(std::move(found).error());
    struct stat link = {};
    if (::lstat(path.c_str(), &link) != 0) return std::nullopt;
    return Fail(ErrorCode::kIo, fmt::format("{} is a link to what is not there", path.string()));
  }

  static Result<std::vector<std::string>> NamesIn(const fs::path& folder) {
    DIR* const opened = ::opendir(folder.c_str());
    if (opened == nullptr) {
      const int error = errno;
      return Fail(error == ENOENT || error == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
                  fmt::format("cannot read the folder {}: {}", folder.string(), std::strerror(error)));
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const entry = ::readdir(opened)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(opened);
    if (error != 0) {
      return Fail(ErrorCode::kIo,
                  fmt::format("cannot read the folder {}: {}", folder.string(), std::strerror(error)));
    }
    return names;
  }

  static std::vector<PartitionValue> With(std::vector<PartitionValue> partitions, std::string_view folder) {
    if (auto partition = ReadFolderName(folder)) partitions.push_back(*std::move(partition));
    return partitions;
  }

  Result<void> DecideFormat() {
    if (format_) {
      listing_.format = *format_;
      return {};
    }
    const std::string& first = listing_.files.front().file.path;
    for (const ListedFile& listed : listing_.files) {
      const std::optional<FileFormat> format = FormatByEnding(listed.file.path);
      if (!format) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("the format of {} is not known by its ending (.parquet, .pq, .csv, .csv.gz): "
                                "state the source's format",
                                listed.file.path));
      }
      if (&listed == &listing_.files.front()) {
        listing_.format = *format;
      } else if (*format != listing_.format) {
        return Fail(
            ErrorCode::kInvalidArgument,
            fmt::format("{} and {} are of different formats: name one kind by a glob such as *.parquet",
                        first, listed.file.path));
      }
    }
    return {};
  }

  std::unexpected<Error> NothingFound() const {
    const std::string_view endings = !format_                           ? ".parquet, .pq, .csv or .csv.gz"
                                     : *format_ == FileFormat::kParquet ? "any name, as Parquet"
                                                                        : "any name, as CSV";
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("{} {} (looked for files of {}, hidden ones and names starting with _ aside)",
                    named_ ? "no file matches" : "there is no data file below", path_.string(), endings));
  }

  const fs::path& path_;
  const std::optional<FileFormat> format_;
  bool named_ = false;                                 // the user named files, not a folder
  std::vector<std::pair<dev_t, ino_t>> open_folders_;  // from the root to here, against loops of links
  FileListing listing_;
};

}  // namespace

bool HasWildcard(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

Result<void> CheckIsPath(const std::string& path) {
  const std::size_t scheme = path.find("://");
  if (scheme == std::string::npos || path.find('/') < scheme) return {};
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("'{}' is an address: this version reads files of this machine, by their paths", path));
}

std::optional<PartitionValue> ReadFolderName(std::string_view folder) {
  const std::size_t equals = folder.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  PartitionValue partition{UrlDecode(folder.substr(0, equals)), std::nullopt};
  const std::string_view value = folder.substr(equals + 1);
  if (value != kHiveNull) partition.value = UrlDecode(value);
  return partition;
}

Result<FileListing> ListFiles(const fs::path& path, std::optional<FileFormat> format) {
  return Walk(path, format).Run();
}

}  // namespace tidemark
