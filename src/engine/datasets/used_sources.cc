// A source is known by where its rows are; views that share one share what is noted of it.
#include "engine/datasets/used_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/result.h"
#include "model/time.h"

namespace tidemark {
namespace {

/// The views of the catalog whose rows are there.
std::vector<std::string> ViewsOf(const Catalog& catalog, const BatchSource& source) {
  std::vector<std::string> views;
  const BatchSource place = PlaceOfRows(source);
  for (const auto& [name, view] : catalog.views()) {
    if (view.definition.source && PlaceOfRows(*view.definition.source) == place) views.push_back(name);
  }
  return views;
}

std::string LookText(const FileLook& look) {
  return fmt::format("{} bytes, written {}", look.bytes, FormatTimestampUs(look.mtime_ns / 1000));
}

Result<void> CheckLook(const UsedFile& file, const DatasetFiles& files) {
  TM_ASSIGN(const FileLook now, files.LookAt(file.path));
  if (now == file.look) return {};
  return Fail(ErrorCode::kInvalidData,
              fmt::format("file '{}' is not what the dataset was made of: it has {}, and had {}{}", file.path,
                          LookText(now), LookText(file.look),
                          now.bytes == file.look.bytes && now.mtime_ns == file.look.mtime_ns
                              ? "; its end is another one"
                              : ""));
}

/// A source without the files that came after those that are kept.
class SourceOfThen final : public Source {
 public:
  SourceOfThen(std::unique_ptr<Source> source, const UsedSource& used) : source_(std::move(source)) {
    std::set<std::string> paths;
    for (const UsedFile& file : used.files)
      paths.insert(file.path);
    for (std::size_t i = 0; i < source_->files().size(); ++i) {
      if (paths.contains(source_->files()[i].path)) kept_.insert(i);
    }
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return source_->schema(); }
  const std::vector<SourceFile>& files() const override { return source_->files(); }
  const SystemColumns& system_columns() const override { return source_->system_columns(); }

  Result<std::vector<Fragment>> FragmentsOf(const std::vector<std::size_t>& files,
                                            const std::vector<std::string>& columns) const override {
    std::vector<std::size_t> asked;
    std::ranges::copy_if(files, std::back_inserter(asked), [&](std::size_t i) { return kept_.contains(i); });
    return source_->FragmentsOf(asked, columns);
  }

  Result<void> Scan(const Fragment& fragment, const std::vector<std::string>& columns,
                    const BatchSink& sink) const override {
    return source_->Scan(fragment, columns, sink);
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Take(const Fragment& fragment,
                                                   const std::vector<std::string>& columns,
                                                   std::span<const std::int64_t> rows) const override {
    return source_->Take(fragment, columns, rows);
  }

  std::size_t kept() const { return kept_.size(); }

 private:
  const std::unique_ptr<Source> source_;
  std::set<std::size_t> kept_;
};

}  // namespace

SourceOpener SourceNotes::Noting(SourceOpener open) {
  return
      [this, open = std::move(open)](const BatchSource& source, const std::map<std::string, DataType>& types,
                                     const SourceNeeds& needs) -> Result<std::unique_ptr<Source>> {
        TM_ASSIGN(auto opened, open(source, types, needs));
        TM_TRY(Note(source, *opened));
        return opened;
      };
}

Result<void> SourceNotes::Note(const BatchSource& source, const Source& opened) {
  UsedSource used;
  used.is_warehouse = source.warehouse.has_value();
  if (!used.is_warehouse) {
    for (const SourceFile& file : opened.files()) {
      TM_ASSIGN(const FileLook look, files_.LookAt(file.path));
      used.files.push_back({file.path, look});
    }
  }
  for (const std::string& view : ViewsOf(catalog_, source)) {
    const auto is_it = [&](const UsedSource& each) { return each.view == view; };
    if (std::ranges::any_of(used_, is_it)) continue;
    used.view = view;
    used_.push_back(used);
  }
  return {};
}

Result<std::vector<UsedSource>> SourceNotes::Finish() const {
  for (const UsedSource& source : used_) {
    for (const UsedFile& file : source.files)
      TM_TRY_IN(CheckLook(file, files_), "view " + source.view);
  }
  return used_;
}

SourceOpener OpenerOfUsed(const std::vector<UsedSource>& used, const Catalog& catalog,
                          const DatasetFiles& files, SourceOpener open) {
  return [&used, &catalog, &files, open = std::move(open)](
             const BatchSource& source, const std::map<std::string, DataType>& types,
             const SourceNeeds& needs) -> Result<std::unique_ptr<Source>> {
    const auto views = ViewsOf(catalog, source);
    const auto found = std::ranges::find_if(
        used, [&](const UsedSource& each) { return std::ranges::find(views, each.view) != views.end(); });
    if (found == used.end())
      return Fail(ErrorCode::kCorruption, "the dataset does not say which files it was made of");
    if (!found->is_warehouse) {
      for (const UsedFile& file : found->files)
        TM_TRY_IN(CheckLook(file, files), "view " + found->view);
    }
    TM_ASSIGN(auto opened, open(source, types, needs));
    if (found->is_warehouse) return opened;
    auto then = std::make_unique<SourceOfThen>(std::move(opened), *found);
    if (then->kept() != found->files.size()) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("view {}: its source does not have all of the {} files any more that the "
                              "dataset was made of",
                              found->view, found->files.size()));
    }
    return then;
  };
}

}  // namespace tidemark
