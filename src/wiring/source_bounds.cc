// Places are compared with the place that the registry has, so that what was applied by its owner stays as it
// is.
#include "wiring/source_bounds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "wiring/place_owner.h"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

/// What stands before the first character of a glob, cut at a folder.
fs::path FixedPart(const fs::path& path) {
  fs::path fixed;
  for (const fs::path& part : path) {
    if (part.native().find_first_of("*?[{") != std::string::npos) break;
    fixed /= part;
  }
  return fixed;
}

Error Refused(std::string_view what, const SourceBounds& bounds) {
  std::vector<std::string> folders;
  for (const fs::path& folder : bounds.folders)
    folders.push_back(folder.string());
  return Error{ErrorCode::kPermissionDenied,
               fmt::format("a key that is not admin of all projects ('*') may only name files in {}, and "
                           "this is {}: ask whoever runs the server to apply it, or to add a folder to "
                           "source_folders",
                           folders.empty() ? "the server's source_folders, of which there are none"
                                           : fmt::format("{}", fmt::join(folders, ", ")),
                           what),
               {}};
}

/// True if the query of the view in the registry has the same sources.
bool ReadsKnownFiles(const FeatureView& view, const FeatureView& before) {
  if (!view.batch || view.batch->sources.empty()) return true;
  return before.batch && std::ranges::equal(view.batch->sources, before.batch->sources,
                                            [](const BatchSource& one, const BatchSource& other) {
                                              return one.path == other.path && one.table == other.table &&
                                                     one.warehouse == other.warehouse;
                                            });
}

/// True if the view in the registry reads the same place already.
bool IsKnown(const FeatureView& view, const Catalog& known) {
  const auto found = known.views().find(view.renamed_from.value_or(view.name));
  if (found == known.views().end()) return false;
  const FeatureView& before = found->second.definition;
  if (view.kafka != before.kafka || view.kinesis != before.kinesis) return false;
  if (view.source.has_value() != before.source.has_value()) return false;
  if (!view.source) return ReadsKnownFiles(view, before);
  return view.source->path == before.source->path && view.source->table == before.source->table &&
         view.source->warehouse == before.source->warehouse;
}

Result<void> CheckSource(const BatchSource& source, const SourceBounds& bounds) {
  if (source.warehouse) return std::unexpected(Refused("a warehouse", bounds));
  if (!source.table.empty())
    return std::unexpected(Refused(fmt::format("the table '{}' of the catalog", source.table), bounds));
  return CheckFiles(source.path, bounds);
}

Result<void> CheckView(const FeatureView& view, const SourceBounds& bounds) {
  if (view.kafka || view.kinesis) return std::unexpected(Refused("a stream", bounds));
  if (view.source) return CheckSource(*view.source, bounds);
  if (!view.batch) return {};
  for (const BatchSource& source : view.batch->sources)
    TM_TRY(CheckSource(source, bounds));
  return {};
}

}  // namespace

Result<void> CheckSources(const Definitions& definitions, const Catalog& known, const SourceBounds& bounds) {
  for (const FeatureView& view : definitions.views) {
    if (IsKnown(view, known)) continue;
    TM_TRY_IN(CheckView(view, bounds), fmt::format("view {}", view.name));
  }
  return {};
}

Result<void> CheckFiles(std::string_view path, const SourceBounds& bounds) {
  const fs::path named(path);
  const fs::path fixed = FixedPart(bounds.store_folder / named);
  // A step up behind a glob could lead anywhere.
  const bool is_plain = !path.contains("://") && std::ranges::find(named, "..") == named.end();
  if (is_plain && std::ranges::any_of(bounds.folders,
                                      [&](const fs::path& folder) { return LiesWithin(fixed, folder); })) {
    return {};
  }
  return std::unexpected(Refused(fmt::format("'{}'", path), bounds));
}

}  // namespace tidemark
