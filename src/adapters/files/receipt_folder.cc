// Each file is written under another name, synced, and renamed into place.
#include "adapters/files/receipt_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

#include "adapters/files/folder_error.h"
#include "base/file_descriptor.h"
#include "base/json.h"
#include "base/result.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kEnding = ".json";
constexpr std::string_view kPendingEnding = ".pending.json";

std::string ToText(const ErasureReceipt& receipt) {
  Json marks = Json::array();
  for (const KeyMark& mark : receipt.marks)
    marks.push_back({{"digest", ToHex(mark.digest)}, {"tag", mark.tag}});
  return Json{{"id", receipt.id},
              {"table_id", receipt.table_id},
              {"table", receipt.table},
              {"marks", std::move(marks)},
              {"fence_us", receipt.fence_us},
              {"asked_us", receipt.asked_us},
              {"rows_removed", receipt.rows_removed},
              {"files_rewritten", receipt.files_rewritten},
              {"online_erased", receipt.is_online_erased},
              {"done", receipt.is_done},
              {"dumps_removed", receipt.dumps_removed},
              {"datasets", receipt.datasets},
              {"pending", receipt.pending}}
      .dump(1);
}

Result<ErasureReceipt> ReadReceipt(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Fail(ErrorCode::kIo, fmt::format("cannot read '{}'", path.string()));
  const auto damaged = [&](std::string_view why) {
    return Fail(ErrorCode::kCorruption,
                fmt::format("the receipt of an erasure, '{}', cannot be read: {}. Restore it from a backup",
                            path.string(), why));
  };
  try {
    const Json json = Json::parse(text.str());
    ErasureReceipt receipt;
    json.at("id").get_to(receipt.id);
    json.at("table_id").get_to(receipt.table_id);
    json.at("table").get_to(receipt.table);
    for (const Json& each : json.at("marks")) {
      KeyMark mark;
      if (!FromHex(each.at("digest").get<std::string>(), mark.digest)) return damaged("a digest");
      each.at("tag").get_to(mark.tag);
      receipt.marks.push_back(mark);
    }
    json.at("fence_us").get_to(receipt.fence_us);
    json.at("asked_us").get_to(receipt.asked_us);
    json.at("rows_removed").get_to(receipt.rows_removed);
    json.at("files_rewritten").get_to(receipt.files_rewritten);
    json.at("online_erased").get_to(receipt.is_online_erased);
    json.at("done").get_to(receipt.is_done);
    if (json.contains("dumps_removed")) json.at("dumps_removed").get_to(receipt.dumps_removed);
    if (json.contains("datasets")) json.at("datasets").get_to(receipt.datasets);
    json.at("pending").get_to(receipt.pending);
    return receipt;
  } catch (const JsonError& error) {
    return damaged(error.what());
  }
}

class ReceiptFolder final : public ErasureReceipts {
 public:
  explicit ReceiptFolder(fs::path folder) : folder_(std::move(folder)) {}

  Result<void> Put(const ErasureReceipt& receipt) override {
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed) return FolderError("make the folder", folder_, failed.value());
    const fs::path pending = folder_ / (receipt.id + std::string(kPendingEnding));
    const fs::path done = folder_ / (receipt.id + std::string(kEnding));
    // Two threads can complete one erasure, in the background and not.
    static std::atomic<std::uint64_t> numbers = 0;
    const fs::path unfinished = folder_ / fmt::format("{}.{}-{}.new", receipt.id, ::getpid(), ++numbers);
    {
      std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
      file << ToText(receipt);
      file.close();
      if (!file) return FolderError("write", unfinished, errno);
    }
    if (const int error = SyncPath(unfinished); error != 0) return FolderError("sync", unfinished, error);
    fs::rename(unfinished, receipt.is_done ? done : pending, failed);
    if (failed) return FolderError("name", receipt.is_done ? done : pending, failed.value());
    if (receipt.is_done) fs::remove(pending, failed);  // if it stays, the one that is done counts
    for (const fs::path& folder : {folder_, folder_.parent_path()}) {
      if (const int error = SyncPath(folder); error != 0)
        return FolderError("sync the folder", folder, error);
    }
    return {};
  }

  Result<std::vector<ErasureReceipt>> List() const override { return ListWhere(false); }
  Result<std::vector<ErasureReceipt>> ListPending() const override { return ListWhere(true); }

 private:
  Result<std::vector<ErasureReceipt>> ListWhere(bool only_pending) const {
    std::map<std::string, fs::path> paths;  // by id; one that is done goes before the same one pending
    std::error_code failed;
    for (fs::directory_iterator entry(folder_, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed)) {
      const std::string name = entry->path().filename().string();
      if (name.ends_with(kPendingEnding)) {
        paths.try_emplace(name.substr(0, name.size() - kPendingEnding.size()), entry->path());
      } else if (name.ends_with(kEnding)) {
        paths.insert_or_assign(name.substr(0, name.size() - kEnding.size()), entry->path());
      }
    }
    if (failed == std::errc::no_such_file_or_directory) return std::vector<ErasureReceipt>{};
    if (failed) return FolderError("list", folder_, failed.value());
    std::vector<ErasureReceipt> receipts;
    for (const auto& [id, path] : paths) {
      if (only_pending && !path.native().ends_with(kPendingEnding)) continue;
      auto receipt = ReadReceipt(path);
      if (!receipt && !fs::exists(path, failed)) {
        // It was completed while we looked.
        if (only_pending) continue;
        receipt = ReadReceipt(folder_ / (id + std::string(kEnding)));
      }
      if (!receipt) return std::unexpected(std::move(receipt).error());
      receipts.push_back(*std::move(receipt));
    }
    std::ranges::sort(receipts, {}, [](const auto& each) { return std::pair(each.asked_us, each.id); });
    return receipts;
  }

  const fs::path folder_;
};

}  // namespace

std::unique_ptr<ErasureReceipts> OpenReceiptFolder(const std::filesystem::path& folder) {
  return std::make_unique<ReceiptFolder>(folder);
}

}  // namespace tidemark
