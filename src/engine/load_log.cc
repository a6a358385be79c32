// Ranges and the JSON form of the load log.
#include "engine/load_log.h"

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "base/result.h"

namespace tidemark {
namespace {

Json RangeToJson(const TimeRange& range) {
  return Json::array({range.start_us, range.end_us});
}

TimeRange RangeFromJson(const Json& json) {
  return {json.at(0).get<std::int64_t>(), json.at(1).get<std::int64_t>()};
}

/// A path may be any bytes, and JSON is UTF-8: each byte becomes the character of that number, so that
/// nothing is lost and ASCII stays readable.
std::string TextOfPath(std::string_view path) {
  std::string text;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::string PathOfText(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80 || i + 1 == text.size()) {
      path += text[i];
    } else {
      path += static_cast<char>(((byte & 0x03) << 6) | (static_cast<unsigned char>(text[++i]) & 0x3F));
    }
  }
  return path;
}

// What begins the path of a file below the store's folder.
constexpr std::string_view kInStore = "./";

std::string WithinStore(const std::string& path, std::string_view store_folder) {
  const bool is_within = !store_folder.empty() && path.starts_with(store_folder) &&
                         std::string_view(path).substr(store_folder.size()).starts_with('/');
  return is_within ? std::string(kInStore) + path.substr(store_folder.size() + 1) : path;
}

std::string OutOfStore(const std::string& path, std::string_view store_folder) {
  if (store_folder.empty() || !path.starts_with(kInStore)) return path;
  return std::string(store_folder) + '/' + path.substr(kInStore.size());
}

LoadedFile FileFromJson(const Json& json, std::string_view store_folder) {
  LoadedFile file;
  file.file = {OutOfStore(PathOfText(json.at("path").text()), store_folder), json.at("id").get<std::string>(),
               json.at("size").get<std::int64_t>(), json.at("mtime_ns").get<std::int64_t>()};
  for (const Json& range : json.at("ranges"))
    file.ranges.push_back(RangeFromJson(range));
  if (const auto times = json.find("event_times"); times != json.end())
    file.event_times = RangeFromJson(*times);
  if (const auto newest = json.find("newest_created_us"); newest != json.end())
    file.newest_created_us = newest->get<std::int64_t>();
  return file;
}

}  // namespace

std::optional<TimeRange> Uncovered(TimeRange wanted, const std::vector<TimeRange>& loaded) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  for (const TimeRange& range : loaded) {  // sorted and apart: one covers an edge or none does
    if (range.start_us <= wanted.start_us && range.end_us >= wanted.start_us) {
      if (range.end_us == kMax || range.end_us >= wanted.end_us) return std::nullopt;
      wanted.start_us = range.end_us + 1;
    }
    if (range.start_us <= wanted.end_us && range.end_us >= wanted.end_us &&
        range.start_us > wanted.start_us) {
      if (range.start_us == kMin) return std::nullopt;
      wanted.end_us = range.start_us - 1;
    }
  }
  return wanted;
}

std::vector<TimeRange> Merged(std::vector<TimeRange> loaded, TimeRange range) {
  loaded.push_back(range);
  std::ranges::sort(loaded, {}, &TimeRange::start_us);
  std::vector<TimeRange> merged;
  for (const TimeRange& next : loaded) {
    const bool touches =
        !merged.empty() && (merged.back().end_us == std::numeric_limits<std::int64_t>::max() ||
                            next.start_us <= merged.back().end_us + 1);
    if (touches) {
      merged.back().end_us = std::max(merged.back().end_us, next.end_us);
    } else {
      merged.push_back(next);
    }
  }
  return merged;
}

const LoadedFile* LoadLog::Unchanged(const SourceFile& file) const {
  const auto found = std::ranges::find(files, file, &LoadedFile::file);
  return found == files.end() ? nullptr : &*found;
}

std::string ToJson(const LoadLog& log, std::string_view store_folder) {
  Json files = Json::array();
  for (const LoadedFile& file : log.files) {
    Json ranges = Json::array();
    for (const TimeRange& range : file.ranges)
      ranges.push_back(RangeToJson(range));
    files.push_back({{"path", TextOfPath(WithinStore(file.file.path, store_folder))},
                     {"id", file.file.id},
                     {"size", file.file.size},
                     {"mtime_ns", file.file.mtime_ns},
                     {"ranges", std::move(ranges)}});
    if (file.event_times) files.back()["event_times"] = RangeToJson(*file.event_times);
    if (file.newest_created_us) files.back()["newest_created_us"] = *file.newest_created_us;
  }
  return Json{{"definition", log.definition},
              {"online_store", log.online_store},
              {"loaded_at_us", log.loaded_at_us},
              {"rows_written", log.rows_written},
              {"last", RangeToJson(log.last)},
              {"newest_event_us", log.newest_event_us ? Json(*log.newest_event_us) : Json()},
              {"files", std::move(files)}}
      .dump();
}

Result<LoadLog> LoadLogFromJson(std::string_view text, std::string_view store_folder) {
  try {
    const Json json = Json::parse(text);
    LoadLog log;
    log.definition = json.at("definition").get<std::string>();
    log.online_store = json.at("online_store").get<std::string>();
    log.loaded_at_us = json.at("loaded_at_us").get<std::int64_t>();
    log.rows_written = json.at("rows_written").get<std::int64_t>();
    log.last = RangeFromJson(json.at("last"));
    if (const Json& newest = json.at("newest_event_us"); !newest.is_null()) {
      log.newest_event_us = newest.get<std::int64_t>();
    }
    for (const Json& file : json.at("files"))
      log.files.push_back(FileFromJson(file, store_folder));
    return log;
  } catch (const JsonError& error) {
    return Fail(ErrorCode::kCorruption,
                std::string("the registry's note on what was loaded cannot be read: ") + error.what());
  }
}

}  // namespace tidemark
