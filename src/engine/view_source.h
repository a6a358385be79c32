// A view's source as the kernel wants it: keys and times in their canonical forms, features in declared
// types.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/catalog.h"
#include "pit/point_in_time_join.h"
#include "store/source.h"

namespace tidemark {

/// How the rows of a view are opened: from the files that it names, or from the table that Tidemark keeps of
/// it.
struct TableToRead {
  std::unique_ptr<Source> source;
  std::optional<std::int64_t> as_of_us;  // rows that were written later do not count
  /// True for rows that were erased, by full key (model/key_codec.h) and write time: they do not count.
  /// Empty: none were. Thread safe.
  std::function<bool(std::string_view key, std::int64_t write_time_us)> is_erased = {};
};
using TableOpener = std::function<Result<TableToRead>(const CatalogView& view)>;
struct SourceOpeners {
  SourceOpener file;
  TableOpener table;
};

/// Adds the source's timestamp columns, as timestamps: in a source without types of its own they are then
/// read by the one rule for text, however the rows and files differ in their notation.
void AddTimeTypes(const BatchSource& source, std::map<std::string, DataType>& column_types);

/// The source of one view, opened at one moment. Thread safe. Errors name the view and the file.
class ViewSource {
 public:
  /// `view` must outlive this. Of a source keys, times and `features` are read, and rows as `rows` says,
  /// whose columns are left out.
  static Result<std::unique_ptr<ViewSource>> Open(const CatalogView& view, const SourceOpeners& open,
                                                  const std::vector<Field>& features, SourceNeeds rows = {});

  const CatalogView& view() const { return view_; }
  const Source& source() const { return *source_; }
  bool has_created() const { return !view_.definition.created_column().empty(); }
  /// True for Tidemark's own tables: rows say when they were written, and whether they are deletions.
  bool has_own_order() const { return !source_->system_columns().sequence.empty(); }

  /// kNotFound if a feature has no column in the source (any more).
  Result<void> CheckFeatures(const std::vector<Field>& features) const;

  /// Every fragment, with the ranges of key and event time columns.
  Result<std::vector<Fragment>> Fragments() const;

  /// The range of event times of a fragment, if it states one.
  struct EventRange {
    std::int64_t low_us;
    std::int64_t high_us;
  };
  std::optional<EventRange> EventTimes(const Fragment& fragment) const;
  /// False only if no key among `groups` can be in the fragment.
  bool MayContainKeys(const Fragment& fragment, const EntityGroups& groups) const;

  /// Hands over the keys and times of a fragment's rows, batch by batch.
  Result<void> ScanKeys(const Fragment& fragment,
                        const std::function<Result<void>(const FeatureRows&)>& sink) const;

  /// Features of the fragment's rows `rows` (ascending, from the start of the fragment), in the declared
  /// types.
  Result<arrow::ArrayVector> TakeFeatures(const Fragment& fragment, const std::vector<Field>& features,
                                          std::span<const std::int64_t> rows) const;

  /// Join keys of those rows, in canonical form and the order of view().join_keys.
  Result<arrow::ArrayVector> TakeKeys(const Fragment& fragment, std::span<const std::int64_t> rows) const;

  /// True once a timestamp finer than a microsecond was cut.
  bool was_cut() const { return was_cut_.load(std::memory_order_relaxed); }

 private:
  ViewSource(const CatalogView& view, std::unique_ptr<Source> source);
  Result<void> CheckColumns() const;
  Result<void> CheckColumn(const std::string& column) const;
  std::string ViewPlace() const;                          // "view x"
  std::string FilePlace(const Fragment& fragment) const;  // "file y"
  Result<void> AddOwnOrder(const arrow::RecordBatch& batch, int column, FeatureRows& rows) const;
  Result<FeatureRows> ToFeatureRows(const Fragment& fragment, const arrow::RecordBatch& batch,
                                    std::int64_t first_row) const;

  const CatalogView& view_;
  std::unique_ptr<Source> source_;
  std::vector<std::string> key_columns_;   // join keys
  std::vector<std::string> scan_columns_;  // join keys, event time, created time if any
  std::optional<std::int64_t> as_of_us_;
  std::function<bool(std::string_view, std::int64_t)> is_erased_;
  mutable std::atomic<bool> was_cut_{false};
};

}  // namespace tidemark
